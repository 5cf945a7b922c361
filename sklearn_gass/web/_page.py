"""The page itself, in gradio: what is where, and what happens when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from typing import Any

import gradio as gr

from sklearn_gass.web._training import LENGTHS, MODELS, TrainingJob, make_separator
from sklearn_gass.web._tuning import Settings
from sklearn_gass.web._uploads import MAX_SOURCES, UploadError, read_training
from sklearn_gass.web._visit import Visit, Visits

_SECONDS_BETWEEN = 0.3  # looks at a training
_SECONDS_TO_CANCEL = 5.0  # a training step takes less
_AT_FIRST = 2  # sources with a row
_CANCELLED = "The training was cancelled. What was trained before is still there."
CSS = """
.separation table { width: 100%; border-collapse: collapse; }
.separation th, .separation td { padding: .3rem .5rem; }
.separation tr > :nth-child(4) { width: 60%; }
.separation audio { width: 100%; min-width: 10rem; height: 2.25rem; }
.status { margin: 0; } .status.problem { color: #b3261e; font-weight: 600; }
.dark .status.problem { color: #ffb4ab; }
.status progress { width: 100%; }
.results { overflow-x: auto; }
@media (max-width: 40rem) { .separation tr > :nth-child(2), .separation tr > :nth-child(3) { display: none; } }
"""


class Page:
    """The page of some visits.

    Parameters
    ----------
    visits : Visits
        Who is there.

    Attributes
    ----------
    blocks : gr.Blocks
        What gradio shows.
    """

    def __init__(self, visits: Visits):
        self._visits = visits
        with gr.Blocks(title="sklearn_gass", analytics_enabled=False, delete_cache=(600, 14400)) as self.blocks:
            gr.Markdown("# Separate sounds\nNothing leaves this machine.")
            self._make_training()
            self._make_models()
            self._make_separation()
            self._connect()
            self.blocks.load(self._greet, None, self._state(), **_quick())
            self.blocks.unload(self._leave)

    def _make_training(self) -> None:
        gr.Markdown("## 1. Sources and training\nName each source, and add clean recordings of it.")
        self._names, self._files, self._recorders, rows = [], [], [], []
        for k in range(MAX_SOURCES):
            with gr.Row(visible=k < _AT_FIRST) as row:
                self._names.append(gr.Textbox(label=f"Source {k + 1}", placeholder="name", elem_id=f"name-{k + 1}"))
                recordings = f"recordings-{k + 1}"
                self._files.append(gr.File(label="Recordings", file_count="multiple", height=130, elem_id=recordings))
                microphone = f"microphone-{k + 1}"
                self._recorders.append(
                    gr.Audio(label="Microphone", sources=["microphone"], type="filepath", elem_id=microphone)
                )
            rows.append(row)
        self._shown = gr.State(_AT_FIRST)
        more = gr.Button("Another source", size="sm")
        more.click(_show_row, self._shown, [self._shown, more, *rows], **_quick())
        with gr.Row():
            self._kind = gr.Dropdown(list(MODELS), value=next(iter(MODELS)), label="Model", elem_id="kind")
            self._length = gr.Radio(list(LENGTHS), value="normal", label="Length of training", elem_id="length")
        with gr.Row():
            self._train = gr.Button("Train", variant="primary", elem_id="train")
            self._cancel = gr.Button("Cancel", elem_id="cancel")
        self._training_status = gr.HTML(elem_id="training-status")

    def _make_models(self) -> None:
        gr.Markdown("## 2. Model")
        with gr.Row():
            self._model = gr.Dropdown([], label="Separate with", interactive=True, elem_id="model")
            self._upload = gr.File(label="Load a model file", height=130, elem_id="load")
            self._download = gr.File(label="Download the model", interactive=False, height=130, elem_id="model-file")
        self._model_status = gr.HTML(elem_id="model-status")

    def _make_separation(self) -> None:
        gr.Markdown("## 3. Mixtures\nSeparate, then move the sliders and listen: they act on the model at once.")
        self._mixtures = gr.File(label="Mixtures", file_count="multiple", height=130, elem_id="mixtures")
        self._separate = gr.Button("Separate", variant="primary", elem_id="separate")
        with gr.Row():
            weight = gr.Slider(0, 20, 2, step=0.5, label="λ, the weight of the critics", elem_id="critic-weight")
            exponent = gr.Slider(0.5, 8, 2, step=0.25, label="Mask exponent", elem_id="mask-exponent")
            start = gr.Slider(0, 60, 5, step=1, label="Start weight", elem_id="start-weight")
        self._sliders = [weight, exponent, start]
        self._separation_status = gr.HTML(elem_id="separation-status")
        self._results = gr.HTML(elem_id="results", elem_classes="results")
        self._sounds = gr.File(label="Download the sounds", interactive=False, file_count="multiple", elem_id="sounds")

    def _connect(self) -> None:
        recordings = [*self._names, *self._files, *self._recorders]
        alone: dict[str, Any] = {"concurrency_limit": 1, "api_visibility": "private", "show_progress": "hidden"}
        trained = [self._training_status, *self._state()]
        inputs = [self._kind, self._length, *recordings]
        # minimal progress shows the place in the queue
        queued = alone | {"concurrency_id": "training", "show_progress": "minimal"}
        training = self._train.click(self._run_training, inputs, trained, **queued)
        self._cancel.click(
            self._cancel_training,
            None,
            self._training_status,
            cancels=[training],  # which takes one that waits out of the queue
            queue=False,
            api_visibility="private",
        )
        self._upload.upload(self._load, self._upload, [self._model_status, *self._state()], **_quick())
        self._model.input(self._choose, self._model, [self._model_status, *self._state()], **_quick())
        shown = [self._separation_status, self._results, self._sounds]
        separation: dict[str, Any] = {"concurrency_id": "separation", **alone}
        self._separate.click(self._read_and_separate, [self._mixtures, *self._sliders], shown, **separation)
        for slider in self._sliders:
            slider.release(self._separate_again, self._sliders, shown, **separation)

    def _state(self) -> list[Any]:
        return [self._model, self._download, *self._sliders]

    def _greet(self, request: gr.Request):
        return _describe_models(self._visits.of(request.session_hash))

    def _leave(self, request: gr.Request):
        self._visits.end(request.session_hash)

    def _run_training(self, kind, length, request: gr.Request, *cells) -> Iterator[Any]:
        visit = self._visits.of(request.session_hash)
        unchanged = [gr.skip()] * len(self._state())
        names, files, recorders = (cells[k * MAX_SOURCES : (k + 1) * MAX_SOURCES] for k in range(3))
        sources = [
            (name or "", [*(paths or []), *([sound] if sound else [])])
            for name, paths, sound in zip(names, files, recorders, strict=True)
        ]
        try:
            data = read_training(sources)
        except UploadError as error:
            yield [_problem(error), *unchanged]
            return
        job = visit.job = TrainingJob(make_separator(kind, length, data.sample_rate), data)
        job.start()
        while job.is_running():
            yield [_running(job), *unchanged]
            job.wait(_SECONDS_BETWEEN)
        if job.cancelled:
            yield [_said(_CANCELLED), *unchanged]
        elif job.error is not None:
            yield [_problem(job.error), *unchanged]
        else:
            visit.add_model(" and ".join(sorted(set(data.labels))), job.audio)
            yield [_said("Trained."), *_describe_models(visit)]

    def _cancel_training(self, request: gr.Request):
        job = self._visits.of(request.session_hash).job
        if job is None or not job.is_running():
            return _said("No training runs now, and none waits.")
        job.cancel()
        job.wait(_SECONDS_TO_CANCEL)  # so that no progress that was under way comes after the last word
        return _said(_CANCELLED)

    def _load(self, path, request: gr.Request):
        return self._change_model(lambda visit: f"Loaded {visit.load(path)}.", request)

    def _choose(self, name, request: gr.Request):
        def choose(visit):
            visit.choose(name)
            return ""

        return self._change_model(choose, request)

    def _change_model(self, change: Callable[[Visit], str], request: gr.Request):
        visit = self._visits.of(request.session_hash)
        try:
            return [_said(change(visit)), *_describe_models(visit)]
        except UploadError as error:
            return [_problem(error), *[gr.skip()] * len(self._state())]

    def _read_and_separate(self, paths, weight, exponent, start, request: gr.Request):
        visit = self._visits.of(request.session_hash)
        try:
            visit.read(paths or [])
        except UploadError as error:
            return [_problem(error), gr.skip(), gr.skip()]
        return self._separate_again(weight, exponent, start, request)

    def _separate_again(self, weight, exponent, start, request: gr.Request):
        visit = self._visits.of(request.session_hash)
        html = visit.separate(Settings(weight, exponent, start))
        return ["", html, visit.sound_files()] if html else [gr.skip()] * 3


def _describe_models(visit: Visit) -> list[Any]:
    """Return what the parts of the page that depend on the model are to show."""
    names = list(visit.models)
    if visit.tuner is None:
        return [gr.update(choices=names, value=None), None, *[gr.skip()] * 3]
    chosen = next(name for name, audio in visit.models.items() if audio is visit.tuner.given)
    weight, exponent, start = visit.tuner.settings
    neural = visit.tuner.is_neural
    return [
        gr.update(choices=names, value=chosen),
        visit.model_file(),
        gr.update(value=weight, interactive=neural),
        gr.update(value=exponent),
        gr.update(value=start, interactive=neural),
    ]


def _show_row(shown: int) -> list[Any]:
    shown += 1
    return [shown, gr.update(visible=shown < MAX_SOURCES), *[gr.update(visible=k < shown) for k in range(MAX_SOURCES)]]


def _quick() -> dict[str, Any]:
    return {"api_visibility": "private", "show_progress": "hidden"}


def _said(text: str) -> str:
    return f'<p class="status" role="status">{escape(text)}</p>'


def _problem(error: Exception) -> str:
    return f'<p class="status problem" role="alert">{escape(str(error))}</p>'


def _running(job: TrainingJob) -> str:
    bar = f'<progress max="1" value="{job.fraction:.3f}"></progress>'
    return f'<p class="status" role="status">Training: {escape(job.progress)} {bar}</p>'
