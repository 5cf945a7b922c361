"""Model files: what is loaded is what was saved, and what is no whole model is refused."""

import json
import os
import pickle
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from model_kinds import DATA, KINDS, MODELS, STARTS, fit_frames, frames, outputs, search, separator
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.numpy import load, save
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler

from sklearn_gass import (
    STFT,
    NMFSourceModel,
    SupervisedSeparator,
    VAESourceModel,
    _container,
    describe_model,
    load_audio,
    load_model,
    save_audio,
    save_model,
)
from sklearn_gass.cli._model_files import load_separator
from sklearn_gass.persistence._encoding import Encoder
from sklearn_gass.separation._fitting import of_waveforms

BENCHMARK = Path(__file__).parent.parent / "benchmarks" / "robustness" / "model_files.py"
CHECK_IN_ANOTHER_PROCESS = """
import pickle, sys
import numpy as np
from model_kinds import outputs
from sklearn_gass import load_model
for path, expected in pickle.load(sys.stdin.buffer):
    for found, wanted in zip(outputs(load_model(path)), expected, strict=True):
        assert found.dtype == wanted.dtype and np.array_equal(found, wanted), path
print("checked")
"""


def in_a_process(script, *arguments, **options):
    tests = str(Path(__file__).parent)
    path = os.pathsep.join([tests, *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONPATH": path}, **options)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Fitted estimators of every kind with the file of each."""
    folder = tmp_path_factory.mktemp("models")
    made = {name: (make(), folder / f"{i}.safetensors") for i, (name, make) in enumerate(KINDS.items())}
    for estimator, path in made.values():
        save_model(estimator, path)
    return made


@pytest.fixture(scope="module")
def vae(saved):
    """A fitted separator of two VAEs, not to be changed, and its file."""
    return saved["separator vae"]


def described(estimator):
    """Return all that makes a fitted estimator: a tree, and arrays with their types and strides."""
    encoder = Encoder()
    return encoder.encode_estimator(estimator, ""), {
        name: (a.dtype, a.shape, a.strides, a.tobytes()) for name, a in encoder.arrays.items()
    }


@pytest.fixture
def edited(tmp_path):
    """Function that changes content and arrays of a file, sets the checksums right, and returns the new file."""

    def edit(path, change):
        arrays, content = load(path.read_bytes()), _container.read_content(path)
        change(content, arrays)
        new = tmp_path / "edited.safetensors"
        _container.write(new, content, arrays)
        return new

    return edit


class TestRoundTrip:
    @pytest.mark.parametrize("name", KINDS)
    def test_every_kind_bit_for_bit(self, name, saved):
        estimator, path = saved[name]
        loaded = load_model(path)
        assert type(loaded) is type(estimator)
        assert described(loaded) == described(estimator)
        for copy in (loaded, pickle.loads(pickle.dumps(loaded))):
            for found, expected in zip(outputs(copy), outputs(estimator), strict=True):
                assert found.dtype == expected.dtype
                assert_array_equal(found, expected)
        assert repr(clone(loaded)) == repr(clone(estimator))

    def test_in_another_process(self, saved):
        expected = [(path, outputs(estimator)) for estimator, path in saved.values()]
        result = in_a_process(CHECK_IN_ANOTHER_PROCESS, input=pickle.dumps(expected))
        assert result.stdout.decode().strip() == "checked", result.stderr.decode()

    def test_the_same_file_every_time(self, vae, tmp_path):
        save_model(vae[0], tmp_path / "again")
        save_model(load_model(vae[1]), tmp_path / "loaded")
        assert (tmp_path / "again").read_bytes() == (tmp_path / "loaded").read_bytes() == vae[1].read_bytes()

    def test_arrays_are_ones_own(self, saved):
        estimator, path = saved["model vae"]
        loaded = load_model(path)
        loaded.residuals_[:] = 0
        assert loaded.residuals_.flags.owndata or loaded.residuals_.base.flags.writeable
        assert_array_equal(load_model(path).residuals_, estimator.residuals_)

    def test_order_in_memory(self, saved, tmp_path):
        model = load_model(saved["model nmf"][1])
        model.components_ = np.asfortranarray(model.components_)
        save_model(model, tmp_path / "f")
        assert load_model(tmp_path / "f").components_.flags.f_contiguous

    def test_equal_models_keep_their_order(self, tmp_path):
        """Even if what a file leaves out told them apart."""
        X, _, _, mixture = frames()
        both, y = np.concatenate([X, X]), np.repeat(["a", "b"], len(X))
        models = [("a", MODELS["vae"]), ("b", clone(MODELS["vae"]).set_params(verbose=0, callbacks=[], random_state=5))]
        fitted = separator(models).fit(both, y)
        assert fitted.source_models_[0].scale_ == fitted.source_models_[1].scale_
        save_model(fitted, tmp_path / "equal")
        assert_array_equal(load_model(tmp_path / "equal").transform(mixture), fitted.transform(mixture))

    def test_models_that_are_shared_are_saved_once(self, saved):
        estimator, path = saved["separator from fitted"]
        loaded = load_model(path)
        assert dict(loaded.source_model)["voice0"] is loaded.source_models_[0]
        arrays = sum(w.nbytes for m in estimator.source_models_ for w in [*m.weights_.values(), m.residuals_])
        assert path.stat().st_size < arrays + 16_000

    def test_results_of_a_search(self, saved):
        estimator, path = saved["search"]
        loaded = load_model(path)
        for name, column in estimator.cv_results_.items():
            assert type(loaded.cv_results_[name]) is type(column)
            if name != "params":
                assert loaded.cv_results_[name].dtype == column.dtype
                assert_array_equal(np.ma.getmaskarray(loaded.cv_results_[name]), np.ma.getmaskarray(column))
            assert list(loaded.cv_results_[name]) == list(column)
        assert loaded.best_params_ == estimator.best_params_
        assert loaded.cv == estimator.cv or repr(loaded.cv) == repr(estimator.cv)

    def test_data_frames(self, tmp_path):
        pandas = pytest.importorskip("pandas")
        X, y, _, mixture = frames()
        columns = [f"{i} Hz" for i in range(X.shape[1])]
        fitted = separator(MODELS["nmf"]).fit(pandas.DataFrame(X, columns=columns), y).set_output(transform="pandas")
        save_model(fitted, tmp_path / "frame")
        loaded, mixture = load_model(tmp_path / "frame"), pandas.DataFrame(mixture, columns=columns)
        pandas.testing.assert_frame_equal(loaded.transform(mixture), fitted.transform(mixture))
        assert_array_equal(loaded.feature_names_in_, fitted.feature_names_in_)

    def test_label_types(self, saved):
        for name, expected in (("int", [-2, 7]), ("bool", [False, True]), ("object", ["b" * 30, "Ö"])):
            estimator, path = saved[f"separator {name} labels"]
            loaded = load_model(path)
            assert loaded.classes_.tolist() == expected == [s["label"] for s in describe_model(path)["sources"]]
            assert loaded.classes_.dtype == estimator.classes_.dtype

    def test_labels_of_file_names_that_are_no_unicode(self, tmp_path):
        save_model(fit_frames(separator(MODELS["nmf"]), ["\udcff", "a"]), tmp_path / "m")
        assert load_model(tmp_path / "m").classes_.tolist() == ["a", "\udcff"]


class TestParameters:
    def test_what_acts_at_separation_can_be_set(self, vae):
        estimator, path = vae
        loaded, mixture = load_model(path), frames()[3]
        changed = loaded.set_params(mask_exponent=1.0).transform(mixture)
        assert not np.array_equal(changed, estimator.transform(mixture))
        assert_array_equal(loaded.set_params(mask_exponent=2.0).transform(mixture), estimator.transform(mixture))

    def test_what_only_training_reads_is_refused(self, vae, saved, tmp_path):
        loaded = load_model(vae[1]).set_params(source_model__latent_weight=7.0)
        with pytest.raises(ValueError, match="source_model__latent_weight has changed since"):
            loaded.transform(frames()[3])
        with pytest.raises(
            ValueError, match=r"^Cannot save this SupervisedSeparator: source_model__latent_weight has ch"
        ):
            save_model(loaded, tmp_path / "m")
        audio = load_model(saved["audio"][1])
        audio.separator_.set_params(source_model__latent_weight=7.0)
        with pytest.raises(
            ValueError, match=r"^Cannot save this AudioSeparator: source_model__latent_weight has changed"
        ):
            save_model(audio, tmp_path / "m")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("name", ["audio", "audio around search", "search of waves", "audio from fitted", "search"])
    def test_what_was_set_after_fit_is_saved(self, name, saved, tmp_path):
        path = saved[name][1]
        before = outputs(load_model(path))
        (key,) = {"audio around search": ["separator__separator__mask_exponent"]}.get(name) or (
            ["separator__separator__mask_exponent"] if name == "search of waves" else ["separator__mask_exponent"]
        )
        estimator = load_model(path).set_params(**{key: 9.0})
        expected = outputs(estimator)
        assert not np.array_equal(expected[0], before[0])
        save_model(estimator, tmp_path / "m")
        assert_array_equal(outputs(load_model(tmp_path / "m"))[0], expected[0])
        assert_array_equal(outputs(estimator)[0], expected[0])

    def test_how_training_runs_is_left_out(self, tmp_path):
        model = VAESourceModel(2, hidden_layer_sizes=3, max_iter=1, callbacks=[], verbose=0, random_state=0)
        fitted = fit_frames(separator(model, memory=str(tmp_path / "cache"), n_jobs=1))
        save_model(fitted, tmp_path / "m")
        loaded = load_model(tmp_path / "m")
        assert loaded.memory is None and loaded.n_jobs is None and loaded.source_model.callbacks is None
        assert_array_equal(loaded.transform(frames()[3]), fitted.transform(frames()[3]))
        assert str(tmp_path).encode() not in (tmp_path / "m").read_bytes()

    def test_device(self, saved):
        estimator, path = saved["audio"]
        loaded = load_model(path, device="cpu:0")
        devices = {name: value for name, value in loaded.get_params().items() if name.endswith("device")}
        devices |= {str(model): model.device for model in loaded.separator_.source_models_}
        assert set(devices.values()) == {"cpu:0"} and len(devices) > 2
        assert_array_equal(outputs(loaded)[0], outputs(estimator)[0])
        with pytest.raises(ValueError, match="device 'nowhere' cannot be used"):
            load_model(path, device="nowhere")

    def test_goes_on_learning(self, saved):
        loaded = load_model(saved["model vae"][1]).set_params(warm_start=True)
        assert_array_equal(
            loaded.fit(frames()[0]).sample(3),
            pickle.loads(pickle.dumps(saved["model vae"][0])).set_params(warm_start=True).fit(frames()[0]).sample(3),
        )

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: fit_frames(separator(MODELS["nmf"], mask=lambda s, p: s)), "mask of this .* is a function.*None"),
            (
                lambda: fit_frames(separator(MODELS["nmf"], random_state=np.random.RandomState(0))),
                "random_state of this SupervisedSeparator is a RandomState, .*: fit with an int",
            ),
            (
                lambda: NMFSourceModel(2, random_state=np.random.RandomState(0)).fit(frames()[0]),
                "random_state of this NMFSourceModel is a RandomState",
            ),
            (lambda: fit_frames(separator(OwnModel(2, max_iter=1))), "source_model of this .* is an OwnModel.*pickle"),
            (lambda: fit_frames(separator(MODELS["vae"], start=OwnStart())), "start of this .* is an OwnStart"),
            (
                lambda: fit_frames(search(separator(MODELS["nmf"]), cv=2, refit=lambda results: 0)),
                "refit of this SupervisedSeparatorCV is a function",
            ),
            (lambda: tagged(fit_frames(separator(MODELS["nmf"]))), "has an attribute note, which a model file does no"),
            (lambda: broken(clone(MODELS["vae"]).fit(frames()[0])), "weights_ of its VAESourceModel has a wrong"),
        ],
    )
    def test_what_cannot_be_stored(self, make, message, tmp_path):
        (tmp_path / "m").write_text("before")
        with pytest.raises(ValueError, match=f"^Cannot save this .*{message}") as caught:
            save_model(make(), tmp_path / "m")
        assert str(caught.value).count(". ") == 0
        assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("m", "before")]

    @pytest.mark.parametrize("wrong", [STFT(), StandardScaler(), None, STARTS["random"], SupervisedSeparator])
    def test_what_is_no_model(self, wrong, tmp_path):
        with pytest.raises(TypeError, match="must be a source model or separator of this library, got "):
            save_model(wrong, tmp_path / "m")

    def test_what_is_not_fitted(self, tmp_path):
        with pytest.raises(NotFittedError):
            save_model(NMFSourceModel(), tmp_path / "m")


class OwnModel(NMFSourceModel):
    """A class of a user."""


class OwnStart(type(STARTS["random"])):
    """A class of a user."""


def tagged(estimator):
    estimator.note = "mine"
    return estimator


def broken(model):
    model.weights_["decoder.layers.0.bias"][0] = np.nan
    return model


class TestCards:
    def test_is_described(self, saved, tmp_path):
        card = {"licence": "CC0", "scores": [1.5, None], "trained on": "Größe \u2028"}
        save_model(saved["audio"][0], tmp_path / "m", card=card)
        found = describe_model(tmp_path / "m")
        assert found["card"] == card and found["class"] == "AudioSeparator" and found["format"] == 1
        assert found["size"] == (tmp_path / "m").stat().st_size
        assert [found[key] for key in ("n_bins", "n_fft", "sample_rate")] == [17, 32, 8000]
        assert found["versions"]["torch"] == torch.__version__
        n_frames = 3 * STFT(32, 16).n_frames(600)
        source = {"model": "VAESourceModel", "n_frames": n_frames, "seconds": n_frames * 16 / 8000}
        assert found["sources"] == [{"label": "voice0", **source}, {"label": "voice1", **source}]
        assert json.loads(json.dumps(found)) == found

    def test_without_reading_arrays(self, saved, tmp_path):
        estimator, path = saved["model nmf"]
        (tmp_path / "m").write_bytes(path.read_bytes()[:-4] + b"\xff\xff\xff\xff")
        found = describe_model(tmp_path / "m")
        assert found["sources"] == [
            {"label": None, "model": "NMFSourceModel", "n_frames": len(estimator.activations_), "seconds": None}
        ]
        with pytest.raises(ValueError, match="its arrays are damaged"):
            load_model(tmp_path / "m")

    def test_is_described_as_it_acts(self, saved, tmp_path):
        """Also after parameters were set on a search around it."""
        audio = saved["audio"][0]
        search = saved["search of waves"][0]
        for estimator, prefix in ((audio, ""), (search, "separator__")):
            changed = deepcopy(estimator).set_params(**{f"{prefix}consistency": 3.0})
            save_model(changed, tmp_path / "m")
            assert describe_model(tmp_path / "m")["consistency"] == 3.0
            assert of_waveforms(load_model(tmp_path / "m")).consistency == 3.0

    @pytest.mark.parametrize("kind", [np.str_, np.int64, str, int])
    def test_labels_in_arrays_of_objects(self, kind, tmp_path):
        X, y, *_ = frames()
        labels = np.array([kind(3 + (label == y[0])) for label in y], dtype=object)
        fitted = SupervisedSeparator(NMFSourceModel(2, max_iter=2), random_state=0).fit(X, labels)
        save_model(fitted, tmp_path / "m")
        assert [source["label"] for source in describe_model(tmp_path / "m")["sources"]] == sorted({*labels})
        loaded = load_model(tmp_path / "m").classes_
        assert loaded.tolist() == sorted({*labels}) and type(loaded[0]) is kind

    @pytest.mark.parametrize("card", [object(), {"a": np.float32(1)}, float("nan"), {1, 2}, {("a",): 1}])
    def test_what_is_no_card(self, card, saved, tmp_path):
        with pytest.raises(TypeError, match=r"^card must be a text or what JSON can hold: "):
            save_model(saved["model nmf"][0], tmp_path / "m", card=card)

    def test_too_long_card(self, saved, tmp_path):
        with pytest.raises(ValueError, match="its description takes more than 2 MB"):
            save_model(saved["model nmf"][0], tmp_path / "m", card="x" * 2**22)
        assert not list(tmp_path.iterdir())


class TestRefusals:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "it is empty"),
            (b"{}", "it is no model file"),
            (pickle.dumps(print), "it is no model file"),
            (b"\xff" * 100, "it is no model file"),
            ((1000).to_bytes(8, "little") + b"{", "it is truncated"),
            ((3).to_bytes(8, "little") + b"{x}", "it is damaged"),
            (save({"a": np.zeros(3)}), "it is a safetensors file, but holds no model of sklearn_gass"),
            (save({"a": np.zeros(1)}, {"sklearn_gass": "[" * 10**5}), "its description is damaged"),
            (
                save({"a": np.zeros(1)}, {"sklearn_gass": '{"format": 2}'}),
                "it has format 2, and this .* up to 1: install a newer one",
            ),
            (save({"a": np.zeros(1)}, {"sklearn_gass": '{"format": NaN}'}), "its description is damaged"),
            (save({"a": np.zeros(1)}, {"sklearn_gass": "1"}), "its description is damaged"),
        ],
    )
    @pytest.mark.parametrize("read", [load_model, describe_model])
    def test_what_is_no_model_file(self, read, content, message, tmp_path):
        (tmp_path / "m").write_bytes(content)
        with pytest.raises(ValueError, match=f"^Cannot load model {tmp_path / 'm'}: {message}.$"):
            read(tmp_path / "m")

    @pytest.mark.parametrize("read", [load_model, describe_model])
    def test_what_is_no_file(self, read, tmp_path):
        with pytest.raises(FileNotFoundError, match=f"There is no model file: '{tmp_path / 'm'}'"):
            read(tmp_path / "m")
        with pytest.raises(ValueError, match="it is a folder"):
            read(tmp_path)
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ValueError, match="it is no regular file"):
            read(str(tmp_path / "pipe"))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda tree: tree.update({"class": "Popen"}), "it holds a 'Popen', which is no class that this version"),
            (lambda tree: tree.update({"class": "STFT"}), "its STFT has an unknown parameter or attribute"),
            (lambda tree: tree["params"].pop("max_iter"), "its SupervisedSeparator lacks the parameter 'max_iter'"),
            (lambda tree: tree["params"].update(x=1), "unknown parameter or attribute 'x'"),
            (lambda tree: tree["params"].update(max_iter=0), "The 'max_iter' parameter of SupervisedSeparator must be"),
            (lambda tree: tree["params"].update(tol={"float": "nan"}), "The 'tol' parameter"),
            (lambda tree: tree["params"].update(mask="os.system"), "The 'mask' parameter"),
            (lambda tree: tree["fitted"].pop("start_"), "lacks the attribute 'start_'"),
            (lambda tree: tree["fitted"].update(x_=1), "unknown parameter or attribute 'x_'"),
            (lambda tree: tree["fitted"].update(start_=None), "start_ of its SupervisedSeparator has a wrong type"),
            (lambda tree: tree["fitted"].update(n_features_in_=16), "source_models_ of its"),
            (lambda tree: tree["fitted"]["source_models_"].pop(), "labels and source models differ in number"),
            (lambda tree: tree["fitted"].update(classes_={"strings": [[2], ["b", "a"]]}), "labels of its .* rising"),
            (lambda tree: tree["fitted"].update(classes_={"strings": [[2], ["a", "b"]]}), "its labels differ from"),
            (lambda tree: tree["fitted"].update(classes_={"strings": [[2**40], ["a"]]}), "it is damaged|cannot resh"),
            (lambda tree: tree["fitted"].update(critic_={"same": "/nowhere"}), "description is damaged at /critic_"),
            (lambda tree: first(tree)["params"].update(hidden_layer_sizes=[10**6, 10**6]), "was fitted with other"),
            (
                lambda tree: first(tree)["params"].update(hidden_layer_sizes=[1] * 9**5),
                "weights_ of its VAESou.* wrong",
            ),
            (lambda tree: first(tree)["params"].update(hidden_layer_sizes=10**6), "was fitted with other layers"),
            (lambda tree: first(tree)["params"].update(n_components=10**30), "it is damaged"),
            (lambda tree: first(tree)["params"].update(n_components=2**40), "was fitted with other layers|damaged"),
            (lambda tree: first(tree)["params"].update(activation="eval"), "The 'activation' parameter"),
            (lambda tree: first(tree)["fitted"].update(scale_=0.0), "scale_ of its VAESourceModel"),
            (lambda tree: first(tree)["fitted"]["weights_"]["dict"].popitem(), "was fitted with other layers"),
            (
                lambda tree: tree["fitted"]["critic_"]["estimator"]["params"].update(hidden_layer_sizes=5),
                "other shapes",
            ),
            (
                lambda tree: tree["fitted"]["start_"]["estimator"]["params"].update(n_residual_blocks=10**7),
                "weights_ of its MixtureSt.* wrong",
            ),
        ],
    )
    def test_wrong_descriptions(self, change, message, vae, edited):
        def apply(content, arrays):
            change(content["model"]["estimator"])

        with pytest.raises(ValueError, match=f"^Cannot load model .*edited.safetensors: .*({message})"):
            load_model(edited(vae[1], apply))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda a, name: a.update({name: a[name] * np.float32(np.nan)}), "weights_ of its VAESourceModel has a"),
            (lambda a, name: a.update({name: a[name].astype(np.float64)}), "another type or shape than its descrip"),
            (lambda a, name: a.update({name: a[name][:, :1].copy()}), "another type or shape than its description"),
            (lambda a, name: a.pop(name), "it lacks the array /source_models_/0/weights_"),
            (lambda a, name: a.update(x=np.zeros(2)), "nothing needs its array x"),
        ],
    )
    def test_wrong_arrays(self, change, message, vae, edited):
        def apply(content, arrays):
            change(arrays, "/source_models_/0/weights_/decoder.layers.0.weight")

        with pytest.raises(ValueError, match=message):
            load_model(edited(vae[1], apply))

    def test_damaged_files(self):
        """Flipped bits, truncation and edits; nothing is executed."""
        command = [sys.executable, BENCHMARK, "--flips=1000", "--truncations=300", "--edits=100", "--no-timings"]
        result = subprocess.run(command, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
        assert "| truncated | 300 | 300 | 0 |" in result.stdout and "Forbidden events: none" in result.stdout

    def test_memory(self, saved, edited, tmp_path):
        """A whole file takes about its size, and one that claims more than it has takes nothing."""
        large = load_model(saved["model nmf"][1])
        large.activations_ = np.ones((10**6, 3), dtype=large.activations_.dtype)
        save_model(large, tmp_path / "large")

        def claim(content, arrays):
            first(content["model"]["estimator"])["params"]["hidden_layer_sizes"] = [10**5]

        claiming = edited(saved["separator vae"][1], claim)
        script = (
            "import resource, sys\nfrom sklearn_gass import load_model\n"
            "def peak(): return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "load_model(sys.argv[1])\nbefore = peak()\n"
            "try: load_model(sys.argv[2])\nexcept ValueError: print(peak() - before)\n"
            "load_model(sys.argv[3])\nprint(peak() - before)"
        )
        result = in_a_process(script, saved["separator vae"][1], claiming, tmp_path / "large", text=True)
        claimed, loaded = map(int, result.stdout.split())
        assert claimed < 2e6
        assert loaded < 2 * (tmp_path / "large").stat().st_size + 2e6

    @pytest.mark.parametrize(
        "change",
        [
            {"consistency": "abc"},
            {"consistency": [1]},
            {"consistency": 10**400},
            {"sample_rate": 8000.5},
            {"class": None},
            {"sources": None},
            {"sources": [{"label": "a"}]},
            {"more": 1},
        ],
    )
    @pytest.mark.parametrize("read", [load_model, describe_model])
    def test_damaged_summaries(self, read, change, saved, edited):
        path = edited(saved["audio"][1], lambda content, arrays: content["summary"].update(change))
        with pytest.raises(ValueError, match="its description is damaged"):
            read(path)

    @pytest.mark.parametrize(
        ("name", "change"),
        [("audio", {"class": "VAESourceModel"}), ("audio", {"n_bins": 5}), ("model nmf", {"sample_rate": 8000})],
    )
    def test_summaries_of_something_else(self, name, change, saved, edited):
        path = edited(saved[name][1], lambda content, arrays: content["summary"].update(change))
        with pytest.raises(ValueError, match="its description differs from what it holds"):
            load_model(path)

    def test_older_summaries_of_changed_searches(self, saved, edited):
        """They had the sample rate of before parameters of the search were set."""
        path = edited(saved["search of waves"][1], lambda content, arrays: content["summary"].update(sample_rate=4000))
        assert of_waveforms(load_model(path)).sample_rate == 8000
        separator = load_separator(path)
        assert separator.sample_rate == 8000


def first(tree):
    """Return the tree of the first source model of a separator."""
    return tree["fitted"]["source_models_"][0]["estimator"]


class TestWriting:
    FULL_DISK = """
import resource, sys
import numpy as np
from sklearn_gass import load_model, save_model, save_audio
model = load_model(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
for write in (lambda path: save_model(model, path), lambda path: save_audio(path, np.ones(9000), 8000)):
    for path in sys.argv[2:]:
        try:
            write(path)
        except OSError as error:
            assert error.filename == path and error.errno, error
            print("refused")
"""

    def test_full_disk(self, vae, tmp_path):
        old, new = tmp_path / "old.wav", tmp_path / "new.wav"
        old.write_text("before")
        result = in_a_process(self.FULL_DISK, vae[1], old, new, text=True)
        assert result.stdout.split() == ["refused"] * 4, result.stderr
        assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("old.wav", "before")]

    def test_no_such_folder(self, vae, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"Cannot write model .*: the folder .* does not exist"):
            save_model(vae[0], tmp_path / "missing" / "m")
        with pytest.raises(IsADirectoryError, match=r"Cannot write model .*: it is a folder"):
            save_model(vae[0], tmp_path)

    def test_reaches_the_disk_before_it_has_its_name(self, vae, tmp_path, monkeypatch):
        events = []
        monkeypatch.setattr(os, "fsync", lambda file: events.append("fsync"))
        replace = os.replace
        monkeypatch.setattr(os, "replace", lambda *names: (events.append("replace"), replace(*names)))
        save_model(vae[0], tmp_path / "m")
        save_audio(tmp_path / "s.wav", np.zeros(10), 8000)
        assert events == ["fsync", "replace"] * 2
        assert load_audio(tmp_path / "s.wav")[0].shape == (10,)


KEPT = sorted(DATA.glob("models-*/*.safetensors"))


def test_files_of_every_kind_are_kept():
    later = {"audio frozen", "model nmf context"}  # could not be saved when these files were written
    assert {describe_model(path)["card"]["kind"] for path in KEPT} >= set(KINDS) - later


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_files_of_earlier_versions_load(path):
    """And give the same results, but for rounding that differs between machines."""
    estimator, described = load_model(path), describe_model(path)
    assert described["consistency"] == (None if described["sample_rate"] is None else 0)  # there was none
    for found, expected in zip(outputs(estimator), described["card"]["numbers"], strict=True):
        assert_allclose(found.ravel()[: len(expected)], expected, rtol=1e-2, atol=1e-3)


def test_skops_trusts_our_types_alone(saved):
    """And what scikit-learn and NumPy have."""
    skops = pytest.importorskip("skops.io")
    for name in ("separator vae", "audio", "model nmf"):
        estimator, _ = saved[name]
        dumped = skops.dumps(estimator)
        untrusted = skops.get_untrusted_types(data=dumped)
        assert all(kind.startswith("sklearn_gass.") for kind in untrusted), untrusted
        for found, expected in zip(outputs(skops.loads(dumped, trusted=untrusted)), outputs(estimator), strict=True):
            assert_array_equal(found, expected)
