"""Standard output and standard error, whatever they are connected to, and text that is safe on them."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from typing import Any, TextIO

_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_UNDECODED = range(0xDC80, 0xDD00)  # bytes of file names that are not UTF-8, as Python keeps them


def visible(text: Any) -> str:
    r"""Return text in one line whose unprintable characters, such as terminal escapes, are written as ``\x1b``."""
    return "".join(char if char.isprintable() else _escape(char) for char in str(text))


def one_line(text: str) -> str:
    """Return a message of several lines in one."""
    return re.sub(r"\s*[\r\n]\s*", " ", text.strip())


def open_missing_streams() -> None:
    """Connect standard streams that the process was started without to the null device.

    Otherwise the next files to be opened would take their numbers, and prints would go there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))


def write_line(stream: TextIO, line: str) -> None:
    """Write a line at once, with escapes for characters that the stream's encoding lacks.

    Raises
    ------
    OSError
        If nothing can be written.
    """
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(visible(line).encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()


def silence(stream: TextIO) -> None:
    """Drop what a stream that cannot be written still holds, so that the interpreter does not stumble over it."""
    with suppress(OSError, ValueError):
        number = stream.fileno()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, number)
        os.close(null)
        stream.flush()


def _escape(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    code = ord(char)
    if code in _UNDECODED:
        return rf"\x{code - 0xDC00:02x}"
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")
