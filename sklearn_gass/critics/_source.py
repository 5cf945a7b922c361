"""The critics that adversarially trained source models bring along."""

from __future__ import annotations

from sklearn_gass.critics._base import BaseCritic


class SourceCritic(BaseCritic):
    """Rank each estimate by the critic of its own source model, as the method's paper does.

    Sources whose model has no critic take no part. λ weighs the scores the same in every frame, loud or quiet.

    See Also
    --------
    MixtureCritic : Critics that have seen what separation leaves behind.

    References
    ----------
    C. Subakan, P. Smaragdis, "Generative Adversarial Source Separation", ICASSP 2018, arXiv:1710.10779.

    Examples
    --------
    >>> from sklearn_gass import SourceCritic, SupervisedSeparator, WGANSourceModel
    >>> SupervisedSeparator(WGANSourceModel(), critic=SourceCritic(), critic_weight=10).critic
    SourceCritic()
    """

    def freeze(self, problem):
        """Return the critics as a function of generated frames.

        Parameters
        ----------
        problem : Problem
            Frozen decoders.

        Returns
        -------
        scores : callable
            From mixture frames and the generated frames of each source to a list of scores of shape (n_frames,).

        Raises
        ------
        ValueError
            If no source model has a critic.
        """
        judged = [(i, d.critic, gain) for i, (d, gain) in enumerate(zip(problem.decoders, problem.gains, strict=True))]
        judged = [(i, critic, gain) for i, critic, gain in judged if critic is not None]
        if not judged:
            raise ValueError(
                'critic="source" takes the critics of the source models, none of which has one: set critic_weight=0, '
                'or critic="mixture" and fit again.'
            )
        return lambda frames, generated: [critic(generated[i] / gain) for i, critic, gain in judged]
