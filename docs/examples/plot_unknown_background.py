"""
Take a voice out of an unknown background
=========================================

You know one voice, and somebody plays a melody while it speaks. Nobody recorded the melody alone. A background model
learns it from the mixture itself.
"""

# %%
# Data
# ----
#
# Nine utterances of the voice are known. The tenth is mixed with the melody at the same level.

from sklearn_gass.datasets import make_background, make_mixture, make_voices

voice = make_voices(1, n_utterances=10, random_state=0)
known, unheard = voice.utterances[:9], voice.utterances[9]
mixture, references = make_mixture([unheard, make_background("melody", random_state=0)])

# %%
# Training
# --------
#
# The separator is fitted on the voice alone. :class:`~sklearn_gass.NMFSourceModel` trains in a moment; take
# :class:`~sklearn_gass.VAESourceModel` for real voices.

from sklearn_gass import AudioSeparator, BackgroundModel, NMFSourceModel, SupervisedSeparator

models = [("anna", NMFSourceModel()), ("background", BackgroundModel())]
audio = AudioSeparator(SupervisedSeparator(models), random_state=0).fit(known, ["anna"] * len(known))

# %%
# Separation
# ----------
#
# Templates of the background are learned now.

separation = audio.separate(mixture)
separation

# %%
# They are notes of the melody, with their harmonics, and the moments between them:

import matplotlib.pyplot as plt
import numpy as np

from sklearn_gass import STFT

frames = STFT().analyze(mixture / mixture.std())[0]
templates = audio.separator_.explain(frames).background.templates.numpy()
figure, axis = plt.subplots(figsize=(6, 3.5), layout="constrained")
axis.imshow(np.log1p(templates[:, :256].T), origin="lower", aspect="auto", cmap="magma")
axis.set(xlabel="template", ylabel="frequency bin")
plt.show()

# %%
# Scores
# ------
#
# How much nearer the result is to the voice than the mixture is, in dB:

from sklearn_gass.metrics import si_sdr

float(si_sdr(references[:1], separation["anna"][None])[0] - si_sdr(references[:1], mixture[None])[0])
