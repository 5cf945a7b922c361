"""The loop that trains all networks of the library: a private skorch net over batches of frames.

What is done with a batch is the business of a `Trainee`; the net brings epochs, history and callbacks, lets learning
rates fall linearly to zero, and keeps the last finite weights. Nets live only inside `fit`, and this module is imported
only there, since skorch takes a while to load.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from skorch import NeuralNet
from skorch.callbacks import Callback, PassthroughScoring
from torch import Tensor, nn

from sklearn_gass._checkpoints import Run, next_run
from sklearn_gass.networks._precision import training_precision
from sklearn_gass.networks._schedules import LinearDecay, RunningAverage
from sklearn_gass.networks._stopping import (
    Interrupts,
    KeepFinite,
    NotFiniteError,
    StopOnPlateau,
    StoppedError,
    all_finite,
)
from sklearn_gass.progress import current_task


class Trainee(Protocol):
    """A module whose networks learn together from batches.

    Its `state_dict` holds all that its steps change, since a checkpoint keeps that and the states of the optimisers.
    """

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

    def skip(self, n_steps: int) -> None:
        """Take steps of whole epochs as done, by a training that is gone on with; random numbers are restored apart."""


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

    def skip(self, n_steps: int) -> None:
        """Take steps of whole epochs as done; all epochs are alike."""


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

    In the block of a checkpoint it goes on from what that holds, and keeps its state there. Progress is told to who
    listens.

    Parameters
    ----------
    trainee : Trainee
        What is trained, on the device of the batches.
    batches : Batches
        What it is trained on, for as many epochs and steps as they say.
    generator : torch.Generator
        Source of the randomness of steps, on the device of the batches.
    history : list of dict
        What is recorded of each epoch, losses and seconds, is appended here, also if training is interrupted. What it
        holds before counts as earlier epochs of the same training.
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
    kept = next_run()
    if kept is not None and kept.is_done:
        _take_result(kept.state, trainee, generator, history)
        return
    plateau = None
    if n_iter_no_change is not None:
        monitor = "train_loss" if held_out is None else "valid_loss"
        plateau = StopOnPlateau(monitor, patience=n_iter_no_change, tol=tol)
    net = _Net(
        trainee,
        generator=generator,
        held_out=held_out,
        average=average,
        decay=decay,
        plateau=plateau,
        max_epochs=batches.n_epochs,
        callbacks=callbacks,
        verbose=verbose,
    )
    net.run(batches, history, kept)


class _Net(NeuralNet):
    """A skorch net whose batches come ready-made and whose step belongs to the trainee."""

    def __init__(self, module, *, generator, held_out, average, decay, plateau, **kwargs):
        self.generator = generator
        self.held_out = held_out
        self.average = average
        self.decay = decay
        self.plateau = plateau
        super().__init__(module, criterion=nn.Identity, train_split=None, **kwargs)

    @property
    def _default_callbacks(self):
        losses = [("critic_loss", PassthroughScoring("critic_loss", on_train=True))]
        stopping = [] if self.plateau is None else [("plateau", self.plateau)]
        return [*super()._default_callbacks, *losses, ("keep_finite", KeepFinite()), *stopping]

    def initialize_optimizer(self, *args, **kwargs):
        self.optimizer_ = self.module_.optimisers[0]
        return self

    def get_split_datasets(self, X, y=None, **fit_params):
        return X, self.held_out

    def get_iterator(self, dataset, training=False):
        return dataset if training else [dataset]

    def notify(self, method_name, **cb_kwargs):
        try:
            super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt as interruption:
            # by skorch's own rule a callback ends training with this; a signal is passed on
            if self.interrupts_.came:
                raise
            raise StoppedError from interruption
        if method_name == "on_epoch_end":
            self._end_epoch()
        return self

    def run(self, batches: Batches, history: list[dict[str, Any]], kept: Run | None) -> None:
        """Train; unlike ``fit``, pass an interruption on, with the last finite weights in place."""
        self.initialize()
        self.batches_, self.kept_, self.task_, self.step_ = batches, kept, current_task(), 0
        self.n_before_ = len(history)
        self.history.extend({**epoch, "batches": []} for epoch in history)
        optimisers = self.module_.optimisers
        self.rates_ = LinearDecay(optimisers, batches.n_steps) if self.decay else None
        self.averaged_ = RunningAverage(self.module_.parameters(), self.average) if self.average else None
        # all that has a state besides weights and random numbers, so that a checkpoint can hold it
        stateful = {"average": self.averaged_, "plateau": self.plateau}
        stateful |= {f"optimiser {i}": optimiser for i, optimiser in enumerate(optimisers)}
        self.stateful_ = {name: part for name, part in stateful.items() if part is not None}
        with (
            Interrupts() as self.interrupts_,
            contextlib.nullcontext() if kept is None else kept.kept_on_interruption(),
        ):
            self._train(history)

    def _train(self, history):
        diverged = False
        try:
            self._begin()
            self.fit_loop(self.batches_, epochs=self.batches_.n_epochs - self._n_epochs)
        except StoppedError:
            pass
        except NotFiniteError:
            diverged = True
            warnings.warn(
                f"Training diverged in epoch {len(self.history)}: a loss or weight was not finite. The weights of the "
                "last finite epoch are kept; a lower learning_rate_init may help.",
                ConvergenceWarning,
                stacklevel=2,
            )
        finally:
            self._settle(diverged)
            history[:] = self._rows()
        with contextlib.suppress(StoppedError):
            self.notify("on_train_end", X=self.batches_, y=None)
        if self.task_ is not None:
            self.task_.finish(**self._details())
        if self.kept_ is not None:
            self.kept_.finish(_result(self.module_, self.generator, history))

    def _begin(self):
        """Begin at the first step, or where a checkpoint says."""
        self.losses_: dict[str, float] = {}
        state = None if self.kept_ is None else self.kept_.state
        if state is not None:
            self.history[:] = [{**epoch, "batches": []} for epoch in state["history"]]
            self.module_.load_state_dict(state["trainee"])
        self.notify("on_train_begin", X=self.batches_, y=None)
        for _, callback in self.callbacks_:
            if isinstance(callback, PassthroughScoring):
                earlier = [epoch[callback.name] for epoch in self.history if callback.name in epoch]
                callback.best_score_ = min(earlier, default=np.inf)
        if state is not None:
            for name, part in self.stateful_.items():
                part.load_state_dict(state[name])
            self.generator.set_state(state["generator"])
            self.step_ = state["step"]
            self.batches_.skip(self.step_)

    def _state(self):
        """Return all that the next epoch depends on."""
        state = {name: part.state_dict() for name, part in self.stateful_.items()}
        return {**state, "step": self.step_, **_result(self.module_, self.generator, self._rows())}

    def _rows(self):
        return [
            {name: np.asarray(value).tolist() for name, value in epoch.items() if name != "batches"}
            for epoch in self.history
        ]

    def _end_epoch(self):
        self.losses_ = {name: float(value) for name, value in self.history[-1].items() if name.endswith("_loss")}
        if self.kept_ is not None:
            self.kept_.offer(self._state)

    def train_step(self, batch, **fit_params):
        if self.rates_ is not None:
            self.rates_.begin_step(self.step_)
        with training_precision(self.generator.device):
            losses = self.module_.update(batch, self.generator)
        if self.averaged_ is not None:
            self.averaged_.end_step(self.step_)
        self.step_ += 1
        if "critic_loss" in losses:
            self.history.record_batch("critic_loss", losses["critic_loss"].item())
        if self.task_ is not None and self.task_.is_due():
            self.task_.advance(self.step_ / self.batches_.n_steps, **self._details())
        return {"loss": losses["loss"], "y_pred": None}

    def _details(self):
        """Return what is told of the progress."""
        return {
            "epoch": self._n_epochs,
            "n_epochs": self.batches_.n_epochs,
            "step": self.step_,
            "n_steps": self.batches_.n_steps,
            "losses": self.losses_,
        }

    @property
    def _n_epochs(self):
        """Number of epochs begun, without those of an earlier training that this one goes on from."""
        return len(self.history) - self.n_before_

    def validation_step(self, batch, **fit_params):
        with torch.no_grad():
            return {"loss": self.module_.evaluate(batch, self.generator), "y_pred": None}

    def _settle(self, diverged):
        """Put the averaged weights in place if they are finite, else the last finite ones."""
        averaged = [] if self.averaged_ is None else [self.averaged_.weights]
        latest = [] if diverged else [*averaged, list(self.module_.parameters())]
        for weights in [*latest, dict(self.callbacks_)["keep_finite"].weights]:
            if all_finite(weights):
                with torch.no_grad():
                    for parameter, weight in zip(self.module_.parameters(), weights, strict=True):
                        parameter.copy_(weight)
                return


def _result(trainee: Any, generator: torch.Generator, history: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what is left of a training loop once it is over."""
    return {"trainee": trainee.state_dict(), "generator": generator.get_state(), "history": history}


def _take_result(result: dict[str, Any], trainee: Any, generator: torch.Generator, history: list[Any]) -> None:
    """Leave everything as the training loop left it that had this result."""
    trainee.load_state_dict(result["trainee"])
    generator.set_state(result["generator"])
    history[:] = result["history"]
