"""Follow training while it runs: which part of it, how far, how long still, and stop it.

Everything that trains tells the callbacks of :func:`on_progress`, on the command line, in notebooks and in programs
alike. A callback is a function of one :class:`Progress`. It changes no result. It may raise an exception to stop the
training: that ends `fit` and is passed on. A separator is then as after any other interruption (KeyboardInterrupt) or
error (Exception) of its `fit`.

Examples
--------
>>> import numpy as np
>>> from sklearn_gass import NMFSourceModel, SupervisedSeparator
>>> from sklearn_gass.progress import on_progress
>>> X, y = np.random.RandomState(0).rand(40, 6), ["low"] * 20 + ["high"] * 20
>>> done = []
>>> with on_progress(lambda progress: done.append(progress.part) if progress.is_done else None):
...     separator = SupervisedSeparator(NMFSourceModel(n_components=3)).fit(X, y)
>>> done
['source high', 'source low']
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import Any

__all__ = ["PrintProgress", "Progress", "on_progress"]


@dataclass(frozen=True)
class Progress:
    """How far training is.

    Attributes
    ----------
    part : str
        What is trained, such as "source anna", "start" or "critic".
    phase : str
        What of it, if it is trained in several ways one after the other; else empty.
    share : float
        How much of all is done, by expected time, from 0 to 1.
    seconds : float
        Time since the beginning.
    seconds_left : float or None
        Time that is left, if all goes on as before; ``None`` at the very beginning.
    epoch, n_epochs, step, n_steps : int
        Epochs and training steps begun, of how many of this part or phase; 0 where a part has none. Training may end
        before the last one.
    losses : dict of str to float
        Losses in the last whole epoch, by the names that they have in `history_`.
    is_done : bool
        Whether this part has just been finished.
    """

    part: str
    phase: str
    share: float
    seconds: float
    seconds_left: float | None
    epoch: int = 0
    n_epochs: int = 0
    step: int = 0
    n_steps: int = 0
    losses: Mapping[str, float] = field(default_factory=dict)
    is_done: bool = False

    def __str__(self) -> str:
        what = [f"{self.part}, {self.phase}" if self.phase else self.part]
        if self.n_epochs:
            what.append(f"epoch {self.epoch} of {self.n_epochs}")
        what += [f"{name.replace('_', ' ')} {value:.4g}" for name, value in self.losses.items()]
        what.append(f"{self.share:.0%} of all")
        if self.seconds_left is not None:
            what.append(f"{self.seconds_left:.0f} s left")
        return ", ".join(what)


Callback = Callable[[Progress], Any]


@contextmanager
def on_progress(callback: Callback) -> Iterator[None]:
    """Call a function while something trains in this block, up to ten times a second and as each part begins and ends.

    It is called in the thread that trains, and never twice at a time. What joblib trains in other processes is told of
    once it is finished.

    Parameters
    ----------
    callback : callable
        Function of a :class:`Progress`. Blocks inside each other call all their functions.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass import VAESourceModel
    >>> from sklearn_gass.progress import on_progress
    >>> events = []
    >>> with on_progress(events.append):
    ...     model = VAESourceModel(2, hidden_layer_sizes=(4,), max_iter=3).fit(np.ones((9, 5)))
    >>> events[-1].share, events[-1].is_done
    (1.0, True)
    """
    token = _callbacks.set((*_callbacks.get(), callback))
    try:
        yield
    finally:
        _callbacks.reset(token)


class PrintProgress:
    """Callback that prints a line as each part is finished, and one every ten seconds in between.

    Parameters
    ----------
    write : callable, default=print
        Function of a line.
    every : float, default=10.0
        Seconds between two lines about a part that is not finished.
    """

    def __init__(self, write: Callable[[str], Any] = print, every: float = 10.0) -> None:
        self.write, self.every = write, every
        self._began: dict[str, float] = {}
        self._last = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        """Print the line that is due."""
        now = time.monotonic()
        began = self._began.setdefault(progress.part, progress.seconds)
        if progress.is_done:
            losses = "".join(f", {name.replace('_', ' ')} {value:.4g}" for name, value in progress.losses.items())
            epochs = f", {progress.epoch} epochs" if progress.epoch else ""
            self.write(
                f"{progress.part}: {progress.seconds - began:.1f} s{epochs}{losses}, {progress.share:.0%} of all"
            )
        elif now - self._last >= self.every:
            self.write(str(progress))
        else:
            return
        self._last = now


@contextmanager
def printing(verbose: int | bool) -> Iterator[None]:
    """Print progress in this block if asked for, once."""
    if not verbose or any(isinstance(callback, PrintProgress) for callback in _callbacks.get()):
        yield
        return
    with on_progress(PrintProgress()):
        yield


@contextmanager
def silence() -> Iterator[None]:
    """Tell nobody of what trains in this block."""
    tokens = _callbacks.set(()), _task.set(None)
    try:
        yield
    finally:
        _callbacks.reset(tokens[0])
        _task.reset(tokens[1])


class Task:
    """A part of what is trained, to be entered while it is; a part may have parts of its own.

    In another process it tells nothing.

    Parameters
    ----------
    name : str
        Name of the part, or of the phase of a part.
    weight : float
        Its share of the task that it is a part of.
    parent : Task or None
        The task that it is a part of.
    is_phase : bool, default=False
        Whether it is a phase of its parent and no part of its own.
    """

    def __init__(self, name: str, weight: float, parent: Task | None, *, is_phase: bool = False) -> None:
        self.name, self.weight, self.parent, self.is_phase = name, weight, parent, is_phase
        self.done, self.details, self._heaviest = 0.0, dict[str, Any](), 0.0
        self._tracker: _Tracker | None = parent._tracker if parent is not None else _Tracker.of_this_block()
        self._token: Token[Task | None] | None = None

    def __enter__(self) -> Task:
        if self._tracker is None:
            return self
        self._token = _task.set(self)
        try:
            self._tell(begins=True)
        except BaseException:
            _task.reset(self._token)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if self._token is not None:
            _task.reset(self._token)
        if kind is not None or self._tracker is None:
            return
        self._reach(1.0)
        if not self.is_phase:
            self._tell(is_done=True)
        elif self.parent is not None and self.weight >= self.parent._heaviest:
            self.parent.details, self.parent._heaviest = self.details, self.weight

    def is_due(self) -> bool:
        """Tell whether it is time to tell somebody."""
        return self._tracker is not None and time.monotonic() - self._tracker.told >= _EVERY

    def advance(self, done: float, **details: Any) -> None:
        """Tell how much of this task is done, from 0 to 1."""
        self.details = details
        self._reach(done)
        self._tell()

    def catch_up(self) -> None:
        """Tell that it is finished, unless that was told: it was worked on in another process."""
        if self.done < 1:
            with self:
                pass

    def finish(self, **details: Any) -> None:
        """Keep what will be told at the end of this task."""
        self.details = details

    @property
    def part(self) -> str:
        """Name with those of the tasks around it."""
        names = [self.parent.part] if self.parent is not None else []
        return ", ".join(name for name in [*names, "" if self.is_phase else self.name] if name)

    def _reach(self, done: float) -> None:
        if self.parent is not None:
            self.parent._reach(self.parent.done + (done - self.done) * self.weight)
        self.done = done

    def _tell(self, *, begins: bool = False, is_done: bool = False) -> None:
        if self._tracker is not None and self.name:
            details = {} if begins else self.details
            self._tracker.tell(
                self.part, self.name if self.is_phase else "", is_done=is_done, root=self._root, **details
            )

    @property
    def _root(self) -> Task:
        return self if self.parent is None else self.parent._root

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "parent": None, "_tracker": None, "_token": None}


class _Tracker:
    """Whom to tell, and when that was done last."""

    def __init__(self, callbacks: tuple[Callback, ...]) -> None:
        self._callbacks = callbacks
        self._began = self.told = time.monotonic()
        self._lock = threading.RLock()

    @classmethod
    def of_this_block(cls) -> _Tracker | None:
        return cls(_callbacks.get()) if _callbacks.get() else None

    def tell(self, part: str, phase: str, *, root: Task, **details: Any) -> None:
        with self._lock:
            self.told = time.monotonic()
            seconds = self.told - self._began
            share = 1.0 if root.done > 1 - 1e-9 else root.done  # sums of shares are rounded
            left = seconds * (1 - share) / share if share >= _FIRST_GUESS else None
            progress = Progress(part, phase, share, seconds, left, **details)
            for callback in self._callbacks:
                callback(progress)


def divided(costs: Mapping[str, float], *, phases: bool = False) -> dict[str, Task]:
    """Divide what is going to train into tasks by their expected cost.

    Parameters
    ----------
    costs : mapping of str to float
        Expected cost by name, in any unit.
    phases : bool, default=False
        Whether these are phases of a part, and no parts of their own.

    Returns
    -------
    tasks : dict of str to Task
        To be entered one by one; they tell nothing if nobody listens.
    """
    parent = _task.get() or Task("", 1.0, None)
    total = sum(costs.values())
    return {
        name: Task(name, cost / total if total else 1 / len(costs), parent, is_phase=phases)
        for name, cost in costs.items()
    }


@contextmanager
def as_part(name: str) -> Iterator[None]:
    """Make what trains in this block the only part, unless it belongs to another one."""
    if _task.get() is not None or not _callbacks.get():
        yield
        return
    with divided({name: 1.0})[name]:
        yield


def current_task() -> Task | None:
    """Return the task that is worked on, ``None`` if nobody is to be told."""
    return _task.get()


_callbacks: ContextVar[tuple[Callback, ...]] = ContextVar("callbacks", default=())
_task: ContextVar[Task | None] = ContextVar("task", default=None)
_EVERY = 0.1  # seconds between two calls
_FIRST_GUESS = 0.02  # share from which the time left can be guessed
