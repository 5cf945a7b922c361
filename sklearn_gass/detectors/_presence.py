"""The detector that tells by what separation found whether a known source is there."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, cast

import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sklearn_gass._checkpoints import agreed_seed
from sklearn_gass._mixture_learning import check_levels
from sklearn_gass._random import as_seed
from sklearn_gass._validation import Interval, fit_context
from sklearn_gass.detectors._strangers import Strangers
from sklearn_gass.networks import MLP, StateDict, check_widths, from_arrays, step_cost, to_arrays
from sklearn_gass.progress import divided

_BANDS = 64
_OFFSETS = (-8, -5, -3, -2, -1, 0, 1, 2, 3, 5, 8)  # frames around the one that is judged
_FAINT = 1e-5  # power added before logarithms, in the problem's unit
_SILENT = 1e-2  # of the mean power, added to that of a frame, so that silent ones do not count
_N_NETWORKS = 4
_DOUBT = 0.05  # an estimate with a larger expected share is mostly kept
_SEPARATION = 1.0  # about how many milliseconds of a frame
_WEIGHT_DECAY = 0.01


class PresenceDetector(BaseEstimator):
    """Tell in which frames known sources are there beside an unknown background.

    A known source that pauses is left with those parts of the background that its model can generate. Whether an
    estimate is the source or such a part cannot be told from one frame, but from the estimates of the frames around it.
    So a separator with a :class:`BackgroundModel` separates mixtures of its training frames with sounds that are made
    up: coloured noise, notes, knocks, and the known sources with a stretched frequency axis. Four networks, each with
    its own quarter of these mixtures, learn from mixtures and estimates which share of each estimate belongs to its
    source. Their log odds are averaged. Where the result says that an estimate is almost surely not the source, the
    background gets it. Elsewhere the estimate is kept, since no made-up sound is like the real background.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(192, 192)
        Widths of the hidden layers of each network.
    n_mixtures : int, default=144
        Training mixtures, at least 4 and rounded down to a multiple of 4. Each is separated once, which takes most of
        the time.
    n_frames : int, default=200
        Frames of a training mixture, at most those of the longest known source.
    levels : (float, float), default=(-10.0, 10.0)
        Lowest and highest level of a known source against the made-up background, in dB.
    max_iter : int, default=15
        Passes over all frames of the training mixtures.
    batch_size : int, default=256
        Frames in a step of each network.
    learning_rate_init : float, default=0.002
        First learning rate of AdamW; it falls linearly to zero.
    callbacks : list of skorch callbacks or None, default=None
        Called during training, as in skorch.
    verbose : int, default=0
        If not 0, a line is printed every epoch.
    random_state : int, RandomState instance or None, default=None
        Seed of mixtures and first weights; ``None`` takes one that follows from that of the separator.

    Attributes
    ----------
    weights_ : dict of str to ndarray
        Weights of the networks, and mean and standard deviation of what they read.
    history_ : list of dict
        Loss and seconds of each epoch.

    See Also
    --------
    BackgroundModel : Has such a detector.

    References
    ----------
    The task is that of voice activity detectors, for any source: J. Sohn, N. S. Kim, W. Sung, "A Statistical
    Model-Based Voice Activity Detection", IEEE Signal Processing Letters 6(1), 1999.

    Examples
    --------
    >>> from sklearn_gass import BackgroundModel, PresenceDetector
    >>> BackgroundModel(detector=PresenceDetector(n_mixtures=288)).detector
    PresenceDetector(n_mixtures=288)
    """

    _parameter_constraints: dict = {
        "hidden_layer_sizes": ["array-like", Integral],
        "n_mixtures": [Interval(Integral, _N_NETWORKS, None, closed="left")],
        "n_frames": [Interval(Integral, 1, None, closed="left")],
        "levels": ["array-like"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "callbacks": [list, None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    weights_: StateDict
    history_: list[dict[str, Any]]

    def __init__(
        self,
        hidden_layer_sizes=(192, 192),
        *,
        n_mixtures=144,
        n_frames=200,
        levels=(-10.0, 10.0),
        max_iter=15,
        batch_size=256,
        learning_rate_init=2e-3,
        callbacks=None,
        verbose=0,
        random_state=None,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.n_mixtures = n_mixtures
        self.n_frames = n_frames
        self.levels = levels
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, explain: Callable[[Tensor], Tensor], sources: Sequence[Tensor], background: Tensor | None = None
    ) -> PresenceDetector:
        """Train the networks on separations of made-up mixtures.

        Parameters
        ----------
        explain : callable
            From the frames of a mixture, of shape (n_frames, n_bins), to estimates of the known sources and the
            background, of shape (n_sources + 1, n_frames, n_bins).
        sources : sequence of Tensor of shape (n_frames, n_bins)
            Clean frames of each known source in their order in time, in the order of the estimates.
        background : Tensor of shape (n_frames, n_bins) or None, default=None
            Frames of the background alone in their order in time, which some of the mixtures then have.

        Returns
        -------
        self : PresenceDetector
            The fitted detector.

        Raises
        ------
        ValueError
            If a width is no integer of at least 1, or `levels` is no pair of finite numbers in rising order.

        Warns
        -----
        ConvergenceWarning
            If training diverged; the last finite weights are kept.
        """
        from sklearn_gass.networks._training import FrameBatches, train  # skorch is slow to import

        generator = torch.Generator().manual_seed(agreed_seed(self.random_state, as_seed))
        network = self._make_network(sources[0].shape[1], len(sources), generator)
        phases = divided(self._costs(sources[0].shape[1], len(sources)), phases=True)
        with phases["mixtures"] as task:
            examples = self._examples(explain, sources, background, generator, task)
        trainee: Any = _PresenceTrainee(network, examples, self.learning_rate_init)
        history: list[dict] = []
        with phases["networks"]:
            train(
                trainee,
                FrameBatches(
                    torch.arange(trainee.n_examples),
                    self.max_iter,
                    batch_size=self.batch_size,
                    generator=generator,
                    augment=lambda rows, _: rows,
                ),
                generator=generator,
                history=history,
                callbacks=self.callbacks,
                verbose=self.verbose,
            )
        self.weights_, self.history_ = to_arrays(network), history
        return self

    def _validate_params(self):
        super()._validate_params()
        check_widths("hidden_layer_sizes", self.hidden_layer_sizes)
        check_levels(self.levels)

    def freeze(self, n_sources, dtype=torch.float32, device="cpu"):
        """Return the detector as a function of a separated recording.

        Parameters
        ----------
        n_sources : int
            Number of known sources.
        dtype : torch.dtype, default=torch.float32
            Floating type of the frames.
        device : torch.device or str, default="cpu"
            Where they are.

        Returns
        -------
        detect : callable
            From the frames of a mixture, of shape (n_frames, n_bins), and estimates of the known sources and the
            background, of shape (n_sources + 1, n_frames, n_bins), to the shares that known sources keep, of shape
            (n_sources, n_frames).
        """
        check_is_fitted(self)
        hidden = check_widths("hidden_layer_sizes", self.hidden_layer_sizes)
        networks = PresenceNetworks(self.weights_["mean"].size, hidden, n_sources)
        frozen = from_arrays(networks, self.weights_, dtype, device)

        def detect(frames: Tensor, estimates: Tensor) -> Tensor:
            logits = frozen(_features(frames, estimates)[_around(len(frames)).to(frames.device)])
            share = torch.sigmoid(logits.mean(0)).T
            return (1 + _DOUBT**2) * share**2 / (share**2 + _DOUBT**2)

        return detect

    def _make_network(self, n_bins, n_sources, generator=None):
        hidden = check_widths("hidden_layer_sizes", self.hidden_layer_sizes)
        return PresenceNetworks((n_sources + 2) * _bands(n_bins).shape[1], hidden, n_sources, generator)

    def _examples(self, explain, sources, background, generator, task):
        """Return what the network reads, and what it ought to say, for each frame of the training mixtures."""
        strangers, levels = Strangers(sources, background, generator), check_levels(self.levels)
        level = math.sqrt(sum(float(frames.square().mean()) for frames in sources) / len(sources))
        n_frames = min(self.n_frames, max(map(len, sources)))
        features, fits = [], []
        n_mixtures = self.n_mixtures // _N_NETWORKS * _N_NETWORKS
        for number in range(n_mixtures):
            parts = [strangers.known(own, n_frames, levels, pauses=bool(number % 2)) for own in sources]
            mixture, contributions = _add_up([*parts, level * strangers.draw(n_frames)], generator)
            # as loud as a separator of waveforms makes a mixture
            gain = level * math.sqrt(len(sources) + 1) / max(float(mixture.square().mean().sqrt()), _FAINT)
            estimates = explain(gain * mixture).cpu()
            features.append(_features(gain * mixture, estimates))
            fits.append(_fit(gain * mixture, estimates, [gain * part for part in contributions[:-1]]))
            if task.is_due():
                task.advance((number + 1) / n_mixtures)
        return torch.stack(features), torch.stack(fits)

    def _training_cost(self, n_bins, n_sources):
        """Return about how many milliseconds training takes."""
        return sum(self._costs(n_bins, n_sources).values())

    def _costs(self, n_bins, n_sources):
        """Return the cost of each phase; that of separations is a rough one, since source models differ."""
        n_features = (n_sources + 2) * _bands(n_bins).shape[1]
        width = [*check_widths("hidden_layer_sizes", self.hidden_layer_sizes), n_sources][0]
        n_frames = self.n_mixtures * self.n_frames
        n_steps = self.max_iter * max(1, n_frames // self.batch_size)
        step = step_cost(self.batch_size, n_features * len(_OFFSETS) * width)
        return {"mixtures": _SEPARATION * n_frames * n_sources, "networks": n_steps * step}


class PresenceNetworks(nn.Module):
    """Networks from what is read of some frames to the share of each estimate that belongs to its source, as logits.

    Parameters
    ----------
    n_features : int
        What is read of one frame.
    hidden : sequence of int
        Widths of hidden layers.
    n_sources : int
        Number of known sources.
    generator : torch.Generator or None, default=None
        Source of the first weights; ``None`` gives weights that have no memory, to be loaded.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, n_features: int, hidden: Sequence[int], n_sources: int, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        sizes = [n_features * len(_OFFSETS), *hidden, n_sources]
        self.members = nn.ModuleList(MLP(sizes, generator) for _ in range(_N_NETWORKS))
        device = "meta" if generator is None else "cpu"
        self.register_buffer("mean", torch.zeros(n_features, device=device))
        self.register_buffer("deviation", torch.ones(n_features, device=device))
        if generator is not None:
            with torch.no_grad():
                for member in self.members:  # before training, sources count as there
                    cast(MLP, member).layers[-1].get_parameter("bias").fill_(2.0)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits of all networks for the same features of shape (n_frames, n_offsets, n_features).

        They have the shape (n_networks, n_frames, n_sources).
        """
        return self.each([features] * len(self.members))

    def each(self, features: Sequence[Tensor]) -> Tensor:
        """Return the logits of each network for features of its own."""
        inputs = [((own - self.mean) / self.deviation).flatten(1) for own in features]
        return torch.stack([member(own) for member, own in zip(self.members, inputs, strict=True)])


class _PresenceTrainee(nn.Module):
    """Networks that learn which share of each estimate minimises the squared error, relative to the frame."""

    def __init__(self, networks, examples, learning_rate):
        super().__init__()
        features, fits = examples
        self.networks = networks
        networks.mean.copy_(features.mean((0, 1)))
        networks.deviation.copy_(features.std((0, 1), correction=0) + 1e-3)
        # the relative squared error of a share g is g**2 * own - 2 * g * common, up to a constant
        own, common, size = fits.reshape(_N_NETWORKS, -1, *fits.shape[2:]).unbind(-1)
        size = (size + _SILENT * size.mean()).clamp_min(torch.finfo(size.dtype).tiny)
        self._features, self._own, self._common = features, own / size, common / size
        self._around = _around(features.shape[1])
        self.optimisers = [torch.optim.AdamW(networks.parameters(), lr=learning_rate, weight_decay=_WEIGHT_DECAY)]

    @property
    def n_examples(self):
        """Number of frames that each network has to learn from."""
        return self._own.shape[1]

    def update(self, batch, generator):
        """Take one training step, all networks with the same places in their own mixtures."""
        n_frames = self._features.shape[1]
        mixtures, frames = (batch // n_frames)[:, None], self._around[batch % n_frames]
        parts = self._features.chunk(_N_NETWORKS)
        share = torch.sigmoid(self.networks.each([part[mixtures, frames] for part in parts]))
        loss = (share**2 * self._own[:, batch] - 2 * share * self._common[:, batch]).mean((1, 2))
        self.optimisers[0].zero_grad()
        loss.sum().backward()
        self.optimisers[0].step()
        return {"loss": loss.mean().detach()}


def _bands(n_bins: int) -> Tensor:
    """Return a matrix from bins to the means of bands, which are the wider the higher their frequencies."""
    edges = torch.logspace(math.log10(8), math.log10(n_bins + 8), min(_BANDS, n_bins) + 1).sub(8).round().long()
    edges = torch.unique(edges)
    widths = edges.diff()
    matrix = torch.zeros(n_bins, len(widths))
    matrix[torch.arange(n_bins), torch.repeat_interleave(widths)] = torch.repeat_interleave(1 / widths, widths)
    return matrix


def _features(frames: Tensor, estimates: Tensor) -> Tensor:
    """Return log levels of mixture, known sources and background in bands, of shape (n_frames, n_features)."""
    powers = torch.cat([frames[None], estimates]).square() @ _bands(frames.shape[1]).to(frames)
    return (powers + _FAINT).log().div(2).transpose(0, 1).flatten(1)


def _around(n_frames: int) -> Tensor:
    """Return the numbers of the frames around each frame; beyond an end comes the last one again."""
    return (torch.arange(n_frames)[:, None] + torch.tensor(_OFFSETS)).clamp(0, n_frames - 1)


def _add_up(parts: Sequence[Tensor], generator: torch.Generator) -> tuple[Tensor, list[Tensor]]:
    """Return magnitudes of the sum of magnitudes with random phases, and what each contributes in the sum's phase."""
    phases = [2 * math.pi * torch.rand(part.shape, generator=generator) for part in parts]
    spectra = [torch.polar(part, phase) for part, phase in zip(parts, phases, strict=True)]
    whole = torch.stack(spectra).sum(0)
    direction = torch.polar(torch.ones_like(parts[0]), whole.angle())
    return whole.abs(), [(spectrum * direction.conj()).real for spectrum in spectra]


def _fit(mixture: Tensor, estimates: Tensor, contributions: Sequence[Tensor]) -> Tensor:
    """Return how well masked mixtures fit the known sources, of shape (n_frames, n_sources, 3).

    They are the power of the masked mixture, its product with what the source contributes, and the sum of both powers.
    """
    powers = estimates.square()
    masked = (mixture * powers / powers.sum(0).clamp_min(torch.finfo(powers.dtype).tiny))[:-1]
    true = torch.stack(list(contributions))
    own, common = masked.square().sum(2), (masked * true).sum(2)
    return torch.stack([own, common, own + true.square().sum(2)], -1).transpose(0, 1)
