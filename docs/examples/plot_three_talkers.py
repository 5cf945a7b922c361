"""
Three talkers
=============

Nothing changes with more than two sources: give recordings of each, and a name.
"""

# %%
# Three synthetic voices, and a mixture of one held-out utterance of each.

from sklearn_gass.datasets import make_mixture, make_voices

X, y = make_voices(3, n_utterances=6, random_state=0, return_X_y=True)
held_out = [0, 6, 12]
mixture, true_voices = make_mixture([X[k] for k in held_out])
train = [k for k in range(len(X)) if k not in held_out]

# %%
# Separation
# ----------

from sklearn_gass import AudioSeparator, NMFSourceModel, SupervisedSeparator
from sklearn_gass.display import SeparationDisplay

audio = AudioSeparator(SupervisedSeparator(NMFSourceModel()), random_state=0)
audio.fit([X[k] for k in train], [y[k] for k in train])
display = SeparationDisplay.from_estimator(audio, mixture, references=true_voices)
display

# %%
# Each voice is harder to find among two others than beside one:

from sklearn_gass.metrics import si_sdr

print("not separated:   ", si_sdr(true_voices, [mixture] * 3).round(1), "dB")
print("among two others:", si_sdr(true_voices, display.sources).round(1), "dB")
pair, true_pair = make_mixture([X[0], X[6]])
train = [k for k in train if y[k] != y[12]]
audio.fit([X[k] for k in train], [y[k] for k in train])
print("beside one:      ", si_sdr(true_pair, audio.separate(pair).sources).round(1), "dB")
