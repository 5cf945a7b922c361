"""Fuzz the readers of files of strangers, guided by coverage.

atheris changes files and keeps those that reach lines of Python which none has reached before. There are three targets:
*model* is the bytes of a model file for ``load_model``; *description* is the JSON inside one, which gets right
checksums, so that the decoder behind them is reached; *sound* is the bytes of a sound file for ``audio_info`` and
``load_audio``. An input is *wrong* if anything but the documented errors is raised; it is then kept in the folder
``--findings``. A crash of the interpreter, more than 2 GB of memory and more than 20 s for an input end the run.

atheris has wheels for Linux and no place in the library's own environments. In an environment that has it and the
library, run ``python benchmarks/robustness/fuzz.py sound --seconds 600``, the others likewise. The seeds of the corpus
are in ``tests/data/fuzz``, and a test replays them.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

SEEDS = Path(__file__).parents[2] / "tests" / "data" / "fuzz"


def try_model(data: bytes, folder: Path) -> None:
    """Load a model file; raise whatever is not documented."""
    path = folder / "model.safetensors"
    path.write_bytes(data)
    try:
        load_model(path)
    except ValueError as error:
        if not str(error).startswith(f"Cannot load model {path}: "):
            raise AssertionError(str(error)) from error


def try_description(data: bytes, folder: Path) -> None:
    """Load the model file of the seeds with another description."""
    try:
        content = json.loads(data)
        text = json.dumps(content, separators=(",", ":"))
        document = json.dumps({"format": 1, "sha256": hashlib.sha256(text.encode()).hexdigest(), "content": content})
    except (ValueError, RecursionError):
        return
    whole = (SEEDS / "model" / "nmf.safetensors").read_bytes()
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    header["__metadata__"] = {"sklearn_gass": document}
    encoded = json.dumps(header).encode()
    try_model(len(encoded).to_bytes(8, "little") + encoded + whole[8 + length :], folder)


def try_sound(data: bytes, folder: Path) -> None:
    """Read a sound file; raise whatever is not documented."""
    for read in (audio_info, load_audio):
        try:
            read(io.BytesIO(data))
        except (OSError, ValueError):
            pass


TARGETS = {"model": try_model, "description": try_description, "sound": try_sound}


def fuzz(target: str, seconds: float, corpus: Path, findings: Path, json_path: Path | None) -> None:
    """Fuzz for a time of the processor, and never return."""
    counts = {"inputs": 0, "wrong": 0, "seconds": 0}
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    begin = time.process_time()

    def test_one_input(data: bytes) -> None:
        counts["inputs"] += 1
        try:
            TARGETS[target](data, folder)
        except Exception as error:
            counts["wrong"] += 1
            findings.mkdir(parents=True, exist_ok=True)
            (findings / f"{target}-{hashlib.sha256(data).hexdigest()[:16]}").write_bytes(data)
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        spent = time.process_time() - begin
        if spent >= seconds:
            counts["seconds"] = round(spent)
            kept = json.loads(json_path.read_text()).get("fuzz", {}) if json_path and json_path.exists() else {}
            record(json_path, "fuzz", {**kept, target: counts})
            os._exit(int(counts["wrong"] > 0))

    options = ["-max_len=8192", "-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], os.fspath(corpus), os.fspath(SEEDS / target), *options], test_one_input)
    atheris.Fuzz()


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=float, default=600.0, help="processor time; default: 600")
    parser.add_argument("--corpus", type=Path, help="folder to keep new inputs in; default: a temporary one")
    parser.add_argument("--findings", type=Path, default=Path("findings"))
    parser.add_argument("--json", type=Path, help="file to write the counts to, beside those of other scripts")
    arguments = parser.parse_args()
    corpus = arguments.corpus or Path(tempfile.mkdtemp())
    corpus.mkdir(parents=True, exist_ok=True)
    fuzz(arguments.target, arguments.seconds, corpus, arguments.findings, arguments.json)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    try:
        import atheris
    except ImportError:
        sys.exit("This needs atheris: pip install atheris")
    import sklearn.model_selection  # noqa: F401  # whatever else is imported now is not watched
    import torch  # noqa: F401
    from counts import record

    with atheris.instrument_imports(include=["sklearn_gass"]):
        from sklearn_gass import load_audio, load_model
        from sklearn_gass.audio_io import audio_info
    main()
else:
    from sklearn_gass import load_audio, load_model
    from sklearn_gass.audio_io import audio_info
