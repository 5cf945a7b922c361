"""Serve the page on this machine until it is told to end."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sklearn_gass.web._uploads import MAX_FILE_MEGABYTES
from sklearn_gass.web._visit import Visits, load_audio_separator

_HOST = "127.0.0.1"


def serve(paths: Sequence[Path], port: int | None, announce: Callable[[str], None]) -> None:
    """Show the page until KeyboardInterrupt; then remove everything that was uploaded.

    Parameters
    ----------
    paths : sequence of Path
        Model files that are loaded at the start.
    port : int or None
        Port of the page; ``None`` takes a free one from 7860 on.
    announce : callable
        Is given the address.

    Raises
    ------
    ImportError
        If gradio is missing.
    UploadError
        If a model file cannot be used.
    OSError
        If the port is taken.
    """
    models = {path.name: load_audio_separator(path) for path in paths}
    with tempfile.TemporaryDirectory(prefix="sklearn-gass-") as folder:
        uploads = Path(folder, "uploads")
        # gradio reads these when it is imported; it would report its use and look for newer versions otherwise
        os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": str(uploads), "HF_HUB_OFFLINE": "1"}
        os.environ["NO_PROXY"] = ",".join(filter(None, [os.environ.get("NO_PROXY"), _HOST]))
        from sklearn_gass.web._page import CSS, Page

        visits = Visits(models, Path(folder))
        page = Page(visits)
        try:
            _, address, _ = page.blocks.launch(
                server_name=_HOST,
                server_port=port,
                share=False,
                quiet=True,
                prevent_thread_lock=True,
                ssr_mode=False,
                _frontend=False,  # do not refuse to run where the page takes three seconds for its first answer
                footer_links=[],
                max_file_size=f"{MAX_FILE_MEGABYTES}mb",
                css=CSS,
            )
            announce(address)
            while True:
                time.sleep(0.5)
        finally:
            visits.end_all()
            page.blocks.close(verbose=False)
