"""Parameters set on a fitted estimator act from the outermost one on, or are refused."""

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone

from sklearn_gass import STFT, AudioSeparator, SourceStart, SupervisedSeparator, SupervisedSeparatorCV, VAESourceModel
from sklearn_gass.datasets import make_mixture
from sklearn_gass.engine import SMOOTHING_SWEEPS


@pytest.fixture(scope="module")
def separator(seed):
    model = VAESourceModel(3, hidden_layer_sizes=(8,), max_iter=3)
    separator = SupervisedSeparator(model, max_iter=5, batch_size=64, random_state=seed)
    return separator.set_params(start__max_iter=3, critic__max_iter=3)


@pytest.fixture(scope="module")
def mixture(short_voices):
    return make_mixture([short_voices.utterances[0], short_voices.utterances[3]])[0]


def audio_of(separator):
    return AudioSeparator(separator, stft=STFT(n_fft=256, hop_length=64))


NESTINGS = {
    "audio": (audio_of, "separator__"),
    "audio around cv": (
        lambda separator: audio_of(SupervisedSeparatorCV(separator, critic_weights=[0], cv=2)),
        "separator__separator__",
    ),
    "cv around audio": (
        lambda separator: SupervisedSeparatorCV(audio_of(separator), critic_weights=[0], cv=2),
        "separator__separator__",
    ),
}


@pytest.fixture(scope="module", params=NESTINGS)
def nested(request, separator, short_voices):
    """A fitted estimator around a separator, not to be changed, and what parameters of that begin with."""
    make, prefix = NESTINGS[request.param]
    return make(separator).fit(list(short_voices.utterances), short_voices.speakers), prefix


@pytest.mark.parametrize("change", [{"critic_weight": 50.0}, {"mask_exponent": 8.0}, {"start_weight": 0.0}])
def test_what_acts_at_separation_acts(change, nested, mixture):
    fitted, prefix = copy.deepcopy(nested[0]), nested[1]
    before = fitted.separate(mixture).sources
    named = {prefix + name: value for name, value in change.items()}
    old = {name: fitted.get_params()[name] for name in named}
    changed = fitted.set_params(**named).separate(mixture).sources
    assert not np.array_equal(changed, before)
    assert_array_equal(pickle.loads(pickle.dumps(fitted)).separate(mixture).sources, changed)
    assert_array_equal(np.concatenate(list(fitted.separate_blocks(mixture)), 1), changed)
    assert_array_equal(fitted.transform([mixture])[0], changed)
    assert_array_equal(fitted.set_params(**old).separate(mixture).sources, before)


@pytest.mark.parametrize("name", ["source_model__latent_weight", "start__max_iter", "random_state"])
def test_what_only_training_reads_is_refused(name, nested, mixture):
    fitted, prefix = copy.deepcopy(nested[0]), nested[1]
    with pytest.raises(ValueError, match=f"{name} has changed since this .* was fitted.*: fit again"):
        fitted.set_params(**{prefix + name: 7}).separate(mixture)


def test_the_inner_separator_can_be_set_as_well(separator, short_voices, mixture):
    audio = audio_of(separator).fit(list(short_voices.utterances), short_voices.speakers)
    other = copy.deepcopy(audio).set_params(separator__critic_weight=50.0)
    audio.separator_.set_params(critic_weight=50.0)
    assert_array_equal(audio.separate(mixture).sources, other.separate(mixture).sources)


def test_parameters_of_the_default_separator_nest():
    audio = AudioSeparator().set_params(separator__critic_weight=7.0)
    assert audio.separator.critic_weight == 7.0
    assert SupervisedSeparatorCV().set_params(separator__n_init=2).separator.n_init == 2


def test_blocks_around_a_search_are_no_larger_than_without(nested, separator, short_voices, monkeypatch):
    """And a separator that couples frames gets all of them."""
    from sklearn_gass.separation import _blockwise

    fitted, prefix = copy.deepcopy(nested[0]), nested[1]
    monkeypatch.setattr(_blockwise, "_BLOCK_VALUES", 64 * 129)
    seen = []
    explain = SupervisedSeparator.explain
    monkeypatch.setattr(SupervisedSeparator, "explain", lambda self, X: (seen.append(len(X)), explain(self, X))[1])
    wave = np.concatenate([short_voices.utterances[0], short_voices.utterances[3]])
    fitted.set_params(**{prefix + "smoothness": 0.0}).separate(wave)
    assert max(seen) == 64
    seen.clear()
    fitted.set_params(**{prefix + "smoothness": 1.0}).separate(wave)
    assert max(seen) == 64 + 2 * SMOOTHING_SWEEPS


def test_a_random_start_is_the_same_at_every_call(separator, make_sources):
    data = make_sources(2)
    unseeded = clone(separator).set_params(start="random", random_state=np.random.RandomState(0))
    fitted = unseeded.fit(data.X, data.y)
    whole = fitted.transform(data.mixture)
    assert_array_equal(fitted.transform(data.mixture), whole)
    assert_array_equal(
        np.concatenate([fitted.transform(data.mixture[:16]), fitted.transform(data.mixture[16:])]), whole
    )


def test_rate_and_shorthands(separator, short_voices, mixture):
    """A rate acts through a search; a shorthand and what it stands for are the same; scores are not training."""
    search = NESTINGS["cv around audio"][0](clone(separator).set_params(start="source", critic=None))
    search.fit(list(short_voices.utterances), short_voices.speakers)
    assert search.set_params(separator__sample_rate=8000).separate(mixture).sample_rate == 8000
    search.set_params(separator__separator__start=SourceStart(), scoring="sdr").separate(mixture)
    with pytest.raises(ValueError, match="sample_rate"):
        search.set_params(separator__sample_rate="fast").separate(mixture)


def test_from_fitted_takes_separators_of_frames(separator, short_voices):
    audio = audio_of(separator).fit(list(short_voices.utterances), short_voices.speakers)
    with pytest.raises(ValueError, match="from_fitted takes a fitted separator of frames, got AudioSeparator"):
        AudioSeparator.from_fitted(audio)
    with pytest.raises(ValueError, match="separator__max_iter is for a list of fitted models"):
        AudioSeparator.from_fitted(audio.separator_, stft=audio.stft, separator__max_iter=5)
    with pytest.raises(ValueError, match="frames of 129 bins, but the STFT makes 513"):
        AudioSeparator.from_fitted(audio.separator_)
    again = AudioSeparator.from_fitted(audio.separator_, stft=audio.stft)
    wave = short_voices.utterances[0]
    assert_array_equal(again.separate(wave).sources, audio.separate(wave).sources)
