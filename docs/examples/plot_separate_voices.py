"""
Separate two voices
===================

Two synthetic voices babble at once. You train a non-negative matrix factorisation (NMF) of each voice on other
utterances of it, and take the two apart.
"""

# %%
# Data
# ----
#
# Each voice has ten utterances. One of each is held out, and these two are mixed at the same level.

from sklearn_gass.datasets import make_pair, make_voices, speaker_pairs

data = make_voices(2, n_utterances=10, random_state=0)
example = make_pair(data, speaker_pairs(data)[0])
len(example.train_utterances), example.mixture.shape

# %%
# What the model learns
# ---------------------
#
# A source model generates magnitude frames. Its samples show what it has learned. NMF draws the activations of single
# training frames, so samples are in no order of time.

import matplotlib.pyplot as plt
import numpy as np

from sklearn_gass import STFT, NMFSourceModel

voice = example.train_speakers == "voice1"
waves = [wave for wave, own in zip(example.train_utterances, voice, strict=True) if own]
frames = np.concatenate([STFT().analyze(wave)[0] for wave in waves])
model = NMFSourceModel(n_components=40, random_state=0).fit(frames)

panels = {"training frames": frames[:150], "samples": model.sample(150), "templates": model.components_}
figure, axes = plt.subplots(1, 3, figsize=(9, 3.5), sharey=True, layout="constrained")
for axis, (title, rows) in zip(axes, panels.items(), strict=True):
    axis.imshow(np.log1p(rows[:, :256].T), origin="lower", aspect="auto", cmap="magma")
    axis.set(title=title, xticks=[])
axes[0].set_ylabel("frequency bin")
plt.show()

# %%
# Separation
# ----------
#
# The separator trains one model for each voice. A notebook shows the result as players and spectrograms.

from sklearn_gass import AudioSeparator, SupervisedSeparator

audio = AudioSeparator(SupervisedSeparator(NMFSourceModel(n_components=40)), random_state=0)
audio.fit(example.train_utterances, example.train_speakers)
separation = audio.separate(example.mixture)
separation

# %%
# Scores
# ------
#
# Scores are in dB, by BSS eval, as means over both voices. For comparison you see the unseparated mixture, and masks
# made from the true voices.

from sklearn_gass.metrics import bss_eval, ideal_ratio_mask_bound

estimates = np.stack([separation[speaker] for speaker in example.reference_speakers])
scores = {
    "mixture": bss_eval(example.references, np.stack([example.mixture] * 2)),
    "NMF": bss_eval(example.references, estimates),
    "ideal ratio mask": ideal_ratio_mask_bound(example.references),
}
for name, score in scores.items():
    sdr, sir, sar = np.mean(score, axis=1)
    print(f"{name:>16}:  SDR {sdr:5.1f}  SIR {sir:5.1f}  SAR {sar:5.1f}")

# %%
# The mask exponent acts at separation only, so you can set it on a fitted separator. As it grows, the louder source of
# a bin gets more of the bin. There is less interference then, and there are more artifacts.

for exponent in (0.5, 1, 2, 4, np.inf):
    audio.separator_.set_params(mask_exponent=exponent)
    separation = audio.separate(example.mixture)
    estimates = np.stack([separation[speaker] for speaker in example.reference_speakers])
    sdr, sir, sar = np.mean(bss_eval(example.references, estimates), axis=1)
    print(f"{f'exponent {exponent}':>16}:  SDR {sdr:5.1f}  SIR {sir:5.1f}  SAR {sar:5.1f}")
