"""Files that appear complete or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(target: Path, kind: str) -> Iterator[BinaryIO]:
    """Open a new file beside `target` that takes its place once the block has ended well.

    Parameters
    ----------
    target : Path
        File to write. If the block or the disk fails, it stays what it was.
    kind : str
        What the file is, for messages, such as "audio file".

    Yields
    ------
    file : binary file
        To be written by the block. It reaches the disk before it gets its name, so that a power cut leaves no file of
        that name without its content.

    Raises
    ------
    OSError
        If the folder is missing, `target` is a folder, or writing fails; it names `target`.
    """
    if target.is_dir():
        raise IsADirectoryError(f"Cannot write {kind} {target}: it is a folder.")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"Cannot write {kind} {target}: the folder {target.parent} does not exist.")
    partial = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with partial.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(target)) from error
    finally:
        with suppress(OSError):
            partial.unlink()
