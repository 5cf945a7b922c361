"""
What each model draws
=====================

A source model can generate frames of its source. What it draws shows what it has learned, and what it has not. Here you
see and hear frames of one voice beside frames that three models of it draw. The neural models are small and train for
a short while, so that this page is made quickly.
"""

# %%
# Data
# ----
#
# Ten utterances of a synthetic voice, as magnitude frames.

import numpy as np

from sklearn_gass import STFT
from sklearn_gass.datasets import make_voices

utterances, _ = make_voices(1, n_utterances=6, random_state=0, return_X_y=True)
stft = STFT()
frames = np.concatenate([stft.analyze(wave)[0] for wave in utterances])

# %%
# Real and drawn frames
# ---------------------
#
# Models draw single frames by default, so drawn frames have no order in time.

import matplotlib.pyplot as plt

from sklearn_gass import NMFSourceModel, VAESourceModel, WGANSourceModel
from sklearn_gass.display import SampleDisplay

small = {"hidden_layer_sizes": (128,), "n_components": 24, "max_iter": 25}
models = {"NMF": NMFSourceModel(), "VAE": VAESourceModel(**small), "WGAN": WGANSourceModel(**small)}
for name, model in models.items():
    model.set_params(random_state=0).fit(frames)
    SampleDisplay.from_estimator(model, frames, random_state=0).figure_.suptitle(name)
plt.show()

# %%
# Frames that follow each other
# -----------------------------
#
# The training frames are in their order in time. So a model also learns how its latents move from frame to frame, and
# draws sequences. They move about as fast as the voice does. They say nothing, since a frame knows the one before it
# and no words.

sequences = {}
for name, model in models.items():
    sequences[name] = model.sample(150, random_state=0, sequence=True, output_noise=False)
    display = SampleDisplay.from_predictions(frames[:150], sequences[name])
    display.figure_.suptitle(f"{name}, a sequence")
plt.show()

# %%
# How they were trained
# ---------------------
#
# A loss that still falls at the end says that longer training would help. The gap says how much higher the critic of
# the WGAN scores real frames than generated ones. The VAE has no critic.

from sklearn_gass.training_display import TrainingDisplay

for name in ("VAE", "WGAN"):
    TrainingDisplay.from_estimator(models[name]).figure_.suptitle(name)
plt.show()

# %%
# As sound
# --------
#
# Frames have no phase, so the phase is guessed: it starts at random and is made consistent by a few rounds of the
# algorithm of Griffin and Lim. Frames that were drawn one by one sound like a voice that says all its sounds at once.
# In a sequence each frame follows from the one before, so that sounds begin, last and end.


def heard(magnitudes, n_rounds=20):
    """Return a waveform with about these magnitudes."""
    n_samples = (len(magnitudes) - 1) * stft.hop_samples
    phase = np.exp(2j * np.pi * np.random.RandomState(0).rand(*magnitudes.shape))
    for _ in range(n_rounds):
        wave = stft.synthesize(magnitudes, phase, n_samples)
        phase = stft.analyze(wave)[1]
    return wave


from sklearn_gass.display import separation_html

waves = {"real frames": heard(frames[:150])}
waves |= {f"drawn by {name}": heard(model.sample(150, random_state=0)) for name, model in models.items()}
waves |= {f"sequence by {name}": heard(sequence) for name, sequence in sequences.items()}
separation_html(waves, 16000)
