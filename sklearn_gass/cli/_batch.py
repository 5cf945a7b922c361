"""Separate many files, several at a time if asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from joblib import Parallel, delayed

from sklearn_gass.cli._console import CommandError, Console, stated
from sklearn_gass.cli._memory import is_out_of_memory
from sklearn_gass.cli._models import SEPARATING
from sklearn_gass.cli._outputs import publish, unfinished, writing_to
from sklearn_gass.cli._recordings import SoundFile
from sklearn_gass.cli._report import write_page
from sklearn_gass.cli._sources import Trained, write_sources


class Options(NamedTuple):
    """How to write the results of one file.

    Attributes
    ----------
    suffix : str
        Format of the sound files.
    stereo : bool
        Whether all channels are kept.
    report : bool
        Whether to write a picture and a page, too.
    """

    suffix: str = "wav"
    stereo: bool = False
    report: bool = True


class Outcome(NamedTuple):
    """What became of one file.

    Attributes
    ----------
    names : list of str
        Files that were written, the page last.
    source : SoundFile or None
        What was separated.
    problem : str
        Why it could not be separated, empty if it was.
    notices : list of str
        What to tell about it.
    """

    names: list[str]
    source: SoundFile | None
    problem: str
    notices: list[str]


class Batch(NamedTuple):
    """What became of all files.

    Attributes
    ----------
    done : list of (Path, Path, list of Path)
        Mixture, its folder, and files in it.
    sources : list of SoundFile
        Those of the mixtures that were separated.
    failed : list of (Path, str)
        Mixtures that were not separated, and why.
    """

    done: list[tuple[Path, Path, list[Path]]]
    sources: list[SoundFile]
    failed: list[tuple[Path, str]]

    def summary(self, labels: Sequence[str], suffix: str) -> dict[str, Any]:
        """Return this for programs."""
        separated = [
            {
                "mixture": str(mixture),
                "folder": str(folder),
                "sources": {label: str(folder / f"{label}.{suffix}") for label in labels},
            }
            for mixture, folder, _ in self.done
        ]
        return {"separated": separated, "failed": [{"mixture": str(path), "reason": why} for path, why in self.failed]}


def separate_all(
    trained: Trained,
    folders: Mapping[Path, Path],
    options: Options,
    console: Console,
    begin: Callable[..., None],
    *,
    output: Path,
    n_jobs: int = 1,
    strict: bool = False,
) -> Batch:
    """Separate files into their folders, in their order, and tell each as it is done.

    Raises
    ------
    CommandError
        With `strict`, if a file could not be separated.
    """
    batch = Batch([], [], [])
    with unfinished(output) as scratch:
        places = [scratch / str(number) for number in range(len(folders))]
        tasks = (
            delayed(separate_file)(trained, mixture, place, options)
            for mixture, place in zip(folders, places, strict=True)
        )
        # arrays are sent as they are: torch warns of memory maps, which cannot be written to
        parallel = Parallel(n_jobs=min(n_jobs, max(len(folders), 1)), return_as="generator", max_nbytes=None)
        with closing(parallel(tasks)) as outcomes, _telling_lost_processes():
            for (mixture, folder), place in zip(folders.items(), places, strict=True):
                begin(f"Separating {mixture.name}", SEPARATING)
                with writing_to(folder):
                    outcome = next(outcomes)
                _take(outcome, mixture, folder, place, batch, console, strict=strict)
    return batch


def separate_file(trained: Trained, mixture: Path, folder: Path, options: Options) -> Outcome:
    """Separate one file into a folder that is made for it; this may run in a process of its own."""
    console = _Notes()
    folder.mkdir()
    try:
        with console.listening():
            written = write_sources(trained, mixture, folder, suffix=options.suffix, stereo=options.stereo)
            page = []
            if options.report:
                page = write_page(
                    folder,
                    written.shown,
                    written.source.sample_rate,
                    console,
                    title=f"{mixture.name}, separated",
                    lead=trained.description,
                    notes=written.notes,
                )
    except CommandError as error:
        if is_out_of_memory(error):
            raise
        return Outcome([], None, str(error), console.notices)
    return Outcome([*written.names, *page], written.source, "", console.notices)


class _Notes(Console):
    """Keeps notices for the process that has a terminal."""

    def __init__(self) -> None:
        super().__init__()
        self.notices: list[str] = []

    def notice(self, text: str) -> None:
        self.notices.append(text)


def _take(
    outcome: Outcome, mixture: Path, folder: Path, place: Path, batch: Batch, console: Console, *, strict: bool
) -> None:
    """Move the results of one file to their folder and tell them, or tell why there are none."""
    for text in outcome.notices:
        console.notice(text)
    if outcome.source is None:
        if strict:
            raise CommandError(outcome.problem)
        console.error(outcome.problem)
        batch.failed.append((mixture, outcome.problem))
        return
    publish(place, folder)
    paths = [folder / name for name in outcome.names]
    console.result(*map(str, paths))
    batch.done.append((mixture, folder, paths))
    batch.sources.append(outcome.source)


@contextmanager
def _telling_lost_processes() -> Iterator[None]:
    with stated(
        "A process that separated files was ended by the system, most likely for lack of memory: give fewer --jobs",
        (BrokenProcessPool,),
    ):
        yield
