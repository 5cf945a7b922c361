"""
Different models for different sources
======================================

A voice speaks in front of a humming machine. The machine hardly changes, so few NMF templates describe it. The voice
needs more. A list gives each source a model of its own.
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

from sklearn_gass import AudioSeparator, NMFSourceModel, SupervisedSeparator

separator = SupervisedSeparator(
    [("machine", NMFSourceModel(n_components=4)), ("voice", NMFSourceModel(n_components=40))], random_state=0
)
audio = AudioSeparator(separator).fit([*voice[1:], hum(5)], ["voice"] * 5 + ["machine"])

from sklearn_gass.display import SeparationDisplay

SeparationDisplay.from_estimator(audio, mixture, references=true_sounds)

# %%
# Parameters nest by the names of the sources, so a search can choose the number of templates of each.

from sklearn_gass.metrics import si_sdr

for n_components in (1, 4, 16, 64):
    audio.set_params(separator__machine__n_components=n_components)
    audio.fit([*voice[1:], hum(5)], ["voice"] * 5 + ["machine"])
    machine, speech = si_sdr(true_sounds, audio.separate(mixture).sources)
    print(f"{n_components:3} templates of the machine: voice {speech:5.1f} dB, machine {machine:5.1f} dB")
