"""``sklearn-gass sample``: frames drawn by each source model, as a picture and as sound."""

from __future__ import annotations

import argparse
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sklearn_gass import STFT, load_model
from sklearn_gass.audio_io import save_audio
from sklearn_gass.cli._console import CommandError, Console, stated
from sklearn_gass.cli._model_files import describe, describe_sources
from sklearn_gass.cli._outputs import check_file_names, check_writable, refuse_to_replace, staged
from sklearn_gass.cli._report import PAGE, PICTURE, write_page
from sklearn_gass.separation._fitting import is_background, of_waveforms, with_inner

_PEAK = 0.9
_N_STEPS = 60  # of Griffin-Lim; more are not heard
_RANGE_DB = 80.0
_NOTE = (
    "The frames were drawn one by one and do not follow each other, so this is no speech or music: it shows which "
    "spectra were learned. Griffin-Lim finds a phase for them."
)


class _Models(NamedTuple):
    by_label: dict[str, Any]
    stft: STFT
    sample_rate: int


def run(args: argparse.Namespace, console: Console) -> None:
    """Draw frames, and write a sound file for each source, a picture and a page."""
    models = _load(args.model, args.sample_rate)
    drawn = {label: model for label, model in models.by_label.items() if not _is_unknown(model)}
    if not drawn:
        raise CommandError(f"{args.model} holds nothing to draw: its source is learned from each mixture.")
    for label in models.by_label.keys() - drawn.keys():
        console.notice(f"{label} is learned from each mixture, so there is nothing to draw it from.")
    names = {label: f"{label}.wav" for label in drawn}
    if not args.overwrite:
        refuse_to_replace([args.output / name for name in [*names.values(), PICTURE, PAGE]])
    check_writable(args.output)
    n_samples = math.ceil(args.seconds * models.sample_rate)
    # Griffin-Lim needs a whole frame
    n_frames = 1 + math.ceil(max(n_samples, models.stft.n_fft) / models.stft.hop_samples)
    with console.progress(len(names) + 1) as begin:
        frames, waves = {}, {}
        for label, model in drawn.items():
            begin(f"Drawing {label}")
            with stated(label):
                frames[label] = model.sample(n_frames, random_state=args.seed)
            waves[label] = _sound(frames[label], models.stft, args.seed)[:n_samples]
        begin("Writing")
        gain = _PEAK / (max(float(np.abs(wave).max()) for wave in waves.values()) or 1.0)
        waves = {label: wave * gain for label, wave in waves.items()}
        with staged(args.output) as scratch:
            for label, wave in waves.items():
                save_audio(scratch / names[label], wave, models.sample_rate)
            page = write_page(
                scratch,
                waves,
                models.sample_rate,
                console,
                draw=lambda: _picture(frames, models),
                title=f"{args.model.name}, samples",
                lead=describe_sources(describe(args.model)),
                notes=[_NOTE],
            )
    paths = {label: str(args.output / name) for label, name in names.items()}
    console.result(*paths.values(), *(str(args.output / name) for name in page))
    console.report(
        {"sources": paths, "n_frames": n_frames, "sample_rate": models.sample_rate, "folder": str(args.output)}
    )


def _is_unknown(model: Any) -> bool:
    """Tell whether a source was never recorded."""
    return is_background(model) and not hasattr(model, "components_")


def _load(path: Path, sample_rate: int | None) -> _Models:
    description = describe(path)
    rate = description["sample_rate"] or sample_rate
    if rate is None:
        kind = description["class"]
        raise CommandError(f"{path} holds a {kind}, whose sample rate is not known: give --sample-rate.")
    if sample_rate not in (None, rate):
        raise CommandError(f"{path} holds a model of {rate} Hz: leave --sample-rate out.")
    with stated():
        loaded = load_model(path)
    inner, audio = with_inner(loaded)[-1], of_waveforms(loaded)
    stft = STFT(n_fft=max(2 * (description["n_bins"] - 1), 2), hop_length=None) if audio is None else audio.stft_
    if hasattr(inner, "source_models_"):
        labels = [str(label) for label in inner.classes_]
        check_file_names(labels)
        return _Models(dict(zip(labels, inner.source_models_, strict=True)), stft, rate)
    return _Models({"sample": inner}, stft, rate)


def _sound(frames: NDArray[np.floating], stft: STFT, seed: int) -> NDArray[np.floating]:
    """Return a waveform that has about these magnitudes."""
    import librosa

    wave: NDArray[np.floating] = librosa.griffinlim(
        frames.T.astype(np.float32),
        n_iter=_N_STEPS,
        hop_length=stft.hop_samples,
        n_fft=stft.n_fft,
        window=stft.window,
        random_state=seed,
    )
    return wave


def _picture(frames: Mapping[str, NDArray[np.floating]], models: _Models) -> bytes:
    """Return a picture of the frames themselves."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 0.8 + 1.55 * len(frames)), layout="constrained")
    panels = figure.subplots(len(frames), sharex=True, squeeze=False).ravel()
    for panel, (label, own) in zip(panels, frames.items(), strict=True):
        loudest = float(own.max()) or 1.0
        decibels = 20 * np.log10(np.maximum(own / loudest, 10 ** (-_RANGE_DB / 20)))
        extent = (0, len(own), 0, models.sample_rate / 2000)
        image = panel.imshow(
            decibels.T, origin="lower", aspect="auto", cmap="magma", vmin=-_RANGE_DB, vmax=0, extent=extent
        )
        panel.set(ylabel="kHz")
        panel.set_title(label, loc="left", parse_math=False, fontsize="medium")
    panels[-1].set_xlabel("frames")
    figure.colorbar(image, ax=panels.tolist(), label="dB", pad=0.02, aspect=12 * len(frames))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()
