"""Tell errors that come from too little memory, of which each library has its own."""

from __future__ import annotations

import errno
from collections.abc import Iterator

# as torch, the loader of shared libraries, the C++ library and threads say it
_WORDS = (
    *("can't allocate memory", "cannot allocate memory", "out of memory", "not enough memory", "bad_alloc"),
    *("failed to map segment", "can't start new thread"),
)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error, or one that it came from, means that there was too little memory."""
    return any(map(_means_it, _chain(error)))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _means_it(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno == errno.ENOMEM
    # not in the sentences of this program, which name files
    return isinstance(error, RuntimeError | ImportError | OSError) and any(w in str(error).lower() for w in _WORDS)
