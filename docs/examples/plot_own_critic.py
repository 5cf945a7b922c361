"""
A critic of your own
====================

A critic scores how clean an estimate of a source sounds. Separation raises λ times its scores. This critic knows one
thing: in which bins a source has hardly any energy. :doc:`/guide/extending` explains the parts.
"""

# %%
# The critic
# ----------
#
# `fit` learns from clean frames of each source. `freeze` returns a function that separation follows uphill.

import torch

from sklearn_gass import BaseCritic


class BandCritic(BaseCritic):
    """Score minus the energy in bins that a source hardly uses."""

    def __init__(self, threshold=0.1):
        self.threshold = threshold

    def fit(self, problem, sources):
        spectra = [source.frames.mean(0) for source in sources]
        unused = [(spectrum < self.threshold * spectrum.mean()).float() for spectrum in spectra]
        self.unused_ = torch.stack(unused).cpu().numpy()
        return self

    def freeze(self, problem):
        unused = torch.tensor(self.unused_, dtype=problem.dtype, device=problem.device)
        return lambda frames, generated: [-(part * bins).sum(1) for part, bins in zip(generated, unused, strict=True)]


# %%
# In a separator
# --------------
#
# A small model, so that this page is made quickly.

from sklearn_gass import AudioSeparator, SourceStart, SupervisedSeparator, VAESourceModel
from sklearn_gass.datasets import make_mixture, make_voices
from sklearn_gass.display import separation_html
from sklearn_gass.metrics import bss_eval

X, y = make_voices(2, n_utterances=6, random_state=0, return_X_y=True)
mixture, true_voices = make_mixture([X[0], X[6]])
model = VAESourceModel(n_components=24, hidden_layer_sizes=(128,), max_iter=25)
separator = SupervisedSeparator(model, start=SourceStart(), critic=BandCritic(), random_state=0)
audio = AudioSeparator(separator).fit(X[1:6] + X[7:], [*y[1:6], *y[7:]])

# %%
# The scores say whether a critic helps. This one hardly does: the source models know already in which bins a voice has
# no energy. The default, `MixtureCritic`, learns from the mistakes of separation instead.

heard = {"mixture": mixture}
for weight in (0, 0.3, 1, 3):
    audio.separator_.set_params(critic_weight=weight)
    voices = audio.separate(mixture)
    sdr, sir, sar = (values.mean() for values in bss_eval(true_voices, voices.sources))
    print(f"λ = {weight:3}:  SDR {sdr:5.1f}  SIR {sir:5.1f}  SAR {sar:5.1f}")
    heard[f"a voice at λ = {weight}"] = voices.sources[0]

# %%
# Listen to one of the voices:

separation_html(heard, 16000)
