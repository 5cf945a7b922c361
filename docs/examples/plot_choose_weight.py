"""
Choose λ without seeing the answer
==================================

λ weighs the critics, networks that score how clean each estimate sounds, against how well all estimates add up to the
mixture. The best value depends on the voices. You choose it here on mixtures of training utterances that are held out
in turn. The true sources of the test mixture stay unseen until the end.

Do not expect much of it for two voices at equal levels: λ changes their scores by a tenth of a dB or so, and a choice
from a few short utterances can miss the best value by more than that. :doc:`The paper's table </paper_table>` compares
chosen with fixed values on 25 pairs of speakers.
"""

# %%
# Data
# ----
#
# Each of two synthetic voices has four utterances. Three train, and one of each voice goes into the test mixture.

from sklearn_gass.datasets import make_pair, make_voices, speaker_pairs

data = make_voices(2, n_utterances=4, duration=1.2, random_state=0)
example = make_pair(data, speaker_pairs(data)[0])
X, y = example.train_utterances, example.train_speakers

# %%
# Search
# ------
#
# The search tries four values of λ on three folds. The source models are small here, so that this page is made quickly.

from sklearn_gass import AudioSeparator, SupervisedSeparator, SupervisedSeparatorCV, VAESourceModel

model = VAESourceModel(n_components=16, hidden_layer_sizes=(64,), batch_size=16, max_iter=30)
separator = SupervisedSeparator(model, random_state=0).set_params(start__max_iter=150, critic__max_iter=100)
audio = AudioSeparator(separator)
search = SupervisedSeparatorCV(audio, critic_weights=[0, 2, 5, 10], scoring=["sdr", "sir", "sar"], refit="sdr")
search.fit(X, y)

# %%
# λ acts at separation only. So the search fits two source models for each of the three folds, and two more on all
# utterances: eight models, whatever the number of values.

print(f"chosen: λ = {search.critic_weight_:g}, held-out SDR {search.best_score_:.1f} dB")

# %%
# Scores against λ
# ----------------
#
# On the left, each line is a mean over the folds, and each band is one standard deviation. On the right you see how
# many artifacts less interference costs.

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
# Only now we look at the true sources. A star marks the chosen λ. If another value scores higher here, that is no
# reason to take it: nobody has these scores who has only the mixture. Start the first player, then the others, and hear
# what λ changes in one of the voices.

import numpy as np

from sklearn_gass.display import separation_html
from sklearn_gass.metrics import bss_eval

heard = {"mixture": example.mixture, "true voice": example.references[0]}
for weight in search.critic_weights:
    search.separator_.separator_.set_params(critic_weight=weight)
    separation = search.separate(example.mixture)
    estimates = np.stack([separation[speaker] for speaker in example.reference_speakers])
    sdr, sir, sar = np.mean(bss_eval(example.references, estimates), axis=1)
    chosen = "*" if weight == search.critic_weight_ else " "
    print(f"{chosen} λ = {weight:3}:  SDR {sdr:6.2f}  SIR {sir:6.2f}  SAR {sar:6.2f}")
    heard[f"λ = {weight}{chosen}"] = estimates[0]
separation_html(heard, 16000)

# %%
# The choice may well be worse than λ = 0 on a single mixture, as said above. On the mean of many, small values are a
# little better than none, and the default is as good as a choice.
