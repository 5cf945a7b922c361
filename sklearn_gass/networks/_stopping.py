"""What ends training before its last epoch: no more progress, numbers that are not finite, Ctrl-C."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Iterable
from typing import Any

import torch
from skorch.callbacks import Callback
from torch import Tensor


class StoppedError(Exception):
    """Raised inside the loop when a callback ends training."""


class NotFiniteError(ArithmeticError):
    """Raised inside the loop when training has diverged."""


class StopOnPlateau(Callback):
    """End training once a loss no longer falls; unlike skorch's, it knows that a loss may be negative.

    Parameters
    ----------
    monitor : str
        Name of the loss.
    patience : int
        Epochs without progress after which training ends.
    tol : float
        Relative fall that counts as progress.
    """

    def __init__(self, monitor: str, patience: int, tol: float) -> None:
        self.monitor, self.patience, self.tol = monitor, patience, tol
        self.goal, self.misses = math.inf, 0

    def on_epoch_end(self, net, **kwargs):
        """Count an epoch."""
        loss = net.history[-1, self.monitor]
        if loss < self.goal:
            self.goal, self.misses = loss - self.tol * abs(loss), 0
            return
        self.misses += 1
        if self.misses == self.patience:
            raise StoppedError

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs to go on from here."""
        return {"goal": float(self.goal), "misses": self.misses}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.goal, self.misses = state["goal"], state["misses"]


class KeepFinite(Callback):
    """Remember the weights of the last epoch that was finite, and end training at the first that is not."""

    weights: list[Tensor]

    def on_train_begin(self, net, **kwargs):
        """Remember the first weights."""
        self.weights = [p.detach().clone() for p in net.module_.parameters()]

    def on_epoch_end(self, net, **kwargs):
        """Remember the weights of an epoch."""
        losses = torch.tensor([value for name, value in net.history[-1].items() if name.endswith("loss")])
        weights = list(net.module_.parameters())
        if not (torch.isfinite(losses).all() and all_finite(weights)):
            raise NotFiniteError
        self.weights = [p.detach().clone() for p in weights]


class Interrupts:
    """Notice Ctrl-C while training runs in the main thread, and leave it to whoever handles it."""

    def __init__(self) -> None:
        self.came = False
        self._handler: Any = None

    def __enter__(self) -> Interrupts:
        handler = signal.getsignal(signal.SIGINT)
        if callable(handler) and threading.current_thread() is threading.main_thread():
            self._handler = handler
            signal.signal(signal.SIGINT, self._notice)
        return self

    def __exit__(self, *error: object) -> None:
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)

    def _notice(self, number: int, frame: Any) -> None:
        self.came = True
        self._handler(number, frame)


def all_finite(weights: Iterable[Tensor]) -> bool:
    """Tell whether all numbers are finite."""
    return all(bool(torch.isfinite(weight).all()) for weight in weights)
