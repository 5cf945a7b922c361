"""One training: how far it is, how long it will still take, and how it is cancelled."""

from __future__ import annotations

import threading
import time
from typing import Any

from sklearn_gass.critics import MixtureCritic
from sklearn_gass.separation import AudioSeparator, SupervisedSeparator
from sklearn_gass.source_models import NMFSourceModel, VAESourceModel, WGANSourceModel
from sklearn_gass.starts import MixtureStart
from sklearn_gass.stft import STFT
from sklearn_gass.web._uploads import Training

MODELS = {
    "VAE, the best separation": VAESourceModel,
    "Wasserstein GAN": WGANSourceModel,
    "NMF, trains in a second": NMFSourceModel,
}
_STEPS = ("source_model__max_iter", "start__max_iter", "critic__max_iter")
LENGTHS = {"short": 0.2, "normal": 1.0, "long": 3.0}  # times the default number of steps


class CancelledError(Exception):
    """Raised inside a training that was cancelled."""


class Progress:
    """How far a training is, and whether it is to go on; one thread writes and others read.

    Parameters
    ----------
    n_phases : int
        Networks that are trained one after the other.

    Attributes
    ----------
    fraction : float
        How far it is, from 0 to 1.
    """

    def __init__(self, n_phases: int):
        self.n_phases = n_phases
        self.fraction = 0.0
        self._phase = -1
        self._begin = time.monotonic()
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """End the training at its next step."""
        self._cancelled.set()

    def begin_phase(self) -> None:
        """Tell that the next network trains."""
        self._phase = min(self._phase + 1, self.n_phases - 1)
        self.step(0.0)

    def step(self, done: float) -> None:
        """Tell how much of the phase is done; raises CancelledError if the training was cancelled."""
        self.fraction = max(self.fraction, (self._phase + done) / self.n_phases)
        if self._cancelled.is_set():
            raise CancelledError

    def describe(self) -> str:
        """Return percent and about the time left."""
        seconds = time.monotonic() - self._begin
        if self.fraction < 0.02:
            return f"{self.fraction:.0%}"
        left = seconds / self.fraction * (1 - self.fraction)
        return (
            f"{self.fraction:.0%}, about {left:.0f} s left"
            if left < 90
            else f"{self.fraction:.0%}, {left / 60:.0f} min left"
        )

    def callback(self) -> Any:
        """Return a callback of skorch that reports here."""
        from skorch.callbacks import Callback

        progress = self

        class Report(Callback):
            """Report steps."""

            def __deepcopy__(self, memo):
                return self  # clones of a model report to the same place

            def on_train_begin(self, net, **kwargs):
                progress.begin_phase()

            def on_batch_end(self, net, training=False, **kwargs):
                if training:
                    progress.step(net.step_ / net.n_steps_)

        return Report()


def make_separator(model: str, length: str, sample_rate: int) -> AudioSeparator:
    """Return an unfitted separator with as many steps as were asked for."""
    separator = SupervisedSeparator(MODELS[model](), start=MixtureStart(), critic=MixtureCritic())
    if MODELS[model] is not NMFSourceModel:
        steps = separator.get_params()
        separator.set_params(**{name: max(1, round(LENGTHS[length] * steps[name])) for name in _STEPS})
    return AudioSeparator(separator, stft=STFT.for_sample_rate(sample_rate), sample_rate=sample_rate, random_state=0)


class TrainingJob:
    """A training in a thread of its own.

    Parameters
    ----------
    audio : AudioSeparator
        What trains, unfitted.
    data : Training
        What it trains on.

    Attributes
    ----------
    progress : Progress
        How far it is.
    audio : AudioSeparator
        The separator, fitted once the job has ended well.
    error : Exception or None
        What went wrong, if anything did.
    cancelled : bool
        Whether it was cancelled.
    """

    def __init__(self, audio: AudioSeparator, data: Training):
        self.audio, self._data = audio, data
        separator = audio.separator
        is_neural = hasattr(separator.source_model, "callbacks")
        self.progress = Progress(len(set(data.labels)) + 2 if is_neural else 1)
        if is_neural:
            report = [self.progress.callback()]
            separator.set_params(source_model__callbacks=report, start__callbacks=report, critic__callbacks=report)
        self.error: Exception | None = None
        self.cancelled = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def is_running(self) -> bool:
        """Tell whether it has not ended yet."""
        return self._thread.is_alive()

    def wait(self, timeout: float | None = None) -> None:
        """Wait for the end, or a number of seconds."""
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            self.audio.fit(self._data.waves, self._data.labels)
        except CancelledError:
            self.cancelled = True
        except Exception as error:
            self.error = error
