"""Draw the picture of the README: a mixture of two synthetic voices, and what the library makes of it.

Run ``python benchmarks/start_picture.py``. It trains for a third of the usual steps, which is enough for such simple
voices, and writes ``docs/separation.png``.
"""

from pathlib import Path

from sklearn.model_selection import train_test_split

from sklearn_gass import AudioSeparator, SupervisedSeparator, VAESourceModel
from sklearn_gass.datasets import make_voices
from sklearn_gass.display import spectrograms_png

PICTURE = Path(__file__).parent.parent / "docs" / "separation.png"


def main():
    """Train on two voices, separate a held-out mixture, and draw it."""
    X, y = make_voices(2, random_state=0, return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=2, stratify=y, random_state=0)
    separator = SupervisedSeparator(VAESourceModel(max_iter=25)).set_params(start__max_iter=1000, critic__max_iter=200)
    voices = AudioSeparator(separator, random_state=0).fit(X, y).separate(X_test[0] + X_test[1])
    true = dict(zip(y_test, X_test, strict=True))
    waves = {"mixture": voices.mixture}
    for label in voices.labels:
        waves |= {f"{label}, separated": voices[label], f"{label}, true": true[label]}
    PICTURE.write_bytes(spectrograms_png(waves, voices.sample_rate))


if __name__ == "__main__":
    main()
