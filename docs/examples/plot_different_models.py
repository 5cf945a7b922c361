"""
Different models for different sources
======================================

A voice speaks in front of a humming machine. The machine hardly changes, so few NMF templates describe it. The voice
gets a neural model, which is small here, so that this page is made quickly. A list gives each source its own model.
"""

# %%
# Data
# ----
#
# The voice is synthetic. The machine hums at 50 Hz with many harmonics, and its level rises and falls slowly.

import numpy as np

from sklearn_gass.datasets import make_mixture, make_voices

RATE, rng = 16000, np.random.RandomState(0)


def hum(seconds):
    """Return the sound of a machine."""
    time = np.arange(round(seconds * RATE)) / RATE
    swing = 1 + 0.3 * np.sin(2 * np.pi * 0.7 * time + rng.uniform(0, 6))
    phase = 2 * np.pi * np.cumsum(50 + 0.3 * np.sin(2 * np.pi * 0.4 * time + rng.uniform(0, 6))) / RATE
    harmonics = sum(np.sin(k * phase + rng.uniform(0, 6)) / k**0.7 for k in range(1, 60))
    return (swing * harmonics + 0.2 * rng.normal(size=time.size)).astype(np.float32)


voice, _ = make_voices(1, n_utterances=6, random_state=1, return_X_y=True)
mixture, true_sounds = make_mixture([hum(2.5), voice[0]])

# %%
# Separation
# ----------

from sklearn_gass import AudioSeparator, NMFSourceModel, SupervisedSeparator, VAESourceModel

neural = VAESourceModel(n_components=24, hidden_layer_sizes=(128,), max_iter=25)
separator = SupervisedSeparator([("machine", NMFSourceModel(n_components=4)), ("voice", neural)], random_state=0)
separator.set_params(start__max_iter=400, critic__max_iter=150)
recordings, names = [*voice[1:], hum(5)], ["voice"] * 5 + ["machine"]
audio = AudioSeparator(separator).fit(recordings, names)

from sklearn_gass.display import SeparationDisplay

SeparationDisplay.from_estimator(audio, mixture, references=true_sounds)

# %%
# Compared
# --------
#
# Parameters nest by the names of the sources, and the models are parameters, too. So a search can choose the model of
# each source, and its size.

from sklearn_gass.metrics import si_sdr


def show(kind):
    """Print the SI-SDR of both sources."""
    machine, speech = si_sdr(true_sounds, audio.separate(mixture).sources)
    print(f"{kind}: voice {speech:.1f} dB, machine {machine:.1f} dB")


show("a neural voice")
audio.set_params(separator__voice=NMFSourceModel()).fit(recordings, names)
show("an NMF of the voice")

# %%
# A small neural model that trained for some seconds falls behind an NMF here. At its defaults it takes a minute, and is
# ahead on speech: the guide on :doc:`choosing a model </guide/choosing>` has the numbers.
