"""
Save and load a model
=====================

A fitted separator goes into one file, with a card that says what it is. Loading it gives the same results, and runs
nothing that is in the file.
"""

# %%
# Train and save
# --------------

import tempfile
from pathlib import Path

from sklearn_gass import AudioSeparator, NMFSourceModel, SupervisedSeparator, describe_model, load_model, save_model
from sklearn_gass.datasets import make_voices

X, y = make_voices(2, n_utterances=5, random_state=0, return_X_y=True)
audio = AudioSeparator(SupervisedSeparator(NMFSourceModel()), random_state=0)
audio.fit(X[1:5] + X[6:], [*y[1:5], *y[6:]])

folder = tempfile.TemporaryDirectory()
path = Path(folder.name, "voices.safetensors")
save_model(audio, path, card={"trained on": "two synthetic voices", "licence": "CC0"})
print(path.name, "has", path.stat().st_size // 1000, "kB")

# %%
# Look before loading
# -------------------

for name, value in describe_model(path).items():
    print(f"{name}: {value}")

# %%
# Load and separate
# -----------------

import numpy as np

mixture = X[0] + X[5]
loaded = load_model(path)
print("same result:", np.array_equal(loaded.separate(mixture).sources, audio.separate(mixture).sources))
folder.cleanup()
loaded.separate(mixture)
