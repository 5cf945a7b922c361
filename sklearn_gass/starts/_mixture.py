"""Start from an encoder of mixtures: a network that guesses the latents of all sources at once."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral, Real

import torch
from torch import nn
from typing_extensions import override

from sklearn_gass._mixture_learning import MixtureLearner
from sklearn_gass._validation import Interval
from sklearn_gass.divergences import DIVERGENCES
from sklearn_gass.networks import FrameEncoder, check_widths, vary_excitation
from sklearn_gass.starts._base import BaseStart
from sklearn_gass.starts._from_base import begin_at


class MixtureStart(MixtureLearner, BaseStart):
    """Start from the latents that an encoder of mixtures guesses.

    The encoder is a network that reads a mixture frame and gives the latents of all sources. It is trained on synthetic
    mixtures of the training frames, so that the frames generated from its latents come close to the true ones. Loud
    frames come more often into these mixtures, and each source is absent from a tenth of them. The objective of
    separation has many local minima; an encoder that only ever saw clean frames starts far from the right one.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(256,)
        Widths of the encoder's hidden layers.
    n_residual_blocks : int, default=4
        Number of residual blocks after the hidden layers: pairs of layers, as wide as the last hidden layer, whose
        output is added to their input. They learn faster than more hidden layers do.
    max_iter : int, default=4500
        Training steps, each on a new batch of mixtures. More steps separate better, and take proportionally longer.
    batch_size : int, default=128
        Mixture frames in a step.
    learning_rate_init : float, default=0.003
        First learning rate of Adam; it falls linearly to zero.
    weight_average : float, default=0.998
        Decay of a running average of the weights over the training steps, which replaces the last weights at the end.
        0 keeps the last weights.
    levels : (float, float), default=(-5.0, 5.0)
        Lowest and highest gain of a source in a training mixture, in dB. Widen it if your sources differ more in level.
    pitch_warp : float, default=0.15
        Largest random change of the pitch of a source in a training mixture, in octaves, under the same spectral
        envelope. It comes on top of the source model's own `frequency_warp`, and lets few minutes of sound hold more
        pitches at each vowel. Frames of fewer than 128 bins have no pitch.
    excitation_exchange : float, default=0.5
        Share of frames in training mixtures that get the excitation, which is the fine structure of harmonics and
        noise, of another frame of the same source that is about as harmonic.
    base : MixtureStart or None, default=None
        Fitted start that training begins at, instead of random weights, such as one trained on other voices. Its hidden
        layers have to be the same. The outputs for each source of the base are given to the source that they suit best;
        those of further sources, or of models with another number of latents, begin anew. It is not changed. `clone`
        keeps it; in a grid, wrap it in ``FrozenEstimator``. A model file does not keep it.
    warm_start : bool, default=False
        Whether another `fit` goes on from the fitted weights, instead of new random ones. `history_` goes on, too. A
        separator with ``warm_start=True`` sets it.
    callbacks : list of skorch callbacks or None, default=None
        Called during training, as in skorch. An epoch has 100 steps.
    verbose : int, default=0
        If not 0, a line is printed every 100 steps.
    random_state : int, RandomState instance or None, default=None
        Seed of the first weights and of the mixtures; ``None`` takes that of the separator.

    Attributes
    ----------
    weights_ : dict of str to ndarray
        Weights of the encoder by name.
    history_ : list of dict
        Loss and seconds of every 100 steps.
    n_latents_ : list of int
        Number of latents of each source.
    distance_from_base_ : float
        Norm of the change of all weights from those it began at, over their norm; only with a `base`.

    See Also
    --------
    SourceStart : No training, and a worse start.
    MixtureCritic : Critics that are trained on the same kind of mixtures.

    References
    ----------
    K. He, X. Zhang, S. Ren, J. Sun, "Identity Mappings in Deep Residual Networks", ECCV 2016, arXiv:1603.05027.
    B. T. Polyak, A. B. Juditsky, "Acceleration of stochastic approximation by averaging", SIAM Journal on Control and
    Optimization 30(4), 1992.

    Examples
    --------
    >>> from sklearn_gass import MixtureStart, SupervisedSeparator
    >>> separator = SupervisedSeparator(start=MixtureStart(max_iter=9000))
    >>> separator.set_params(start__hidden_layer_sizes=(400,)).start
    MixtureStart(hidden_layer_sizes=(400,), max_iter=9000)
    """

    is_anchor = True

    _parameter_constraints: dict = {
        **MixtureLearner._parameter_constraints,
        "n_residual_blocks": [Interval(Integral, 0, None, closed="left")],
        "weight_average": [Interval(Real, 0, 1, closed="left")],
        "pitch_warp": [Interval(Real, 0, 1, closed="both")],
        "excitation_exchange": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        hidden_layer_sizes=(256,),
        *,
        n_residual_blocks=4,
        max_iter=4500,
        batch_size=128,
        learning_rate_init=3e-3,
        weight_average=0.998,
        levels=(-5.0, 5.0),
        pitch_warp=0.15,
        excitation_exchange=0.5,
        base=None,
        warm_start=False,
        callbacks=None,
        verbose=0,
        random_state=None,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.n_residual_blocks = n_residual_blocks
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.weight_average = weight_average
        self.levels = levels
        self.pitch_warp = pitch_warp
        self.excitation_exchange = excitation_exchange
        self.base = base
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state

    @override
    def freeze(self, problem):
        return self._frozen_network(problem)

    def _make_network(self, problem, generator=None):
        hidden = check_widths("hidden_layer_sizes", self.hidden_layer_sizes)
        widths = [problem.n_bins, *hidden, problem.n_latents]
        return FrameEncoder(widths, generator, n_residual_blocks=self.n_residual_blocks)

    def _n_weights(self, n_bins, n_sources):
        width = check_widths("hidden_layer_sizes", self.hidden_layer_sizes)[-1]
        return super()._n_weights(n_bins, n_sources) + 2 * self.n_residual_blocks * width**2

    @override
    def fit(self, problem, sources):
        super().fit(problem, [replace(source, augment=self._vary(source.augment)) for source in sources])
        self.n_latents_ = [decoder.n_components for decoder in problem.decoders]
        return self

    def _vary(self, augment):
        """Return a function that varies frames as a source model does, and their excitation."""

        def vary(frames, generator):
            return vary_excitation(augment(frames, generator), self.pitch_warp, self.excitation_exchange, generator)

        return vary

    def _take_over(self, network, problem, batch):
        begin_at(network, self, problem, *batch)

    def _make_trainee(self, network, problem):
        return _EncoderTrainee(network, problem, self.learning_rate_init)


class _EncoderTrainee(nn.Module):
    """The encoder under the divergence of true and generated frames of each source."""

    def __init__(self, encoder, problem, learning_rate):
        super().__init__()
        self.encoder, self.problem = encoder, problem
        self.optimisers = [torch.optim.Adam(encoder.parameters(), lr=learning_rate, fused=True)]

    def update(self, batch, generator):
        """Take one training step."""
        mixture, parts = batch
        generated = self.problem.generate(self.problem.split(self.encoder(mixture)))
        divergence = DIVERGENCES[self.problem.beta_loss]
        losses = [divergence(part, frame, constant=False).mean() for part, frame in zip(parts, generated, strict=True)]
        loss = torch.stack(losses).sum()
        self.optimisers[0].zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.encoder.parameters(), _LARGEST_GRADIENT * self.problem.n_bins)
        self.optimisers[0].step()
        return {"loss": loss.detach()}


_LARGEST_GRADIENT = 0.1
"""Norm of the gradient per bin to which larger ones are cut. Most are, so that loud batches do not count more."""
