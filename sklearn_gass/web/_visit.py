"""What one visitor of the page has: models, mixtures, and files to download."""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sklearn_gass.audio_io import save_audio
from sklearn_gass.display import separation_html
from sklearn_gass.persistence import load_model, save_model
from sklearn_gass.separation import AudioSeparator, Separation
from sklearn_gass.web._training import TrainingJob
from sklearn_gass.web._tuning import Settings, Tuner
from sklearn_gass.web._uploads import UploadError, read_mixtures


class Visit:
    """One visitor.

    Parameters
    ----------
    models : dict of str to AudioSeparator
        Models that are there from the beginning.
    folder : Path
        Folder for the visitor's own folder, which `close` removes.

    Attributes
    ----------
    models : dict of str to AudioSeparator
        Models by name, those that were trained or loaded since among them.
    job : TrainingJob or None
        The training that runs, or ran last.
    tuner : Tuner or None
        The model that separates.
    """

    def __init__(self, models: Mapping[str, AudioSeparator], folder: Path):
        self.models = dict(models)
        self.job: TrainingJob | None = None
        self.tuner: Tuner | None = None
        self._mixtures: dict[str, NDArray[np.floating]] = {}
        self._separations: dict[str, Separation] = {}
        self._folder = Path(tempfile.mkdtemp(dir=folder))
        if self.models:
            self.choose(next(iter(self.models)))

    def close(self) -> None:
        """Cancel what runs, and remove the files."""
        if self.job is not None:
            self.job.cancel()
        shutil.rmtree(self._folder, ignore_errors=True)

    def add_model(self, name: str, audio: AudioSeparator) -> str:
        """Add a model under this name, or a numbered one if it is taken; return its name."""
        unique, count = name, 1
        while unique in self.models:
            count += 1
            unique = f"{name} ({count})"
        self.models[unique] = audio
        self.choose(unique)
        return unique

    def load(self, path: str) -> str:
        """Add the model of a file; return its name."""
        return self.add_model(Path(path).name, load_audio_separator(path))

    def choose(self, name: str) -> None:
        """Separate with this model from now on."""
        self.tuner = Tuner(self.models[name])
        self._mixtures, self._separations = {}, {}

    def read(self, paths: Sequence[str]) -> None:
        """Read mixtures in the place of those before."""
        if self.tuner is None:
            raise UploadError("Train a model or load one before you separate.")
        self._mixtures = read_mixtures(paths, self.tuner.audio.sample_rate)
        self.tuner.forget()

    def separate(self, settings: Settings) -> str:
        """Separate all mixtures, and return them as HTML; nothing if there is no mixture."""
        if self.tuner is None:
            return ""
        self._separations = {
            name: self.tuner.separate(name, mixture, settings) for name, mixture in self._mixtures.items()
        }
        return "".join(
            f"<h3>{escape(name)}</h3>{separation_html(found.waves(), found.sample_rate)}"
            for name, found in self._separations.items()
        )

    def sound_files(self) -> list[str]:
        """Write the separated sources, and return the paths."""
        folder = self._folder / "sounds"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        paths: list[Path] = []
        for name, found in self._separations.items():
            for label, source in zip(found.labels, found.sources, strict=True):
                paths.append(folder / f"{len(paths) + 1} {file_name(Path(name).stem)} {file_name(str(label))}.wav")
                save_audio(paths[-1], source, found.sample_rate)
        return [str(path) for path in paths]

    def model_file(self) -> str | None:
        """Write the model that separates, and return the path; None if there is no model, or no visitor."""
        if self.tuner is None:
            return None
        path = self._folder / f"{'-'.join(file_name(str(label)) for label in self.tuner.audio.classes_)}.safetensors"
        try:
            save_model(self.tuner.audio, path)
        except FileNotFoundError:  # the visitor has left, and the folder is gone
            return None
        return str(path)


class Visits:
    """All visitors of one page.

    Parameters
    ----------
    models : dict of str to AudioSeparator
        Models that everybody has from the beginning.
    folder : Path
        Where their files are.
    """

    def __init__(self, models: Mapping[str, AudioSeparator], folder: Path):
        self._models, self._folder = models, folder
        self._visits: dict[str, Visit] = {}
        self._lock = threading.Lock()

    def of(self, session: str | None) -> Visit:
        """Return the visit of a session, which begins if it is new."""
        with self._lock:
            key = session or ""
            if key not in self._visits:
                self._visits[key] = Visit(self._models, self._folder)
            return self._visits[key]

    def end(self, session: str | None) -> None:
        """End the visit of a session."""
        with self._lock:
            visit = self._visits.pop(session or "", None)
        if visit is not None:
            visit.close()

    def end_all(self) -> None:
        """End all visits."""
        for session in list(self._visits):
            self.end(session)


def load_audio_separator(path: str | Path) -> AudioSeparator:
    """Load a model that separates waveforms, or raise UploadError in one sentence."""
    name = Path(path).name
    try:
        audio = load_model(path)
    except (ValueError, OSError) as error:
        raise UploadError(str(error).replace(str(path), name)) from error
    if not isinstance(audio, AudioSeparator):
        raise UploadError(f"{name} holds a {type(audio).__name__}, but this page needs an AudioSeparator.")
    return audio


def file_name(text: str) -> str:
    """Return a text as part of a file name: letters, digits, spaces, hyphens and underscores of it."""
    return re.sub(r"[^\w -]", "_", text)[:40].strip() or "_"
