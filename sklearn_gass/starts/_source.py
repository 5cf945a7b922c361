"""Start from what each source model's own encoder makes of the mixture."""

from __future__ import annotations

from typing_extensions import override

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

    @override
    def freeze(self, problem):
        return problem.encode_shares
