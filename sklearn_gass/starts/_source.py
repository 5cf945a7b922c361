"""Start from what each source model's own encoder makes of the mixture."""

from __future__ import annotations

from sklearn_gass.starts._base import BaseStart


class SourceStart(BaseStart):
    """Start each source from its own encoder's view of an equal share of the mixture.

    It needs no training. The encoders only ever saw clean sound, so the latents are far from the best ones.

    See Also
    --------
    MixtureStart : A network that has seen mixtures.

    Examples
    --------
    >>> from sklearn_gass import SourceStart, SupervisedSeparator
    >>> SupervisedSeparator(start=SourceStart()).start
    SourceStart()
    """

    def freeze(self, problem):
        """Return the start as a function of mixture frames.

        Parameters
        ----------
        problem : Problem
            Frozen decoders.

        Returns
        -------
        points : callable
            From mixture frames of shape (n_frames, n_bins) to free latents of shape (n_frames, n_latents).
        """
        return problem.encode_shares
