"""Behaviour of the latent engine."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone

from sklearn_gass import NMFSourceModel, SupervisedSeparator, VAESourceModel, WGANSourceModel
from sklearn_gass._inference import Problem, infer
from sklearn_gass.divergences import DIVERGENCES

LOSSES = ["kullback-leibler", "frobenius", "itakura-saito"]
SMALL = {"hidden_layer_sizes": (8,), "batch_size": 16}


def tensors(array, dtype=torch.float64):
    return torch.tensor(np.asarray(array), dtype=dtype)


def own_frames(data, label):
    return data.X[data.y == label]


@pytest.fixture(scope="module")
def models(make_sources, seed):
    """Function of a number of sources, and of who makes a model, that returns one fitted model of each source."""

    def fit(makers):
        data = make_sources(len(makers))
        labels = np.unique(data.y)
        return [make.fit(own_frames(data, label)) for make, label in zip(makers, labels, strict=True)]

    def vae(loss="kullback-leibler"):
        return VAESourceModel(3, **SMALL, beta_loss=loss, max_iter=20, random_state=seed)

    def nmf(loss="kullback-leibler"):
        return NMFSourceModel(3, beta_loss=loss, max_iter=20, random_state=seed)

    cache = {}

    def get(*kinds, loss="kullback-leibler"):
        if (kinds, loss) not in cache:
            cache[kinds, loss] = fit([{"vae": vae, "nmf": nmf}[kind](loss) for kind in kinds])
        return cache[kinds, loss]

    return get


def decoders_of(models, dtype=torch.float64):
    return [model._decoder(dtype) for model in models]


class TestObjective:
    @pytest.mark.parametrize("loss", LOSSES)
    @pytest.mark.parametrize("kinds", [("vae", "vae"), ("nmf", "vae"), ("vae", "nmf", "vae")])
    def test_never_above_its_start(self, kinds, loss, models, make_sources):
        decoders = decoders_of(models(*kinds, loss=loss))
        mixture = tensors(make_sources(len(kinds)).mixture)
        problem = Problem(decoders, loss)
        frames = mixture / problem.unit
        with torch.no_grad():
            start = problem.split(problem.first_points(frames))
            before = problem.objective(frames, start, problem.generate(start))
        found = infer(mixture, decoders, beta_loss=loss)
        assert (found.objective <= before + 1e-9 * before.abs()).all()
        assert found.objective.mean() < 0.99 * before.mean()

    def test_is_that_of_what_was_found(self, models, make_sources):
        decoders = decoders_of(models("vae", "nmf"))
        mixture = tensors(make_sources(2).mixture)
        found = infer(mixture, decoders, beta_loss=LOSSES[0])
        problem = Problem(decoders, LOSSES[0])
        with torch.no_grad():
            generated = problem.generate(found.latents)
            expected = problem.objective(mixture / problem.unit, found.latents, generated)
        torch.testing.assert_close(found.objective, expected)
        torch.testing.assert_close(found.estimates, torch.stack(generated) * problem.unit)
        assert found.estimates.shape == (2, 20, 12)
        assert (found.estimates >= 0).all()

    def test_not_above_many_steps_of_the_papers_optimiser(self, models, make_sources, seed):
        decoders = decoders_of(models("vae", "vae"), torch.float32)
        mixture = tensors(make_sources(2).mixture[:16], torch.float32)
        latents = torch.randn(16, 6, generator=torch.Generator().manual_seed(seed))
        slow = infer(
            mixture,
            decoders,
            beta_loss=LOSSES[0],
            start=lambda rows: latents[torch.arange(len(rows)).clamp(max=15)],  # the last one fills up the block
            solver="rmsprop",
            max_iter=2000,
        )
        assert infer(mixture, decoders, beta_loss=LOSSES[0]).objective.mean() <= slow.objective.mean()

    @pytest.mark.parametrize("loss", LOSSES)
    def test_gradient_against_finite_differences(self, loss, models, make_sources, seed):
        decoders = decoders_of(models("vae", "nmf", loss=loss))
        mixture = tensors(make_sources(2).mixture[:3])
        critic = WGANSourceModel(2, **SMALL, max_iter=2, random_state=seed).fit(make_sources(2).X)
        critics = [critic._decoder(torch.float64).critic] * 2
        problem = Problem(decoders, loss, critic_weight=3.0, critics=critics)
        frames = mixture / problem.unit

        def value(points, constant=False):
            latents = problem.split(points)
            return problem.objective(frames, latents, problem.generate(latents), constant=constant)

        points = problem.first_points(frames).detach() + 0.1
        assert torch.autograd.gradcheck(value, points.requires_grad_())
        with torch.no_grad():  # what is left out does not depend on the latents
            left_out = value(points, True) - value(points)
            torch.testing.assert_close(value(points + 0.3, True) - value(points + 0.3), left_out)


class TestRows:
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    @pytest.mark.parametrize("kinds", [("vae", "vae"), ("nmf", "vae")])
    def test_chunks_give_the_same(self, kinds, dtype, models, make_sources):
        decoders = decoders_of(models(*kinds), dtype)
        mixture = tensors(make_sources(2).mixture, dtype)
        whole = infer(mixture, decoders, beta_loss=LOSSES[0], max_iter=30)
        for batch_size in (1, 7, 16):
            chunked = infer(mixture, decoders, beta_loss=LOSSES[0], max_iter=30, batch_size=batch_size)
            pairs = [(chunked.estimates, whole.estimates), (chunked.objective, whole.objective)]
            for part, all_at_once in [*pairs, *zip(chunked.latents, whole.latents, strict=True)]:
                if dtype == torch.float32:
                    assert torch.equal(part, all_at_once)
                else:  # matrix kernels for odd widths in double precision round by the place of a row
                    torch.testing.assert_close(part, all_at_once, rtol=1e-7, atol=1e-9)
            assert chunked.n_iter == whole.n_iter

    def test_order_and_neighbours_do_not_matter(self, models, make_sources, rng):
        decoders = decoders_of(models("vae", "vae"), torch.float32)
        mixture = tensors(make_sources(2).mixture, torch.float32)
        whole = infer(mixture, decoders, beta_loss=LOSSES[0]).estimates
        order = torch.tensor(rng.permutation(20))
        assert torch.equal(infer(mixture[order], decoders, beta_loss=LOSSES[0]).estimates, whole[:, order])
        # most rows silent: these stop at once, and leave the others to themselves
        gaps = torch.zeros(100, 12)
        gaps[::5] = mixture
        assert torch.equal(infer(gaps, decoders, beta_loss=LOSSES[0]).estimates[:, ::5], whole)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_floating_type_is_kept(self, dtype, models, make_sources):
        found = infer(
            tensors(make_sources(2).mixture, dtype), decoders_of(models("vae", "nmf"), dtype), beta_loss=LOSSES[0]
        )
        assert {t.dtype for t in (found.estimates, found.objective, *found.latents)} == {dtype}

    def test_double_precision_is_used(self, make_sources, seed):
        """The minimum is stationary far below what single precision can tell."""
        data = make_sources(2)
        smooth = VAESourceModel(3, **SMALL, activation="tanh", max_iter=5, random_state=seed)
        decoders = decoders_of([clone(smooth).fit(own_frames(data, label)) for label in "ab"])
        mixture = tensors(data.mixture[:4])
        found = infer(mixture, decoders, beta_loss=LOSSES[1], max_iter=500, tol=0.0)
        problem = Problem(decoders, LOSSES[1])
        points = torch.cat(found.latents, dim=1).requires_grad_()
        latents = problem.split(points)
        problem.objective(mixture / problem.unit, latents, problem.generate(latents)).sum().backward()
        assert points.grad.abs().max() < 1e-5

    def test_max_iter(self, models, make_sources):
        mixture, decoders = tensors(make_sources(2).mixture), decoders_of(models("vae", "vae"))
        steps = [infer(mixture, decoders, beta_loss=LOSSES[0], max_iter=n, tol=0.0).n_iter for n in (1, 4)]
        assert steps == [1, 4]


class TestSources:
    @pytest.mark.parametrize("kinds", [("nmf", "vae"), ("vae", "nmf"), ("vae", "vae", "vae"), ("nmf", "nmf", "vae")])
    def test_kinds_and_numbers(self, kinds, models, make_sources):
        """The models' parts are closer to the sources than the whole mixture is."""
        data, decoders = make_sources(len(kinds)), decoders_of(models(*kinds))
        clean = np.stack([own_frames(data, label)[:15] for label in np.unique(data.y)])
        found = infer(tensors(clean.sum(0)), decoders, beta_loss=LOSSES[0])
        assert [h.shape for h in found.latents] == [(15, 3)] * len(kinds)
        for kind, latents in zip(kinds, found.latents, strict=True):
            assert kind == "vae" or (latents >= 0).all()
        error = np.square(found.estimates.numpy() - clean).sum()
        assert error < 0.7 * np.square(clean.sum(0) - clean).sum()

    def test_a_linear_one_is_solved_alike_by_updates_and_gradients(self, models, make_sources):
        """Its objective is convex, and the way there does not matter."""
        frames = tensors(own_frames(make_sources(2), "a")[:5])
        (linear,) = decoders_of(models("nmf", "nmf")[:1])
        updates = infer(frames, [linear], beta_loss=LOSSES[0], max_iter=2000, tol=1e-10)
        in_logarithm = replace(
            linear,
            generate=lambda points: linear.generate(points.exp()),
            start=lambda frames: torch.zeros(len(frames), 3, dtype=frames.dtype),
            linear=None,
        )
        gradients = infer(frames, [in_logarithm], beta_loss=LOSSES[0], max_iter=500, tol=0.0)
        torch.testing.assert_close(updates.objective, gradients.objective, rtol=1e-3, atol=1e-5)

    def test_order_of_the_sources(self, models, make_sources):
        first, second = decoders_of(models("vae", "nmf"))
        mixture = tensors(make_sources(2).mixture)
        forth = infer(mixture, [first, second], beta_loss=LOSSES[0], tol=1e-8)
        back = infer(mixture, [second, first], beta_loss=LOSSES[0], tol=1e-8)
        torch.testing.assert_close(forth.objective, back.objective, rtol=1e-3, atol=1e-6)


class TestCritics:
    @pytest.mark.parametrize("critic", ["mixture", "source"])
    def test_more_weight_gives_higher_scores(self, critic, make_sources, seed):
        data = make_sources(2)
        model = WGANSourceModel(
            3, **SMALL, critic_hidden_layer_sizes=(8,), max_iter=20, reconstruction_weight=0.1, random_state=seed
        )
        separator = SupervisedSeparator(
            model, critic=critic, start="source", critic_max_iter=20, max_iter=20, random_state=seed
        ).fit(data.X, data.y)
        order = separator._search_order()
        decoders = [separator.source_models_[i]._decoder(torch.float64) for i in order]
        unit = Problem(decoders, "").unit
        if critic == "mixture":
            judges = separator.learned_.load_critics(2, 12, torch.float64, "cpu")
            units = [unit, unit]
        else:
            judges, units = [decoder.critic for decoder in decoders], [decoder.scale for decoder in decoders]

        def mean_score(weight):
            estimates = separator.set_params(critic_weight=weight)._infer(data.mixture).estimates[order]
            with torch.no_grad():
                return sum(
                    float(judge(frames / own).mean())
                    for judge, frames, own in zip(judges, estimates, units, strict=True)
                )

        scores = [mean_score(weight) for weight in (0.0, 1.0, 10.0)]
        assert scores[0] < scores[1] < scores[2]

    def test_decoders_without_critic_take_no_part(self, models, make_sources):
        mixture, decoders = tensors(make_sources(2).mixture), decoders_of(models("vae", "nmf"))
        without, with_weight = (
            infer(mixture, decoders, beta_loss=LOSSES[0], critic_weight=weight) for weight in (0.0, 5.0)
        )
        assert torch.equal(without.estimates, with_weight.estimates)

    def test_own_critics_see_their_own_unit(self, make_sources, seed):
        """However loud the other source is."""
        data = make_sources(2)
        loud = WGANSourceModel(2, **SMALL, max_iter=2, random_state=seed).fit(1000 * own_frames(data, "a"))
        quiet = WGANSourceModel(2, **SMALL, max_iter=2, random_state=seed).fit(own_frames(data, "b"))
        decoders = decoders_of([loud, quiet])
        problem = Problem(decoders, LOSSES[0], critic_weight=1.0)
        latents = [tensors(model.transform(model.sample(4))) for model in (loud, quiet)]
        generated = problem.generate(latents)
        scores = problem._scores(sum(generated), generated)
        for model, h, score in zip((loud, quiet), latents, scores, strict=True):
            np.testing.assert_allclose(score.detach(), model.critic_score(model.inverse_transform(h.numpy())))

    @pytest.mark.parametrize("loss", LOSSES)
    def test_critics_of_separation_grow_with_the_divergence(self, loss, models, make_sources):
        """In frames that are three times as loud, divergences and the critics' say grow by the same factor."""
        decoders = decoders_of(models("vae", "vae", loss=loss))
        frames = tensors(make_sources(2).mixture[:4])
        problem = Problem(decoders, loss, critic_weight=1.0, critics=[lambda rows: rows.sum(1)] * 2)
        generated = [0.3 * frames, 0.4 * frames]
        quiet, loud = (sum(problem._scores(gain * frames, generated)) for gain in (1, 3))
        apart, further_apart = (DIVERGENCES[loss](gain * frames, gain * sum(generated)) for gain in (1, 3))
        torch.testing.assert_close(loud / quiet, further_apart / apart)


class TestStart:
    def test_heavy_weight_keeps_the_latents(self, models, make_sources):
        decoders = decoders_of(models("vae", "vae"))
        mixture = tensors(make_sources(2).mixture)
        home = torch.linspace(-1, 1, 6, dtype=torch.float64)

        def found(weight):
            result = infer(
                mixture,
                decoders,
                beta_loss=LOSSES[0],
                start=lambda rows: home.expand(len(rows), -1),
                start_weight=weight,
            )
            return torch.cat(result.latents, dim=1)

        distances = [(found(weight) - home).norm(dim=1).mean() for weight in (0.0, 10.0, 1e3, 1e9)]
        assert distances[0] > distances[1] > distances[2] > distances[3]
        torch.testing.assert_close(found(1e9), home.expand(20, -1), rtol=0, atol=1e-5)

    def test_sees_the_mixture_in_the_decoders_unit(self, models, make_sources):
        seen = []

        def start(rows):
            seen.append(rows)
            return torch.zeros(len(rows), 6, dtype=rows.dtype)

        decoders = decoders_of(models("vae", "vae"))
        mixture = tensors(make_sources(2).mixture)
        infer(mixture, decoders, beta_loss=LOSSES[0], start=start, max_iter=1)
        torch.testing.assert_close(seen[0][:20] * np.mean([d.scale for d in decoders]), mixture)


class TestWeights:
    def test_stay_without_gradients(self, make_sources, seed):
        data = make_sources(2)
        models = [
            WGANSourceModel(2, **SMALL, max_iter=2, random_state=seed).fit(own_frames(data, label)) for label in "ab"
        ]
        decoders = decoders_of(models, torch.float32)
        before = [weight.copy() for model in models for weight in model.weights_.values()]
        infer(tensors(data.mixture, torch.float32), decoders, beta_loss=LOSSES[0], critic_weight=1.0, max_iter=5)
        weights = [weight for decoder in decoders for weight in decoder.generate.parameters()]
        assert weights
        assert not any(weight.requires_grad or weight.grad is not None for weight in weights)
        after = [weight for model in models for weight in model.weights_.values()]
        for old, new in zip(before, after, strict=True):
            assert_array_equal(old, new)

    def test_results_carry_no_graph(self, models, make_sources):
        found = infer(tensors(make_sources(2).mixture), decoders_of(models("vae", "vae")), beta_loss=LOSSES[0])
        assert not any(t.requires_grad for t in (found.estimates, found.objective, *found.latents))


class TestOptIns:
    @pytest.fixture
    def problem(self, models, make_sources):
        return tensors(make_sources(2).mixture), decoders_of(models("vae", "vae"))

    def roughness(self, found):
        return sum(float((h[1:] - h[:-1]).square().mean()) for h in found.latents)

    def test_restarts_never_make_a_row_worse(self, problem):
        frames, decoders = problem
        once = infer(frames, decoders, beta_loss=LOSSES[0])
        often = infer(frames, decoders, beta_loss=LOSSES[0], n_init=4)
        assert (often.objective <= once.objective + 1e-9).all()
        assert (often.objective < once.objective - 1e-9).any()

    def test_smoothness_brings_neighbours_together(self, problem):
        frames, decoders = problem
        rough = infer(frames, decoders, beta_loss=LOSSES[0])
        smooth = infer(frames, decoders, beta_loss=LOSSES[0], smoothness=100.0)
        assert self.roughness(smooth) < 0.5 * self.roughness(rough)

    def test_smoothness_reaches_across_chunks(self, problem):
        frames, decoders = problem
        whole = infer(frames, decoders, beta_loss=LOSSES[0], smoothness=10.0)
        chunked = infer(frames, decoders, beta_loss=LOSSES[0], smoothness=10.0, batch_size=7)
        torch.testing.assert_close(chunked.estimates, whole.estimates)
