"""One training in a thread: how far it is, how long it will still take, and how it is cancelled."""

from __future__ import annotations

import threading

from sklearn_gass.critics import MixtureCritic
from sklearn_gass.progress import Progress, on_progress
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
    progress : str
        How far it is, and about the time left.
    fraction : float
        How far it is, from 0 to 1.
    audio : AudioSeparator
        The separator, fitted once the job has ended well.
    error : Exception or None
        What went wrong, if anything did.
    cancelled : bool
        Whether it was cancelled.
    """

    def __init__(self, audio: AudioSeparator, data: Training):
        self.audio, self._data = audio, data
        self.fraction, self.progress = 0.0, "0%"
        self._cancelled = threading.Event()
        self.error: Exception | None = None
        self.cancelled = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def cancel(self) -> None:
        """End the training as soon as it tells of itself."""
        self._cancelled.set()

    def is_running(self) -> bool:
        """Tell whether it has not ended yet."""
        return self._thread.is_alive()

    def wait(self, timeout: float | None = None) -> None:
        """Wait for the end, or a number of seconds."""
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            with on_progress(self._follow):
                self.audio.fit(self._data.waves, self._data.labels)
        except CancelledError:
            self.cancelled = True
        except Exception as error:
            self.error = error

    def _follow(self, progress: Progress) -> None:
        if self._cancelled.is_set():
            raise CancelledError
        self.fraction, left = progress.share, progress.seconds_left
        rest = "" if left is None else f", about {left:.0f} s left" if left < 90 else f", {left / 60:.0f} min left"
        self.progress = f"{progress.share:.0%}{rest}"
