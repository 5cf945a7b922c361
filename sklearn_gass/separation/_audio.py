"""The separator for waveforms: what most people hold."""

from __future__ import annotations

import copy
from numbers import Integral, Real

import numpy as np
from sklearn import get_config
from sklearn.base import clone
from sklearn.utils import check_array
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from sklearn_gass._random import derive_seed, seed_if_unseeded
from sklearn_gass._validation import (
    HasMethods,
    Interval,
    all_or_nothing,
    check_labels,
    check_utterances,
    check_wave,
    fit_context,
    is_ragged,
    learned,
    refuse_class,
)
from sklearn_gass.progress import printing
from sklearn_gass.scoring import SeparationScorer
from sklearn_gass.separation._blockwise import clean_frames, found_best, separate_pieces
from sklearn_gass.separation._owner import SeparatorOwner
from sklearn_gass.separation._parameters import nested_now
from sklearn_gass.separation._reuse import listed, take_separators_of_frames
from sklearn_gass.separation._separation import Separation
from sklearn_gass.separation._separator import SupervisedSeparator
from sklearn_gass.separation._spread import RecordingSpread, SpreadSampler
from sklearn_gass.stft import STFT


class AudioSeparator(SeparatorOwner):
    """Separate waveforms: frames, source models, masks and resynthesis in one estimator.

    One sample is one utterance, so scikit-learn's plain splitters keep utterances whole. Levels do not matter: each
    source is trained at unit standard deviation, a mixture of n sources is brought to that of n such sources, and
    the separated waveforms have the mixture's own level. Training is in single precision, whatever the waveforms have.
    Integer samples of 8, 16 or 32 bits are divided by their full scale.

    Constant offsets and all below 20 Hz, which nobody hears, are left out before frames are made. What the mixture has
    of them goes to the source with a `BackgroundModel`, or else to all sources equally, which still sum to the mixture.

    Long mixtures are worked on in blocks of frames, so that memory beyond that of the waveforms themselves does not
    grow with their length; `separate_blocks` does without an array of the whole result, too. The numbers are the same
    to the last bit as those of all frames at once. With a `BackgroundModel` blocks have half a minute, and each goes
    on with what was learned before.

    Neighbouring frames of a recording are alike, so their latents are kept near each other unless the separator's
    `smoothness` says otherwise.

    Parameters
    ----------
    separator : SupervisedSeparator, SupervisedSeparatorCV or None, default=None
        What separates the frames; ``None`` means ``SupervisedSeparator()``. One that searches is told which frames
        are of one utterance.
    stft : STFT or None, default=None
        How frames are made; ``None`` means ``STFT()``, 1024 samples every 256.
    sample_rate : int, default=16000
        Samples per second of all waveforms; kept for files and players.
    consistency : float, default=20.0
        Weight of consistency in the Wiener filter [1]_ that follows the masks. The larger it is, the more neighbouring
        frames decide where the models are not sure. Try 10 and 30 first. 0 leaves masked mixtures, which may be better
        for weak models. It acts at separation.
    random_state : int, RandomState instance or None, default=None
        Seed given to a separator that has none of its own.
    verbose : int, default=0
        If not 0, `fit` prints a line for each part that it has trained, and one every ten seconds in between. See
        :mod:`sklearn_gass.progress` for more.

    Attributes
    ----------
    classes_ : ndarray of shape (n_sources,)
        Sorted labels of the sources.
    separator_ : SupervisedSeparator or SupervisedSeparatorCV
        The fitted separator of frames.
    stft_ : STFT
        The transform that was used.
    n_features_in_ : int
        Samples per waveform; only if fitted on an array of equally long waveforms.

    See Also
    --------
    SupervisedSeparator : The same for frames.

    References
    ----------
    .. [1] J. Le Roux, E. Vincent, "Consistent Wiener Filtering for Audio Source Separation", IEEE Signal Processing
       Letters 20(3), 2013.

    Examples
    --------
    >>> from sklearn_gass import AudioSeparator, NMFSourceModel, SupervisedSeparator
    >>> from sklearn_gass.datasets import make_mixture, make_voices
    >>> voices = make_voices(2, n_utterances=3, duration=1.0, random_state=0)
    >>> separator = SupervisedSeparator(NMFSourceModel(n_components=5, max_iter=20, random_state=0))
    >>> audio = AudioSeparator(separator, sample_rate=voices.sample_rate).fit(voices.utterances, voices.speakers)
    >>> mixture, _ = make_mixture([voices.utterances[0], voices.utterances[3]])
    >>> audio.separate(mixture)
    Separation of 1.00 s at 16000 Hz into voice0, voice1
    """

    _parameter_constraints: dict = {
        "separator": [HasMethods(["fit", "separate"]), None],
        "stft": [HasMethods(["analyze", "analyze_blocks", "synthesize_blocks", "project", "noise_power"]), None],
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
        "consistency": [Interval(Real, 0, 1e6, closed="both")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(self, separator=None, *, stft=None, sample_rate=16000, consistency=20.0, random_state=None, verbose=0):
        self.separator = separator
        self.stft = stft
        self.sample_rate = sample_rate
        self.consistency = consistency
        self.random_state = random_state
        self.verbose = verbose

    @classmethod
    def from_fitted(cls, separator, **params):
        """Make a separator of waveforms of a separator of frames, or of source models, that were fitted before.

        They must have been fitted on frames that an `AudioSeparator` with the same STFT and sample rate makes: those of
        its own ``separator_`` and ``separator_.source_models_``, or frames of recordings at unit standard deviation.
        A list is put together by :meth:`SupervisedSeparator.from_fitted`. So a source is added to fitted ones, or left
        out, without training any source model again. Start and critic begin at those of the separator that most sources
        come from, and train for a short time. From source models alone they are trained from the beginning.

        Parameters
        ----------
        separator : fitted SupervisedSeparator or SupervisedSeparatorCV, or list of (label, fitted model or separator)
            What separates the frames. In a list, or a tuple, a model is a source model; or a separator of frames or an
            `AudioSeparator`, of which the source with that label is taken, with the STFT and sample rate of the latter;
            or an unfitted `BackgroundModel`.
        **params : dict
            Further constructor parameters, such as `stft` and `sample_rate`. For a list, also those of the separator
            that is made, such as ``separator__start__max_iter=1500`` for a longer training. A fitted separator has its
            own; those that act at separation may be set afterwards, by `set_params`.

        Returns
        -------
        audio : AudioSeparator
            A fitted separator.

        Raises
        ------
        ValueError
            If it is neither a separator nor a list, parameters are given for a separator that is fitted, the STFT makes
            frames of another width than was trained on, a separator has no source of that label, or two of them differ
            in STFT or sample rate.

        Examples
        --------
        >>> from sklearn_gass import AudioSeparator, BackgroundModel, NMFSourceModel, SupervisedSeparator
        >>> from sklearn_gass.datasets import make_voices
        >>> X, y = make_voices(3, n_utterances=2, duration=0.5, random_state=0, return_X_y=True)
        >>> pair = AudioSeparator(SupervisedSeparator(NMFSourceModel(5))).fit(X[:4], y[:4])
        >>> models = [("voice2", NMFSourceModel(5)), ("rest", BackgroundModel())]
        >>> third = AudioSeparator(SupervisedSeparator(models)).fit(X[4:], y[4:])
        >>> three = AudioSeparator.from_fitted([("voice0", pair), ("voice1", pair), ("voice2", third)])
        >>> three.classes_.tolist()
        ['voice0', 'voice1', 'voice2']
        """
        of_frames: dict = {}
        refuse_class("What from_fitted takes", separator)
        if not hasattr(separator, "separate"):
            items = listed(separator, also="a fitted separator of frames or ")
            separator, params, of_frames = take_separators_of_frames(items, params)
        elif nested := [name for name in params if name.startswith("separator__")]:
            raise ValueError(
                f"{nested[0]} is for a list of fitted models, while a fitted separator brings its own parameters: call "
                "set_params on the AudioSeparator that from_fitted returns, which sets what acts at separation."
            )
        audio = cls(**params)
        audio._validate_params()
        seed = derive_seed(audio.random_state)
        if isinstance(separator, list):
            separator = SupervisedSeparator.from_fitted(separator, **{"random_state": seed, **of_frames})
        if hasattr(separator, "separate_blocks"):
            raise ValueError(f"from_fitted takes a fitted separator of frames, got {type(separator).__name__}.")
        check_is_fitted(separator)
        audio.separator = separator
        audio.stft_ = STFT() if audio.stft is None else clone(audio.stft)
        if audio.stft_.n_bins != separator.n_features_in_:
            raise ValueError(
                f"The separator was fitted on frames of {separator.n_features_in_} bins, but the STFT makes "
                f"{audio.stft_.n_bins}: give the stft that the frames were made with."
            )
        audio.classes_, audio.separator_ = separator.classes_, separator
        audio._remember_parameters()
        return audio

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y):
        """Train on clean utterances.

        With ``separator__warm_start=True`` a fitted separator goes on from what it has learned.

        Parameters
        ----------
        X : list of ndarray of shape (n_samples,) or array-like of shape (n_utterances, n_samples)
            Clean waveforms.
        y : array-like of shape (n_utterances,)
            Source of each utterance.

        Returns
        -------
        self : AudioSeparator
            The fitted separator.

        Raises
        ------
        ValueError
            If `y` names fewer than two sources, a source is silent, or a waveform is empty, not 1-D, complex or holds
            NaN, or if the checkpoint of the separator is of another training.
        """
        with all_or_nothing(self), printing(self.verbose):
            earlier = getattr(self, "separator_", None)
            waves, y = check_utterances(self, X, y, reset=True)
            separator = clone(self._complete().separator)
            labels, codes = check_labels(y, unit="utterances", fewest=getattr(separator, "_fewest_labels", 2))
            self.stft_ = STFT() if self.stft is None else clone(self.stft)
            frames, sources, utterances = clean_frames(waves, codes, labels, self.stft_, self.sample_rate)
            if self.random_state is not None:
                seed_if_unseeded(separator, derive_seed(self.random_state))
            if isinstance(separator, SupervisedSeparator) and type(earlier) is type(separator):
                vars(separator).update(learned(earlier))  # for its warm_start
            # a separator that searches splits frames by utterance
            groups = {"groups": utterances} if _takes_groups(separator) else {}
            self.separator_ = separator.fit(frames, labels[sources], **groups)
            self.classes_ = self.separator_.classes_
            self._remember_parameters()
        return self

    def separate(self, mixture, sample_rate=None, *, n_samples=None):
        """Separate one mixture.

        Parameters
        ----------
        mixture : array-like of shape (n_samples,)
            Waveform at the sample rate of the separator.
        sample_rate : int or None, default=None
            Its rate in Hz; another one is refused, as in ``separate(*load_audio(path))``. ``None`` checks nothing.
        n_samples : int or None, default=None
            Number of plausible separations to draw, from which the `spread` of the result follows: how far the true
            sources may be from the separated ones, in each bin. Try 100 first. The seed is the `random_state` of the
            separator. ``None`` draws none.

        Returns
        -------
        separation : Separation
            Waveforms that sum to the mixture; an array of shape (n_sources, n_samples) with labels, plots, players.

        Raises
        ------
        ValueError
            If the mixture is empty, not 1-D, complex or holds NaN, or has another sample rate, or if `n_samples` is no
            integer of at least 2 or there is a separator of frames that cannot draw.
        """
        check_is_fitted(self)
        mixture, now = check_wave(mixture, name="mixture"), self._now()
        now._check_rate(sample_rate)
        spread = now._recording_spread(n_samples)
        sources = now._separate(mixture, spread)
        whole = None if spread is None else spread.whole()
        return Separation(sources, self.classes_, mixture, now.sample_rate, whole)

    def separate_blocks(self, mixture, sample_rate=None, *, channels=None):
        """Separate one mixture piece by piece, for results that are written or played as they come.

        Parameters
        ----------
        mixture : array-like of shape (n_samples,)
            Waveform at the sample rate of the separator; its level is taken over the whole of it.
        sample_rate : int or None, default=None
            Its rate in Hz, so that one of another rate is refused; ``None`` checks nothing.
        channels : array-like of shape (n_channels, n_samples) or None, default=None
            Channels to separate by what was found for the mixture, which is most often their average, in its place.

        Returns
        -------
        pieces : iterator of ndarray of shape (n_sources, n), or (n_sources, n_channels, n) with channels
            Successive samples of all sources, which sum to the mixture or the channels, as those of `separate` do.

        Raises
        ------
        ValueError
            If the mixture is empty, not 1-D, complex, holds NaN or has another rate, or a channel is not as long.

        See Also
        --------
        separate : The same in one array.
        """
        check_is_fitted(self)
        mixture, now = check_wave(mixture, name="mixture"), self._now()
        now._check_rate(sample_rate)
        if channels is not None:
            if not np.size(channels) or np.ndim(channels[0]) != 1:
                raise ValueError(f"channels must have shape (n_channels, {mixture.size}), got {np.shape(channels)}.")
            channels = np.stack([check_wave(channel, name="a channel") for channel in channels])
            if channels.shape[1] != mixture.size:
                raise ValueError(f"channels must have shape (n_channels, {mixture.size}), got {channels.shape}.")
        return now._pieces(mixture, channels)

    def transform(self, X):
        """Separate several mixtures.

        Parameters
        ----------
        X : list of ndarray of shape (n_samples,) or array-like of shape (n_mixtures, n_samples)
            Mixtures.

        Returns
        -------
        S : list of ndarray of shape (n_sources, n_samples) or ndarray of shape (n_mixtures, n_sources * n_samples)
            Separated waveforms, in the order of `classes_`: a list for a list, an array for an array.
        """
        check_is_fitted(self)
        waves = check_utterances(self, X, reset=False)
        separator = self._now()
        separated = [separator._separate(wave) for wave in waves]
        return separated if is_ragged(X) else np.stack([sources.ravel() for sources in separated])

    def inverse_transform(self, S):
        """Add separated waveforms up to the mixtures.

        Parameters
        ----------
        S : list of ndarray of shape (n_sources, n_samples) or array-like of shape (n_mixtures, n_sources * n_samples)
            What `transform` returned.

        Returns
        -------
        X : list of ndarray of shape (n_samples,) or ndarray of shape (n_mixtures, n_samples)
            Mixtures.

        Raises
        ------
        ValueError
            If `S` does not hold one block per source.
        """
        check_is_fitted(self)
        n_sources = len(self.classes_)
        if isinstance(S, list) and all(np.ndim(sources) == 2 for sources in S):
            if any(len(sources) != n_sources for sources in S):
                raise ValueError(f"Every array of S must hold {n_sources} sources.")
            return [np.sum(sources, axis=0) for sources in S]
        S = check_array(S, dtype=[np.float64, np.float32], input_name="S")
        if S.shape[1] % n_sources:
            raise ValueError(f"S has {S.shape[1]} columns, which is no multiple of the {n_sources} sources.")
        return S.reshape(len(S), n_sources, -1).sum(1)

    def score(self, X, y):
        """Separate mixtures of held-out clean utterances and compare with the truth.

        The n-th utterance of each source goes into the n-th mixture at 0 dB, as many as the rarest source has.

        Parameters
        ----------
        X : list of ndarray of shape (n_samples,) or array-like of shape (n_utterances, n_samples)
            Held-out clean waveforms.
        y : array-like of shape (n_utterances,)
            Source of each; every source that was fitted must occur.

        Returns
        -------
        score : float
            Mean over mixtures and sources of the scale-invariant signal-to-distortion ratio, in dB.

        Raises
        ------
        ValueError
            If a source does not occur in `y`, or one occurs that was not fitted, or an utterance is silent.
        """
        check_is_fitted(self)
        return SeparationScorer("si_sdr")(self, *check_utterances(self, X, y, reset=False))

    def _recording_spread(self, n_samples):
        """Return what gathers a spread, ``None`` without a number of samples."""
        separator = found_best(self.separator_)
        sampler = SpreadSampler.make(n_samples, getattr(separator, "random_state", None))
        if sampler is None:
            return None
        if not isinstance(separator, SupervisedSeparator):
            raise ValueError(
                f"n_samples needs a SupervisedSeparator inside, but this one has a {type(separator).__name__}."
            )
        return RecordingSpread(sampler)

    def _separate(self, mixture, spread=None):
        """Return sources of shape (n_sources, n_samples) that sum to the mixture."""
        sources, begin = np.empty((len(self.classes_), mixture.size), mixture.dtype), 0
        for piece in self._pieces(mixture, spread=spread):
            end = begin + piece.shape[1]
            sources[:, begin:end] = piece
            begin = end
        return sources

    def _pieces(self, mixture, channels=None, spread=None):
        n_sources = len(self.classes_)
        return separate_pieces(
            self.separator_,
            self.stft_,
            mixture,
            self.sample_rate,
            n_sources,
            consistency=self.consistency,
            channels=channels,
            spread=spread,
        )

    def _check_rate(self, sample_rate):
        if sample_rate is None:
            return
        if np.ndim(sample_rate) or np.asarray(sample_rate).dtype.kind not in "iuf":
            raise ValueError(f"sample_rate must be a number, the mixture's rate in Hz, got {sample_rate!r}.")
        if sample_rate != self.sample_rate:
            raise ValueError(
                f"The mixture has {sample_rate} Hz, but this separator was made for {self.sample_rate} Hz: convert it "
                f"by sklearn_gass.audio_io.resample(mixture, {sample_rate}, {self.sample_rate})."
            )

    def _acting(self):
        return _ACTING | super()._acting()

    def _with(self, changes):
        separator = nested_now(self.separator_, changes)
        own = {name: value for name, value in changes.items() if name in _ACTING}
        if separator is self.separator_ and all(value == getattr(self, name) for name, value in own.items()):
            return self
        changed = copy.copy(self)
        for name, value in {"separator_": separator, **own}.items():
            setattr(changed, name, value)
        return changed


_ACTING = {"sample_rate", "consistency"}
"""Parameters of its own that act at separation."""


def _takes_groups(separator):
    """Tell whether `fit` may be given groups; with metadata routing, whether anything asks for them."""
    if get_config()["enable_metadata_routing"]:
        return bool(get_routing_for_object(separator).consumes("fit", ["groups"]))
    return has_fit_parameter(separator, "groups")
