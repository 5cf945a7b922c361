"""What the latent optimisation makes of a mixture, before masks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sklearn_gass.engine import Background, Memory
from sklearn_gass.masks import ratio_masks
from sklearn_gass.separation._spread import Spread


@dataclass(frozen=True, eq=False)
class Explanation:
    """Mixture frames explained as sums of frames that source models generate.

    Masks of any exponent follow from it without another optimisation of latents.

    Attributes
    ----------
    mixture : ndarray of shape (n_frames, n_bins)
        Frames that were explained.
    labels : ndarray of shape (n_sources,)
        Label of each source.
    estimates : ndarray of shape (n_sources, n_frames, n_bins)
        Generated frames of each source, in the unit of the mixture. Their sum is close to the mixture. Beside a
        `BackgroundModel` they are means over searches, what a detector silences is given to the background, and what
        follows here is that of the search with the lowest objective.
    latents : list of ndarray of shape (n_frames, n_components)
        Latents of each source.
    objective : ndarray of shape (n_frames,)
        What was minimised, of each frame: divergence plus prior energy minus λ times the critics' scores, without the
        distance from the start; with magnitudes in units of the source models' mean `scale_`. With a `context` of the
        source models, that of a row of three frames. Beside a `BackgroundModel`, all bins count alike here, as they do
        not in separation.
    n_iter : int
        Steps of the frame that took most.
    mask_exponent : float
        Exponent of the masks unless another one is asked for.
    mask : callable or None
        From estimates and exponent to masks; ``None`` means :func:`sklearn_gass.masks.ratio_masks`.
    background : Background or None
        What was learned of a background from the mixture: its templates, and frames to remember them by. ``None``
        without a `BackgroundModel`.
    spread : Spread or None
        How far the magnitudes of the true sources may be from separated ones; ``None`` unless `n_samples` were asked
        for.
    """

    mixture: NDArray[np.floating]
    labels: NDArray[Any]
    estimates: NDArray[np.floating]
    latents: list[NDArray[np.floating]]
    objective: NDArray[np.floating]
    n_iter: int
    mask_exponent: float = 2.0
    mask: Callable[[NDArray[np.floating], float], NDArray[np.floating]] | None = None
    background: Background | None = None
    spread: Spread | None = None

    def masks(self, exponent: float | None = None) -> NDArray[np.floating]:
        """Return the mask of each source.

        Parameters
        ----------
        exponent : float or None, default=None
            Power of the estimates; ``None`` takes `mask_exponent`.

        Returns
        -------
        masks : ndarray of shape (n_sources, n_frames, n_bins)
            Values between 0 and 1 that sum to 1 over the sources.

        Raises
        ------
        ValueError
            If the exponent is not positive, or if a `mask` of your own returns another shape or values that are not
            finite.
        """
        power = self.mask_exponent if exponent is None else exponent
        if self.mask is None:
            return ratio_masks(self.estimates, power)
        estimates = self.estimates.view()
        estimates.flags.writeable = False
        masks = np.asarray(self.mask(estimates, power))
        if masks.shape != self.estimates.shape or not np.isfinite(masks).all():
            raise ValueError(
                f"mask must return finite values of shape {self.estimates.shape}, got shape {masks.shape}"
                f"{'' if np.isfinite(masks).all() else ' with NaN or infinity'}."
            )
        return masks.astype(self.estimates.dtype, copy=False)

    def separate(self, exponent: float | None = None) -> NDArray[np.floating]:
        """Return the separated frames: masks times the mixture.

        Parameters
        ----------
        exponent : float or None, default=None
            Power of the estimates in the masks; ``None`` takes `mask_exponent`.

        Returns
        -------
        sources : ndarray of shape (n_sources, n_frames, n_bins)
            Separated frames, which sum to the mixture.
        """
        return self.masks(exponent) * self.mixture


def heard_for(heard: Any, frames: Tensor) -> Background:
    """Return what was learned of a background in the floating type of frames, and where they are.

    Raises
    ------
    ValueError
        If it is something else, or of frames of another width.
    """
    if not isinstance(heard, Background):
        raise ValueError(
            "heard must be the attribute background of the explanation of an earlier part of the recording, got "
            f"{type(heard).__name__}."
        )
    memory = heard.memory
    remembered = [] if memory is None else [memory.frames, memory.known]
    learned = [part for part in (heard.known_quiet, heard.templates) if part is not None]
    widths = {part.shape[-1] for part in (*learned, *remembered)} - {frames.shape[1]}
    if widths:
        raise ValueError(f"heard is of frames with {widths.pop()} bins, but X has {frames.shape[1]}.")
    return replace(
        heard,
        known_quiet=None if heard.known_quiet is None else heard.known_quiet.to(frames),
        templates=None if heard.templates is None else heard.templates.to(frames),
        memory=None if memory is None else Memory(memory.frames.to(frames), memory.known.to(frames)),
    )
