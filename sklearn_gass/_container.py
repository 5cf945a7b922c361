"""The file of models and checkpoints: safetensors, whose metadata hold a JSON document with checksums.

The document is ``{"format": 1, "sha256": checksum of the content, "content": {...}}``, and the content has a checksum
of the arrays. So damage is noticed, in the content even without reading the arrays.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from sklearn_gass._files import replacing

FORMAT = 1
_KEY = "sklearn_gass"
_LARGEST_HEADER = 2**21  # bytes; the description of a thousand sources takes a quarter of it


def write(path: Path, content: dict[str, Any], arrays: Mapping[str, NDArray[Any]], *, kind: str = "model") -> None:
    """Write a file, completely or not at all.

    Parameters
    ----------
    path : Path
        File to write.
    content : dict
        What JSON can hold.
    arrays : mapping of str to ndarray
        Contiguous arrays by name.
    kind : str, default="model"
        What the file is, for messages.

    Raises
    ------
    OSError
        If it cannot be written.
    ValueError
        If the content is too large.
    """
    content = {**content, "arrays": _checksum(arrays)}
    document = json.dumps(
        {"format": FORMAT, "sha256": _digest(content), "content": content}, separators=(",", ":"), allow_nan=False
    )
    encoded = save(dict(arrays), {_KEY: document})
    if int.from_bytes(encoded[:8], "little") > _LARGEST_HEADER:
        raise ValueError(f"its description takes more than {_LARGEST_HEADER >> 20} MB")
    with replacing(path, kind) as file:
        file.write(encoded)


def read_content(path: Path) -> dict[str, Any]:
    """Return the content of a model file without reading its arrays.

    Parameters
    ----------
    path : Path
        File to read.

    Returns
    -------
    content : dict
        As it was written.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is no model file, damaged, or of a newer format.
    """
    _check_header(path)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
    except SafetensorError as error:
        _refuse(error)
    if _KEY not in metadata:
        raise ValueError("it is a safetensors file, but holds no model of sklearn_gass")
    document = _parse(metadata[_KEY])
    number = document.get("format") if isinstance(document, dict) else None
    if type(number) is int and number > FORMAT:
        raise ValueError(f"it has format {number}, and this version reads formats up to {FORMAT}: install a newer one")
    if (
        number != FORMAT
        or set(document) != {"format", "sha256", "content"}
        or not isinstance(document["content"], dict)
    ):
        raise ValueError("its description is damaged")
    content: dict[str, Any] = document["content"]
    if document["sha256"] != _digest(content):
        raise ValueError("its description is damaged: the checksum differs")
    return content


def read_arrays(path: Path, checksum: object) -> dict[str, NDArray[Any]]:
    """Return the arrays of a model file by name.

    Parameters
    ----------
    path : Path
        File to read.
    checksum : object
        What the content says of the arrays.

    Returns
    -------
    arrays : dict of str to ndarray
        Arrays in memory of their own.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is damaged.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, TypeError, AttributeError) as error:  # the latter for types that NumPy has not
        _refuse(error)
    if checksum != _checksum(arrays):
        raise ValueError("its arrays are damaged: the checksum differs")
    return arrays


def _check_header(path: Path) -> None:
    """Refuse what is no file of this kind before a library maps it into memory."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError("it is a folder" if path.is_dir() else "it is no regular file")
    with path.open("rb") as file:
        size, begin = os.fstat(file.fileno()).st_size, file.read(9)
    length = int.from_bytes(begin[:8], "little")
    if size == 0:
        raise ValueError("it is empty")
    if len(begin) < 9 or length > _LARGEST_HEADER or begin[8:] != b"{":
        raise ValueError("it is no model file")
    if 8 + length > size:
        raise ValueError("it is truncated")


def _refuse(error: Exception) -> NoReturn:
    reason = "it is truncated" if "MetadataIncompleteBuffer" in str(error) else "it is damaged"
    raise ValueError(reason) from error


def _parse(document: str) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is no number of JSON")

    try:
        return json.loads(document, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ValueError("its description is damaged") from error


def _digest(content: dict[str, Any]) -> str:
    # as parsed and written again, so that the checksum does not depend on blanks
    text = json.dumps(content, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _checksum(arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.name} {array.shape}".encode(errors="surrogatepass"))
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
