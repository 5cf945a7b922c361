"""The sample of the TIMIT speech corpus that NLTK distributes."""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Iterator
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import get_data_home
from sklearn.utils import Bunch

from sklearn_gass._validation import Interval, StrOptions, validate_params
from sklearn_gass.datasets._download import Archive, download

__all__ = ["fetch_timit_sample"]

logger = logging.getLogger(__name__)

_ARCHIVE = Archive(
    url="https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/packages/corpora/timit.zip",
    size=22_251_869,
    md5="34c047c4749a811287f2c652104d7849",
)
_ENVIRONMENT = "SKLEARN_GASS_DATA"
_SAMPLE_RATE = 16000
_UTTERANCES = 10  # per speaker
_PROTOCOL = ("faem0", "falk0", "falr0", "ftlg0", "fvmh0", "madc0", "maeb0", "marc0", "mbgt0", "mcpm0")
_SPEAKER_FOLDER = re.compile(r"dr[1-8]-([fm][a-z]{2,3}\d)")
_WANTED_FILE = re.compile(rf"timit/({_SPEAKER_FOLDER.pattern})/(s[aix]\d+\.(?:wav|txt))")

_DESCR = """\
TIMIT sample
============

Read American English sentences, ten by each speaker, recorded at 16 kHz: the sample of the TIMIT acoustic-phonetic
continuous speech corpus that NLTK distributes. Sentences sa1 and sa2 are the same for every speaker. The full sample
has 16 speakers, one female and one male of each of eight dialect regions; the subset "protocol" has the ten speakers of
regions 1 to 5.

This corpus sample is Copyright 1993 Linguistic Data Consortium, and is distributed under the terms of the Creative
Commons Attribution, Non-Commercial, ShareAlike license (CC BY-NC-SA), http://creativecommons.org/

J. S. Garofolo, L. F. Lamel, W. M. Fisher, J. G. Fiscus, D. S. Pallett, N. L. Dahlgren, V. Zue, "TIMIT
Acoustic-Phonetic Continuous Speech Corpus", LDC93S1, Linguistic Data Consortium, Philadelphia, 1993.
"""


class _Recording(NamedTuple):
    speaker: str
    sentence: str
    wave: Path


@validate_params(
    {
        "subset": [StrOptions({"protocol", "all"})],
        "data_home": [str, PathLike, None],
        "download_if_missing": ["boolean"],
        "return_X_y": ["boolean"],
        "n_retries": [Interval(Integral, 0, None, closed="left")],
        "delay": [Interval(Real, 0.0, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def fetch_timit_sample(
    *,
    subset: str = "protocol",
    data_home: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Bunch | tuple[list[NDArray[np.float32]], NDArray[np.str_]]:
    """Load the TIMIT sample: read sentences of female and male speakers (speech separation).

    The function looks into the folder that the environment variable ``SKLEARN_GASS_DATA`` names, then into `data_home`.
    Either may be the ``timit`` folder or contain it. If the data is in neither, it is downloaded from the server of
    NLTK's data (22 MB). The next call continues an interrupted download.

    The sample is Copyright 1993 Linguistic Data Consortium and distributed under the Creative Commons Attribution,
    Non-Commercial, ShareAlike licence (CC BY-NC-SA): check that your use is non-commercial.

    Parameters
    ----------
    subset : {"protocol", "all"}, default="protocol"
        "protocol" gives the ten speakers, five female and five male, of the benchmark of 25 pairs (100 utterances).
        "all" gives every speaker in the folder (16 in the downloaded sample).
    data_home : str or path-like, default=None
        Folder that keeps the data. None means the subfolder ``sklearn_gass`` of scikit-learn's data folder.
    download_if_missing : bool, default=True
        If False, raise OSError if the data is in neither folder.
    return_X_y : bool, default=False
        If True, return ``(utterances, speakers)`` instead of a Bunch.
    n_retries : int, default=3
        How many times to try again after a failed download.
    delay : float, default=1.0
        Seconds before the first retry; each further one waits twice as long.

    Returns
    -------
    data : Bunch
        utterances : list of n_utterances float32 ndarray of shape (n_samples_i,)
            Waveforms in [-1, 1]. Speakers are in alphabetical order, and so are the files of each speaker.
        speakers : ndarray of str of shape (n_utterances,)
            Speaker of each utterance, such as "falk0".
        groups : ndarray of str of shape (n_utterances,)
            Utterance ids, such as "falk0/sa1", to keep an utterance whole when its frames are split.
        sexes : ndarray of str of shape (n_utterances,)
            "f" or "m".
        sentences : ndarray of str of shape (n_utterances,)
            Transcripts.
        sample_rate : int
            16000 Hz.
        filenames : ndarray of str of shape (n_utterances,)
            Files read.
        DESCR : str
            Description and licence.
    (utterances, speakers) : tuple if `return_X_y` is True
        The two fields of the Bunch.

    Raises
    ------
    OSError
        If the data is missing and `download_if_missing` is False, the download failed, or a file is damaged.

    See Also
    --------
    make_voices : Synthetic voices, where real speech cannot be had.
    speaker_pairs : The pairs and splits of the benchmark.

    References
    ----------
    .. [1] J. S. Garofolo et al., "TIMIT Acoustic-Phonetic Continuous Speech Corpus", LDC93S1, 1993.

    Examples
    --------
    >>> from sklearn_gass.datasets import fetch_timit_sample
    >>> data = fetch_timit_sample()  # doctest: +SKIP
    >>> len(data.utterances), str(data.groups[0])  # doctest: +SKIP
    (100, 'faem0/sa1')
    """
    folder = _locate(data_home, subset)
    if folder is None:
        home = _data_home(data_home)
        if not download_if_missing:
            raise OSError(
                f"The TIMIT sample is not in {home}, nor in a folder named by the environment variable {_ENVIRONMENT} "
                f"({os.environ.get(_ENVIRONMENT) or 'not set'}), and download_if_missing is False."
            )
        folder = _install(home, n_retries=n_retries, delay=delay)
    data = _load(folder, subset)
    return (data.utterances, data.speakers) if return_X_y else data


def _data_home(data_home: str | PathLike[str] | None) -> Path:
    if data_home is None:
        return Path(get_data_home()) / "sklearn_gass"
    return Path(data_home).expanduser()


def _locate(data_home: str | PathLike[str] | None, subset: str) -> Path | None:
    """Return the first ``timit`` folder with all speakers asked for."""
    named = os.environ.get(_ENVIRONMENT)
    if named:
        root = Path(named).expanduser()
        for folder in (root / "timit", root):
            if _is_complete(folder, subset):
                return folder
        logger.warning("%s names %s, which does not hold the TIMIT sample.", _ENVIRONMENT, root)
    home = _data_home(data_home)
    return next((folder for folder in (home / "timit", home) if _is_complete(folder, subset)), None)


def _is_complete(folder: Path, subset: str) -> bool:
    counts = {speaker: len(list(path.glob("*.wav"))) for speaker, path in _speaker_folders(folder).items()}
    wanted = counts.keys() if subset == "all" else _PROTOCOL
    return bool(counts) and all(counts.get(speaker, 0) >= _UTTERANCES for speaker in wanted)


def _speaker_folders(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    matches = ((_SPEAKER_FOLDER.fullmatch(path.name), path) for path in folder.iterdir())
    return dict(sorted((match[1], path) for match, path in matches if match))


def _install(home: Path, *, n_retries: int, delay: float) -> Path:
    """Download and unpack the sample into a data folder; processes that do so at once wait for the first."""
    from filelock import FileLock

    home.mkdir(parents=True, exist_ok=True)
    target = home / "timit"
    with FileLock(home / ".timit.lock"):
        if _is_complete(target, "protocol"):
            return target
        if target.exists():
            raise OSError(f"{target} lacks some files of the TIMIT sample. Remove it to download the sample again.")
        archive = home / "timit.zip"
        logger.info("Downloading the TIMIT sample from %s (%.0f MB).", _ARCHIVE.url, _ARCHIVE.size / 1e6)
        download(_ARCHIVE, archive, n_retries=n_retries, delay=delay)
        with TemporaryDirectory(dir=home, prefix=".timit-") as scratch:
            unpacked = Path(scratch) / "timit"
            _unpack(archive, unpacked)
            os.replace(unpacked, target)
        archive.unlink()
    return target


def _unpack(archive: Path, folder: Path) -> None:
    """Write the recordings and transcripts of the archive; no other path in it is ever used."""
    try:
        with ZipFile(archive) as members:
            for member in members.infolist():
                match = _WANTED_FILE.fullmatch(member.filename)
                if match is None:
                    continue
                path = folder / match[1] / match[3]
                path.parent.mkdir(parents=True, exist_ok=True)
                with members.open(member) as source, path.open("wb") as copy:
                    shutil.copyfileobj(source, copy)
    except BadZipFile as error:
        raise OSError(f"{archive} is not a readable zip file: {error}") from error
    if not _is_complete(folder, "protocol"):
        raise OSError(f"{archive} does not hold the TIMIT sample.")


def _recordings(folder: Path, subset: str) -> Iterator[_Recording]:
    for speaker, path in _speaker_folders(folder).items():
        if subset == "all" or speaker in _PROTOCOL:
            for wave in sorted(path.glob("*.wav")):
                yield _Recording(speaker, _read_transcript(wave.with_suffix(".txt")), wave)


def _read_transcript(path: Path) -> str:
    """Return the sentence, which stands after the numbers of its first and last sample."""
    parts = path.read_text(encoding="ascii", errors="replace").split(maxsplit=2)
    if len(parts) < 3:
        raise OSError(f"{path} is damaged or not a TIMIT transcript.")
    return parts[2].strip()


def _read_sphere(path: Path) -> NDArray[np.float32]:
    """Read one recording and hold it against the sample count in its header."""
    import soundfile

    wave: NDArray[np.float32]
    try:
        wave, sample_rate = soundfile.read(path, dtype="float32")
    except soundfile.LibsndfileError as error:
        raise OSError(f"{path} is not a readable recording: {error}") from error
    with path.open("rb") as file:
        announced = re.search(rb"sample_count -i (\d+)", file.read(1024))
    if sample_rate != _SAMPLE_RATE or wave.ndim != 1 or (announced and len(wave) != int(announced[1])):
        raise OSError(f"{path} is damaged or not a TIMIT recording.")
    return wave


def _load(folder: Path, subset: str) -> Bunch:
    recordings = list(_recordings(folder, subset))
    fields: dict[str, Any] = {
        "utterances": [_read_sphere(recording.wave) for recording in recordings],
        "speakers": np.array([recording.speaker for recording in recordings]),
        "groups": np.array([f"{recording.speaker}/{recording.wave.stem}" for recording in recordings]),
        "sexes": np.array([recording.speaker[0] for recording in recordings]),
        "sentences": np.array([recording.sentence for recording in recordings]),
        "sample_rate": _SAMPLE_RATE,
        "filenames": np.array([str(recording.wave) for recording in recordings]),
        "DESCR": _DESCR,
    }
    return Bunch(**fields)
