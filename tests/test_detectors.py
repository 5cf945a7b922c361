"""Detectors of known sources beside a background, and the made-up sounds that they learn from."""

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

from sklearn_gass import (
    AudioSeparator,
    BackgroundModel,
    NMFSourceModel,
    PresenceDetector,
    SupervisedSeparator,
    VAESourceModel,
    load_model,
    save_model,
)
from sklearn_gass.datasets import make_background, make_voices
from sklearn_gass.detectors._presence import _around, _bands
from sklearn_gass.detectors._strangers import Strangers
from sklearn_gass.engine import given_to_background
from sklearn_gass.progress import on_progress
from sklearn_gass.training_display import TrainingDisplay

SMALL = PresenceDetector(8, n_mixtures=4, n_frames=30, max_iter=2)
KINDS = ["noise", "notes", "knocks", "voices"]


@pytest.fixture(scope="module")
def data(make_sources):
    return make_sources(2)


def beside_background(*labels, detector=SMALL, model=None, **params):
    models = [(label, model or NMFSourceModel(3)) for label in labels]
    return SupervisedSeparator([*models, ("rest", BackgroundModel(3, detector=detector))], random_state=0, **params)


def strangers(n_bins, seed=0, recorded=None):
    generator = torch.Generator().manual_seed(seed)
    source = torch.rand(50, n_bins, generator=generator) * torch.linspace(2, 1, n_bins)
    return Strangers([source], recorded, generator)


class TestStrangers:
    @pytest.mark.parametrize("n_bins", [1, 2, 7, 129])
    @pytest.mark.parametrize("kind", KINDS)
    def test_every_kind_has_finite_magnitudes_at_any_width(self, kind, n_bins):
        made = strangers(n_bins)
        for n_frames in (1, 2, 60):
            frames = getattr(made, kind)(n_frames)
            assert frames.shape == (n_frames, n_bins)
            assert torch.isfinite(frames).all() and (frames >= 0).all()

    @pytest.mark.parametrize("n_bins", [1, 129])
    def test_what_is_drawn_has_about_the_same_power(self, n_bins):
        made = strangers(n_bins)
        powers = np.array([float(made.draw(40).square().mean()) for _ in range(40)])
        assert 0.4 < powers.min() and powers.max() < 5

    def test_the_same_seed_draws_the_same_and_the_next_draw_another(self):
        first, again = strangers(65, seed=3), strangers(65, seed=3)
        drawn = first.draw(20)
        assert torch.equal(drawn, again.draw(20))
        assert not torch.equal(drawn, first.draw(20))

    def test_kinds_differ_in_how_they_change(self):
        """Notes keep to few bins and knocks to few frames."""

        def concentration(frames, dim):
            share = frames.square().mean(1 - dim)
            return float(share.square().mean() / share.mean() ** 2)

        made = strangers(257)
        mean = {
            kind: [np.mean([concentration(getattr(made, kind)(80), dim) for _ in range(30)]) for dim in (0, 1)]
            for kind in ("notes", "knocks")
        }
        assert mean["notes"][1] > 2 * mean["notes"][0]
        assert mean["knocks"][0] > mean["notes"][0]

    def test_a_recording_is_one_of_the_kinds(self):
        recorded = torch.eye(5)[2].expand(30, 5)
        made = strangers(5, recorded=recorded)
        drawn = [made.draw(10) for _ in range(60)]
        alone = [frames for frames in drawn if (frames[:, [0, 1, 3, 4]] == 0).all()]
        assert 3 < len(alone) < 30


class TestParts:
    @pytest.mark.parametrize("n_bins", [1, 3, 64, 65, 513, 2049])
    def test_bands_are_means_of_all_bins(self, n_bins):
        bands = _bands(n_bins)
        assert torch.allclose(bands.sum(0), torch.ones(bands.shape[1]))
        assert ((bands > 0).sum(1) == 1).all(), "each bin is in one band"
        assert bands.shape[1] <= 64

    def test_frames_around_an_end_are_the_last_one(self):
        rows = _around(3)
        assert rows.min() == 0 and rows.max() == 2
        assert rows[0].tolist() == [0] * 6 + [1, 2, 2, 2, 2]

    def test_what_sources_lose_the_background_gets(self):
        estimates = torch.rand(3, 4, 5)
        shares = torch.tensor([[1.0, 0.0, 0.5, 1.0], [1.0, 1.0, 0.25, 0.0]])
        given = given_to_background(estimates, shares)
        assert torch.allclose(given.square().sum(0), estimates.square().sum(0))
        assert torch.allclose(given[:, 0], estimates[:, 0])
        assert (given[0, 1] == 0).all() and (given[1, 3] == 0).all()
        assert torch.allclose(given[0, 2].square(), estimates[0, 2].square() / 2)


class TestSeparator:
    def test_a_pause_is_quieter_and_the_voice_is_not_harmed(self):
        voice, rain = (
            make_voices(1, n_utterances=6, random_state=0),
            make_background("rain", duration=4, random_state=4),
        )
        waves, test = voice.utterances[:5], voice.utterances[5]
        n = min(len(test), len(rain))
        test, rain = test[:n] / test.std(), rain[:n] / rain.std()
        test[n // 2 :] = 0
        levels, errors = {}, {}
        for detector in (None, PresenceDetector(n_mixtures=32, random_state=0)):
            audio = AudioSeparator(beside_background("voice", detector=detector, model=NMFSourceModel(20)))
            estimate = audio.fit(waves, ["voice"] * 5).separate((test + rain).astype(np.float32))["voice"]
            levels[detector] = np.square(estimate[n // 2 + 512 :]).sum()
            errors[detector] = np.square(estimate - test)[: n // 2].sum()
        (without, with_one), (before, after) = levels.values(), errors.values()
        assert with_one < 0.5 * without
        assert after < 1.1 * before

    @pytest.mark.parametrize(
        "model", [NMFSourceModel(3), VAESourceModel(2, hidden_layer_sizes=(8,), max_iter=2)], ids=str
    )
    def test_several_known_sources_and_any_labels(self, data, model):
        params = {"model": model, "start": "source", "critic": None, "max_iter": 4}
        first = beside_background("a", "b", **params).fit(data.X, data.y)
        second = beside_background("zoe", "anna", **params).fit(data.X, np.where(data.y == "a", "zoe", "anna"))
        expected, got = first.separate(data.mixture), second.separate(data.mixture)
        assert first.classes_.tolist() == ["a", "b", "rest"]
        assert second.classes_.tolist() == ["anna", "rest", "zoe"]
        np.testing.assert_array_equal(got, expected[[1, 2, 0]])

    def test_sources_sum_to_the_mixture_in_any_precision(self, data):
        known = data.X[data.y == "a"]
        separator = beside_background("a").fit(known, ["a"] * len(known))
        single = separator.separate(data.mixture.astype(np.float32))
        double = separator.separate(data.mixture.astype(np.float64))
        np.testing.assert_allclose(double.sum(0), data.mixture, rtol=1e-6)
        np.testing.assert_allclose(single, double, atol=0.02 * data.mixture.max())

    def test_the_same_seed_gives_the_same_detector(self, data):
        known = data.X[data.y == "a"]
        weights = [
            beside_background("a").fit(known, ["a"] * len(known)).source_models_[1].detector_.weights_ for _ in range(2)
        ]
        assert joblib.hash(weights[0]) == joblib.hash(weights[1])

    def test_recordings_of_the_background_are_heard(self, data):
        known, unknown = data.X[data.y == "a"], data.X[data.y == "b"]
        X, y = np.concatenate([known, unknown]), ["a"] * len(known) + ["rest"] * len(unknown)
        hashes = {
            joblib.hash(beside_background("a").fit(X[:n], y[:n]).source_models_[1].detector_.weights_)
            for n in (len(known), len(X))
        }
        assert len(hashes) == 2

    def test_a_file_keeps_it_to_the_last_bit(self, data, tmp_path):
        known = data.X[data.y == "a"]
        separator = beside_background("a").fit(known, ["a"] * len(known))
        save_model(separator, tmp_path / "model")
        loaded = load_model(tmp_path / "model")
        assert isinstance(loaded.source_models_[1].detector_, PresenceDetector)
        np.testing.assert_array_equal(loaded.separate(data.mixture), separator.separate(data.mixture))

    def test_a_detector_of_other_sources_is_not_saved(self, data, tmp_path):
        known = data.X[data.y == "a"]
        one = beside_background("a").fit(known, ["a"] * len(known))
        two = beside_background("a", "b").fit(data.X, data.y)
        two.source_models_[2].detector_ = one.source_models_[1].detector_
        with pytest.raises(ValueError, match="PresenceDetector have other shapes"):
            save_model(two, tmp_path / "model")

    def test_from_fitted_leaves_it_out(self, data):
        """A detector knows the sources of one separator, and there is no sound to train another one on."""
        known = data.X[data.y == "a"]
        separator = beside_background("a").fit(known, ["a"] * len(known))
        model, background = separator.source_models_
        again = SupervisedSeparator.from_fitted([("a", model), ("rest", separator)], random_state=0)
        plain = SupervisedSeparator.from_fitted([("a", model), ("rest", BackgroundModel(3))], random_state=0)
        assert hasattr(background, "detector_"), "what is given stays as it is"
        assert not hasattr(again.source_models_[1], "detector_")
        np.testing.assert_array_equal(again.separate(data.mixture), plain.separate(data.mixture))

    def test_a_frozen_background_trains_and_uses_none(self, data):
        known = data.X[data.y == "a"]
        fitted = beside_background("a").fit(known, ["a"] * len(known)).source_models_[1]
        plain = fitted._without_detector()
        results = []
        for background in (fitted, plain):
            models = [("a", NMFSourceModel(3)), ("rest", FrozenEstimator(background))]
            separator = SupervisedSeparator(models, random_state=0).fit(known, ["a"] * len(known))
            results.append(separator.separate(data.mixture))
        np.testing.assert_array_equal(*results)

    def test_a_frozen_background_of_other_sources_can_be_saved(self, data, tmp_path):
        known = data.X[data.y == "a"]
        other = beside_background("a").fit(known, ["a"] * len(known)).source_models_[1]
        models = [("a", NMFSourceModel(3)), ("b", NMFSourceModel(3)), ("rest", FrozenEstimator(other))]
        separator = SupervisedSeparator(models, random_state=0).fit(data.X, data.y)
        save_model(separator, tmp_path / "model")
        np.testing.assert_array_equal(
            load_model(tmp_path / "model").separate(data.mixture), separator.separate(data.mixture)
        )

    @pytest.mark.parametrize("scale", [1e-23, 1e20])
    def test_the_unit_of_frames_does_not_matter(self, data, scale):
        known = data.X[data.y == "a"]
        y = ["a"] * len(known)
        expected = beside_background("a").fit(known.astype(np.float32), y).separate(data.mixture.astype(np.float32))
        scaled = [(scale * frames).astype(np.float32) for frames in (known, data.mixture)]
        got = beside_background("a").fit(scaled[0], y).separate(scaled[1])
        np.testing.assert_allclose(got / np.float32(scale), expected, atol=0.02 * expected.max())

    def test_a_detector_of_ones_own(self, data):
        class Silencer(BaseEstimator):
            def fit(self, explain, sources, background=None):
                self.n_sources_ = len(sources)
                return self

            def freeze(self, n_sources, dtype=torch.float32, device="cpu"):
                return lambda frames, estimates: torch.zeros(n_sources, len(frames), dtype=dtype, device=device)

        known = data.X[data.y == "a"]
        voice, rest = beside_background("a", detector=Silencer()).fit(known, ["a"] * len(known)).separate(data.mixture)
        assert (voice == 0).all()
        np.testing.assert_allclose(rest, data.mixture)

    def test_a_checkpoint_of_other_searches_is_refused(self, data, tmp_path):
        """A detector learns from separations, so what acts there acts in training."""
        known = data.X[data.y == "a"]
        y = ["a"] * len(known)
        beside_background("a", checkpoint=tmp_path / "state").fit(known, y)
        with pytest.raises(ValueError, match=r"another|other"):
            beside_background("a", checkpoint=tmp_path / "state", smoothness=3.0, max_iter=2).fit(known, y)

    @pytest.mark.parametrize("detector", [None, SMALL], ids=str)
    def test_a_checkpoint_with_recordings_of_the_background(self, data, detector, tmp_path):
        y = np.where(data.y == "a", "a", "rest")
        results = [
            beside_background("a", detector=detector, checkpoint=file).fit(data.X, y).separate(data.mixture)
            for file in (None, tmp_path / "state", tmp_path / "state")
        ]
        np.testing.assert_array_equal(results[0], results[1])
        np.testing.assert_array_equal(results[0], results[2])

    def test_all_of_the_work_is_told(self, data):
        told = []
        known = data.X[data.y == "a"]
        model = VAESourceModel(2, hidden_layer_sizes=(8,), max_iter=2)
        with on_progress(told.append):
            beside_background("a", model=model).fit(known, ["a"] * len(known))
        assert told[-1].share == 1.0
        assert {"mixtures", "networks"} <= {progress.phase for progress in told if progress.part == "detector"}

    def test_a_checkpoint_goes_on_with_the_same_numbers(self, data, tmp_path):
        known = data.X[data.y == "a"]
        y = ["a"] * len(known)
        whole = beside_background("a").fit(known, y)
        kept = beside_background("a", checkpoint=tmp_path / "state", checkpoint_every=0.0).fit(known, y)
        again = beside_background("a", checkpoint=tmp_path / "state").fit(known, y)
        for separator in (kept, again):
            np.testing.assert_array_equal(separator.separate(data.mixture), whole.separate(data.mixture))

    def test_progress_tells_of_it(self, data, capsys):
        known = data.X[data.y == "a"]
        beside_background("a", verbose=1).fit(known, ["a"] * len(known))
        assert "detector: " in capsys.readouterr().out


class TestParameters:
    def test_a_string_becomes_what_it_stands_for(self):
        model = BackgroundModel(detector="presence")
        model.set_params(detector__n_mixtures=8, n_components=5)
        assert model.n_components == 5
        assert clone(model).detector.n_mixtures == 8
        assert isinstance(BackgroundModel(detector="presence")._make_detector(), PresenceDetector)
        assert BackgroundModel()._make_detector() is None

    def test_parameters_nest_from_outside(self):
        audio = AudioSeparator(beside_background("anna", detector="presence"))
        audio.set_params(separator__rest__detector__max_iter=3)
        assert audio.get_params()["separator__rest__detector__max_iter"] == 3

    def test_no_hidden_layer_is_a_linear_detector(self, data):
        known = data.X[data.y == "a"]
        linear = clone(SMALL).set_params(hidden_layer_sizes=())
        separator = beside_background("a", detector=linear).fit(known, ["a"] * len(known))
        assert np.isfinite(separator.separate(data.mixture)).all()

    def test_an_unfitted_detector_says_so(self):
        with pytest.raises(NotFittedError):
            PresenceDetector().freeze(1)

    def test_an_unknown_string_is_named(self):
        with pytest.raises(ValueError, match=r"must be one of .*presence.* got 'foo'"):
            BackgroundModel(detector="foo").set_params(detector__n_mixtures=4)

    def test_without_a_detector_nothing_nests(self):
        with pytest.raises(ValueError, match="detector__max_iter cannot be set while detector is None"):
            BackgroundModel().set_params(detector__max_iter=3)

    @pytest.mark.parametrize(
        ("detector", "message"),
        [
            ("other", "detector"),
            (3, "detector"),
            (PresenceDetector, "detector"),
            (clone(SMALL).set_params(n_mixtures=3), "n_mixtures"),
            (clone(SMALL).set_params(levels=(5, -5)), "levels"),
            (clone(SMALL).set_params(hidden_layer_sizes=(0,)), "hidden_layer_sizes"),
        ],
        ids=str,
    )
    def test_a_wrong_detector_is_refused_before_training(self, data, detector, message):
        known = data.X[data.y == "a"]
        separator = beside_background("a", detector=detector, verbose=1)
        with pytest.raises(ValueError, match=message):
            separator.fit(known, ["a"] * len(known))
        assert not hasattr(separator, "source_models_")


def test_several_searches_are_averaged(data):
    known = data.X[data.y == "a"]
    separator = beside_background("a", detector=None).fit(known, ["a"] * len(known))
    model, background = separator.source_models_
    heard = background.background([model], torch.float64)
    singles = [
        separator.explain(data.mixture, heard=type(heard)(**{**vars(heard), "seed": heard.seed + i})) for i in (0, 1)
    ]
    both = separator.set_params(n_init=2).explain(data.mixture, heard=heard)
    mean = np.mean([one.estimates for one in singles], axis=0)
    np.testing.assert_allclose(both.estimates, mean, rtol=1e-5, atol=1e-5 * mean.max())
    assert not np.array_equal(singles[0].estimates, singles[1].estimates)
    assert both.objective.sum() == min(one.objective.sum() for one in singles)
    assert both.background.seed == heard.seed, "the next part begins with the same seeds"


def test_a_notebook_and_learning_curves_show_it(data):
    known = data.X[data.y == "a"]
    separator = beside_background("a").fit(known, ["a"] * len(known))
    assert "<td>detector</td><td>PresenceDetector</td>" in separator._repr_html_()
    plotted = TrainingDisplay.from_estimator(separator)
    assert any("detector" in name for name in plotted.lines_)
