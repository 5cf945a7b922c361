"""Fill the disk while files are written and count what is left behind.

A limit on the size of files, as ``ulimit -f`` sets it, makes every write beyond it fail as on a full disk. The limit is
drawn between 0 and the size that the file would have. Sound, a page with a picture, a model, a checkpoint
and a cache of trained models are written, over older files after the first time. An event is *named* if an error is
raised that names the file, and *old kept* if all older files are still there, byte for byte. It is *wrong* if anything
but such an error is raised, or if any file has changed or been added. Of a checkpoint a file of an earlier epoch may
stand there, and a cache goes without what it cannot write; from both, training must then give the same numbers: *made
again*. The script ends with 1 if any event is wrong.

It needs the limits of Unix. Run ``python benchmarks/robustness/full_disk.py``.
"""

from __future__ import annotations

import argparse
import random
import resource
import signal
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from counts import record
from safetensors.numpy import load_file

from sklearn_gass import NMFSourceModel, SupervisedSeparator, VAESourceModel, save_audio, save_model
from sklearn_gass.cli._console import CommandError, Console
from sklearn_gass.cli._outputs import staged
from sklearn_gass.cli._report import write_page

FRAMES = np.random.default_rng(0).gamma(0.5, size=(60, 17)).astype(np.float32)
WAVE = np.sin(np.arange(20_000) / 9)
LABELS = np.repeat(["a", "b"], 30)


@contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """Let no file grow beyond a number of bytes in this block."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write_sound(folder: Path, seed: int) -> None:
    """Write a sound file."""
    save_audio(folder / "tone.wav", WAVE * (0.5 + 0.01 * seed), 8000)


def write_page_of_pictures(folder: Path, seed: int) -> None:
    """Write a picture and a page with players, as the command line does."""
    with staged(folder / "page") as scratch:
        write_page(scratch, {"tone": WAVE[: 4000 + seed]}, 8000, Console(quiet=True), title="A tone", lead="")


def write_model(folder: Path, seed: int) -> None:
    """Write a model."""
    save_model(NMFSourceModel(4, random_state=seed, max_iter=2).fit(FRAMES), folder / "model.safetensors")


def write_checkpoint(folder: Path, seed: int) -> None:
    """Train with a checkpoint, and with another seed whenever there is a finished one."""
    path = folder / f"training{seed}.safetensors"
    model = VAESourceModel(2, hidden_layer_sizes=(8,), max_iter=3, checkpoint=path, checkpoint_every=0.0)
    model.set_params(random_state=seed).fit(FRAMES)


def write_cache(folder: Path, seed: int) -> None:
    """Train with a cache of trained models."""
    SupervisedSeparator(NMFSourceModel(4, max_iter=2), memory=str(folder / "cache"), random_state=seed).fit(
        FRAMES, LABELS
    )


KINDS: dict[str, Callable[[Path, int], None]] = {
    "sound": write_sound,
    "page of pictures": write_page_of_pictures,
    "model": write_model,
    "checkpoint": write_checkpoint,
    "cache": write_cache,
}


def files(folder: Path) -> dict[Path, bytes]:
    """Return the content of all files in a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def event(kind: str, folder: Path, limit: int, seed: int) -> dict[str, int]:
    """Write on a full disk, then on one that is not, and return what happened."""
    before, outcome = files(folder), dict.fromkeys(("events", "named", "old kept", "made again", "wrong"), 0)
    outcome["events"] = 1
    try:
        with full_disk(limit):
            KINDS[kind](folder, seed)
        outcome["wrong"] = int(kind != "cache")  # it cannot have been written
    except (OSError, CommandError) as error:
        outcome["named"] = int(str(folder) in str(error))
        outcome["wrong"] = int(not outcome["named"] and kind != "cache")  # joblib's own errors name no file
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        outcome["wrong"] = 1
    after = files(folder)
    outcome["old kept"] = int(before != {} and before.items() <= after.items())
    if kind in ("checkpoint", "cache"):  # what stands there now, old or new, must be whole
        outcome["made again"] = int(made_again(kind, folder, seed))
        outcome["wrong"] |= 1 - outcome["made again"]
    else:
        outcome["wrong"] |= int(before != after)
        KINDS[kind](folder, seed)
    return outcome


def made_again(kind: str, folder: Path, seed: int) -> bool:
    """Tell whether training with what a full disk has left gives the numbers of training without it."""
    with tempfile.TemporaryDirectory() as other:
        for place in (folder, Path(other)):
            KINDS[kind](place, seed)
        if kind == "cache":
            return True
        mine, reference = (load_file(place / f"training{seed}.safetensors") for place in (folder, Path(other)))
    same = all(np.array_equal(mine[name], reference[name]) for name in mine if not name.endswith("state"))
    return same and mine.keys() == reference.keys()


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=10, help="of each kind; default: 10")
    parser.add_argument("--json", type=Path, help="file to write the counts to, beside those of other scripts")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    rng, counts = random.Random(0), {}
    for kind, write in KINDS.items():
        total: Counter[str] = Counter()
        with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as other:
            write(Path(other), 0)
            largest = max(map(len, files(Path(other)).values()))
            for seed in range(arguments.events):
                total.update(event(kind, Path(name), rng.randrange(largest), seed))
        counts[kind] = dict(total)
        print(kind, counts[kind], flush=True)
    record(arguments.json, "full disk", counts)
    return int(any(found["wrong"] for found in counts.values()))


if __name__ == "__main__":
    sys.exit(main())
