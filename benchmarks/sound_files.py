"""Damage sound files of every format and count what a decoder makes of them.

One second of noise is written in every format and encoding that soundfile writes and ``load_audio`` reads. Each file is
cut short, loses a piece of its middle, gets zeros over a piece, or a flipped bit, ``--n`` times each. A file is *whole*
if as many samples come back as were written, or more; *refused* if an error comes; *short* if fewer samples come back
without one, which is what must not happen. Bits flipped in a header can change its meaning, such as the number of
channels, in which case the samples are others.

Run ``python benchmarks/sound_files.py``, and with ``--decoder soundfile`` or ``--decoder av`` (PyAV, to be installed
first) for comparison.
"""

from __future__ import annotations

import argparse
import io
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import soundfile

from sklearn_gass.audio_io import load_audio

RATE = 16000
FORMATS = {
    "WAV": ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "IMA_ADPCM", "GSM610"],
    "RF64": ["PCM_16"],
    "W64": ["PCM_16"],
    "AIFF": ["PCM_16", "FLOAT"],
    "AU": ["PCM_16"],
    "CAF": ["PCM_16", "ALAC_16"],
    "NIST": ["PCM_16"],
    "FLAC": ["PCM_16", "PCM_24"],
    "OGG": ["VORBIS", "OPUS"],
    "MP3": ["MPEG_LAYER_III"],
}


def make_files() -> dict[str, bytes]:
    """Return files by format and encoding."""
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, RATE)
    files = {}
    for file_format, subtypes in FORMATS.items():
        for subtype in subtypes:
            content = io.BytesIO()
            soundfile.write(content, wave, RATE, format=file_format, subtype=subtype)
            files[f"{file_format} {subtype}"] = content.getvalue()
    return files


def cut(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: rng.integers(len(content))]


def hole(content: bytes, rng: np.random.Generator) -> bytes:
    begin, end = sorted(rng.choice(len(content), 2, replace=False))
    return content[:begin] + content[end:]


def zeros(content: bytes, rng: np.random.Generator) -> bytes:
    n_zeros = int(rng.integers(1, 400))
    begin = int(rng.integers(len(content) - n_zeros))
    return content[:begin] + bytes(n_zeros) + content[begin + n_zeros :]


def flip(content: bytes, rng: np.random.Generator) -> bytes:
    damaged = bytearray(content)
    damaged[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


DAMAGES = {"cut": cut, "hole": hole, "zeros": zeros, "flip": flip}


def damaged_files(content: bytes, damage: Callable, n_files: int, seed: int = 0) -> Iterator[bytes]:
    """Yield damaged copies of a file, the same ones for the same seed."""
    rng = np.random.default_rng(seed)
    for _ in range(n_files):
        yield damage(content, rng)


def outcome(content: bytes, decode: Callable[[bytes], int]) -> str:
    try:
        return "whole" if decode(content) >= RATE else "short"
    except (ValueError, OSError):
        return "refused"


def decode_here(content: bytes) -> int:
    return load_audio(io.BytesIO(content), mono=False)[0].shape[1]


def decode_with_soundfile(content: bytes) -> int:
    try:
        return len(soundfile.read(io.BytesIO(content))[0])
    except soundfile.SoundFileError as error:
        raise ValueError from error


def decode_with_av(content: bytes) -> int:
    import av

    n_samples, rate = 0, RATE
    try:
        with av.open(io.BytesIO(content)) as container:
            for frame in container.decode(audio=0):
                n_samples, rate = n_samples + frame.samples, frame.sample_rate
    except (av.FFmpegError, IndexError) as error:
        raise ValueError from error
    return n_samples * RATE // rate


DECODERS = {
    "sklearn_gass": decode_here,
    "soundfile": decode_with_soundfile,
    "av": decode_with_av,
}


def count(content: bytes, damage: str, n_files: int, decode: Callable[[bytes], int] = decode_here) -> Counter:
    """Return how often damaged copies of a file are whole, refused and short."""
    return Counter(outcome(file, decode) for file in damaged_files(content, DAMAGES[damage], n_files))


def row(name: str, intact: str, counts: dict[str, Counter]) -> str:
    cells = [", ".join(str(counted[key]) for key in ("whole", "refused", "short")) for counted in counts.values()]
    return f"| {name} | {intact} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=100, help="damaged copies of each file and kind (default: 100)")
    parser.add_argument("--decoder", choices=DECODERS, default="sklearn_gass")
    args = parser.parse_args()
    decode = DECODERS[args.decoder]
    print(f"| {args.decoder} | intact | {' | '.join(f'{name}: whole, refused, short' for name in DAMAGES)} |")
    print(f"| --- | --- |{' --- |' * len(DAMAGES)}")
    totals = {damage: Counter() for damage in DAMAGES}
    for name, content in make_files().items():
        counts = {damage: count(content, damage, args.n, decode) for damage in DAMAGES}
        print(row(name, outcome(content, decode), counts), flush=True)
        for damage, total in totals.items():
            total.update(counts[damage])
    print(row("all", "", totals))


if __name__ == "__main__":
    main()
