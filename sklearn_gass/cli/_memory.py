"""Tell errors that come from too little memory, of which each library has its own."""

from __future__ import annotations

import errno
from collections.abc import Iterator

# as torch, the loader of shared libraries, the C++ library, threads and Python's own C code say it
_WORDS = (
    *("can't allocate memory", "cannot allocate memory", "out of memory", "not enough memory", "bad_alloc"),
    *("failed to map segment", "can't start new thread", "without exception set", "without setting an exception"),
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
    says_so = isinstance(error, RuntimeError | ImportError | OSError | SystemError)
    return says_so and any(words in str(error).lower() for words in _WORDS)
