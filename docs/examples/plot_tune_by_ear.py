"""
λ and the mask exponent, heard
==============================

λ and the mask exponent act at separation. So you can turn them on a fitted separator and listen. Each step takes a
moment, and nothing is trained again. The models are small here, so that this page is made quickly.
"""

# %%
# One separator
# -------------

from sklearn_gass import AudioSeparator, SupervisedSeparator, VAESourceModel
from sklearn_gass.datasets import make_mixture, make_voices

X, y = make_voices(2, n_utterances=6, random_state=3, return_X_y=True)
mixture, true_voices = make_mixture([X[0], X[6]])
model = VAESourceModel(n_components=24, hidden_layer_sizes=(128,), max_iter=25)
separator = SupervisedSeparator(model, random_state=0).set_params(start__max_iter=400, critic__max_iter=150)
audio = AudioSeparator(separator).fit(X[1:6] + X[7:], [*y[1:6], *y[7:]])

# %%
# The masks are the shares of the mixture that each voice gets:

from sklearn_gass.display import SeparationDisplay, separation_html

SeparationDisplay.from_estimator(audio, mixture).figure_.suptitle("mask exponent 2")

# %%
# The mask exponent
# -----------------
#
# Start the first player, then the others: each goes on where the one before was. With a low exponent you hear more of
# the other voice. With a high one you hear less of it, and more artifacts: short tones that nobody made.

from sklearn_gass.metrics import bss_eval


def separate(**parameters):
    """Return the sources that the fitted separator finds with other parameters, and print their scores."""
    audio.separator_.set_params(**parameters)
    sources = audio.separate(mixture).sources
    _, sir, sar = bss_eval(true_voices, sources)
    setting = ", ".join(f"{name} = {value}" for name, value in parameters.items())
    print(f"{setting}: interference (SIR) {sir.mean():.1f} dB, artifacts (SAR) {sar.mean():.1f} dB")
    return sources


waves = {f"exponent {exponent}": separate(mask_exponent=exponent)[0] for exponent in (0.5, 1, 2, 4, float("inf"))}
separation_html(waves, 16000)

# %%
# λ
# -
#
# λ weighs the critics, networks that score how clean an estimate sounds. It changes less than the mask exponent does.

audio.separator_.set_params(mask_exponent=2)
separation_html({f"λ = {weight}": separate(critic_weight=weight)[0] for weight in (0, 2, 10, 50)}, 16000)
