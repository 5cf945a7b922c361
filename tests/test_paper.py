"""The paper's methods as it configured them."""

import numpy as np
import pytest

from sklearn_gass import STFT, WGANSourceModel
from sklearn_gass.paper import PAPER_METHODS, paper_separator


@pytest.mark.parametrize("method", PAPER_METHODS)
def test_only_critics_have_a_weight(method):
    separator = paper_separator(method)
    assert (separator.critic_weight > 0) == hasattr(separator.source_model, "critic_score")


def test_names():
    assert PAPER_METHODS == ("NMF", "GAN", "WGAN", "AE-WGAN", "AE", "VAE")


@pytest.mark.parametrize("method", PAPER_METHODS)
def test_fits_and_separates(method, make_sources, seed):
    data = make_sources(2)
    separator = paper_separator(method, random_state=seed).set_params(max_iter=2, source_model__max_iter=2)
    separated = separator.fit(data.X, data.y).separate(data.mixture)
    assert separated.shape == (2, 20, 12)
    assert np.isfinite(separated).all()
    np.testing.assert_allclose(separated.sum(0), data.mixture)
    assert separator.start == "random"
    assert separator.critic == "source", "the paper has no critics but those of its models"


@pytest.mark.parametrize(
    ("method", "generator", "critic"),
    [
        ("GAN", [(100, 513), (513, 100)], [(90, 513), (1, 90)]),
        ("WGAN", [(100, 513), (513, 100)], [(90, 513), (1, 90)]),
        ("AE-WGAN", [(100, 100), (513, 100)], [(90, 513), (1, 90)]),
        ("AE", [(513, 100)], []),
        ("VAE", [(100, 100), (513, 100)], []),
    ],
)
def test_architecture(method, generator, critic, rng, seed):
    """Shapes of the weights for frames of 513 bins."""
    model = paper_separator(method).source_model.set_params(max_iter=1, random_state=seed).fit(rng.random((4, 513)))

    def shapes(network):
        return [w.shape for name, w in model.weights_.items() if name.startswith(network) and name.endswith("weight")]

    assert shapes("decoder") == generator
    assert shapes("critic") == critic
    assert model.activation == "softplus"
    assert not critic or model.critic_activation == "tanh"
    assert model.learning_rate_init == 1e-3
    assert model.solver == "rmsprop"


@pytest.mark.parametrize("method", ["WGAN", "AE-WGAN"])
def test_critic_weights_are_clipped(method, make_sources, seed):
    model = paper_separator(method).source_model.set_params(max_iter=1, random_state=seed).fit(make_sources(2).X)
    weights = [w for name, w in model.weights_.items() if name.startswith("critic")]
    assert max(np.abs(w).max() for w in weights) <= 0.01 + 1e-9


@pytest.mark.parametrize("method", [method for method in PAPER_METHODS if method != "NMF"])
def test_training_goes_on_to_the_end(method, make_sources, seed):
    """Whatever the loss does: the paper has a number of steps and no other criterion."""
    frames = np.tile(make_sources(2).X[:1], (8, 1))  # learned in a moment
    model = paper_separator(method).source_model.set_params(n_components=2, random_state=seed, batch_size=8)
    assert model.fit(frames).n_iter_ == 400


def test_unknown_method():
    with pytest.raises(ValueError, match="Unknown method 'ICA'; the paper's methods are NMF, GAN"):
        paper_separator("ICA")


def test_samples_of_speech_are_no_copies(real_speech, seed):
    """A sample is farther from its nearest training frame than a training frame, repeated, would be."""
    stft = STFT(n_fft=256, hop_length=128)
    frames = np.concatenate([stft.analyze(wave)[0] for wave in real_speech.utterances[:2]])
    frames = frames[frames.sum(1) > 0.1 * frames.sum(1).mean()][::4].astype(np.float32)
    samples = WGANSourceModel(8, hidden_layer_sizes=(32,), max_iter=10, random_state=seed).fit(frames).sample(50)
    distances = np.linalg.norm(samples[:, None] - frames, axis=2)
    assert (distances.min(1) > 1e-3 * np.linalg.norm(samples, axis=1)).all()
    assert len(np.unique(samples, axis=0)) == 50
