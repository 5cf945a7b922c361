"""Show the page in the browser."""

from __future__ import annotations

import argparse

from sklearn_gass.cli._console import CommandError, Console
from sklearn_gass.web._server import serve
from sklearn_gass.web._uploads import UploadError


def run(args: argparse.Namespace, console: Console) -> None:
    """Serve until Ctrl-C or another signal ends the program."""
    try:
        serve(args.models, args.port, lambda address: console.result(f"Open {address} in a browser. Ctrl-C ends this."))
    except ImportError as error:
        if getattr(error, "name", "") == "gradio":
            raise CommandError("The page needs gradio: pip install 'sklearn_gass[web]'") from error
        raise
    except UploadError as error:
        raise CommandError(str(error)) from error
