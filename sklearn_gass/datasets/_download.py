"""Resumable, verified download of one archive over HTTP.

An unfinished transfer stays beside its target as ``<name>.part`` and is continued by the next attempt, in this
process or a later one. The target appears by an atomic rename, and only once its size and checksum are right. A link
that stands where the unfinished transfer should is removed, so that nothing is written to where it leads.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from http.client import HTTPResponse

logger = logging.getLogger(__name__)

_CHUNK = 1 << 16
_TIMEOUT = 30.0  # seconds without any byte
_TEMPORARY_CLIENT_ERRORS = {408, 416, 425, 429}


@dataclass(frozen=True)
class Archive:
    """A file on a server, with what it takes to tell that a copy is complete.

    Attributes
    ----------
    url : str
        Address of the file.
    size : int
        Length in bytes.
    md5 : str
        Hexadecimal MD5 checksum.
    """

    url: str
    size: int
    md5: str

    def matches(self, path: Path) -> bool:
        """Return whether the file at `path` is a complete copy of the archive."""
        if not path.is_file() or path.stat().st_size != self.size:
            return False
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
        return digest.hexdigest() == self.md5


def download(archive: Archive, path: Path, *, n_retries: int = 3, delay: float = 1.0) -> None:
    """Download an archive to `path`, resuming and repeating where needed.

    Parameters
    ----------
    archive : Archive
        What to download.
    path : pathlib.Path
        Where the complete file is put, in an existing folder. A complete copy that is there already is kept.
    n_retries : int, default=3
        How many times to try again after a failed attempt.
    delay : float, default=1.0
        Seconds before the first retry; each further one waits twice as long.

    Raises
    ------
    OSError
        If no attempt gave a complete file.
    """
    from http.client import HTTPException

    if archive.matches(path):
        return
    partial = path.with_name(path.name + ".part")
    for attempt in range(n_retries + 1):
        try:
            _transfer(archive, partial)
            _verify(archive, partial)
        except (OSError, HTTPException) as error:
            if attempt == n_retries or _is_permanent(error):
                raise OSError(f"Could not download {archive.url} in {attempt + 1} attempt(s): {error}") from error
            wait = delay * 2**attempt
            logger.warning("Download of %s failed (%s); next attempt in %g s.", archive.url, error, wait)
            time.sleep(wait)
        else:
            os.replace(partial, path)
            return


def _transfer(archive: Archive, partial: Path) -> None:
    """Append what is missing to the partial file, or write it anew where the server cannot resume."""
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    start = _size_so_far(partial)
    if start >= archive.size:
        return
    headers = {"Range": f"bytes={start}-"} if start else {}
    try:
        with urlopen(Request(archive.url, headers=headers), timeout=_TIMEOUT) as response:
            resumed = _is_resumed(response, start)
            with _open_unlinked(partial, append=resumed) as file:
                missing = archive.size - (start if resumed else 0)
                # One byte more than expected is enough to see that the file is another one.
                while missing >= 0 and (chunk := response.read(min(_CHUNK, missing + 1))):
                    file.write(chunk)
                    missing -= len(chunk)
    except HTTPError as error:
        error.close()
        if error.code == 416:
            partial.unlink()
        raise


def _size_so_far(partial: Path) -> int:
    """Return the length of the unfinished file, after removing what is no file of its own."""
    try:
        status = partial.lstat()
    except FileNotFoundError:
        return 0
    if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
        return status.st_size
    partial.unlink()
    return 0


def _open_unlinked(partial: Path, *, append: bool) -> BinaryIO:
    """Open a file for writing, unless a link has been put there in the meantime."""
    flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else os.O_TRUNC)
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(partial, flags, 0o666), "ab" if append else "wb")


def _is_resumed(response: HTTPResponse, start: int) -> bool:
    """Return whether the response continues at byte `start`; False if it begins at the first byte."""
    if response.status != 206:
        return False
    content_range = response.headers.get("Content-Range", "")
    if not content_range.startswith(f"bytes {start}-"):
        raise OSError(f"the server answered a request for bytes from {start} with the range {content_range!r}")
    return True


def _verify(archive: Archive, partial: Path) -> None:
    """Raise OSError unless the file is complete; discard it if more bytes cannot make it so."""
    size = partial.stat().st_size
    if size < archive.size:
        raise OSError(f"the connection ended after {size} of {archive.size} bytes")
    if not archive.matches(partial):
        partial.unlink()
        raise OSError("the file received has a wrong size or checksum and was discarded")


def _is_permanent(error: Exception) -> bool:
    """Return whether a server's answer makes further attempts pointless (such as 404)."""
    code = getattr(error, "code", None)
    return isinstance(code, int) and 400 <= code < 500 and code not in _TEMPORARY_CLIENT_ERRORS
