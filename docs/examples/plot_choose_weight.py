"""
Choose λ without seeing the answer
==================================

λ weighs how much each estimate looks like its source alone against how well all estimates explain the mixture. What is
best depends on the voices. It is chosen here on mixtures made of training utterances that were held out in turn, and
the true sources of the mixture to be separated stay unseen until the end.
"""

# %%
# Data
# ----
#
# Four utterances of each of two synthetic voices: three train, one of each is mixed.

from sklearn_gass.datasets import make_pair, make_voices, timit_pairs

data = make_voices(2, n_utterances=4, duration=1.2, random_state=0)
example = make_pair(data, timit_pairs(data)[0])
X, y = example.train_utterances, example.train_speakers

# %%
# Search
# ------
#
# Five values of λ, three folds. The source models are small here, so that this page is made quickly.

from sklearn_gass import AudioSeparator, SupervisedSeparator, SupervisedSeparatorCV, VAESourceModel

model = VAESourceModel(n_components=16, hidden_layer_sizes=(64,), batch_size=16, max_iter=40)
audio = AudioSeparator(SupervisedSeparator(model, start_max_iter=200, critic_max_iter=150, random_state=0))
search = SupervisedSeparatorCV(audio, critic_weights=[0, 1, 2, 5, 10], scoring=["sdr", "sir", "sar"], refit="sdr")
search.fit(X, y)

# %%
# It holds three times two models' worth of training and two more, whatever the number of values: λ acts at separation
# only.

print(f"chosen: λ = {search.critic_weight_:g}, held-out SDR {search.best_score_:.1f} dB")

# %%
# Scores against λ
# ----------------
#
# Each line is a mean over the folds, each band one standard deviation. The other plot shows what interference costs in
# artifacts.

import matplotlib.pyplot as plt

from sklearn_gass.search_display import SearchDisplay, TradeOffDisplay

figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
SearchDisplay.from_search(search, ax=axes[0])
TradeOffDisplay.from_search(search, ax=axes[1])
plt.show()

# %%
# The mixture
# -----------
#
# Only now the true sources are looked at. A star marks the chosen λ.

import numpy as np

from sklearn_gass.metrics import bss_eval

for weight in search.critic_weights:
    search.separator_.separator_.set_params(critic_weight=weight)
    separation = search.separate(example.mixture)
    estimates = np.stack([separation[speaker] for speaker in example.reference_speakers])
    sdr, sir, sar = np.mean(bss_eval(example.references, estimates), axis=1)
    chosen = "*" if weight == search.critic_weight_ else " "
    print(f"{chosen} λ = {weight:3}:  SDR {sdr:5.1f}  SIR {sir:5.1f}  SAR {sar:5.1f}")
