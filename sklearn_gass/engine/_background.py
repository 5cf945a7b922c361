"""Explain a mixture by known sources and by a background that nobody recorded.

The background of frame ``t`` is ``a_t @ W``: spectral templates ``W`` with non-negative activations ``a_t``, a
non-negative matrix factorisation. Templates, activations and the latents of the known sources are found together, in
turns: the latents with the background as a fixed addend, then the background by multiplicative updates with the known
sources as a fixed addend. From the third round on, bins have weights: if known sources explain 80 % of a bin, it counts
0.8 when they are improved, and 0.2 when the background is. So what a source model cannot explain of its own source is
hardly learned as background, nor is the background learned as the source. No turn raises the objective with its
weights, which change from turn to turn. At the end, estimates of known sources are faded out in frames that the
background explains as well. All frames share the templates, so their results depend on each other.

References
----------
P. Smaragdis, B. Raj, M. Shashanka, "Supervised and semi-supervised separation of sounds from single-channel mixtures",
ICA 2007.
S. Leglaive, L. Girin, R. Horaud, "A variance modeling framework based on variational autoencoders for speech
enhancement", MLSP 2018.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from sklearn_gass.divergences import DIVERGENCES
from sklearn_gass.engine._decoder import Decoder
from sklearn_gass.engine._inference import Inference, means_of_neighbours
from sklearn_gass.engine._lbfgs import follow_rmsprop, minimise_rows
from sklearn_gass.engine._multiplicative import GammaPrior, update_activations, update_components
from sklearn_gass.engine._optimisation import GradientOptimiser, update_linear
from sklearn_gass.engine._presence import find_presence
from sklearn_gass.engine._problem import Problem

_STEPS = 6  # of the latents in a turn, by either method
_EQUAL_ROUNDS = 2  # in which all bins count the same, since shares say little yet
_UPDATES = 5  # of the background in a turn
_EXCESS = 2.0  # factor on the quiet spectrum to begin with
_REMEMBERED = 1000  # frames that the next part of a recording learns from, too
_FAINT = 0.01  # level of a template, against the mean of all, that the next part begins with at least
_QUIET = 0.3  # quantile over time that is quiet: what goes on while known sources pause
_FLOOR = 1e-3  # of the first templates, in units of the problem


@dataclass(frozen=True)
class Memory:
    """Frames that templates are learned from beside those of the mixture.

    Attributes
    ----------
    frames : Tensor of shape (n_remembered, n_bins)
        Frames of the background alone, or of an earlier part of the recording.
    known : Tensor of shape (n_remembered, n_bins)
        What known sources contribute to them; zeros for the background alone.
    """

    frames: Tensor
    known: Tensor


@dataclass(frozen=True)
class Background:
    """What is asked of a background that is learned from the mixture, magnitudes in the mixture's unit.

    Attributes
    ----------
    n_components : int
        Number of templates.
    max_iter : int
        Largest number of rounds, of two turns each.
    prior_weight : float
        Factor on the priors of the known sources' latents.
    seed : int
        Seed of the first templates.
    known_quiet : Tensor of shape (n_bins,) or None
        Sum of the quiet spectra of the known sources, as `quiet_spectrum` gives them; ``None`` if all of them pause.
    templates : Tensor of shape (n_given, n_bins) or None
        First templates, as loud as they are on average, at most `n_components`. The others are made of the quiet parts
        of the mixture; ``None`` makes all of them so.
    memory : Memory or None
        Further frames to learn templates from.
    """

    n_components: int
    max_iter: int
    prior_weight: float = 1.0
    seed: int = 0
    known_quiet: Tensor | None = None
    templates: Tensor | None = None
    memory: Memory | None = None


@dataclass(frozen=True)
class JointInference(Inference):
    """What the engine found of known sources and a background, whose latents and estimate come last.

    Attributes
    ----------
    background : Background
        What the next part of the same recording is to go on from.
    """

    background: Background


def infer_with_background(
    frames: Tensor,
    problem: Problem,
    background: Background,
    *,
    solver: str = "lbfgs",
    max_iter: int = 100,
    tol: float = 1e-3,
    n_init: int = 1,
    smoothness: float = 0.0,
    batch_size: int = 1024,
) -> JointInference:
    """Find the latents of known sources and a background together.

    Parameters
    ----------
    frames : Tensor of shape (n_frames, n_bins)
        Frames of one recording, in their order in time.
    problem : Problem
        Decoders of the known sources. They start from the problem's start, and are not held near it.
    background : Background
        What is asked of the background.
    solver : {"lbfgs", "rmsprop"}, default="lbfgs"
        How latents are optimised, as in `infer`.
    max_iter : int, default=100
        Steps of the latents in a turn at most; never more than six.
    tol : float, default=1e-3
        Rounds end when one changes the objective by less than this, relatively.
    n_init : int, default=1
        Searches, each from other first templates. Estimates are the means over all; the rest is that of the search with
        the lowest objective.
    smoothness : float, default=0.0
        Weight of half the squared distance of free latents from those of the frames before and after.
    batch_size : int, default=1024
        Rows whose latents are optimised at a time.

    Returns
    -------
    JointInference
        Latents, estimates and objective of each row.
    """
    minimise = partial(minimise_rows, tol=tol) if solver == "lbfgs" else follow_rmsprop
    weighted = [_weigh_prior(decoder, background.prior_weight) for decoder in problem.decoders]
    problem = dataclasses.replace(problem, decoders=weighted)
    optimiser = GradientOptimiser(problem, partial(minimise, max_iter=min(max_iter, _STEPS)), 1)
    with torch.no_grad():
        found = []
        for i in range(n_init):
            own = dataclasses.replace(background, seed=background.seed + i)
            search = BackgroundSearch(frames / problem.unit, optimiser, own, smoothness, batch_size)
            found.append(search.run(tol))
    best = min(found, key=lambda one: float(one.objective.sum(dtype=torch.float64)))
    return dataclasses.replace(
        best,
        estimates=torch.stack([one.estimates for one in found]).mean(0),
        background=dataclasses.replace(best.background, seed=background.seed),
    )


class BackgroundSearch:
    """Latents, activations and templates, while they are improved in turns.

    The mixture's frames come first in `frames`, `known` and `activations`, those remembered after them. Weights are
    those of the bins, for all these frames.
    """

    def __init__(
        self,
        frames: Tensor,
        optimiser: GradientOptimiser,
        background: Background,
        smoothness: float,
        batch_size: int,
    ) -> None:
        self.own, self.optimiser, self.problem = frames, optimiser, optimiser.problem
        self.background = background
        self.smoothness, self.batch_size = smoothness, batch_size
        memory, unit = background.memory, self.problem.unit
        self.frames = frames if memory is None else torch.cat([frames, memory.frames / unit])
        self._begin_background()
        self.points = self.problem.first_points((frames - self._own_background()).clamp_min(0))
        self.known = self._generate()
        if memory is not None:
            self.known = torch.cat([self.known, memory.known / unit])

    def run(self, tol: float) -> JointInference:
        """Take turns until a round changes the objective by less than `tol`, relatively, or rounds are used up."""
        last, n_iter = self.objective(), 0
        while n_iter < self.background.max_iter:
            n_iter += 1
            are_equal = n_iter <= _EQUAL_ROUNDS
            self.improve_sources(None if are_equal else self.share_of_sources())
            self.improve_background(None if are_equal else 1 - self.share_of_sources())
            before, last = last, self.objective()
            if n_iter > _EQUAL_ROUNDS + 1 and abs(before - last) <= tol * abs(before):  # else weights have just come in
                break
        return self.result(n_iter)

    def _begin_background(self) -> None:
        """Begin with more background than there is, so that latents of known sources start from what surely is theirs.

        What is too much disappears in the first turns, while known sources that explained a part of the background
        would keep it.
        """
        background, unit = self.background, self.problem.unit
        given = self.own[:0] if background.templates is None else background.templates / unit
        self.templates = torch.cat([given, self._new_templates(background.n_components - len(given))])
        self.activations = torch.ones_like(self.frames[:, :1]).expand(-1, len(self.templates)).clone()

    def _new_templates(self, n: int) -> Tensor:
        """Make templates of what goes on in quiet moments beside the known sources."""
        quiet = quiet_spectrum(self.own)
        if self.background.known_quiet is not None:
            quiet = (quiet - self.background.known_quiet / self.problem.unit).clamp_min(0)
        quiet = _EXCESS * quiet + _FLOOR
        generator = torch.Generator().manual_seed(self.background.seed)
        noise = torch.rand(n, len(quiet), generator=generator, dtype=torch.float64)
        return quiet * (0.5 + noise.to(quiet)) / max(n, 1)

    def share_of_sources(self) -> Tensor:
        """Return the share that known sources have of what is explained of each bin, a half where that is nothing."""
        explained = self.known + self.activations @ self.templates
        return torch.where(explained > 0, self.known / explained, 0.5)

    def improve_sources(self, weights: Tensor | None) -> None:
        """Improve the latents of the known sources beside the background."""
        addend = self._own_background()
        weights = None if weights is None else weights[: len(self.own)]
        if self.problem.is_linear:
            latents = update_linear(self.own, self.problem, self.problem.split(self.points), addend, weights, _STEPS)
            self.points = self.problem.join(latents)
        else:
            between = means_of_neighbours(self.points)
            parts = [part.split(self.batch_size) for part in (self.own, self.points, between, addend)]
            parts.append([None] * len(parts[0]) if weights is None else weights.split(self.batch_size))
            improve = self.optimiser.beside
            weight = 2 * self.smoothness
            self.points = torch.cat([improve(*rows, neighbour_weight=weight)[0] for rows in zip(*parts, strict=True)])
        self.known = torch.cat([self._generate(), self.known[len(self.own) :]])

    def improve_background(self, weights: Tensor | None) -> None:
        """Improve activations and templates beside the known sources."""
        frames = self.frames
        beside: dict[str, Any] = {"beta_loss": self.problem.beta_loss, "addend": self.known, "weights": weights}
        for _ in range(_UPDATES):
            self.activations = update_activations(frames, self.activations, self.templates, **beside)
            self.templates = update_components(frames, self.activations, self.templates, **beside)

    def objective(self) -> float:
        """Return the objective of all frames with bins that count the same, smoothness of latents left out."""
        n_own, divergence = len(self.own), DIVERGENCES[self.problem.beta_loss]
        explained = self.known[n_own:] + self.activations[n_own:] @ self.templates
        remembered = divergence(self.frames[n_own:], explained)
        return float(torch.cat([self._objectives(), remembered]).sum(dtype=torch.float64))

    def result(self, n_iter: int) -> JointInference:
        """Return where the search has come to."""
        problem, latents, unit = self.problem, self.problem.split(self.points), self.problem.unit
        known, activations = problem.generate(latents), self._own_activations()
        presence = find_presence(self.own, known, activations, self.templates, problem.beta_loss)
        audible = [share[:, None] * frames for share, frames in zip(presence, known, strict=True)]
        return JointInference(
            latents=[*latents, activations],
            estimates=torch.stack([*audible, self._own_background()]) * unit,
            objective=self._objectives(),
            n_iter=n_iter,
            background=self._learned(),
        )

    def _learned(self) -> Background:
        """Return what the next part is to go on from: the louder half of the templates; silence teaches nothing.

        The other half, or the only template, begins anew in each part. Otherwise a background that begins later would
        have to be learned by templates that explain something else.
        """
        if not self.own.any():
            return self.background
        audible = torch.nonzero(self.frames.sum(1))[:, 0]
        levels = self.activations[audible].mean(0)
        levels = levels.clamp_min(float(_FAINT * levels.mean()))  # a template that is not heard now may be later
        templates = self.templates * levels[:, None]
        loudest = templates.mean(1).argsort(descending=True)[: len(templates) // 2]
        unit = self.problem.unit
        rows = audible[torch.linspace(0, len(audible) - 1, min(len(audible), _REMEMBERED)).round().long()]
        memory = Memory(self.frames[rows] * unit, self.known[rows] * unit)
        return dataclasses.replace(self.background, templates=templates[loudest] * unit, memory=memory)

    def _own_activations(self) -> Tensor:
        return self.activations[: len(self.own)]

    def _own_background(self) -> Tensor:
        return self._own_activations() @ self.templates

    def _objectives(self) -> Tensor:
        latents = self.problem.split(self.points)
        return self.problem.objective(self.own, latents, self.problem.generate(latents), self._own_background())

    def _generate(self) -> Tensor:
        chunks = self.points.split(self.batch_size)
        return torch.cat([torch.stack(self.problem.generate(self.problem.split(p))).sum(0) for p in chunks])


def quiet_spectrum(frames: Tensor) -> Tensor:
    """Return what magnitudes of shape (n_frames, n_bins) have in quiet moments: a low quantile of each bin."""
    return frames.kthvalue(max(1, round(_QUIET * len(frames))), dim=0).values


def _weigh_prior(decoder: Decoder, weight: float) -> Decoder:
    linear = decoder.linear
    if linear is not None and linear.prior is not None:
        shape, rate = linear.prior.shape, linear.prior.rate
        linear = dataclasses.replace(linear, prior=GammaPrior(1 + weight * (shape - 1), weight * rate))
    return dataclasses.replace(decoder, energy=lambda latents: weight * decoder.energy(latents), linear=linear)
