"""Damage model files and count what ``load_model`` makes of them, and time it on whole ones.

A small file of a separator of waveforms is damaged in three ways. Bits are flipped, one to three in a file, half of
them in the description. Files are cut short at random places. The JSON description is edited: values are removed,
renamed, replaced and swapped, and all checksums are then set right, as someone would who means harm.

A file is *refused* if ``load_model`` raises the error that it documents, and *equal* if what was loaded is what was
saved. An edited file may also be *another* model that is sound: its parameters are allowed, its arrays fit, and it can
be cloned, saved and loaded. Anything else is *wrong*, which is what must not happen; the script then ends with 1.
Loading runs under an audit hook that forbids to import, compile or execute anything, to start programs, to reach the
network and to open any other file.

Run ``python benchmarks/robustness/model_files.py``.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import os
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.signal  # noqa: F401  # so that loading has nothing to import
from counts import record
from sklearn.base import clone

from sklearn_gass import (
    STFT,
    AudioSeparator,
    MixtureCritic,
    MixtureStart,
    SupervisedSeparator,
    SupervisedSeparatorCV,
    VAESourceModel,
    load_model,
    save_model,
)
from sklearn_gass.datasets import make_voices
from sklearn_gass.persistence._encoding import Encoder

FORBIDDEN = ("import", "compile", "exec", "os.", "subprocess.", "socket.", "ctypes.", "pickle.", "shutil.", "marshal.")
HARMLESS = {"os.listdir", "os.putenv"}


def make_small() -> AudioSeparator:
    """Return a small separator with every part that a file may hold."""
    voices = make_voices(2, n_utterances=2, duration=0.5, sample_rate=8000, random_state=0)
    waves = [wave[1000:1600].astype(np.float32) for wave in voices.utterances]
    model = VAESourceModel(2, hidden_layer_sizes=(4,), max_iter=2)
    parts = {"start": MixtureStart(4, max_iter=2), "critic": MixtureCritic(4, max_iter=2)}
    search = SupervisedSeparatorCV(SupervisedSeparator(model, max_iter=2, **parts), critic_weights=[0.0, 2.0], cv=2)
    return AudioSeparator(search, stft=STFT(32, 16), sample_rate=8000, random_state=0).fit(waves, voices.speakers)


def make_large() -> AudioSeparator:
    """Return a separator of default size, hardly trained."""
    waves = np.random.default_rng(0).normal(size=(4, 160_000)).astype(np.float32)
    parts = {"start": MixtureStart(max_iter=1), "critic": MixtureCritic(max_iter=1)}
    separator = SupervisedSeparator(VAESourceModel(max_iter=1), random_state=0, **parts)
    return AudioSeparator(separator).fit(list(waves), list("aabb"))


def flips(whole: bytes, n: int, rng: random.Random) -> Iterator[bytes]:
    """Yield files with one to three flipped bits."""
    head = 8 + int.from_bytes(whole[:8], "little")
    for i in range(n):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(head if i % 2 else len(whole))] ^= 1 << rng.randrange(8)
        yield bytes(damaged)


def truncations(whole: bytes, n: int, rng: random.Random) -> Iterator[bytes]:
    """Yield files that end early."""
    for _ in range(n):
        yield whole[: rng.randrange(len(whole))]


def edits(whole: bytes, n: int, rng: random.Random) -> Iterator[bytes]:
    """Yield files whose description was edited and has right checksums."""
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    document = json.loads(header["__metadata__"]["sklearn_gass"])
    for i in range(n):
        if i % 10 == 0:
            yield _packed(_edited_header(copy.deepcopy(header), rng), whole[8 + length :])
            continue
        changed = copy.deepcopy(document)
        for _ in range(rng.randint(1, 2)):
            inside = isinstance(changed.get("content"), dict) and rng.random() < 0.9
            _edit(changed["content"] if inside else changed, rng)
        if isinstance(changed.get("content"), dict):
            text = json.dumps(changed["content"], separators=(",", ":"))
            changed["sha256"] = hashlib.sha256(text.encode()).hexdigest()
        metadata = {"sklearn_gass": json.dumps(changed, separators=(",", ":"))}
        yield _packed({**header, "__metadata__": metadata}, whole[8 + length :])


def _packed(header: dict[str, Any], data: bytes) -> bytes:
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data


def _edited_header(header: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    name = rng.choice(sorted(set(header) - {"__metadata__"}))
    entry = header[name]
    kind = rng.randrange(4)
    if kind == 0:
        entry["shape"] = [rng.choice([0, 1, 10**6, 2**40, 2**62]) for _ in range(rng.randint(0, 4))]
    elif kind == 1:
        entry["dtype"] = rng.choice(["F64", "I8", "BF16", "F8_E4M3", "U64", "X9"])
    elif kind == 2:
        entry["data_offsets"] = [rng.choice([0, 8, 2**40]), rng.choice([0, 8, 64, 2**41])]
    else:
        header[name + "x"] = header.pop(name)
    return header


VALUES = [None, True, -1, 0, 3, 10**6, 10**30, 0.5, -2.5, 1e308, "", "x", "os.system", [], [1], {}, {"tuple": [1]}]
VALUES += [{"float": "nan"}, {"float": "inf"}, {"dict": {}}, {"same": ""}, {"array": "float32 3"}, [[[]]], "../../etc"]
VALUES += [{"tuple": [10**6] * 5}, {"scalar": ["float32", 1]}, {"strings": [[2**40], []]}, {"objects": [[0], []]}]


def _edit(tree: Any, rng: random.Random) -> None:
    """Change one random place of a tree."""
    places = []
    stack = [tree]
    while stack:
        node = stack.pop()
        children = list(node.items()) if isinstance(node, dict) else list(enumerate(node))
        places += [(node, key) for key, _ in children]
        stack += [child for _, child in children if isinstance(child, dict | list)]
    node, key = rng.choice(places)
    kind = rng.randrange(5)
    if kind == 0:
        del node[key]
    elif kind == 1 and isinstance(node, dict):
        node[rng.choice(["__class__", "__reduce__", "x", "random_state", "weights_"])] = node.pop(key)
    elif kind == 2:
        other, place = rng.choice(places)
        if place in other if isinstance(other, dict) else place < len(other):
            node[key] = copy.deepcopy(other[place])
    elif kind == 3 and isinstance(node[key], str):
        node[key] = rng.choice([node[key] + "x", node[key][:-1], "NMFSourceModel", "RandomStart", "FrozenEstimator"])
    else:
        node[key] = copy.deepcopy(rng.choice(VALUES))


def fingerprint(estimator: Any) -> tuple[str, str]:
    """Return what would be saved of an estimator: its description, and a checksum of its arrays."""
    encoder = Encoder()
    tree = json.dumps(encoder.encode_estimator(estimator, ""))
    digest = hashlib.sha256()
    for name, array in sorted(encoder.arrays.items()):
        digest.update(name.encode() + array.tobytes())
    return tree, digest.hexdigest()


class Guard:
    """An audit hook that notes what loading a file must not do."""

    def __init__(self, path: Path) -> None:
        self.path, self.active, self.seen = os.fspath(path), False, Counter()

    def __call__(self, event: str, arguments: tuple) -> None:
        """Note a forbidden event."""
        if not self.active or event in HARMLESS:
            return
        if event.startswith(FORBIDDEN) or (event == "open" and os.fspath(arguments[0]) != self.path):
            self.seen[event] += 1


def count(files: Iterator[bytes], path: Path, guard: Guard, expected: tuple[str, str], sound: bool) -> Counter:
    """Return how many files were refused, equal, another and wrong."""
    outcomes: Counter = Counter(files=0, refused=0, equal=0, another=0, wrong=0)
    for content in files:
        outcomes["files"] += 1
        path.write_bytes(content)
        guard.active = True
        try:
            loaded = load_model(path)
        except ValueError as error:
            guard.active = False
            outcomes["refused" if str(error).startswith(f"Cannot load model {path}: ") else "wrong"] += 1
            continue
        except Exception as error:
            guard.active = False
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            outcomes["wrong"] += 1
            continue
        guard.active = False
        outcomes[_outcome(loaded, path, expected, sound)] += 1
    return outcomes


def _outcome(loaded: Any, path: Path, expected: tuple[str, str], sound: bool) -> str:
    found = fingerprint(loaded)
    if found == expected:
        return "equal"
    if not sound:
        return "wrong"
    clone(loaded)
    save_model(loaded, path)
    return "another" if fingerprint(load_model(path)) == found else "wrong"


def faults(folder: Path, n_flips: int, n_truncations: int, n_edits: int, json_path: Path | None) -> bool:
    """Print the table of damaged files, record the counts, and return whether all is well."""
    path = folder / "model.safetensors"
    estimator = make_small()
    save_model(estimator, path, card="a card")
    whole, rng = path.read_bytes(), random.Random(0)
    expected = fingerprint(load_model(path))
    assert expected == fingerprint(estimator)
    guard = Guard(path)
    sys.addaudithook(guard)
    kinds = {
        "flipped bits": (flips(whole, n_flips, rng), False),
        "truncated": (truncations(whole, n_truncations, rng), False),
        "edited description": (edits(whole, n_edits, rng), True),
    }
    print(f"A file of {len(whole)} bytes.\n")
    print("| damage | files | refused | equal | another sound model | wrong |\n| --- | --- | --- | --- | --- | --- |")
    well, counts = True, {}
    for name, (files, sound) in kinds.items():
        outcomes = count(files, path, guard, expected, sound)
        well &= outcomes["wrong"] == 0
        counts[name] = dict(outcomes)
        print(f"| {name} | {' | '.join(str(n) for n in outcomes.values())} |", flush=True)
    print(f"\nForbidden events: {dict(guard.seen) or 'none'}")
    record(json_path, "model files", counts)
    return well and not guard.seen


def timings(folder: Path) -> None:
    """Print how long saving and loading take."""
    path, estimator = folder / "large.safetensors", make_large()
    seconds: dict[str, list[float]] = {"save_model": [], "load_model": []}
    for _ in range(10):
        begin = time.perf_counter()
        save_model(estimator, path)
        seconds["save_model"].append(time.perf_counter() - begin)
        begin = time.perf_counter()
        load_model(path)
        seconds["load_model"].append(time.perf_counter() - begin)
    size = path.stat().st_size
    head = 8 + int.from_bytes(path.read_bytes()[:8], "little")
    print(f"A separator of waveforms of default size: {size} bytes, of which {head} are no arrays.\n")
    print("| call | median s | shortest s |\n| --- | --- | --- |")
    for name, taken in seconds.items():
        print(f"| {name} | {np.median(taken):.3f} | {min(taken):.3f} |")


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--flips", type=int, default=10_000)
    parser.add_argument("--truncations", type=int, default=2_000)
    parser.add_argument("--edits", type=int, default=500)
    parser.add_argument("--no-timings", action="store_true", help="leave out the files of default size")
    parser.add_argument("--json", type=Path, help="file to write the counts to, beside those of other scripts")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        if not arguments.no_timings:
            timings(Path(name))
            print()
        well = faults(Path(name), arguments.flips, arguments.truncations, arguments.edits, arguments.json)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
