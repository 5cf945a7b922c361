"""Measure what models over sequences buy in separation, on pairs of speakers of the TIMIT sample.

Run ``python benchmarks/sequences.py`` for pairs 0, 6, 12, 18 and 24, in which every speaker occurs once. Separators are
trained once, with the defaults and the seed 0, and kept in ``--models``; after that only separations differ.

*Dynamics*: each source's latents follow a linear-Gaussian transition, a vector autoregression of order one that is
fitted to the codes of its training frames. Its energy takes the place of `smoothness` in the search, either in its
sweeps (*in the search*) or in one Gauss-Newton step over all frames at once (*smoother*). That step is a
Rauch-Tung-Striebel smoother: the found latents are its observations, and the curvature of the objective is their
precision. *Recurrent*: a gated recurrent network takes the place of the transition, and all frames are searched
at once. *Templates*: those of an NMF that span several frames, be they convolutive (P. Smaragdis 2007) or those of
``NMFSourceModel(context=...)``.

Scores are BSS eval, mean of both sources, in dB. The interval is Student's, at 95 %, of the difference over pairs.
"""

from __future__ import annotations

import argparse
import copy
import types
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from scipy.stats import t as student
from torch import Tensor, nn
from torch.nn import functional

from sklearn_gass import STFT, AudioSeparator, NMFSourceModel, SupervisedSeparator, load_model, save_model
from sklearn_gass._validation import check_labels
from sklearn_gass.datasets import fetch_timit_sample, make_pair, speaker_pairs
from sklearn_gass.divergences import DIVERGENCES
from sklearn_gass.engine import SMOOTHING_SWEEPS, Inference
from sklearn_gass.engine._lbfgs import minimise_rows, row_blocks
from sklearn_gass.engine._optimisation import GradientOptimiser
from sklearn_gass.masks import ratio_masks
from sklearn_gass.metrics import bss_eval
from sklearn_gass.separation._blockwise import clean_frames

HERE = Path(__file__).resolve().parent
PAIRS = (0, 6, 12, 18, 24)
RIDGE = 0.03  # of the mean variance of codes
REFERENCES = {"dynamics": ("smoothness 0", "smoothness 20"), "templates": ("NMF, 40 templates", "NMF, 100 templates")}


@dataclass(frozen=True)
class Dynamics:
    """Linear-Gaussian transitions of the latents of all sources side by side."""

    mean: Tensor
    transition: Tensor
    precision: Tensor  # of the noise


def fit_dynamics(codes, inflation, diagonal):
    """Fit the transition of one source to its codes, with more variance of the noise than they have."""
    centred = codes - codes.mean(0)
    n_frames, k = centred.shape
    covariance = centred.T @ centred / n_frames + RIDGE * centred.var(0).mean() * np.eye(k)
    lagged = centred[1:].T @ centred[:-1] / n_frames
    transition = np.linalg.solve(covariance, lagged.T).T
    noise = covariance - transition @ covariance @ transition.T
    if diagonal:
        transition = np.diag(np.diag(lagged) / np.diag(covariance))
        noise = np.diag(np.diag(covariance - transition @ covariance @ transition))
    return codes.mean(0), transition, np.linalg.inv(noise + inflation * np.eye(k))


def join_dynamics(parts):
    """Put the transitions of several sources side by side."""
    means, transitions, precisions = zip(*parts, strict=True)
    blocks = [torch.block_diag(*(torch.tensor(m, dtype=torch.float32) for m in ms)) for ms in (transitions, precisions)]
    return Dynamics(torch.tensor(np.concatenate(means), dtype=torch.float32), *blocks)


class DynamicOptimiser(GradientOptimiser):
    """The search with an anchor that has a precision matrix."""

    def near(self, frames, points, anchor, precision):
        """Go on from points, with half the squared distance from an anchor, weighted by a matrix."""
        problem, divergence = self.problem, DIVERGENCES[self.problem.beta_loss]
        constants = divergence(frames, frames) - divergence(frames, frames, constant=False)

        def objective(points, rows):
            with torch.enable_grad():
                points = points.detach().requires_grad_()
                latents, away = problem.split(points), points - anchor[rows]
                values = problem.objective(frames[rows], latents, problem.generate(latents), constant=False)
                values = values + 0.5 * ((away @ precision) * away).sum(1)
                (gradients,) = torch.autograd.grad(values.sum(), points)
            return values.detach() + constants[rows], gradients

        return self.minimise(objective, points)[0]


def search(dynamics, weight, smoother, separator, frames, problem, heard):
    """Take the place of the separator's search: with dynamics in its sweeps, or in a smoother after it."""
    with torch.no_grad():
        own = frames / problem.unit
        rows = row_blocks(len(own), own.device)
        optimiser, points, first = begin(separator, own, problem)
        if smoother:
            points = smooth(problem, points, dynamics, weight)
        else:
            for _ in range(SMOOTHING_SWEEPS):
                anchor, precision = conditional(points, dynamics, weight, first, problem.start_weight)
                points = optimiser.near(own[rows], points[rows], anchor[rows], precision)[: len(own)]
    return explained(problem, own, points)


def begin(separator, own, problem):
    """Return an optimiser, where it comes to frame by frame, and the start."""
    rows = row_blocks(len(own), own.device)
    optimiser = DynamicOptimiser(problem, partial(minimise_rows, max_iter=separator.max_iter, tol=separator.tol), 1)
    points, first = optimiser.from_start(own[rows])[0], problem.first_points(own[rows])
    return optimiser, points[: len(own)], first[: len(own)]


def explained(problem, own, points):
    """Return what the engine returns for free latents."""
    with torch.no_grad():
        latents = problem.split(points)
        generated = problem.generate(latents)
        objective = problem.objective(own, latents, generated)
        return Inference(latents, torch.stack(generated) * problem.unit, objective, 1)


def conditional(points, dynamics, weight, start, start_weight):
    """Return mean and precision of each frame's latents given those of its neighbours, and given the start."""
    forth = dynamics.precision @ dynamics.transition
    own = dynamics.precision + dynamics.transition.T @ forth
    centred = points - dynamics.mean
    padded = torch.cat([centred[:1], centred, centred[-1:]])
    pull = padded[:-2] @ forth.T + padded[2:] @ forth + dynamics.mean @ own
    precision = weight * own + start_weight * torch.eye(len(own))
    return torch.linalg.solve(precision, (weight * pull + start_weight * start).T).T, precision


def smooth(problem, points, dynamics, weight):
    """Return the minimum of a quadratic model of the objective plus the energy of the dynamics, over all frames."""
    centred = (points - dynamics.mean).double()
    transition, precision = dynamics.transition.double(), weight * dynamics.precision.double()
    beside, last = -transition.T @ precision, len(centred) - 1
    blocks = [curvature(problem, point) for point in points]
    sums = [block @ row for block, row in zip(blocks, centred, strict=True)]
    for t in range(last + 1):
        blocks[t] = blocks[t] + (t > 0) * precision + (t < last) * transition.T @ precision @ transition
    for t in range(1, last + 1):  # leave each frame out of the equations of the next
        gain = torch.linalg.solve(blocks[t - 1], beside)
        blocks[t], sums[t] = blocks[t] - beside.T @ gain, sums[t] - gain.T @ sums[t - 1]
    smoothed = [torch.linalg.solve(blocks[last], sums[last])]
    for t in range(last - 1, -1, -1):
        smoothed.append(torch.linalg.solve(blocks[t], sums[t] - beside @ smoothed[-1]))
    return torch.stack(smoothed[::-1]).float() + dynamics.mean


def curvature(problem, point):
    """Return the Gauss-Newton curvature of the objective of one frame, without critics."""

    def total(free):
        return torch.stack(problem.generate(problem.split(free[None]))).sum(0)[0]

    with torch.enable_grad():
        slopes = torch.autograd.functional.jacobian(total, point, vectorize=True, strategy="forward-mode").double()
    expected = total(point).detach().double()[:, None] + 1e-3
    return slopes.T @ (slopes / expected) + (1 + problem.start_weight) * torch.eye(len(point), dtype=torch.float64)


class Recurrent(nn.Module):
    """A gated recurrent network that predicts the latents of a frame from those of all frames before it."""

    def __init__(self, codes):
        super().__init__()
        variances = torch.tensor(codes.var(0), dtype=torch.float32)
        self.mean = torch.tensor(codes.mean(0), dtype=torch.float32)
        self.deviation = (variances + RIDGE * variances.mean()).sqrt()
        n_latents = codes.shape[1]
        self.network, self.last = nn.GRU(n_latents, 64, batch_first=True), nn.Linear(64, 2 * n_latents)

    def energy(self, latents, *, inflation=0.0, dropout=0.0):
        """Return minus the log density of the latents, (..., n_frames, n_latents), each given those before it."""
        scores = (latents - self.mean) / self.deviation
        before = functional.dropout(functional.pad(scores[..., :-1, :], (0, 0, 1, 0)), dropout)
        mean, log_variance = self.last(self.network(before)[0]).chunk(2, dim=-1)
        variance = log_variance.clamp(-6, 2).exp() + inflation / self.deviation**2
        return 0.5 * ((scores - mean) ** 2 / variance + variance.log()).sum(-1)


def fit_recurrent(codes, n_steps=400, length=64):
    """Return a network trained on successive codes of one source, with the weights that suit the last tenth best."""
    torch.manual_seed(0)
    network, held_out = Recurrent(codes), len(codes) // 10
    kept, last = torch.tensor(codes, dtype=torch.float32).split([len(codes) - held_out, held_out])
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3, weight_decay=1e-4)
    best, weights = float("inf"), network.state_dict()
    for step in range(n_steps):
        places = torch.randint(len(kept) - length, (32, 1)) + torch.arange(length)
        optimiser.zero_grad()
        network.energy(kept[places], dropout=0.2).mean().backward()
        optimiser.step()
        if step % 20 == 19:
            with torch.no_grad():
                error = float(network.energy(last).mean())
            if error < best:
                best, weights = error, copy.deepcopy(network.state_dict())
    network.load_state_dict(weights)
    return network.requires_grad_(False)


def search_recurrent(networks, weight, inflation, separator, frames, problem, heard):
    """Take the place of the separator's search: all frames at once, with the energy of recurrent networks."""
    with torch.no_grad():
        own = frames / problem.unit
        _, points, first = begin(separator, own, problem)
    points.requires_grad_()
    descent = torch.optim.LBFGS([points], max_iter=60, history_size=20, line_search_fn="strong_wolfe")

    def evaluate():
        descent.zero_grad()
        latents = problem.split(points)
        value = problem.objective(own, latents, problem.generate(latents), constant=False).sum()
        value = value + 0.5 * problem.start_weight * (points - first).square().sum()
        for network, part in zip(networks, latents, strict=True):
            value = value + weight * network.energy(part, inflation=inflation).sum()
        value.backward()
        return value

    descent.step(evaluate)
    return explained(problem, own, points.detach())


class ConvolutiveSeparator:
    """Separate frames of a recording by templates that span several frames, with the masks of the library."""

    def __init__(self, sources, n_components, span, n_updates, seed=0):
        generator = torch.Generator().manual_seed(seed)
        self.n_updates = n_updates
        self.templates = []
        for frames in sources:
            spectra = torch.tensor(frames.T)
            templates = 0.5 + torch.rand(span, len(spectra), n_components, generator=generator)
            self.templates.append(factorise(spectra, templates, n_updates, learn=True)[1])

    def separate(self, X):
        """Return the sources of the frames of one recording."""
        n_components = self.templates[0].shape[2]
        activations, templates = factorise(torch.tensor(X.T), torch.cat(self.templates, dim=2), self.n_updates)
        parts = zip(activations.split(n_components), templates.split(n_components, dim=2), strict=True)
        estimates = torch.stack([convolve(h, w).T for h, w in parts]).numpy()
        return ratio_masks(estimates, exponent=2) * X


def factorise(spectra, templates, n_updates, learn=False):
    """Return activations (n_components, n_frames) and templates (span, n_bins, n_components) that minimise KL."""
    activations = torch.ones(templates.shape[2], spectra.shape[1])
    activations *= spectra.sum() / convolve(activations, templates).sum()
    for _ in range(n_updates):
        quotients = spectra / (convolve(activations, templates) + _TINY)
        up = sum(w.T @ shifted(quotients, -lag) for lag, w in enumerate(templates))
        activations = activations * up / (templates.sum((0, 1))[:, None] + _TINY)
        if learn:
            quotients = spectra / (convolve(activations, templates) + _TINY)
            late = [shifted(activations, lag) for lag in range(len(templates))]
            changes = [quotients @ h.T / (h.sum(1) + _TINY) for h in late]
            templates = templates * torch.stack(changes)
    return activations, templates


def convolve(activations, templates):
    """Return spectra (n_bins, n_frames)."""
    return sum(w @ shifted(activations, lag) for lag, w in enumerate(templates))


def shifted(columns, lag):
    """Return columns moved to later places, or to earlier ones for a negative lag, with zeros in their places."""
    kept = columns[:, : columns.shape[1] - lag] if lag >= 0 else columns[:, -lag:]
    return torch.nn.functional.pad(kept, (max(lag, 0), max(-lag, 0)))


def load_separator(number, example, folder):
    """Return the separator of a pair with the defaults; train and keep it if it is not there."""
    path = folder / f"pair{number:02d}_seed0.safetensors"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        save_model(
            AudioSeparator(consistency=0, random_state=0).fit(example.train_utterances, example.train_speakers), path
        )
    return load_model(path).set_params(consistency=0)


def with_search(audio, codes, weight, *, inflation, diagonal=False, smoother=False):
    """Return the separator with dynamics."""
    parts = [fit_dynamics(codes[i], inflation, diagonal) for i in audio.separator_._known_in_order()]
    return with_own_search(audio, partial(search, join_dynamics(parts), weight, smoother))


def with_own_search(audio, own):
    """Return the separator with another search."""
    audio, separator = copy.copy(audio), copy.copy(audio.separator_)
    separator._infer = types.MethodType(lambda self, *arguments: own(self, *arguments), separator)
    audio.separator_ = separator.set_params(smoothness=0.0)
    return audio


def dynamics_rows(audio, sources):
    """Return separators by the name of their row."""
    codes = [encoded(model, frames) for model, frames in zip(audio.separator_.source_models_, sources, strict=True)]
    rows = {}
    for smoothness in (0.0, 20.0, 40.0):
        changed = copy.copy(audio)
        changed.separator_ = copy.copy(audio.separator_).set_params(smoothness=smoothness)
        rows[f"smoothness {smoothness:g}"] = changed
    for weight in (1.0, 3.0, 10.0):
        rows[f"dynamics in the search, weight {weight:g}"] = with_search(audio, codes, weight, inflation=0.3)
        diagonal = with_search(audio, codes, weight, inflation=0.3, diagonal=True)
        rows[f"dynamics in the search, each latent alone, weight {weight:g}"] = diagonal
    for weight in (3.0, 10.0, 30.0):
        rows[f"smoother, weight {weight:g}"] = with_search(audio, codes, weight, inflation=0.1, smoother=True)
    networks = [fit_recurrent(codes[i]) for i in audio.separator_._known_in_order()]
    for weight, inflation in ((0.0, 0.3), (0.3, 0.3), (1.0, 0.3), (3.0, 0.3), (10.0, 0.1)):
        own = partial(search_recurrent, networks, weight, inflation)
        rows[f"recurrent, weight {weight:g}"] = with_own_search(audio, own)
    return rows


def encoded(model, frames):
    """Return the latents that a model's encoder gives to frames."""
    with torch.no_grad():
        return model.decoder().start(torch.tensor(frames / np.float32(model.scale_))).double().numpy()


def nmf_rows(example, sources):
    """Return separators by the name of their row: of one frame, with context, and convolutive."""
    rows = {}
    for n_components, context in ((20, 0), (40, 0), (100, 0), (60, 2), (100, 1), (100, 2), (100, 3), (150, 2)):
        model = NMFSourceModel(n_components, context=context)
        audio = AudioSeparator(SupervisedSeparator(model), consistency=0, random_state=0)
        name = f"NMF, {n_components} templates" + (f", context {context}" if context else "")
        rows[name] = audio.fit(example.train_utterances, example.train_speakers)
    for n_components, span, n_updates in (
        (40, 1, 50),
        (20, 4, 20),
        (20, 4, 50),
        (40, 4, 50),
        (20, 8, 50),
    ):
        audio = copy.copy(rows["NMF, 20 templates"])
        audio.separator_ = ConvolutiveSeparator(sources, n_components, span, n_updates)
        rows[f"convolutive, {n_components} templates of {span} frames, {n_updates} updates"] = audio
    return rows


def score(audio, example):
    """Return the mean SDR of both sources of the test mixture."""
    sources = audio.separate(example.mixture)
    return float(np.mean(bss_eval(example.references, np.stack([sources[x] for x in example.reference_speakers])).sdr))


def print_table(rows, pairs, references):
    """Print a row per separator, with its difference from each reference."""
    header = ["row", *(f"pair {number}" for number in pairs), "mean", *(f"minus {name}" for name in references)]
    print("| " + " | ".join(header) + " |")
    print("| --- " * len(header) + "|")
    for name, sdr in rows.items():
        cells = [f"{value:.2f}" for value in (*sdr, np.mean(sdr))]
        for reference in references:
            differences = np.subtract(sdr, rows[reference])
            half = student.ppf(0.975, len(pairs) - 1) * differences.std(ddof=1) / len(pairs) ** 0.5
            cells.append(f"{differences.mean():+.2f} ± {half:.2f}")
        print(f"| {name} | " + " | ".join(cells) + " |")


def main():
    """Print a table of dynamics and one of templates."""
    parser = argparse.ArgumentParser(description="Measure what models over sequences buy in separation.")
    parser.add_argument("--pairs", type=int, nargs="+", default=PAIRS, help="numbers of pairs, two or more")
    parser.add_argument("--parts", nargs="+", choices=REFERENCES, default=[*REFERENCES])
    parser.add_argument("--models", type=Path, default=HERE / "sequence_models", help="folder of fitted separators")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = fetch_timit_sample()
    tables: dict[str, dict[str, list[float]]] = {part: {} for part in options.parts}
    for number in options.pairs:
        example = make_pair(data, speaker_pairs(data)[number])
        labels, codes = check_labels(example.train_speakers, unit="utterances")
        frames, owners, _ = clean_frames(example.train_utterances, codes, labels, STFT(), data.sample_rate)
        sources = [frames[owners == i] for i in range(len(labels))]
        for part, rows in tables.items():
            if part == "dynamics":
                separators = dynamics_rows(load_separator(number, example, options.models), sources)
            else:
                separators = nmf_rows(example, sources)
            for name, audio in separators.items():
                rows.setdefault(name, []).append(score(audio, example))
                print(f"pair {number}, {name}: {rows[name][-1]:.2f}", flush=True)
    for part, rows in tables.items():
        print_table(rows, options.pairs, REFERENCES[part])


_TINY = 1e-12

if __name__ == "__main__":
    main()
