"""What happens behind the page in the browser; needs no gradio."""

import copy
import re
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sklearn_gass import AudioSeparator, NMFSourceModel, SupervisedSeparator, VAESourceModel, load_model, save_model
from sklearn_gass.cli import main
from sklearn_gass.web import _uploads
from sklearn_gass.web._training import TrainingJob, make_separator
from sklearn_gass.web._tuning import Settings, Tuner
from sklearn_gass.web._uploads import Training, UploadError, read_mixtures, read_training
from sklearn_gass.web._visit import Visits, file_name

RATE = 8000
EVIL = ['<script>alert("x")</script>', '"><img src=x onerror=alert(1)>']


def tone(frequency, seconds=0.6):
    time = np.arange(round(seconds * RATE)) / RATE
    return (0.5 * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


@pytest.fixture
def sound(tmp_path):
    """Return a function that writes a tone and returns the path."""

    def write(name, frequency=300, rate=RATE, seconds=0.6):
        soundfile.write(tmp_path / name, tone(frequency, seconds), rate)
        return str(tmp_path / name)

    return write


def small_neural():
    model = VAESourceModel(2, hidden_layer_sizes=(8,), max_iter=3)
    return SupervisedSeparator(model, max_iter=5).set_params(start__max_iter=5, critic__max_iter=5)


@pytest.fixture(scope="module")
def neural():
    audio = AudioSeparator(small_neural(), sample_rate=RATE, random_state=0)
    return audio.fit([tone(300), tone(900)], ["low", "high"])


@pytest.fixture(scope="module")
def linear():
    audio = AudioSeparator(SupervisedSeparator(NMFSourceModel(2, max_iter=5), max_iter=5), sample_rate=RATE)
    return audio.set_params(random_state=0).fit([tone(300), tone(900)], EVIL)


class TestUploads:
    def test_recordings_of_all_sources_at_the_lowest_rate(self, sound):
        data = read_training(
            [(" anna ", [sound("a.wav"), sound("b.wav", rate=16000)]), ("", []), ("ben", [sound("c.wav")])]
        )
        assert data.labels == ["anna", "anna", "ben"]
        assert data.sample_rate == RATE
        assert [len(wave) for wave in data.waves] == [4800, 2400, 4800]

    @pytest.mark.parametrize(
        ("rows", "message"),
        [
            ([], "needs two sources or more"),
            ([("anna", ["a.wav"])], "needs two sources or more"),
            ([("", ["a.wav"]), ("ben", ["a.wav"])], "Give the source of a.wav a name"),
            ([("anna", []), ("ben", ["a.wav"])], "Add clean recordings of anna"),
            ([("anna", ["a.wav"]), (" anna", ["b.wav"])], "same name"),
            ([("n" * 61, ["a.wav"]), ("ben", ["b.wav"])], "has 61"),
            ([("anna", ["silence.wav"]), ("ben", ["b.wav"])], "All recordings of anna are silent"),
            ([("anna", ["text.wav"]), ("ben", ["b.wav"])], "text.wav"),
        ],
    )
    def test_what_cannot_train_is_told(self, rows, message, sound, tmp_path):
        sound("a.wav"), sound("b.wav")
        soundfile.write(tmp_path / "silence.wav", np.zeros(1000), RATE)
        (tmp_path / "text.wav").write_text("no sound")
        with pytest.raises(UploadError, match=message) as refused:
            read_training([(name, [str(tmp_path / path) for path in paths]) for name, paths in rows])
        assert str(tmp_path) not in str(refused.value), "visitors know files by their names"

    def test_limits(self, sound, monkeypatch):
        rows = [("anna", [sound("a.wav", seconds=61)]), ("ben", [sound("b.wav", seconds=61)])]
        monkeypatch.setattr(_uploads, "MAX_TRAINING_MINUTES", 2)
        with pytest.raises(UploadError, match="last 2 minutes; at most 2 can train here"):
            read_training(rows)
        monkeypatch.setattr(_uploads, "MAX_MIXTURE_MINUTES", 1)
        with pytest.raises(UploadError, match=r"a.wav lasts 1 minutes; a mixture has at most 1 here"):
            read_mixtures(rows[0][1], RATE)
        with pytest.raises(UploadError, match="at most 10 mixtures"):
            read_mixtures([sound("c.wav")] * 11, RATE)
        with pytest.raises(UploadError, match="Add a mixture"):
            read_mixtures([], RATE)

    def test_mixtures_of_one_name_both_count(self, sound):
        assert list(read_mixtures([sound("m.wav"), sound("m.wav")], 2 * RATE)) == ["m.wav", "m (2).wav"]


class TestTraining:
    def test_a_neural_model_trains_and_reports(self):
        audio = AudioSeparator(small_neural(), sample_rate=RATE, random_state=0)
        job = TrainingJob(audio, Training([tone(300), tone(900)], ["low", "high"], RATE))
        job.start()
        job.wait()
        assert job.error is None and not job.cancelled and not job.is_running()
        assert job.fraction == 1
        assert job.progress.startswith("100%, about 0 s left")
        assert job.audio.separate(tone(300) + tone(900)).labels.tolist() == ["high", "low"]

    def test_cancelling_ends_it_and_fits_nothing(self):
        separator = small_neural().set_params(source_model__max_iter=100_000)
        audio = AudioSeparator(separator, sample_rate=RATE, random_state=0)
        job = TrainingJob(audio, Training([tone(300), tone(900)], ["low", "high"], RATE))
        job.start()
        while not job.fraction:
            time.sleep(0.01)
        job.cancel()
        job.wait(60)
        assert job.cancelled and job.error is None
        assert not hasattr(audio, "separator_")

    def test_errors_are_kept(self):
        job = TrainingJob(AudioSeparator(small_neural()), Training([tone(300)], ["low"], RATE))
        job.start()
        job.wait()
        assert "1 class" in str(job.error)

    def test_lengths_scale_all_steps(self):
        short, normal = (make_separator("VAE, the best separation", length, RATE) for length in ("short", "normal"))
        for name in ("source_model__max_iter", "start__max_iter", "critic__max_iter"):
            assert short.separator.get_params()[name] == normal.separator.get_params()[name] / 5
        assert make_separator("NMF, trains in a second", "long", RATE).separator.source_model.max_iter == 20


class TestTuner:
    def test_masks_alone_need_no_search(self, neural):
        tuner, mixture = Tuner(neural), tone(300) + tone(900)
        first = tuner.separate("m", mixture, tuner.settings)
        np.testing.assert_allclose(first.sources, neural.separate(mixture).sources, atol=1e-6)
        sharp = tuner.separate("m", mixture, tuner.settings._replace(mask_exponent=4.0))
        assert tuner.n_searches == 1
        assert not np.allclose(first.sources, sharp.sources, atol=1e-3)
        tuner.separate("m", mixture, tuner.settings._replace(critic_weight=0.0))
        tuner.separate("other", mixture, tuner.settings)
        assert tuner.n_searches == 3

    def test_settings_act_as_parameters_do(self, neural):
        tuner, mixture = Tuner(neural), tone(300) + tone(900)
        found = tuner.separate("m", mixture, Settings(critic_weight=7.0, mask_exponent=1.0, start_weight=20.0))
        changed = copy.deepcopy(neural)
        changed.separator_.set_params(critic_weight=7.0, mask_exponent=1.0, start_weight=20.0)
        np.testing.assert_allclose(found.sources, changed.separate(mixture).sources, atol=1e-6)
        assert neural.separator_.critic_weight == 2, "the model that was given stays as it is"

    def test_linear_models_know_no_critics(self, linear, neural):
        assert Tuner(neural).is_neural and not Tuner(linear).is_neural

    def test_silence_stays_silence(self, linear):
        found = Tuner(linear).separate("m", np.zeros(3000), Settings(0, 2, 0))
        assert not found.sources.any()


class TestVisits:
    def test_models_mixtures_and_downloads(self, linear, neural, sound, tmp_path):
        visits = Visits({"linear": linear}, tmp_path)
        visit = visits.of("one")
        assert visits.of("one") is visit
        assert visit.separate(visit.tuner.settings) == "", "there is no mixture yet"
        visit.read([sound("mix.wav")])
        html = visit.separate(visit.tuner.settings)
        assert html.count("<audio") == 3
        assert [file.rpartition("/")[2] for file in visit.sound_files()] == [
            "1 mix ___img src_x onerror_alert_1__.wav",
            "2 mix _script_alert__x____script_.wav",
        ]
        assert load_model(visit.model_file()).classes_.tolist() == sorted(EVIL)
        assert visit.add_model("linear", neural) == "linear (2)"
        assert visit.tuner.given is neural
        visit.choose("linear")
        assert visit.tuner.given is linear
        visits.end("one")
        assert [path.name for path in tmp_path.iterdir()] == ["mix.wav"], "nothing of the visit is left"
        visits.end("one")

    def test_labels_and_names_are_escaped(self, linear, sound, tmp_path):
        visit = Visits({"linear": linear}, tmp_path).of(None)
        visit.read([sound("<b>&amp;.wav")])
        html = visit.separate(visit.tuner.settings)
        assert "<h3>&lt;b&gt;&amp;amp;.wav</h3>" in html
        assert "<script" not in html and "<img src=x" not in html and "<b>" not in html

    def test_without_a_model_nothing_separates(self, sound, tmp_path):
        visit = Visits({}, tmp_path).of(None)
        assert visit.model_file() is None and visit.separate(Settings(0, 2, 0)) == ""
        with pytest.raises(UploadError, match="Train a model or load one"):
            visit.read([sound("mix.wav")])

    def test_model_files_are_loaded_or_refused_by_name(self, linear, tmp_path):
        visit = Visits({}, tmp_path).of(None)
        save_model(linear, tmp_path / "good.safetensors")
        assert visit.load(str(tmp_path / "good.safetensors")) == "good.safetensors"
        save_model(linear.separator_, tmp_path / "frames.safetensors")
        with pytest.raises(UploadError, match=r"frames.safetensors holds a SupervisedSeparator"):
            visit.load(str(tmp_path / "frames.safetensors"))
        (tmp_path / "bad.safetensors").write_bytes(b"nothing")
        with pytest.raises(UploadError, match=r"bad.safetensors") as refused:
            visit.load(str(tmp_path / "bad.safetensors"))
        assert str(tmp_path) not in str(refused.value)

    def test_a_visitor_who_leaves_while_the_model_is_written_gets_none(self, linear, tmp_path):
        visits = Visits({"linear": linear}, tmp_path)
        visit = visits.of("a")
        assert Path(visit.model_file()).is_file()
        visits.end("a")
        assert visit.model_file() is None
        assert list(tmp_path.iterdir()) == []

    def test_the_end_of_all_visits_cancels_trainings(self, tmp_path):
        visits = Visits({}, tmp_path)
        separator = small_neural().set_params(source_model__max_iter=100_000)
        job = visits.of("one").job = TrainingJob(
            AudioSeparator(separator, random_state=0), Training([tone(300), tone(900)], ["low", "high"], RATE)
        )
        job.start()
        visits.end_all()
        job.wait(60)
        assert job.cancelled
        assert threading.active_count() < 10

    @pytest.mark.parametrize(("text", "name"), [("anna", "anna"), ("../x", "___x"), ("", "_"), ("Ä b-c", "Ä b-c")])
    def test_names_of_files_lead_nowhere_else(self, text, name):
        assert file_name(text) == name


def test_the_guide_has_the_limits():
    page = (Path(__file__).parents[1] / "docs" / "guide" / "browser.rst").read_text(encoding="utf-8")
    limits = [
        f"{_uploads.MAX_FILE_MEGABYTES} MB",
        f"{_uploads.MAX_SOURCES}",
        f"{_uploads.MAX_TRAINING_MINUTES} minutes",
    ]
    limits += [f"{_uploads.MAX_MIXTURE_MINUTES} minutes", f"{_uploads.MAX_MIXTURES}"]
    table = re.findall(r"^\w[\w ]+?  +(\d+.*)$", page, re.MULTILINE)
    assert table == limits


def test_without_gradio_the_command_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.delitem(sys.modules, "sklearn_gass.web._page", raising=False)
    assert main(["serve"]) == 1
    assert "pip install 'sklearn_gass[web]'" in capsys.readouterr().err


def test_a_model_that_cannot_be_loaded_ends_the_command(capsys, tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    assert main(["serve", str(tmp_path / "bad.safetensors")]) == 1
    assert "bad.safetensors" in capsys.readouterr().err
