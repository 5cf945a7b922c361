"""The loop that trains all networks of the library: a private skorch net over batches of frames.

What is done with a batch is the business of a `Trainee`; the net brings epochs, history and callbacks, lets learning
rates fall linearly to zero, and keeps the last finite weights. Nets live only inside `fit`, and this module is imported
only there, since skorch takes a while to load.
"""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from skorch import NeuralNet
from skorch.callbacks import Callback, PassthroughScoring
from torch import Tensor, nn


class Trainee(Protocol):
    """A module whose networks learn together from batches."""

    optimisers: Sequence[torch.optim.Optimizer]

    def update(self, batch: Any, generator: torch.Generator) -> dict[str, Tensor]:
        """Take one training step; return its losses by name, ``"loss"`` among them, without gradients."""

    def evaluate(self, frames: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mean loss of held-out frames; only for trainees that have such a criterion."""


class Batches(Protocol):
    """What is trained on: iterating gives the batches of the next epoch."""

    n_epochs: int
    n_steps: int

    def __iter__(self) -> Iterator[Any]:
        """Yield the batches of the next epoch."""


class FrameBatches:
    """Shuffled minibatches by indexing; a last short one is left out unless it is the only one.

    Parameters
    ----------
    frames : Tensor of shape (n_frames, n_bins)
        Training frames.
    n_epochs : int
        Epochs of the whole training.
    batch_size : int
        Frames in a batch.
    generator : torch.Generator
        Source of the order and of the variations, on the device of the frames.
    augment : callable
        From a minibatch and the generator to random variations of it.
    """

    def __init__(
        self,
        frames: Tensor,
        n_epochs: int,
        *,
        batch_size: int,
        generator: torch.Generator,
        augment: Callable[[Tensor, torch.Generator], Tensor],
    ) -> None:
        self.frames, self.n_epochs, self.size = frames, n_epochs, min(batch_size, len(frames))
        self.generator, self.augment = generator, augment
        self.n_steps = n_epochs * (len(frames) // self.size)

    def __iter__(self) -> Iterator[Tensor]:
        order = torch.randperm(len(self.frames), generator=self.generator, device=self.frames.device)
        for batch in order[: len(order) // self.size * self.size].split(self.size):
            yield self.augment(self.frames[batch], self.generator)


def train(
    trainee: Trainee,
    batches: Batches,
    *,
    generator: torch.Generator,
    history: list[dict[str, Any]],
    held_out: Tensor | None = None,
    tol: float = 0.0,
    n_iter_no_change: int | None = None,
    average: float = 0.0,
    callbacks: Sequence[Any] | None = None,
    verbose: int = 0,
    decay: bool = True,
) -> None:
    """Train a module in place.

    Parameters
    ----------
    trainee : Trainee
        What is trained, on the device of the batches.
    batches : Batches
        What it is trained on, for as many epochs and steps as they say.
    generator : torch.Generator
        Source of the randomness of steps, on the device of the batches.
    history : list of dict
        What is recorded of each epoch, losses and seconds, is appended here, also if training is interrupted.
    held_out : Tensor of shape (n_held_out, n_bins) or None, default=None
        Frames whose loss is watched instead of the training loss.
    tol : float, default=0.0
        Relative fall of the watched loss that counts as progress.
    n_iter_no_change : int or None, default=None
        Epochs without progress after which training ends; ``None`` never ends it.
    average : float, default=0.0
        Decay of a running average of the weights, which replaces the last weights at the end; 0 keeps these.
    callbacks : sequence of skorch callbacks or None, default=None
        Called as in skorch. One that raises KeyboardInterrupt, as skorch's EarlyStopping does, ends the training.
    verbose : int, default=0
        If not 0, skorch prints a line per epoch.
    decay : bool, default=True
        Whether learning rates fall linearly to zero over all steps.

    Warns
    -----
    ConvergenceWarning
        If the loss or a weight was no longer finite: names the epoch, and the last finite weights are kept.
    """
    for callback in callbacks or ():
        kind = callback[1] if isinstance(callback, tuple) and len(callback) == 2 else callback
        if not (isinstance(kind, Callback) or (isinstance(kind, type) and issubclass(kind, Callback))):
            raise ValueError(f"callbacks must hold callbacks of skorch, got {callback!r}.")
    stopping = []
    if n_iter_no_change is not None:
        monitor = "train_loss" if held_out is None else "valid_loss"
        stopping.append(_StopOnPlateau(monitor, patience=n_iter_no_change, tol=tol))
    net = _Net(
        trainee,
        generator=generator,
        held_out=held_out,
        average=average,
        decay=decay,
        max_epochs=batches.n_epochs,
        callbacks=[*stopping, *(callbacks or ())],
        verbose=verbose,
    )
    net.run(batches, history)


class _Net(NeuralNet):
    """A skorch net whose batches come ready-made and whose step belongs to the trainee."""

    def __init__(self, module, *, generator, held_out, average, decay, **kwargs):
        self.generator = generator
        self.held_out = held_out
        self.average = average
        self.decay = decay
        super().__init__(module, criterion=nn.Identity, train_split=None, **kwargs)

    @property
    def _default_callbacks(self):
        losses = [("critic_loss", PassthroughScoring("critic_loss", on_train=True))]
        return [*super()._default_callbacks, *losses, ("keep_finite", _KeepFinite())]

    def initialize_optimizer(self, *args, **kwargs):
        self.optimizer_ = self.module_.optimisers[0]
        return self

    def get_split_datasets(self, X, y=None, **fit_params):
        return X, self.held_out

    def get_iterator(self, dataset, training=False):
        return dataset if training else [dataset]

    def notify(self, method_name, **cb_kwargs):
        try:
            return super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt as interruption:
            # by skorch's own rule a callback ends training with this; a signal is passed on
            if self.interrupts_.came:
                raise
            raise _StoppedError from interruption

    def run(self, batches: Batches, history: list[dict[str, Any]]) -> None:
        """Train; unlike ``fit``, pass an interruption on, with the last finite weights in place."""
        self.initialize()
        self.n_steps_ = batches.n_steps
        self.first_rates_ = [optimiser.param_groups[0]["lr"] for optimiser in self.module_.optimisers]
        self.step_ = 0
        self.averaged_ = [p.detach().clone() for p in self.module_.parameters()] if self.average else None
        with _Interrupts() as self.interrupts_:
            self._train(batches, history)

    def _train(self, batches, history):
        diverged = False
        try:
            self.notify("on_train_begin", X=batches, y=None)
            self.fit_loop(batches)
        except _StoppedError:
            pass
        except _NotFiniteError:
            diverged = True
            warnings.warn(
                f"Training diverged in epoch {len(self.history)}: a loss or weight was not finite. The weights of the "
                "last finite epoch are kept; a lower learning_rate_init may help.",
                ConvergenceWarning,
                stacklevel=2,
            )
        finally:
            self._settle(diverged)
            history += [
                {name: np.asarray(value).tolist() for name, value in epoch.items() if name != "batches"}
                for epoch in self.history
            ]
        with contextlib.suppress(_StoppedError):
            self.notify("on_train_end", X=batches, y=None)

    def train_step(self, batch, **fit_params):
        remaining = 1 - self.step_ / self.n_steps_ if self.decay else 1.0
        for optimiser, rate in zip(self.module_.optimisers, self.first_rates_, strict=True):
            optimiser.param_groups[0]["lr"] = rate * remaining
        losses = self.module_.update(batch, self.generator)
        self.step_ += 1
        if self.averaged_ is not None:
            decay = min(self.average, (1 + self.step_) / (10 + self.step_))
            torch._foreach_lerp_(self.averaged_, [p.detach() for p in self.module_.parameters()], 1 - decay)
        if "critic_loss" in losses:
            self.history.record_batch("critic_loss", losses["critic_loss"].item())
        return {"loss": losses["loss"], "y_pred": None}

    def validation_step(self, batch, **fit_params):
        with torch.no_grad():
            return {"loss": self.module_.evaluate(batch, self.generator), "y_pred": None}

    def _settle(self, diverged):
        """Put the averaged weights in place if they are finite, else the last finite ones."""
        keeper = dict(self.callbacks_)["keep_finite"]
        latest = [] if diverged else [self.averaged_, list(self.module_.parameters())]
        for weights in [*latest, keeper.weights]:
            if weights is not None and _all_finite(weights):
                with torch.no_grad():
                    for parameter, weight in zip(self.module_.parameters(), weights, strict=True):
                        parameter.copy_(weight)
                return


class _StoppedError(Exception):
    """Raised inside the loop when a callback ends training."""


class _NotFiniteError(ArithmeticError):
    """Raised inside the loop when training has diverged."""


class _StopOnPlateau(Callback):
    """End training once a loss no longer falls; unlike skorch's, it knows that a loss may be negative."""

    def __init__(self, monitor: str, patience: int, tol: float) -> None:
        self.monitor, self.patience, self.tol = monitor, patience, tol

    def on_train_begin(self, net, **kwargs):
        self.goal_, self.misses_ = math.inf, 0

    def on_epoch_end(self, net, **kwargs):
        loss = net.history[-1, self.monitor]
        if loss < self.goal_:
            self.goal_, self.misses_ = loss - self.tol * abs(loss), 0
            return
        self.misses_ += 1
        if self.misses_ == self.patience:
            raise _StoppedError


class _KeepFinite(Callback):
    """Remember the weights of the last epoch that was finite, and end training at the first that is not."""

    weights: list[Tensor] | None = None

    def on_train_begin(self, net, **kwargs):
        self.weights = [p.detach().clone() for p in net.module_.parameters()]

    def on_epoch_end(self, net, **kwargs):
        losses = torch.tensor([value for name, value in net.history[-1].items() if name.endswith("loss")])
        weights = list(net.module_.parameters())
        if not (torch.isfinite(losses).all() and _all_finite(weights)):
            raise _NotFiniteError
        self.weights = [p.detach().clone() for p in weights]


class _Interrupts:
    """Notice Ctrl-C while training runs in the main thread, and leave it to whoever handles it."""

    def __init__(self) -> None:
        self.came = False
        self._handler: Any = None

    def __enter__(self) -> _Interrupts:
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


def _all_finite(weights: Sequence[Tensor]) -> bool:
    return all(bool(torch.isfinite(weight).all()) for weight in weights)
