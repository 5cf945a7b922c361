"""Checkpoints: files from which another `fit` goes on with a training that was cut short, with the same numbers.

An estimator trains by one or more runs of a training loop. A checkpoint holds the result of each finished run and a
state of the one that is not finished. Another `fit` passes the same way, takes the results of finished runs as they
are, and goes on with the last one. A file holds arrays and JSON, so that reading it executes nothing.
"""

from __future__ import annotations

import json
import math
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from numpy.typing import NDArray

from sklearn_gass._container import read_arrays, read_content, write
from sklearn_gass._validation import Interval

IRRELEVANT = {"callbacks", "checkpoint", "checkpoint_every", "memory", "n_jobs", "random_state", "verbose"}
"""Parameters of any estimator that do not change what training finds, or are compared apart."""

CHECKPOINT_CONSTRAINTS: dict[str, list[Any]] = {
    "checkpoint": [str, os.PathLike, None],
    "checkpoint_every": [Interval(Real, 0, None, closed="left")],
}
"""Constraints of the parameters of an estimator that keeps checkpoints."""


class Run:
    """One run of a training loop, as a checkpoint keeps it.

    Parameters
    ----------
    file : CheckpointFile
        Where it is kept.
    state : object or None, default=None
        What was kept of it before.
    is_done : bool, default=False
        Whether that is its result.
    """

    def __init__(self, file: CheckpointFile, state: Any = None, is_done: bool = False) -> None:
        self.file, self.state, self.is_done = file, state, is_done
        self.stored: tuple[str, list[NDArray[Any]]] | None = None if state is None else take_apart(state)
        self._taken, self._is_written = time.monotonic(), True

    def offer(self, make_state: Callable[[], Any]) -> None:
        """Keep a state from which the run can go on, if the last one is old; write it if the file is old.

        Raises
        ------
        OSError
            If the file cannot be written; the old one stays.
        """
        now = time.monotonic()
        if now - self._taken < min(_KEEP_EVERY, self.file.every):
            return
        self.stored, self._taken, self._is_written = take_apart(make_state()), now, False
        if now - self.file.written >= self.file.every:
            self._write()

    def finish(self, state: Any) -> None:
        """Keep the result.

        Raises
        ------
        OSError
            If the file cannot be written; the old one stays.
        """
        self.stored, self.is_done = take_apart(state), True
        self._write()

    @contextmanager
    def kept_on_interruption(self) -> Iterator[None]:
        """Write the last state if the block is interrupted."""
        try:
            yield
        except BaseException as error:
            if not self._is_written and not isinstance(error, OSError):
                try:
                    self._write()
                except OSError as full:
                    warnings.warn(f"The checkpoint holds an older state: {full}.", RuntimeWarning, stacklevel=2)
            raise

    def _write(self) -> None:
        self.file.write()
        self._is_written = True


class CheckpointFile:
    """A checkpoint: what was kept of the runs of one or more parts.

    Parameters
    ----------
    path : str or path-like
        File to read, if there is one, and to write.
    every : float
        Seconds between two states of a run that is not finished.
    identity : dict of str to str
        What has to be the same for a training to be the same, by name.

    Raises
    ------
    OSError
        If the file cannot be read or written.
    ValueError
        If it is no checkpoint, damaged, or of another training.
    """

    def __init__(self, path: str | os.PathLike[str], every: float, identity: dict[str, str]) -> None:
        self.path, self.every, self.identity = Path(path), every, identity
        self.written = time.monotonic()
        self.seeds: dict[str, int] = {}
        self._runs: dict[str, Run] = {}
        self._lock = threading.RLock()
        if self.path.exists():
            self._read()
        self.write()  # a path that cannot be written is found out before hours of training

    def run(self, key: str) -> Run:
        """Return the run of that name, new if none was kept."""
        return self._runs.setdefault(key, Run(self))

    def write(self) -> None:
        """Write what was kept, completely or not at all."""
        with self._lock:
            runs = {key: run for key, run in self._runs.items() if run.stored is not None}
            arrays = {"begun": np.zeros(1, dtype=np.uint8)}  # without any array, old safetensors cannot read the file
            for key, run in runs.items():
                text, tensors = run.stored or ("", [])
                arrays[f"{key}/state"] = np.frombuffer(text.encode(), dtype=np.uint8)
                arrays |= {f"{key}/{i}": tensor for i, tensor in enumerate(tensors)}
            done = {key: run.is_done for key, run in runs.items()}
            content = {"training": {"identity": self.identity, "seeds": self.seeds, "runs": done}}
            write(self.path, content, arrays, kind="checkpoint")
            self.written = time.monotonic()

    def _read(self) -> None:
        try:
            content = read_content(self.path)
            if "training" not in content:
                raise _NoTrainingError(f"{self.path} holds a model and no training: give the checkpoint another path.")
            kept, arrays = content["training"], read_arrays(self.path, content["arrays"])
            identity, self.seeds = dict(kept["identity"]), {name: int(seed) for name, seed in kept["seeds"].items()}
            for key, is_done in kept["runs"].items():
                text = arrays.pop(f"{key}/state").tobytes().decode()
                self._runs[key] = Run(self, put_together(text, arrays, key), bool(is_done))
        except _NoTrainingError:
            raise
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            reason = str(error).removesuffix(".") if isinstance(error, ValueError) else "it is damaged"
            raise ValueError(f"Cannot read checkpoint {self.path}: {reason}. {_WAY_OUT}") from error
        differing = [name for name, value in self.identity.items() if identity.get(name) != value]
        if differing:
            self.refuse(" and ".join(differing))

    def refuse(self, what: str) -> None:
        """Raise ValueError: this checkpoint is of another training."""
        raise ValueError(f"Checkpoint {self.path} belongs to a training with other {what}. {_WAY_OUT}")


class _NoTrainingError(ValueError):
    """Raised for a file of another kind, which nobody should delete."""


class Part:
    """A part of what is trained, to be entered while it is: its runs are kept in a checkpoint.

    Parameters
    ----------
    file : CheckpointFile or None
        Where; ``None`` keeps nothing.
    name : str
        Its name in the file.
    """

    def __init__(self, file: CheckpointFile | None, name: str) -> None:
        self.file, self.name, self._n_runs = file, name, 0

    def __enter__(self) -> Part:
        self._token = _part.set(self)
        return self

    def __exit__(self, *error: object) -> None:
        _part.reset(self._token)

    def next_run(self) -> Run | None:
        """Return the next run of this part."""
        self._n_runs += 1
        return None if self.file is None else self.file.run(f"{self.name}/{self._n_runs}")

    def __getstate__(self) -> dict[str, Any]:
        return {"file": None, "name": self.name, "_n_runs": self._n_runs}


@contextmanager
def own_checkpoint(estimator: Any, **identity: Any) -> Iterator[CheckpointFile | None]:
    """Open the file that the parameter `checkpoint` of an estimator names, for the runs of this block.

    Parameters
    ----------
    estimator : estimator
        With parameters `checkpoint` and `checkpoint_every`, or without.
    **identity : object
        What has to be the same for a training to be the same, by name; underscores stand for blanks.

    Yields
    ------
    file : CheckpointFile or None
        ``None`` if it has no checkpoint of its own; runs then belong to the part that this block is in, if any.
    """
    path = getattr(estimator, "checkpoint", None)
    if path is None:
        yield None
        return
    hashes = {name.replace("_", " "): str(joblib.hash(value)) for name, value in identity.items()}
    file = CheckpointFile(path, estimator.checkpoint_every, hashes)
    with Part(file, "model"):
        yield file


def training_parameters(params: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that change what training finds, of those of an estimator and of what is inside it."""
    # the hash of a base itself would depend on which of its parts are shared with the estimator
    return {
        name: joblib.hash(value.weights_) if hasattr(value, "weights_") else value
        for name, value in params.items()
        if name.rpartition("__")[2] not in IRRELEVANT
    }


def agreed_seed(random_state: Any, draw: Callable[[Any], int]) -> int:
    """Return a seed; without a number, the one that the checkpoint of this block was begun with.

    Raises
    ------
    ValueError
        If `random_state` is another number than that.
    """
    part, seed = _part.get(), draw(random_state)
    if part is None or part.file is None:
        return seed
    kept = part.file.seeds.setdefault(part.name, seed)
    if isinstance(random_state, Integral) and kept != seed:
        part.file.refuse("random_state")
    return kept


def next_run() -> Run | None:
    """Return the next run of the part that this block is in, ``None`` if nothing is to be kept."""
    part = _part.get()
    return None if part is None else part.next_run()


def take_apart(state: Any) -> tuple[str, list[NDArray[Any]]]:
    """Return a state of dicts, lists, tensors, numbers and texts as JSON and copies of its tensors."""
    tensors: list[NDArray[Any]] = []

    def encode(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            tensors.append(value.detach().cpu().numpy().copy())
            return {"tensor": len(tensors) - 1}
        if isinstance(value, dict):
            return {"dict": [[key, encode(item)] for key, item in value.items()]}
        if isinstance(value, list | tuple):
            return [encode(item) for item in value]
        if isinstance(value, float) and not math.isfinite(value):
            return {"float": str(value)}
        return value

    return json.dumps(encode(state), separators=(",", ":"), allow_nan=False, default=str), tensors


def put_together(text: str, arrays: dict[str, NDArray[Any]], key: str) -> Any:
    """Return the state that was taken apart; tuples have become lists."""

    def decode(tree: Any) -> Any:
        if isinstance(tree, list):
            return [decode(item) for item in tree]
        if not isinstance(tree, dict):
            return tree
        ((kind, content),) = tree.items()
        if kind == "tensor":
            return torch.from_numpy(arrays[f"{key}/{int(content)}"])
        if kind == "dict":
            return {name: decode(item) for name, item in content}
        return float(content)

    return decode(json.loads(text))


_part: ContextVar[Part | None] = ContextVar("part", default=None)
_KEEP_EVERY = 1.0  # seconds between two states that are kept in memory, to be written at an interruption
_WAY_OUT = "Delete it to train from the beginning, or give another path."
