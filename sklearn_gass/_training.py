"""The loop that trains neural source models: a private skorch net over one tensor of frames.

What is done with a minibatch is the business of a `Trainee`; the net brings epochs, history and callbacks, lets
learning rates fall linearly to zero, and keeps the last finite weights. Nets live only inside `fit`, and this module is
imported only there, since skorch takes a while to load.
"""

from __future__ import annotations

import contextlib
import dis
import math
import signal
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
    """A module whose networks learn together from minibatches of frames."""

    optimisers: Sequence[torch.optim.Optimizer]

    def update(self, frames: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Take one training step; return its losses by name, ``"loss"`` among them, without gradients."""

    def evaluate(self, frames: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mean loss of held-out frames; only for trainees that have such a criterion."""


def train(
    trainee: Trainee,
    frames: Tensor,
    *,
    generator: torch.Generator,
    max_iter: int,
    batch_size: int,
    augment: Callable[[Tensor, torch.Generator], Tensor] | None = None,
    held_out: Tensor | None = None,
    tol: float = 0.0,
    n_iter_no_change: int | None = None,
    average: float = 0.0,
    callbacks: Sequence[Any] | None = None,
    verbose: int = 0,
    decay: bool = True,
    history: list[dict[str, Any]],
) -> None:
    """Train a module in place.

    Parameters
    ----------
    trainee : Trainee
        What is trained, on the device of the frames.
    frames : Tensor of shape (n_frames, n_bins)
        Training frames.
    generator : torch.Generator
        Source of all randomness, on the device of the frames.
    max_iter : int
        Epochs at most.
    batch_size : int
        Frames per step.
    augment : callable or None, default=None
        From a minibatch and the generator to random variations of it, which are trained on instead.
    held_out : Tensor of shape (n_held_out, n_bins) or None, default=None
        Frames whose loss is watched instead of the training loss.
    tol : float, default=0.0
        Relative fall of the watched loss that counts as progress.
    n_iter_no_change : int or None, default=None
        Epochs without progress after which training ends; ``None`` never ends it.
    average : float, default=0.0
        Decay of a running average of the weights, which replaces the last weights at the end; 0 keeps these.
    callbacks : sequence of skorch callbacks or None, default=None
        Called as in skorch.
    verbose : int, default=0
        If not 0, skorch prints a line per epoch.
    decay : bool, default=True
        Whether learning rates fall linearly to zero over `max_iter` epochs.
    history : list of dict
        What is recorded of each epoch, losses and seconds, is appended here, also if training is interrupted.

    Warns
    -----
    ConvergenceWarning
        If the loss or a weight was no longer finite: names the epoch, and the last finite weights are kept.
    """
    stopping = []
    if n_iter_no_change is not None:
        monitor = "train_loss" if held_out is None else "valid_loss"
        stopping.append(_StopOnPlateau(monitor, patience=n_iter_no_change, tol=tol))
    net = _FrameNet(
        trainee,
        generator=generator,
        augment=augment,
        held_out=held_out,
        average=average,
        decay=decay,
        max_epochs=max_iter,
        batch_size=batch_size,
        callbacks=[*stopping, *(callbacks or ())],
        verbose=verbose,
    )
    net.run(frames, history)


class _FrameNet(NeuralNet):
    """A skorch net whose data is one tensor and whose step belongs to the trainee."""

    def __init__(self, module, *, generator, augment, held_out, average, decay, **kwargs):
        self.generator = generator
        self.augment = augment
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
        return _Batches(dataset, self.batch_size, self.generator) if training else [dataset]

    def notify(self, method_name, **cb_kwargs):
        try:
            return super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt as interruption:
            # skorch's callbacks end training by raising this themselves; a signal interrupts some other instruction
            if _is_explicit(interruption):
                raise _StoppedError from interruption
            raise

    def run(self, frames: Tensor, history: list[dict[str, Any]]) -> None:
        """Train; unlike ``fit``, pass an interruption on, with the last finite weights in place."""
        self.initialize()
        self.n_steps_ = self.max_epochs * len(self.get_iterator(frames, training=True))
        self.first_rates_ = [optimiser.param_groups[0]["lr"] for optimiser in self.module_.optimisers]
        self.step_ = 0
        self.averaged_ = [p.detach().clone() for p in self.module_.parameters()] if self.average else None
        diverged = False
        try:
            self.notify("on_train_begin", X=frames, y=None)
            self.fit_loop(frames)
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
            self.notify("on_train_end", X=frames, y=None)

    def train_step(self, batch, **fit_params):
        remaining = 1 - self.step_ / self.n_steps_ if self.decay else 1.0
        for optimiser, rate in zip(self.module_.optimisers, self.first_rates_, strict=True):
            optimiser.param_groups[0]["lr"] = rate * remaining
        if self.augment is not None:
            batch = self.augment(batch, self.generator)
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


class _Batches:
    """Shuffled minibatches by indexing; a last short one is left out unless it is the only one."""

    def __init__(self, frames: Tensor, batch_size: int, generator: torch.Generator) -> None:
        self.frames, self.size, self.generator = frames, min(batch_size, len(frames)), generator

    def __len__(self) -> int:
        return len(self.frames) // self.size

    def __iter__(self) -> Iterator[Tensor]:
        order = torch.randperm(len(self.frames), generator=self.generator, device=self.frames.device)
        for batch in range(len(self)):
            yield self.frames[order[batch * self.size : (batch + 1) * self.size]]


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


def _is_explicit(error: BaseException) -> bool:
    """Tell whether an exception comes from a ``raise`` statement, not from a signal."""
    handler = getattr(signal.getsignal(signal.SIGINT), "__code__", None)  # an application's own may raise it, too
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
        if last.tb_frame.f_code is handler:
            return False
    return last is not None and last.tb_frame.f_code.co_code[last.tb_lasti] == dis.opmap["RAISE_VARARGS"]


def _all_finite(weights: Sequence[Tensor]) -> bool:
    return all(bool(torch.isfinite(weight).all()) for weight in weights)
