"""Critics that know what separation leaves behind."""

from __future__ import annotations

from numbers import Real

import numpy as np
import torch
from torch import nn
from torch.func import functional_call
from typing_extensions import override

from sklearn_gass._bases import check_shapes
from sklearn_gass._mixture_learning import MixtureLearner
from sklearn_gass._validation import Interval
from sklearn_gass.critics._base import BaseCritic
from sklearn_gass.divergences import BETAS
from sklearn_gass.networks import PENALTY_EVERY, FrameEncoder, check_widths, gradient_penalty


class MixtureCritic(MixtureLearner, BaseCritic):
    """Rank estimates by critics that tell clean frames of a source from separated ones.

    Each source has a critic, a network that scores a frame. It is trained, by the Wasserstein objective with a gradient
    penalty, to score clean training frames higher than the frames that separation starts with in synthetic mixtures. A
    critic that only ever saw what its generator made up has no reason to notice what other sources leave behind. In the
    objective its scores are multiplied by the level of the mixture frame, so that they count as much in loud frames as
    in quiet ones.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(256, 256)
        Widths of each critic's hidden layers.
    max_iter : int, default=500
        Training steps, each on a new batch of mixtures.
    batch_size : int, default=64
        Mixture frames in a step.
    learning_rate_init : float, default=0.001
        First learning rate of Adam; it falls linearly to zero.
    levels : (float, float), default=(-5.0, 5.0)
        Lowest and highest gain of a source in a training mixture, in dB. Widen it if your sources differ more in level.
    penalty_weight : float, default=20.0
        Weight of the gradient penalty. A larger one makes the scores change more evenly between clean and separated
        frames.
    base : MixtureCritic or None, default=None
        Fitted critic that training begins at, instead of random weights, such as one trained on other voices. Its
        layers have to be the same. Each source takes the network of the base that tells its clean frames best from
        separated ones, so the base may be for another number of sources. It is not changed. `clone` keeps it; in a
        grid, wrap it in ``FrozenEstimator``. A model file does not keep it.
    warm_start : bool, default=False
        Whether another `fit` goes on from the fitted weights, instead of new random ones. `history_` goes on, too. A
        separator with ``warm_start=True`` sets it.
    callbacks : list of skorch callbacks or None, default=None
        Called during training, as in skorch. An epoch has 100 steps.
    verbose : int, default=0
        If not 0, a line is printed every 100 steps.
    random_state : int, RandomState instance or None, default=None
        Seed of the first weights and of the mixtures; ``None`` takes one that follows from that of the separator.

    Attributes
    ----------
    weights_ : dict of str to ndarray
        Weights of all critics by name.
    history_ : list of dict
        Loss and seconds of every 100 steps. The loss is the sum over sources of how much higher the critic scores
        separated frames than clean ones, so it falls as the critics learn.
    distance_from_base_ : float
        Norm of the change of all weights from those it began at, over their norm; only with a `base`.

    See Also
    --------
    SourceCritic : The critics that adversarially trained source models bring along.
    MixtureStart : Where the optimisation starts.

    References
    ----------
    S. Lunz, O. Öktem, C.-B. Schönlieb, "Adversarial Regularizers in Inverse Problems", NeurIPS 2018, arXiv:1805.11572.
    I. Gulrajani et al., "Improved Training of Wasserstein GANs", NIPS 2017, arXiv:1704.00028.

    Examples
    --------
    >>> from sklearn_gass import MixtureCritic, SupervisedSeparator
    >>> SupervisedSeparator(critic=MixtureCritic(max_iter=1000)).critic
    MixtureCritic(max_iter=1000)
    """

    _parameter_constraints: dict = {
        **MixtureLearner._parameter_constraints,
        "penalty_weight": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        hidden_layer_sizes=(256, 256),
        *,
        max_iter=500,
        batch_size=64,
        learning_rate_init=1e-3,
        levels=(-5.0, 5.0),
        penalty_weight=20.0,
        base=None,
        warm_start=False,
        callbacks=None,
        verbose=0,
        random_state=None,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.levels = levels
        self.penalty_weight = penalty_weight
        self.base = base
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state

    @override
    def freeze(self, problem):
        critics = list(self._frozen_network(problem).children())
        power = BETAS[problem.beta_loss]  # that divergences grow with, as frames get louder

        def scores(frames, generated):
            level = frames.mean(1) ** power
            return [level * critic(frame)[:, 0] for critic, frame in zip(critics, generated, strict=True)]

        return scores

    def _n_weights(self, n_bins, n_sources):
        return n_sources * super()._n_weights(n_bins, n_sources)

    def _make_network(self, problem, generator=None):
        hidden = check_widths("hidden_layer_sizes", self.hidden_layer_sizes)
        return nn.ModuleList(FrameEncoder([problem.n_bins, *hidden, 1], generator) for _ in problem.decoders)

    def _take_over(self, network, problem, batch):
        base = self._fitted_base()
        known = [
            {name: torch.tensor(array, device=problem.device) for name, array in weights.items()}
            for weights in _by_source(base.weights_)
        ]
        check_shapes(self, base, [(network[0].state_dict(), weights) for weights in known])
        mixture, parts = batch
        separated = problem.generate(problem.split(problem.first_points(mixture)))
        for critic, part, estimate in zip(network, parts, separated, strict=True):
            frames = torch.stack([part, estimate])
            scores = [functional_call(critic, weights, (frames,)).mean((1, 2)) for weights in known]
            gaps = [float(clean - unclean) for clean, unclean in scores]
            critic.load_state_dict(known[int(np.argmax(gaps))])

    def _make_trainee(self, network, problem):
        return _CriticsTrainee(network, problem, self.learning_rate_init, self.penalty_weight)


def _by_source(weights):
    """Return the weights of each critic for those of all, whose names begin with its number."""
    numbers = sorted({int(name.partition(".")[0]) for name in weights})
    return [
        {name.partition(".")[2]: array for name, array in weights.items() if name.startswith(f"{number}.")}
        for number in numbers
    ]


class _CriticsTrainee(nn.Module):
    """Critics of all sources, against what the start of the optimisation generates."""

    def __init__(self, critics, problem, learning_rate, penalty_weight):
        super().__init__()
        self.critics, self.problem, self.penalty_weight = critics, problem, penalty_weight
        self.optimisers = [torch.optim.Adam(critics.parameters(), lr=learning_rate, betas=(0.5, 0.9), fused=True)]
        self.n_steps = 0

    def get_extra_state(self):
        """Return, for checkpoints, how many steps were taken."""
        return torch.tensor(self.n_steps)

    def set_extra_state(self, state):
        """Go on counting from there."""
        self.n_steps = int(state)

    def update(self, batch, generator):
        """Take one training step."""
        mixture, parts = batch
        problem = self.problem
        with torch.no_grad():
            separated = problem.generate(problem.split(problem.first_points(mixture)))
        losses, penalties = [], []
        for critic, part, estimate in zip(self.critics, parts, separated, strict=True):
            clean, unclean = torch.log1p(part), torch.log1p(estimate)
            clean_scores, unclean_scores = critic.read(torch.cat([clean, unclean])).split(len(mixture))
            losses.append(unclean_scores.mean() - clean_scores.mean())
            if self.n_steps % PENALTY_EVERY == 0:
                penalties.append(self.penalty_weight * gradient_penalty(critic, clean, unclean, generator))
        self.n_steps += 1
        self.optimisers[0].zero_grad()
        torch.stack(losses + penalties).sum().backward()
        self.optimisers[0].step()
        return {"loss": torch.stack(losses).sum().detach()}
