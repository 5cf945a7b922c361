"""A source that nobody recorded: its templates are learned from the mixture."""

from functools import partial

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

from sklearn_gass import (
    STFT,
    AudioSeparator,
    BackgroundModel,
    DAESourceModel,
    GANSourceModel,
    MixtureCritic,
    MixtureStart,
    NMFSourceModel,
    SupervisedSeparator,
    SupervisedSeparatorCV,
    VAESourceModel,
    WGANSourceModel,
    load_model,
    save_model,
)
from sklearn_gass.datasets import make_background, make_mixture, make_voices
from sklearn_gass.divergences import DIVERGENCES
from sklearn_gass.engine import Background, Memory, Problem, infer_with_background
from sklearn_gass.engine._background import BackgroundSearch
from sklearn_gass.engine._lbfgs import minimise_rows
from sklearn_gass.engine._optimisation import GradientOptimiser
from sklearn_gass.engine._presence import find_presence
from sklearn_gass.metrics import si_sdr
from sklearn_gass.separation._blockwise import explain_recording

LOSSES = ["kullback-leibler", "frobenius", "itakura-saito"]
SMALL = {"n_components": 2, "hidden_layer_sizes": (8,), "max_iter": 2}
NEURAL = [VAESourceModel(**SMALL), DAESourceModel(**SMALL), GANSourceModel(**SMALL), WGANSourceModel(**SMALL)]


@pytest.fixture(scope="module")
def known(rng_of_module):
    """Frames of a known source, which has no sound in the upper half of the bins."""
    templates = rng_of_module.gamma(0.5, 1, (3, 20)) * (np.arange(20) < 12)
    return rng_of_module.gamma(1, 1, (60, 3)) @ templates + 1e-3


@pytest.fixture(scope="module")
def rng_of_module():
    return np.random.default_rng(3)


@pytest.fixture(scope="module")
def unknown(rng_of_module):
    """Frames of a steady background, mostly in the upper half of the bins."""
    return rng_of_module.gamma(20, 1 / 20, (60, 20)) * (0.2 + (np.arange(20) >= 8))


def separator(model, n_components=2, **params):
    models = [("known", model), ("rest", BackgroundModel(n_components, beta_loss=model.beta_loss))]
    return SupervisedSeparator(models, random_state=0, **params)


def fitted(known, model=None, **params):
    return separator(model or NMFSourceModel(3), **params).fit(known, ["known"] * len(known))


def begin_search(model, frames, background):
    """Return a search in double precision."""
    problem = Problem([model.decoder(torch.float64)], model.beta_loss, 20, torch.float64)
    optimiser = GradientOptimiser(problem, partial(minimise_rows, max_iter=12, tol=0.0), 1)
    with torch.no_grad():
        return BackgroundSearch(torch.tensor(frames) / problem.unit, optimiser, background, 0.0, 1024)


def objective(search, weights):
    """Return the objective of all frames in which bins have weights."""
    problem, n_own = search.problem, len(search.own)
    weights = torch.ones_like(search.frames) if weights is None else weights
    background, latents = search.activations @ search.templates, problem.split(search.points)
    generated = problem.generate(latents)
    own = problem.objective(search.own, latents, generated, background[:n_own], weights[:n_own])
    explained = (search.known + background)[n_own:]
    remembered = DIVERGENCES[problem.beta_loss](search.frames[n_own:], explained, weights=weights[n_own:])
    return float(own.sum() + remembered.sum())


class TestObjective:
    @pytest.mark.parametrize("remembered", [False, True])
    @pytest.mark.parametrize("beta_loss", LOSSES)
    @pytest.mark.parametrize("model", [NMFSourceModel(3), NMFSourceModel(3, prior="gamma"), *NEURAL[::3]], ids=repr)
    def test_no_turn_raises_it(self, model, beta_loss, remembered, known, unknown):
        """Each bin has a weight, which stays as it is during a turn."""
        model = clone(model).set_params(beta_loss=beta_loss, random_state=0).fit(known)
        memory = Memory(torch.tensor(unknown[:9]), torch.zeros(9, 20, dtype=torch.float64)) if remembered else None
        search = begin_search(model, known + unknown, Background(4, 6, memory=memory))
        with torch.no_grad():
            first = search.objective()
            assert first == pytest.approx(objective(search, None), rel=1e-12)
            for are_weighted in [False, False, True, True, True, True]:
                for turn in (search.improve_sources, search.improve_background):
                    share = search.share_of_sources()
                    weights = share if turn == search.improve_sources else 1 - share
                    weights = weights if are_weighted else None
                    before = objective(search, weights)
                    turn(weights)
                    assert objective(search, weights) <= before + 1e-9 * abs(before)
                    if turn == search.improve_background:
                        assert objective(search, weights) < before
            assert search.objective() < first

    @pytest.mark.parametrize("n_rounds", [1, 2, 8])
    def test_rounds_end_after_weights_have_come_in(self, n_rounds, known, unknown):
        model = NMFSourceModel(3, random_state=0).fit(known)
        problem = Problem([model.decoder(torch.float64)], "kullback-leibler", 20, torch.float64)
        found = infer_with_background(torch.tensor(known + unknown), problem, Background(4, n_rounds), tol=1.0)
        assert found.n_iter == min(n_rounds, 4)

    def test_share_of_sources(self, known, unknown):
        search = begin_search(NMFSourceModel(3, random_state=0).fit(known), known + unknown, Background(4, 6))
        search.known[0], search.activations[0] = 0.0, 0.0
        search.activations[1] = 0.0
        share = search.share_of_sources()
        assert torch.all(share[0] == 0.5)
        assert torch.all(share[1][search.known[1] > 0] == 1)
        assert torch.all((share[2:] > 0) & (share[2:] < 1))

    def test_it_is_that_of_the_latents_found(self, known, unknown):
        explanation = fitted(known).explain(known + unknown)
        estimate = explanation.estimates.sum(0)
        divergence = (known + unknown) * np.log((known + unknown) / estimate) - (known + unknown) + estimate
        scale = NMFSourceModel(3).fit(known).scale_
        np.testing.assert_allclose(explanation.objective, divergence.sum(1) / scale, rtol=1e-6)


class TestSeparation:
    @pytest.mark.parametrize("beta_loss", LOSSES)
    def test_the_known_source_comes_out(self, beta_loss, known, unknown):
        estimate = fitted(known, NMFSourceModel(3, beta_loss=beta_loss)).separate(known + unknown)[0]
        error = np.square(estimate - known).sum() / np.square(unknown).sum()
        assert error < 0.5, "at least half of the background is gone"

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("model", [NMFSourceModel(3), *NEURAL], ids=repr)
    def test_sources_sum_to_the_mixture(self, model, dtype, known, unknown):
        mixture = (known + unknown).astype(dtype)
        separated = fitted(known, model).transform(mixture)
        assert separated.dtype == dtype
        assert separated.shape == (60, 40)
        np.testing.assert_allclose(separated[:, :20] + separated[:, 20:], mixture, rtol=1e-5)

    def test_two_known_sources_and_one_unknown(self, known, unknown):
        X, y = np.vstack([known, known[:, ::-1]]), ["b"] * 60 + ["c"] * 60
        models = [("b", NEURAL[0]), ("a", BackgroundModel(2)), ("c", NMFSourceModel(2))]
        cheap = {"start": MixtureStart((8,), max_iter=2), "critic": MixtureCritic((8,), max_iter=2)}
        two = SupervisedSeparator(models, random_state=0, **cheap).fit(X, y)
        assert two.classes_.tolist() == ["a", "b", "c"]
        explanation = two.explain(known + unknown)
        assert [h.shape[1] for h in explanation.latents] == [2, 2, 2]
        np.testing.assert_allclose(explanation.separate().sum(0), known + unknown)

    def test_labels_only_permute(self, known, unknown):
        first = fitted(known).separate(known + unknown)
        models = [("z", NMFSourceModel(3)), ("a", BackgroundModel(2))]
        second = SupervisedSeparator(models, random_state=0).fit(known, ["z"] * 60).separate(known + unknown)
        np.testing.assert_array_equal(first, second[::-1])

    def test_louder_mixtures_are_separated_alike(self, known, unknown):
        one = fitted(known, NEURAL[0])
        other = fitted(8 * known, NEURAL[0])
        np.testing.assert_allclose(
            other.separate(8 * (known + unknown)), 8 * one.separate(known + unknown), rtol=1e-6, atol=1e-9
        )

    def test_it_says_the_same_every_time(self, known, unknown):
        separator = fitted(known)
        np.testing.assert_array_equal(separator.transform(known + unknown), separator.transform(known + unknown))

    @pytest.mark.parametrize("model", [NMFSourceModel(3), NEURAL[0]], ids=repr)
    @pytest.mark.parametrize("beta_loss", LOSSES)
    def test_silence_stays_silence(self, beta_loss, model, known, unknown):
        model = clone(model).set_params(beta_loss=beta_loss)
        mixture = known + unknown
        mixture[10:20] = 0
        separated = fitted(known, model).transform(mixture)
        assert np.isfinite(separated).all()
        assert not separated[10:20].any()
        assert not fitted(known, model).transform(np.zeros((3, 20))).any()

    def test_one_frame(self, known):
        np.testing.assert_allclose(fitted(known).separate(known[:1]).sum(0), known[:1])

    @pytest.mark.parametrize("params", [{"solver": "rmsprop"}, {"smoothness": 5.0}, {"batch_size": 7}], ids=str)
    def test_parameters_of_the_separator(self, params, known, unknown):
        separated = fitted(known, NEURAL[0], **params).separate(known + unknown)
        np.testing.assert_allclose(separated.sum(0), known + unknown)


class TestExamples:
    def test_recordings_of_the_background_are_used(self, known, unknown, rng):
        mixture, order = known + unknown, rng.permutation(60)
        X, y = np.vstack([known, unknown[order][:20]]), ["known"] * 60 + ["rest"] * 20
        model = separator(NMFSourceModel(3)).fit(X, y)
        assert model.source_models_[1].components_.shape == (2, 20)
        assert np.square(model.separate(mixture)[0] - known).sum() < 0.5 * np.square(unknown).sum()

    def test_templates_do_not_stay_as_they_were(self, known, unknown):
        X, y = np.vstack([known, unknown[:20]]), ["known"] * 60 + ["rest"] * 20
        model = separator(NMFSourceModel(3)).fit(X, y)
        (learned,) = model.explain(known + unknown).background.templates.numpy()  # the louder one
        for given in model.source_models_[1].components_:
            assert np.abs(learned / learned.mean() - given / given.mean()).max() > 0.05

    def test_without_them_there_is_nothing_to_sample(self, known):
        background = fitted(known).source_models_[1]
        for use in (background.sample, lambda: background.transform(known), background.decoder):
            with pytest.raises(ValueError, match="without recordings of the background"):
                use()


def in_blocks(model, *blocks):
    """Separate successive frames of one recording."""
    explained = explain_recording(model, ((block, block) for block in blocks))
    return [masks * mixture for masks, _, mixture, _ in explained]


class TestLabels:
    @pytest.mark.parametrize(
        ("own", "label", "classes"),
        [
            (0, "1", [0, 1]),
            (0, "-7", [-7, 0]),
            (0, "rest", ["0", "rest"]),
            (0.0, "1.0", [0.0, 1.0]),
            (0.0, "nan", ["0.0", "nan"]),
        ],
    )
    @pytest.mark.parametrize("dtype", [None, object])
    def test_numbers_stay_numbers_if_they_can(self, known, own, label, classes, dtype):
        models = [(str(own), NMFSourceModel(2)), (label, BackgroundModel(2))]
        audio = SupervisedSeparator(models, random_state=0).fit(known, np.array([own] * 60, dtype=dtype))
        assert audio.classes_.tolist() == classes
        assert np.isfinite(audio.score(np.vstack([known, known]), np.repeat(classes, 60)))

    def test_a_score_without_recordings_of_the_background_says_what_is_missing(self, known):
        with pytest.raises(ValueError, match="A source with a BackgroundModel needs recordings"):
            fitted(known).score(known, ["known"] * 60)


class TestBlocks:
    def test_the_second_block_goes_on_with_the_first(self, known, unknown):
        model = fitted(known)
        later = known[50:] + unknown[50:]
        _, second = in_blocks(model, known[:50] + unknown[:50], later)
        with_memory = np.square(second[0] - known[50:]).sum()
        without = np.square(model.separate(later)[0] - known[50:]).sum()
        assert with_memory < without

    def test_a_silent_block_changes_nothing(self, known, unknown):
        model = fitted(known, n_components=4)
        heard = model.explain(known + unknown).background
        after = model.explain(np.zeros((50, 20)), heard).background
        np.testing.assert_array_equal(after.templates, heard.templates)
        np.testing.assert_array_equal(after.memory.frames, heard.memory.frames)

    def test_one_template_begins_anew(self, known, unknown):
        model = fitted(known, n_components=1)
        first, second = in_blocks(model, known + unknown, known + unknown)
        assert np.square(second[0] - known).sum() < 1.2 * np.square(first[0] - known).sum()

    def test_silence_between_blocks_does_no_harm(self, known, unknown):
        mixture, model = known + unknown, fitted(known)
        silence = [np.zeros((2000, 20))] * 12
        _, first, *silent, again = in_blocks(model, np.zeros((20, 20)), mixture, *silence, mixture)
        assert not np.any(silent)
        assert np.square(again[0] - known).sum() < 1.5 * np.square(first[0] - known).sum()

    def test_a_frozen_background_without_a_seed_says_the_same_every_time(self, known, unknown):
        frozen = FrozenEstimator(BackgroundModel(4).fit(unknown))
        models = [("known", NMFSourceModel(3)), ("rest", frozen)]
        model = SupervisedSeparator(models, random_state=0).fit(known, ["known"] * 60)
        first, second = (in_blocks(model, known + unknown, known + unknown) for _ in range(2))
        np.testing.assert_array_equal(first, second)

    def test_a_background_that_begins_later_is_learned(self, known, unknown):
        model = fitted(known, n_components=4)
        alone = model.separate(known + unknown)[0]
        _, second = in_blocks(model, known, known + unknown)
        errors = [np.square(estimate - known).sum() for estimate in (second[0], alone)]
        assert errors[0] < 1.5 * errors[1]

    def test_what_was_heard_of_no_background_is_refused(self, known, unknown):
        heard = fitted(known).explain(unknown).background
        model = SupervisedSeparator(NMFSourceModel(2)).fit(np.vstack([known, unknown]), ["a"] * 60 + ["b"] * 60)
        with pytest.raises(ValueError, match="no source has a BackgroundModel"):
            model.explain(known, heard)

    def test_recordings_do_not_hear_each_other(self, known, unknown):
        model = fitted(known)
        in_blocks(model, 5 * unknown)
        np.testing.assert_array_equal(in_blocks(model, known + unknown)[0], model.separate(known + unknown))


@pytest.fixture(scope="module")
def audio():
    """A separator of waveforms that knows one voice, the voice's next utterance, and a machine."""
    voices = make_voices(1, n_utterances=5, duration=1.5, random_state=0)
    models = [("anna", NMFSourceModel(20)), ("background", BackgroundModel())]
    audio = AudioSeparator(SupervisedSeparator(models), random_state=0)
    audio.fit(voices.utterances[:4], ["anna"] * 4)
    machine = make_background("machine", duration=1.5, random_state=1)
    return audio, *make_mixture([voices.utterances[4], machine])


class TestWaveforms:
    def test_a_voice_comes_out_of_a_machine(self, audio):
        separator, mixture, references = audio
        separation = separator.separate(mixture)
        assert separation.labels.tolist() == ["anna", "background"]
        assert si_sdr(references[:1], separation["anna"][None])[0] > si_sdr(references[:1], mixture[None])[0] + 3
        np.testing.assert_allclose(separation.sources.sum(0), mixture, atol=1e-5)

    def test_mixtures_of_one_call_do_not_depend_on_each_other(self, audio):
        separator, mixture, _ = audio
        X = np.stack([mixture, mixture[::-1], 0.1 * mixture])
        together = separator.transform(X)
        np.testing.assert_array_equal(together[[2, 0]], separator.transform(X[[2, 0]]))

    def test_long_recordings_come_in_blocks(self, audio, monkeypatch):
        separator, mixture, _ = audio
        widths = []
        explain = SupervisedSeparator.explain

        def spy(self, X, heard=None):
            widths.append((len(X), heard is not None))
            return explain(self, X, heard)

        monkeypatch.setattr(SupervisedSeparator, "explain", spy)
        whole = separator.separate(np.tile(mixture, 25))
        assert widths == [(2048, False), (297, True)]
        assert whole.sources.shape == (2, 25 * mixture.size)

    @pytest.mark.parametrize("rate", ["16000", True, [16000], "fast"])
    def test_a_rate_is_a_number(self, rate, audio):
        separator, mixture, _ = audio
        for separate in (separator.separate, separator.separate_blocks):
            with pytest.raises(ValueError, match="sample_rate must be a number"):
                separate(mixture, rate)

    def test_files_keep_it(self, audio, tmp_path):
        separator, mixture, _ = audio
        save_model(separator, tmp_path / "model.safetensors")
        loaded = load_model(tmp_path / "model.safetensors")
        np.testing.assert_array_equal(loaded.separate(mixture).sources, separator.separate(mixture).sources)


class TestFromFitted:
    def test_a_background_beside_a_fitted_model(self, known, unknown):
        model = NMFSourceModel(3, random_state=0).fit(known)
        background = BackgroundModel(2, random_state=0)
        made = SupervisedSeparator.from_fitted([("known", model), ("rest", background)], random_state=0)
        assert not hasattr(background, "components_"), "what was given stays as it is"
        assert np.square(made.separate(known + unknown)[0] - known).sum() < 0.5 * np.square(unknown).sum()

    def test_known_models_must_be_fitted(self):
        with pytest.raises(NotFittedError):
            SupervisedSeparator.from_fitted([("known", NMFSourceModel(3)), ("rest", BackgroundModel(2))])

    def test_the_seed_of_the_separator_is_that_of_the_background(self, known, unknown):
        model = NMFSourceModel(3, random_state=0).fit(known)
        models = [("known", model), ("rest", BackgroundModel(2))]
        made, again, other = (SupervisedSeparator.from_fitted(models, random_state=seed) for seed in (0, 0, 1))
        first, second = (made.transform(known + unknown) for _ in range(2))
        np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(first, again.transform(known + unknown))
        assert np.abs(first - other.transform(known + unknown)).max() > 1e-6


class TestRefusals:
    def test_two_backgrounds(self, known):
        models = [("a", NMFSourceModel(2)), ("b", BackgroundModel(2)), ("c", BackgroundModel(2))]
        with pytest.raises(ValueError, match=r"one background, but \['b', 'c'\]"):
            SupervisedSeparator(models).fit(known, ["a"] * 60)

    @pytest.mark.parametrize("models", [BackgroundModel(), [("a", BackgroundModel())]], ids=repr)
    def test_no_known_source(self, models, known):
        with pytest.raises(ValueError, match="needs a known source beside it"):
            SupervisedSeparator(models).fit(known, ["a"] * 30 + ["b"] * 30)

    def test_no_recordings_of_a_known_source(self, known):
        with pytest.raises(ValueError, match="known"):
            separator(NMFSourceModel(2)).fit(known, ["rest"] * 60)

    def test_another_divergence(self, known):
        models = [("a", NMFSourceModel(2, beta_loss="frobenius")), ("b", BackgroundModel(2))]
        with pytest.raises(ValueError, match="different losses"):
            SupervisedSeparator(models).fit(known, ["a"] * 60)

    def test_a_search_needs_recordings_of_every_source(self, known):
        search = SupervisedSeparatorCV(separator(NMFSourceModel(2)), cv=2)
        with pytest.raises(ValueError, match="recordings"):
            search.fit(known, ["known"] * 60)

    def test_one_source_alone_hints_at_it(self, known):
        with pytest.raises(ValueError, match=r"1 class.*BackgroundModel"):
            SupervisedSeparator(NMFSourceModel(2)).fit(known, ["a"] * 60)

    def test_of_other_recordings_for_a_model_that_is_frozen(self, known, unknown):
        frozen = FrozenEstimator(BackgroundModel(2, random_state=0).fit(unknown))
        made = SupervisedSeparator([("known", NMFSourceModel(3)), ("rest", frozen)], random_state=0)
        separated = made.fit(known, ["known"] * 60).separate(known + unknown)
        assert np.square(separated[0] - known).sum() < 0.5 * np.square(unknown).sum()
        assert joblib.hash(frozen.estimator) == joblib.hash(BackgroundModel(2, random_state=0).fit(unknown))

    def test_a_frozen_one_that_does_not_fit(self, known, unknown):
        narrow = FrozenEstimator(BackgroundModel(2).fit(unknown[:, :9]))
        with pytest.raises(ValueError, match=r"differ in their number of bins, or from X: \[9, 20\]"):
            SupervisedSeparator([("known", NMFSourceModel(3)), ("rest", narrow)]).fit(known, ["known"] * 60)
        unfitted = BackgroundModel(2)
        models = [("known", NMFSourceModel(3).fit(known)), ("rest", FrozenEstimator(unfitted))]
        with pytest.raises(NotFittedError, match="BackgroundModel instance is not fitted"):
            SupervisedSeparator(models).fit(known, ["known"] * 60)
        with pytest.raises(NotFittedError, match="BackgroundModel instance is not fitted"):
            SupervisedSeparator.from_fitted(models)
        assert vars(unfitted) == vars(BackgroundModel(2)), "what is frozen stays as it is"

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"beta_loss": "x"}, "'beta_loss' parameter of BackgroundModel must be .* Got 'x'"),
            ({"n_components": True}, "'n_components' parameter of BackgroundModel must be .* Got True"),
        ],
    )
    def test_parameters_of_the_background(self, params, message, known, monkeypatch):
        monkeypatch.setattr(NMFSourceModel, "fit", None)  # refused before anything is trained
        models = [("known", NMFSourceModel(3)), ("rest", BackgroundModel().set_params(**params))]
        with pytest.raises(ValueError, match=message):
            SupervisedSeparator(models).fit(known, ["known"] * 60)

    def test_what_was_not_heard(self, known, unknown):
        model, mixture = fitted(known), known + unknown
        explanation = model.explain(mixture)
        for wrong in (3, explanation, mixture, {}):
            message = f"heard must be the attribute background .* got {type(wrong).__name__}"
            with pytest.raises(ValueError, match=message):
                model.explain(mixture, heard=wrong)
        narrow = fitted(known[:, :9])
        for part in (mixture, np.zeros((3, 20))):  # silence leaves no templates
            with pytest.raises(ValueError, match="heard is of frames with 20 bins, but X has 9"):
                narrow.explain(mixture[:, :9], heard=model.explain(part).background)


class TestGoingOn:
    @pytest.mark.parametrize("recorded", [0, 20])
    def test_floating_types_may_differ(self, recorded, known, unknown):
        X, y = np.vstack([known, unknown[:recorded]]), ["known"] * 60 + ["rest"] * recorded
        model, mixture = separator(NMFSourceModel(3)).fit(X, y), known + unknown
        for part in (mixture[:30], np.zeros((3, 20))):
            heard = [model.explain(part.astype(dtype)).background for dtype in (np.float64, np.float32)]
            for one, other in (heard, heard[::-1]):
                double = model.explain(mixture[30:], heard=one).estimates
                single = model.explain(mixture[30:].astype(np.float32), heard=other).estimates
                assert (double.dtype, single.dtype) == (np.float64, np.float32)
                np.testing.assert_allclose(double, model.explain(mixture[30:], heard=other).estimates, rtol=0.01)
                np.testing.assert_allclose(double, single, rtol=0.05, atol=0.05)

    def test_a_warm_start_says_nothing_of_what_is_not_trained(self, known, unknown, recwarn):
        model = fitted(known).set_params(warm_start=True)
        model.fit(known, ["known"] * 60)
        assert not recwarn.list
        X, y = np.vstack([known, unknown]), ["known"] * 60 + ["rest"] * 60
        model.fit(X, y)
        with pytest.warns(UserWarning, match="BackgroundModel has no warm_start"):
            model.fit(X, y)


@pytest.fixture(scope="module")
def parts():
    """Three voices, a separator of the first two, one that knows the third, and one fitted on all."""
    X, y = make_voices(3, n_utterances=3, duration=0.8, random_state=0, return_X_y=True)
    model, stft = NMFSourceModel(4, random_state=0), STFT(n_fft=512)
    pair = AudioSeparator(SupervisedSeparator(model), stft=stft, sample_rate=8000).fit(X[:6], y[:6])
    alone = SupervisedSeparator([("voice2", model), ("rest", BackgroundModel())])
    third = AudioSeparator(alone, stft=stft, sample_rate=8000).fit(X[6:], y[6:])
    every = AudioSeparator(SupervisedSeparator(model), stft=stft, sample_rate=8000).fit(X, y)
    return pair, third, every, X[0] + X[3] + X[6]


class TestAddingSources:
    def test_a_third_source_is_added(self, parts):
        pair, third, every, mixture = parts
        three = AudioSeparator.from_fitted([("voice0", pair), ("voice2", third), ("voice1", pair)])
        assert (three.stft_.n_fft, three.sample_rate) == (512, 8000)
        np.testing.assert_array_equal(three.separate(mixture).sources, every.separate(mixture).sources)

    def test_a_source_is_left_out(self, parts):
        pair, _, every, mixture = parts
        two = AudioSeparator.from_fitted([("voice0", every), ("voice1", every)])
        np.testing.assert_array_equal(two.separate(mixture).sources, pair.separate(mixture).sources)

    def test_the_rest_becomes_background(self, parts):
        pair, _, _, mixture = parts
        one = AudioSeparator.from_fitted([("voice0", pair), ("rest", BackgroundModel())])
        assert one.separate(mixture).labels.tolist() == ["rest", "voice0"]

    def test_other_settings_are_refused(self, parts):
        pair, _, _, mixture = parts
        faster = clone(pair).set_params(sample_rate=16000).fit([mixture, mixture[::-1]], ["a", "b"])
        with pytest.raises(ValueError, match="same STFT and sample rate"):
            AudioSeparator.from_fitted([("voice0", pair), ("a", faster)])
        with pytest.raises(ValueError, match="no such source"):
            AudioSeparator.from_fitted([("ben", pair), ("voice0", pair)])


class TestPauses:
    def test_a_known_source_that_pauses_is_silent(self, audio):
        separator, _, references = audio
        noise = make_background("noise", duration=1.5, random_state=1)[: references.shape[1]]
        half = len(noise) // 2
        voice = np.where(np.arange(len(noise)) < half, references[0], 0)
        mixture = voice + noise * references[0].std() / noise.std()
        separated = separator.separate(mixture)["anna"]
        pause = slice(half + 2048, None)
        assert np.square(separated[pause]).sum() < 10**-2 * np.square(mixture[pause]).sum()
        assert si_sdr(voice[None, :half], separated[None, :half])[0] > 3

    @pytest.mark.parametrize("beta_loss", LOSSES)
    def test_presence_tells_what_is_needed(self, known, unknown, beta_loss):
        voice, activations = torch.tensor(known), torch.tensor(unknown[:, :2])
        templates = torch.tensor(unknown[:2])
        mixture = voice + activations @ templates
        needed, idle = find_presence(mixture, [voice, 0.01 * voice], activations, templates, beta_loss)
        assert needed.min() > 0.99
        assert idle.max() < 0.01
