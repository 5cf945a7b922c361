"""Scores for searches: which mixtures are made, and what is measured on them."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_gass import AudioSeparator, NMFSourceModel, SupervisedSeparator
from sklearn_gass.datasets import make_mixture
from sklearn_gass.metrics import bss_eval, bss_eval_improvement, si_sdr, si_sdr_improvement
from sklearn_gass.scoring import METRICS, SeparationScorer, get_scorer, make_frame_mixtures, make_wave_mixtures


@pytest.fixture(scope="module")
def audio(seed, short_voices):
    separator = SupervisedSeparator(NMFSourceModel(4, max_iter=10), max_iter=10)
    return AudioSeparator(separator, random_state=seed).fit(short_voices.utterances, short_voices.speakers)


@pytest.fixture(scope="module")
def frames(seed, make_sources):
    data = make_sources(2)
    return SupervisedSeparator(NMFSourceModel(4, max_iter=10), random_state=seed).fit(data.X, data.y)


class CountedSeparations:
    """Count how often an estimator separates."""

    def __init__(self, estimator):
        self.estimator, self.classes_, self.n_calls = estimator, estimator.classes_, 0

    def __getattr__(self, name):
        return getattr(self.estimator, name)

    def separate(self, mixture):
        self.n_calls += 1
        return self.estimator.separate(mixture)


class TestWaveforms:
    def test_metrics_are_means_over_fixed_pairs(self, audio, short_voices):
        """The n-th utterance of one source is mixed with the n-th of the other, in the order given."""
        order = [3, 0, 4, 2, 1]
        X, y = [short_voices.utterances[i] for i in order], short_voices.speakers[order]
        expected = {name: [] for name in METRICS}
        for first, second in [(0, 3), (2, 4)]:  # voice0 has another one, which has no partner
            mixture, references = make_mixture([short_voices.utterances[first], short_voices.utterances[second]])
            estimates = np.asarray(audio.separate(mixture))
            bss, gain = bss_eval(references, estimates), bss_eval_improvement(references, estimates, mixture)
            values = {f"{name}_improvement": values for name, values in gain._asdict().items()} | bss._asdict()
            values["si_sdr"] = si_sdr(references, estimates)
            values["si_sdr_improvement"] = si_sdr_improvement(references, estimates, mixture)
            for name in METRICS:
                expected[name].append(values[name].mean())
        found = SeparationScorer(METRICS)(audio, X, y)
        assert found == pytest.approx({name: np.mean(values) for name, values in expected.items()})

    def test_one_name_gives_a_number_that_is_also_in_the_dictionary(self, audio, short_voices):
        data = short_voices.utterances, short_voices.speakers
        value = SeparationScorer("sir")(audio, *data)
        assert isinstance(value, float)
        assert SeparationScorer(["sir"])(audio, *data) == {"sir": value}

    def test_si_sdr_is_the_separator_s_own_score(self, audio, short_voices):
        data = short_voices.utterances, short_voices.speakers
        assert SeparationScorer("si_sdr")(audio, *data) == audio.score(*data) == get_scorer(None)(audio, *data)

    def test_level_difference(self, audio, short_voices):
        """A louder first source is easier to get out of the mixture, the other one harder."""
        X, y = [short_voices.utterances[0], short_voices.utterances[3]], ["voice0", "voice1"]
        ((mixture, references),) = make_wave_mixtures(X, y, snr=12)
        levels = [reference[: len(wave)].std() for reference, wave in zip(references, X, strict=True)]
        assert 20 * np.log10(levels[0] / levels[1]) == pytest.approx(12, abs=0.01)
        np.testing.assert_array_equal(mixture, references.sum(0))
        one = [SeparationScorer("sdr", snr=level)(audio, X, y) for level in (-12, 12)]
        assert SeparationScorer("sdr", snr=(-12, 12))(audio, X, y) == pytest.approx(np.mean(one))
        assert one[0] != one[1]

    def test_each_mixture_is_separated_once(self, audio, short_voices):
        counted = CountedSeparations(audio)
        SeparationScorer(["si_sdr", "si_sdr_improvement", "sdr"], snr=[0, 6])(
            counted, short_voices.utterances, short_voices.speakers
        )
        assert counted.n_calls == 3 * 2

    def test_missing_source_names_the_splitter(self, audio, short_voices):
        with pytest.raises(ValueError, match=r"No utterances of source\(s\) \['voice1'\].*: StratifiedKFold"):
            SeparationScorer()(audio, short_voices.utterances[:3], short_voices.speakers[:3])


class TestFrames:
    def test_sdr_is_the_separator_s_own_score(self, frames, make_sources):
        data = make_sources(2)
        assert SeparationScorer("sdr")(frames, data.X, data.y) == frames.score(data.X, data.y)

    def test_si_sdr_and_improvements(self, frames, make_sources):
        data = make_sources(2)
        true = np.stack([data.X[data.y == label] for label in "ab"])
        estimates, mixture = frames.separate(true.sum(0)), np.broadcast_to(true.sum(0), true.shape)
        error = [10 * np.log10((true**2).sum((1, 2)) / ((true - e) ** 2).sum((1, 2))) for e in (estimates, mixture)]
        flat = [array.reshape(2, -1) for array in (true, estimates, mixture)]
        found = SeparationScorer(["si_sdr", "sdr_improvement", "si_sdr_improvement"])(frames, data.X, data.y)
        expected = {
            "si_sdr": si_sdr(flat[0], flat[1]).mean(),
            "sdr_improvement": (error[0] - error[1]).mean(),
            "si_sdr_improvement": (si_sdr(flat[0], flat[1]) - si_sdr(flat[0], flat[2])).mean(),
        }
        assert found == pytest.approx(expected)

    def test_level_is_on_top_of_that_of_the_frames(self, frames, make_sources):
        data = make_sources(2, np.float32)
        ((_, plain),) = make_frame_mixtures(data.X, data.y)
        ((mixture, lowered),) = make_frame_mixtures(data.X, data.y, snr=20)
        np.testing.assert_array_equal(lowered[0], plain[0])
        np.testing.assert_allclose(lowered[1], plain[1] / 10, rtol=1e-6)
        assert mixture.dtype == lowered.dtype == np.float32

    @pytest.mark.parametrize("name", ["sir", "sar", "sir_improvement"])
    def test_what_needs_phase_is_refused(self, name, frames, make_sources):
        data = make_sources(2)
        with pytest.raises(ValueError, match=r"\['s[ia]r'\] need waveforms.*AudioSeparator"):
            SeparationScorer(["sdr", name])(frames, data.X, data.y)

    def test_missing_source_names_the_splitter(self, frames, make_sources):
        data = make_sources(2)
        with pytest.raises(ValueError, match=r"source\(s\) \['a'\].*StratifiedGroupKFold with groups = utterance"):
            SeparationScorer()(frames, data.X[data.y == "b"], data.y[data.y == "b"])


class TestInSearches:
    def test_several_metrics_at_once(self, audio, short_voices):
        grid = {"separator__mask_exponent": [0.1, 1]}
        scorer = SeparationScorer(("sir", "sar", "si_sdr_improvement"))
        search = GridSearchCV(audio, grid, scoring=scorer, refit="sar", cv=StratifiedKFold(3), error_score="raise")
        results = search.fit(short_voices.utterances, short_voices.speakers).cv_results_
        gained, paid = np.diff(results["mean_test_sir"]), np.diff(results["mean_test_sar"])
        assert gained > 0 > paid, "sharper masks give less interference and more artifacts"
        assert search.best_params_ == {"separator__mask_exponent": 0.1}

    def test_pipeline(self, frames, make_sources):
        """Scores are those of the last step on what the others make of the recordings."""
        data = make_sources(2)
        pipeline = make_pipeline(FunctionTransformer(np.sqrt), clone(frames))
        folds = list(StratifiedGroupKFold(2).split(data.X, data.y, data.groups))
        found = cross_val_score(pipeline, data.X, data.y, cv=folds, scoring=SeparationScorer())
        expected = cross_val_score(frames, np.sqrt(data.X), data.y, cv=folds, scoring=SeparationScorer())
        np.testing.assert_array_equal(found, expected)
        alone = make_pipeline(clone(frames))
        assert SeparationScorer()(alone.fit(data.X, data.y), data.X, data.y) == frames.score(data.X, data.y)

    def test_survives_clone_and_pickle(self):
        scorer = SeparationScorer(("sdr", "sir"), snr=(0, 5))
        assert clone(scorer, safe=False) == pickle.loads(pickle.dumps(scorer)) == scorer
        assert repr(scorer) == "SeparationScorer(metrics=('sdr', 'sir'), snr=(0, 5))"


class TestErrors:
    @pytest.mark.parametrize("metrics", ["cat", ["sdr", "cat"], [], "sar_improvement"])
    def test_unknown_metric(self, metrics):
        with pytest.raises(ValueError, match=r"Unknown metric\(s\).*choose one or more of \['sdr', 'sir'"):
            get_scorer(metrics)

    @pytest.mark.parametrize("snr", [np.nan, np.inf, [], [0, np.nan], "loud", None])
    def test_level(self, snr):
        with pytest.raises(ValueError, match="snr must be one or more finite numbers in dB"):
            SeparationScorer(snr=snr)

    def test_estimator_of_another_kind(self, make_sources):
        data = make_sources(2)
        with pytest.raises(TypeError, match="PCA is no separator"):
            SeparationScorer()(PCA().fit(data.X), data.X, data.y)

    def test_estimator_that_is_not_fitted(self, make_sources):
        data = make_sources(2)
        with pytest.raises(NotFittedError, match="SupervisedSeparator instance is not fitted"):
            SeparationScorer()(SupervisedSeparator(), data.X, data.y)


def test_search_of_scikit_learn(make_sources):
    """What it found is scored, so that searches nest in a cross-validation."""
    data = make_sources(2)
    model = SupervisedSeparator(NMFSourceModel(2, max_iter=3), random_state=0)
    search = GridSearchCV(model, {"mask_exponent": [1, 2]}, cv=StratifiedKFold(2)).fit(data.X, data.y)
    scorer = SeparationScorer()
    assert scorer(search, data.X, data.y) == scorer(search.best_estimator_, data.X, data.y)


def test_get_scorer():
    assert get_scorer("sdr_improvement") == SeparationScorer("sdr_improvement")
    assert get_scorer(["sdr", "sir"]) == SeparationScorer(["sdr", "sir"])
    assert get_scorer(abs) is abs
