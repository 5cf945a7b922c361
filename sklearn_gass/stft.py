"""Short-time Fourier transform between waveforms and magnitude-spectrogram frames.

Frame ``k`` is centred on sample ``k * hop_length``. Outside its ends the waveform counts as zero. If the waveform does
not end on a multiple of the hop, there is one frame more than usual. So its last samples are covered as well as all
others, and the way back is exact for every length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from numbers import Integral
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from sklearn_gass._framing import cut_frames, frame_length, least_coverage, overlap_add
from sklearn_gass._validation import Interval, check_wave

if TYPE_CHECKING:
    WindowSpec = str | tuple[str | float, ...]

# Every sample must be covered by at least this share of the window's peak energy. Rounding errors of a reconstruction
# grow with one over the root of the share, so they stay below about 30 times the precision of the dtype.
_MIN_COVERAGE = 1e-3


class STFT(BaseEstimator):
    """Turn waveforms into rows of magnitudes and back.

    It has the parameters of an estimator, so you can clone it and tune it inside one (``stft__n_fft``). It has
    nothing to fit.

    Parameters
    ----------
    n_fft : int, default=1024
        Length of a frame in samples, at least 2.
    hop_length : int or None, default=256
        Samples between the centres of neighbouring frames; None means ``n_fft // 4``.
    window : str or tuple, default="hann"
        Window as :func:`scipy.signal.get_window` takes it, a name or a tuple of name and parameters.

    Attributes
    ----------
    n_bins : int
        Number of frequency bins of a frame, ``n_fft // 2 + 1``.
    hop_samples : int
        Samples between neighbouring frames, also if `hop_length` is None.

    References
    ----------
    .. [1] D. W. Griffin, J. S. Lim, "Signal estimation from modified short-time Fourier transform", IEEE Transactions
       on Acoustics, Speech, and Signal Processing 32(2), 1984.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gass.stft import STFT
    >>> wave = np.sin(np.arange(1000) / 10)
    >>> stft = STFT(n_fft=256, hop_length=64)
    >>> magnitudes, phase = stft.analyze(wave)
    >>> magnitudes.shape
    (17, 129)
    >>> bool(np.allclose(stft.synthesize(magnitudes, phase, n_samples=1000), wave))
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[object]]] = {
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left"), None],
        "window": [str, tuple],
    }

    def __init__(self, n_fft: int = 1024, hop_length: int | None = 256, window: WindowSpec = "hann") -> None:
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.window = window

    @classmethod
    def for_sample_rate(cls, sample_rate: int) -> STFT:
        """Return an STFT with frames of about 64 ms, a quarter of that apart.

        Parameters
        ----------
        sample_rate : int
            Samples per second.

        Returns
        -------
        stft : STFT
            Frames of a power of two of samples; at 16 kHz 1024, the default.
        """
        n_fft = frame_length(sample_rate)
        return cls(n_fft=n_fft, hop_length=n_fft // 4)

    @property
    def n_bins(self) -> int:
        """Number of frequency bins of a frame."""
        return self.n_fft // 2 + 1

    @property
    def hop_samples(self) -> int:
        """Samples between the centres of neighbouring frames."""
        # n_fft // 4 is 0 for the tiniest frames
        return max(self.n_fft // 4, 1) if self.hop_length is None else self.hop_length

    def noise_power(self) -> float:
        """Return the mean power of a bin for white noise of unit variance: the energy of the window.

        Returns
        -------
        power : float
            Mean square of magnitudes.

        Raises
        ------
        ValueError
            If a parameter is out of range, or if window and hop leave samples uncovered.
        """
        return float(np.square(self._checked_window()).sum())

    def n_frames(self, n_samples: int) -> int:
        """Return the number of frames that :meth:`analyze` makes of a waveform.

        Parameters
        ----------
        n_samples : int
            Length of the waveform in samples.

        Returns
        -------
        n_frames : int
            ``1 + ceil(n_samples / hop_length)``.
        """
        return 1 - (-n_samples // self.hop_samples)

    def analyze(self, wave: ArrayLike) -> tuple[NDArray[np.floating], NDArray[np.complexfloating]]:
        """Split a waveform into magnitudes and phase.

        Parameters
        ----------
        wave : array-like of shape (n_samples,)
            Samples of one channel. One sample is enough.

        Returns
        -------
        magnitudes : ndarray of shape (n_frames, n_bins)
            Non-negative magnitudes, float32 for a float32 waveform, else float64.
        phase : ndarray of shape (n_frames, n_bins)
            Complex numbers of modulus 1, complex64 or complex128; 1 where the magnitude is zero.

        Raises
        ------
        ValueError
            If the waveform is not 1-D, empty, complex or not finite, if a parameter is out of range, or if window and
            hop leave samples uncovered.
        """
        self._checked_window()
        samples = check_wave(wave)
        return next(self.analyze_blocks(samples, self.n_frames(samples.size)))

    def analyze_blocks(
        self, wave: ArrayLike, block_frames: int, *, level: float = 1.0
    ) -> Iterator[tuple[NDArray[np.floating], NDArray[np.complexfloating]]]:
        """Split a waveform block by block, for waveforms whose frames would not fit into memory.

        The numbers are those of :meth:`analyze`, to the last bit.

        Parameters
        ----------
        wave : array-like of shape (n_samples,)
            Samples of one channel.
        block_frames : int
            Frames of a block; the last one may have fewer.
        level : float, default=1.0
            Number to divide samples by; this saves a scaled copy of the whole waveform.

        Returns
        -------
        blocks : iterator of (magnitudes, phase)
            As :meth:`analyze` returns them, for successive frames.

        Raises
        ------
        ValueError
            As :meth:`analyze` does, at once, or if `block_frames` is not positive.

        See Also
        --------
        synthesize_blocks : The way back.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_gass.stft import STFT
        >>> stft, wave = STFT(n_fft=256, hop_length=64), np.sin(np.arange(1000) / 10)
        >>> [magnitudes.shape for magnitudes, phase in stft.analyze_blocks(wave, 10)]
        [(10, 129), (7, 129)]
        """
        window = self._checked_window()
        samples = check_wave(wave)
        if isinstance(block_frames, bool) or not isinstance(block_frames, Integral) or block_frames < 1:
            raise ValueError(f"block_frames must be a positive integer, got {block_frames!r}.")
        n_frames = self.n_frames(samples.size)
        bounds = ((first, min(first + int(block_frames), n_frames)) for first in range(0, n_frames, int(block_frames)))
        cut = {"n_fft": self.n_fft, "hop": self.hop_samples, "level": level}
        return (_analyze_frames(cut_frames(samples, *bound, **cut), window) for bound in bounds)

    def synthesize(self, magnitudes: ArrayLike, phase: ArrayLike, n_samples: int) -> NDArray[np.floating]:
        """Turn magnitudes and phase back into a waveform.

        Parameters
        ----------
        magnitudes : array-like of shape (..., n_frames, n_bins)
            Magnitudes, of one waveform or of several that share the phase.
        phase : array-like of shape (n_frames, n_bins) or (..., n_frames, n_bins)
            Complex numbers of modulus 1, as :meth:`analyze` returns them.
        n_samples : int
            Length of the waveform in samples.

        Returns
        -------
        wave : ndarray of shape (..., n_samples)
            Waveform whose transform is nearest to the given one in the least-squares sense, float32 if magnitudes and
            phase have single precision, else float64.

        Raises
        ------
        ValueError
            If the shapes do not fit each other, the parameters or `n_samples`, if values are not finite, if a
            parameter is out of range, or if window and hop leave samples uncovered.
        """
        self._checked_window()
        _check_n_samples(n_samples)
        magnitudes = np.asarray(magnitudes)
        expected = (self.n_frames(int(n_samples)), self.n_bins)
        if magnitudes.shape[-2:] != expected:
            raise ValueError(
                f"magnitudes must have shape (..., {expected[0]}, {expected[1]}) for {n_samples} samples, "
                f"got {magnitudes.shape}."
            )
        return next(self.synthesize_blocks([(magnitudes, phase)], n_samples))

    def synthesize_blocks(
        self, blocks: Iterable[tuple[ArrayLike, ArrayLike]], n_samples: int
    ) -> Iterator[NDArray[np.floating]]:
        """Turn successive blocks of frames back into a waveform, piece by piece.

        The numbers are those of :meth:`synthesize`, to the last bit, whatever the blocks.

        Parameters
        ----------
        blocks : iterable of (magnitudes, phase)
            Magnitudes of shape (..., n, n_bins) and phase of shape (n, n_bins) or that of the magnitudes, as
            :meth:`synthesize` takes them; the leading axes are the same in all blocks.
        n_samples : int
            Length of the waveform in samples.

        Returns
        -------
        pieces : iterator of ndarray of shape (..., n)
            Successive samples, `n_samples` in all. Each piece comes as soon as no further frame covers it.

        Raises
        ------
        ValueError
            As :meth:`synthesize` does, for wrong blocks once they are reached.

        See Also
        --------
        analyze_blocks : The way here.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_gass.stft import STFT
        >>> stft, wave = STFT(n_fft=256, hop_length=64), np.sin(np.arange(1000) / 10)
        >>> pieces = list(stft.synthesize_blocks(stft.analyze_blocks(wave, 10), wave.size))
        >>> [piece.shape for piece in pieces]
        [(512,), (488,)]
        >>> bool(np.allclose(np.concatenate(pieces), wave))
        True
        """
        window = self._checked_window()
        _check_n_samples(n_samples)
        spectra = (self._checked_spectrum(np.asarray(magnitudes), np.asarray(phase)) for magnitudes, phase in blocks)
        frames = (_windowed_frames(spectrum, self.n_fft) for spectrum in spectra)
        n_frames = self.n_frames(int(n_samples))
        return overlap_add(frames, window, hop=self.hop_samples, n_frames=n_frames, n_samples=int(n_samples))

    def project(self, spectrum: ArrayLike, n_samples: int) -> NDArray[np.complexfloating]:
        """Return the nearest spectrum that a waveform has.

        Frames overlap, so most arrays of complex numbers are the transform of no waveform, such as those of a masked
        mixture. This one is the transform of the waveform that :meth:`synthesize` makes of them.

        Parameters
        ----------
        spectrum : array-like of shape (..., n_frames, n_bins)
            Complex numbers, of one waveform or of several.
        n_samples : int
            Length of the waveform in samples.

        Returns
        -------
        nearest : ndarray of shape (..., n_frames, n_bins)
            The projection onto the spectra of waveforms of this length, in the least-squares sense; complex64 for a
            complex64 spectrum, else complex128.

        Raises
        ------
        ValueError
            If the shape does not fit `n_samples` or the parameters, if values are no finite numbers, if a parameter is
            out of range, or if window and hop leave samples uncovered.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_gass.stft import STFT
        >>> stft = STFT(n_fft=256, hop_length=64)
        >>> spectrum = np.random.default_rng(0).standard_normal((17, 129))
        >>> nearest = stft.project(spectrum, 1000)
        >>> bool(np.allclose(stft.project(nearest, 1000), nearest))
        True
        """
        window = self._checked_window()
        _check_n_samples(n_samples)
        values = np.asarray(spectrum)
        n_frames = self.n_frames(int(n_samples))
        if values.shape[-2:] != (n_frames, self.n_bins):
            raise ValueError(
                f"spectrum must have shape (..., {n_frames}, {self.n_bins}) for {n_samples} samples, "
                f"got {values.shape}."
            )
        if values.dtype.kind not in "iufc" or not np.isfinite(values).all():
            raise ValueError("spectrum must hold finite numbers.")
        values = values.astype(np.result_type(values.dtype, np.complex64), copy=False)
        frames, hop = _windowed_frames(values, self.n_fft), self.hop_samples
        wave = next(overlap_add([frames], window, hop=hop, n_frames=n_frames, n_samples=int(n_samples)))
        cut = cut_frames(wave, 0, n_frames, n_fft=self.n_fft, hop=hop)
        return np.fft.rfft(cut * window.astype(wave.dtype)).astype(values.dtype, copy=False)

    def _checked_spectrum(
        self, magnitudes: NDArray[np.floating], phase: NDArray[np.complexfloating]
    ) -> NDArray[np.complexfloating]:
        """Return the complex spectrum of a block of frames after checking that sizes agree."""
        if np.iscomplexobj(magnitudes):
            raise ValueError("Complex data not supported: magnitudes must be real.")
        if magnitudes.ndim < 2 or magnitudes.shape[-1] != self.n_bins:
            raise ValueError(f"magnitudes must have shape (..., n_frames, {self.n_bins}), got {magnitudes.shape}.")
        if phase.shape not in (magnitudes.shape[-2:], magnitudes.shape):
            raise ValueError(f"phase must have shape {magnitudes.shape[-2:]} or that of magnitudes, got {phase.shape}.")
        if magnitudes.dtype != np.float32:
            magnitudes = magnitudes.astype(np.float64, copy=False)
        if not np.iscomplexobj(phase):
            phase = phase.astype(np.result_type(phase.dtype, np.complex64))
        spectrum = magnitudes * phase
        if not np.isfinite(spectrum).all():
            raise ValueError("magnitudes or phase contain NaN or infinity.")
        return spectrum

    def _checked_window(self) -> NDArray[np.float64]:
        """Return the window after checking the parameters and that every sample can be recovered."""
        self._validate_params()
        from scipy.signal import get_window

        try:
            window = np.asarray(get_window(self.window, self.n_fft))
        except (TypeError, ValueError) as error:
            raise ValueError(f"window={self.window!r} is not a window of scipy.signal.get_window: {error}") from error

        hop = self.hop_samples
        if not least_coverage(window, hop) > _MIN_COVERAGE:
            raise ValueError(
                f"An STFT with n_fft={self.n_fft}, hop_length={hop} and window={self.window!r} cannot be inverted, "
                "since neighbouring frames overlap too little; "
                f"take a hop_length of at most n_fft // 2 = {self.n_fft // 2}."
            )
        return window


def _analyze_frames(
    frames: NDArray[np.floating], window: NDArray[np.float64]
) -> tuple[NDArray[np.floating], NDArray[np.complexfloating]]:
    """Return magnitudes and phase of frames, transformed in double precision and rounded to theirs."""
    return split_spectrum(np.fft.rfft(frames * window).astype(np.result_type(frames, np.complex64), copy=False))


def _windowed_frames(spectrum: NDArray[np.complexfloating], n_fft: int) -> NDArray[np.floating]:
    """Return the samples of frames; NumPy 1 returns double precision for every spectrum."""
    return np.fft.irfft(spectrum, n_fft).astype(spectrum.real.dtype, copy=False)


def split_spectrum(
    spectrum: NDArray[np.complexfloating],
) -> tuple[NDArray[np.floating], NDArray[np.complexfloating]]:
    """Return magnitudes and phase of a spectrum, as `STFT.analyze` does."""
    magnitudes = np.abs(spectrum)
    # subnormal numbers are too coarse to give a phase of modulus 1
    silent = magnitudes < np.finfo(magnitudes.dtype).tiny
    magnitudes[silent] = 0
    phase = np.divide(spectrum, magnitudes, out=np.ones_like(spectrum), where=~silent)
    return magnitudes, phase


def _check_n_samples(n_samples: object) -> None:
    if isinstance(n_samples, bool) or not isinstance(n_samples, Integral) or n_samples < 1:
        raise ValueError(f"n_samples must be a positive integer, got {n_samples!r}.")
