"""Open what a sound is read from: a file, a named pipe, or a file object."""

from __future__ import annotations

import io
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

_PATIENCE = 5.0  # seconds until a program has to write into a pipe
_PAUSE = 0.02
_N_AT_ONCE = 2**20


@contextmanager
def open_source(source: Any) -> Iterator[tuple[BinaryIO, str]]:
    """Open a sound file.

    Parameters
    ----------
    source : str, path-like or binary file
        A path, that of a pipe among them, or an open file, which stays open.

    Yields
    ------
    file : binary file
        Seekable, at the first byte of the sound.
    name : str
        What to call the file in an error.

    Raises
    ------
    OSError
        If the path names no file that can be read.
    TypeError
        If `source` is neither a path nor a binary file.
    """
    if isinstance(source, str | os.PathLike):
        name = os.fsdecode(source)
        with _open_path(name) as file:
            yield file, name
        return
    if not hasattr(source, "read") or isinstance(source, io.TextIOBase):
        raise TypeError(
            f"A sound file must be given as a path or as a file open in binary mode, got {type(source).__name__}."
        )
    name = source.name if isinstance(getattr(source, "name", None), str) else f"<{type(source).__name__}>"
    yield source if _is_seekable(source) else io.BytesIO(source.read()), name


def _is_seekable(file: Any) -> bool:
    return hasattr(file, "seekable") and file.seekable()


def _open_path(name: str) -> BinaryIO:
    """Open a file; all of a pipe is read into memory, since it cannot be read twice."""
    try:
        mode = os.stat(name).st_mode
    except FileNotFoundError:
        raise FileNotFoundError(f"Audio file {name} does not exist.") from None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"Audio file {name} is a folder.")
    if stat.S_ISFIFO(mode):
        return io.BytesIO(_read_pipe(name))
    if not stat.S_ISREG(mode):
        raise OSError(f"Audio file {name} is a device, not a file.")
    return open(name, "rb")


def _read_pipe(name: str) -> bytes:
    """Return all that is written into a pipe, unless nobody begins to within a few seconds."""
    deadline = time.monotonic() + _PATIENCE
    pipe = os.open(name, os.O_RDONLY | os.O_NONBLOCK)
    try:
        content = bytearray()
        while time.monotonic() < deadline:
            try:
                content += os.read(pipe, _N_AT_ONCE)
            except BlockingIOError:  # a program has opened the pipe and is about to write
                break
            if content:
                break
            time.sleep(_PAUSE)
        else:
            raise OSError(f"Audio file {name} is a pipe into which no program writes.")
        os.set_blocking(pipe, True)
        while block := os.read(pipe, _N_AT_ONCE):
            content += block
        return bytes(content)
    finally:
        os.close(pipe)
