"""Players that hear the same moment: whoever starts one goes on where the other was."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LOSSLESS_BYTES = 480_000  # of all players together; beyond, pages would grow large
_MPEG_RATES = {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000}

# One player at a time, and all at one position: a player that starts takes over the position of the one that plays,
# and those that rest follow one that is stopped or moved. In attributes, since notebooks run no scripts of fragments.
_OTHERS = "for(const other of this.closest('.separation').querySelectorAll('audio'))if(other!==this"
_TAKE_OVER = f"{_OTHERS}&&!other.paused){{this.currentTime=other.currentTime;other.pause()}}"
_LEAD = f"{_OTHERS}&&other.paused&&Math.abs(other.currentTime-this.currentTime)>.05)other.currentTime=this.currentTime"


def make_players(waves: Mapping[str, NDArray[np.floating]], sample_rate: int) -> dict[str, str]:
    """Return an audio element for each waveform by name; full scale is 1.

    They are lossless FLAC as long as that is small, and MP3 otherwise.
    """
    kind, files = "flac", {name: _sound_file(wave, sample_rate, "FLAC") for name, wave in waves.items()}
    if sum(map(len, files.values())) > _LOSSLESS_BYTES and sample_rate in _MPEG_RATES and _writes_mpeg():
        kind, files = "mpeg", {name: _sound_file(wave, sample_rate, "MP3") for name, wave in waves.items()}
    return {name: _player(name, file, kind) for name, file in files.items()}


def _player(name: str, file: bytes, kind: str) -> str:
    handlers = {"onplay": _TAKE_OVER, "onpause": _LEAD, "onseeked": _LEAD}
    attributes = {"aria-label": f"Listen to {name}", **handlers}
    written = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items())
    return f'<audio controls{written} src="data:audio/{kind};base64,{b64encode(file).decode()}"></audio>'


def _sound_file(wave: NDArray[np.floating], sample_rate: int, kind: str) -> bytes:
    """Return a mono file made of 16 bits a sample."""
    import soundfile

    samples: NDArray[Any] = np.rint(wave * 32767).clip(-32768, 32767).astype(np.int16)
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, int(sample_rate), format=kind)
    return buffer.getvalue()


def _writes_mpeg() -> bool:
    import soundfile

    return "MP3" in soundfile.available_formats()  # since libsndfile 1.1
