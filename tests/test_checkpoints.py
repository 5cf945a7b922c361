"""Checkpoints and warm starts: training that goes on."""

import errno
import os
import signal
import subprocess
import sys

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from sklearn_gass import (
    AudioSeparator,
    BaseSourceModel,
    DAESourceModel,
    GANSourceModel,
    MixtureCritic,
    MixtureStart,
    NMFSourceModel,
    SupervisedSeparator,
    SupervisedSeparatorCV,
    VAESourceModel,
    WGANSourceModel,
    _checkpoints,
    _container,
    load_model,
    progress,
    save_model,
)
from sklearn_gass.progress import on_progress

SMALL = {"n_components": 2, "hidden_layer_sizes": (8,), "max_iter": 5, "batch_size": 8, "random_state": 0}
X = np.random.RandomState(0).gamma(0.5, size=(80, 6)).astype(np.float32)
Y = np.repeat(["high", "low"], 40)
MODELS = {
    "VAE": VAESourceModel(**SMALL),
    "VAE-average-early": VAESourceModel(
        **SMALL, weight_average=0.9, early_stopping=True, n_iter_no_change=2, learning_rate_init=0.1
    ),
    "DAE": DAESourceModel(**SMALL, solver="rmsprop"),
    "WGAN": WGANSourceModel(**SMALL, critic_max_iter=2, n_reconstruction=3),
    "GAN": GANSourceModel(
        **SMALL,
        latent="data",
        reconstruction_weight=0,
        inversion_max_iter=2,
        critic_max_iter=2,
        learning_rate="constant",
    ),
}


class CancelledError(Exception):
    pass


@pytest.fixture(autouse=True)
def every_step(monkeypatch):
    monkeypatch.setattr(progress, "_EVERY", 0.0)


def stop_after(n_events):
    left = [n_events]

    def callback(event):
        left[0] -= 1
        if not left[0]:
            raise CancelledError

    return on_progress(callback)


def fit_in_pieces(estimator, n_events, *data):
    """Fit anew again and again, each time until so many steps were taken."""
    for n_fits in range(1, 100):
        fresh = clone(estimator)
        try:
            with stop_after(n_events):
                return fresh.fit(*data), n_fits
        except CancelledError:
            pass
    raise AssertionError("training makes no progress")


def state(model):
    """All that a fit has found, without times."""
    found = {name: value for name, value in vars(model).items() if name.endswith("_")}
    for name in {"history_", "inversion_history_"} & set(found):
        found[name] = [{key: value for key, value in epoch.items() if key != "dur"} for epoch in found[name]]
    return joblib.hash(found)


def weights(fitted):
    parts = [*fitted.source_models_, fitted.start_, fitted.critic_]
    return [sorted((name, weight.tobytes()) for name, weight in part.weights_.items()) for part in parts]


def separator(**params):
    start, critic = MixtureStart(8, max_iter=210), MixtureCritic(8, max_iter=110)
    given = {"random_state": 0, "checkpoint_every": 0.0, **params}
    return SupervisedSeparator(clone(MODELS["WGAN"]), start=start, critic=critic, **given)


class TestResuming:
    @pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
    def test_gives_what_an_uninterrupted_training_gives(self, model, tmp_path):
        expected = clone(model).fit(X[:40])
        path = tmp_path / "training"
        resumed, n_fits = fit_in_pieces(clone(model).set_params(checkpoint=path, checkpoint_every=0.0), 11, X[:40])
        assert n_fits > 1
        assert state(resumed) == state(expected)
        assert [p.name for p in tmp_path.iterdir()] == ["training"]

    def test_of_separators(self, tmp_path):
        expected = weights(separator().fit(X, Y))
        resumed, n_fits = fit_in_pieces(separator(checkpoint=str(tmp_path / "training")), 115, X, Y)
        assert n_fits > 2
        assert weights(resumed) == expected
        again = separator(checkpoint=tmp_path / "training", critic_weight=7.0, n_jobs=2)
        assert weights(again.fit(X, Y)) == expected, "parameters that act at separation do not matter, nor do jobs"

    def test_through_audio_without_a_seed(self, tmp_path, short_voices):
        data = short_voices.utterances, short_voices.speakers
        inner = separator(checkpoint=tmp_path / "training", random_state=None).set_params(
            source_model__random_state=None
        )
        first, _ = fit_in_pieces(AudioSeparator(inner), 400, *data)
        second = AudioSeparator(clone(inner)).fit(*data)
        assert weights(first.separator_) == weights(second.separator_)

    def test_of_what_is_put_together(self, tmp_path):
        fitted = [(label, clone(MODELS["VAE"]).fit(X[Y == label])) for label in ("high", "low")]
        params = separator(checkpoint=tmp_path / "training").get_params(deep=False)
        del params["source_model"]
        with stop_after(120), pytest.raises(CancelledError):
            SupervisedSeparator.from_fitted(fitted, **params)
        resumed = SupervisedSeparator.from_fitted(fitted, **params)
        assert weights(resumed) == weights(SupervisedSeparator.from_fitted(fitted, **{**params, "checkpoint": None}))

    def test_after_a_kill(self, tmp_path):
        path = tmp_path / "training"
        code = f"""
import os, signal, sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
from test_checkpoints import X, Y, on_progress, separator
from sklearn_gass import progress
progress._EVERY = 0.0
def kill(event):
    if event.part == "start" and event.step == 150:
        os.kill(os.getpid(), signal.SIGKILL)
with on_progress(kill):
    separator(checkpoint={os.fspath(path)!r}).fit(X, Y)
"""
        ended = subprocess.run([sys.executable, "-c", code], check=False)
        assert ended.returncode == -signal.SIGKILL
        events = []
        with on_progress(events.append):
            resumed = separator(checkpoint=path).fit(X, Y)
        assert weights(resumed) == weights(separator().fit(X, Y))
        assert min(event.step for event in events if event.part == "start" and event.step) > 100

    def test_an_interruption_keeps_the_last_state_though_none_was_due(self, tmp_path, monkeypatch):
        monkeypatch.setattr(_checkpoints, "_KEEP_EVERY", 0.0)
        model = clone(MODELS["VAE"]).set_params(checkpoint=tmp_path / "training", checkpoint_every=1e6)

        def stop(event):
            if event.epoch == 4:
                raise KeyboardInterrupt

        with on_progress(stop), pytest.raises(KeyboardInterrupt):
            clone(model).fit(X)
        events = []
        with on_progress(events.append):
            model.fit(X)
        assert min(event.epoch for event in events if event.epoch) == 4
        assert state(model) == state(clone(model).set_params(checkpoint=None).fit(X))


class TestRefusing:
    def test_another_training(self, tmp_path):
        model = clone(MODELS["VAE"]).set_params(checkpoint=tmp_path / "training").fit(X)
        for changed, data, what in [
            ({}, X[::-1], "data"),
            ({"latent_weight": 0.5}, X, "parameters"),
            ({"latent_weight": 0.5}, X[1:], "data and parameters"),
            ({"random_state": 1}, X, "random_state"),
            ({"warm_start": True}, X, "parameters and earlier training"),
        ]:
            other = (model if "warm_start" in changed else clone(model)).set_params(**changed)
            with pytest.raises(ValueError, match=f"belongs to a training with other {what}. Delete it to train"):
                other.fit(data)
            model.set_params(warm_start=False)
        clone(model).set_params(verbose=0, callbacks=[]).fit(X)

    def test_other_parts_of_a_separator(self, tmp_path):
        fitted = separator(checkpoint=tmp_path / "training").fit(X, Y)
        for changed in ({"start__max_iter": 7}, {"source_model__latent_weight": 0.5}, {"beta_loss": "frobenius"}):
            with pytest.raises(ValueError, match="belongs to a training with other parameters"):
                clone(fitted).set_params(**changed).fit(X, Y)
        with pytest.raises(ValueError, match="belongs to a training with other data"):
            clone(fitted).fit(X, Y[::-1])

    @pytest.mark.parametrize("content", [b"", b"nothing", b"model", b"bad"])
    def test_what_is_no_checkpoint_and_keeps_it(self, tmp_path, content):
        path = tmp_path / "training"
        model = NMFSourceModel(2, max_iter=1).fit(X)
        if content == b"model":
            save_model(model, path)
        elif content == b"bad":
            identity = {"data": "", "parameters": "", "earlier training": ""}
            training = {"identity": identity, "seeds": {}, "runs": {"model/1": True}}
            _container.write(path, {"training": training}, {})
        else:
            path.write_bytes(content)
        before = path.read_bytes()
        way_out = (
            "give the checkpoint another path" if content == b"model" else r"Cannot read .*training: .*\. Delete it"
        )
        with pytest.raises(ValueError, match=way_out):
            clone(MODELS["VAE"]).set_params(checkpoint=path).fit(X)
        assert path.read_bytes() == before

    def test_a_checkpoint_is_no_model(self, tmp_path):
        clone(MODELS["VAE"]).set_params(checkpoint=tmp_path / "training").fit(X)
        with pytest.raises(ValueError, match="it is a checkpoint, from which fit goes on"):
            load_model(tmp_path / "training")

    def test_files_of_several_trainings(self, tmp_path):
        inside = SupervisedSeparator(clone(MODELS["VAE"]).set_params(checkpoint=tmp_path / "training"))
        with pytest.raises(ValueError, match="Set checkpoint of the separator"):
            inside.fit(X, Y)
        with pytest.raises(ValueError, match="A search trains many times: set checkpoint of the separator to None"):
            SupervisedSeparatorCV(separator(checkpoint=tmp_path / "training")).fit(X, Y)

    def test_a_folder_that_is_missing_before_training(self, tmp_path):
        model = clone(MODELS["VAE"]).set_params(checkpoint=tmp_path / "no" / "training")
        with pytest.raises(FileNotFoundError, match=r"checkpoint .*training: the folder .* does not exist"):
            model.fit(X)

    def test_a_full_disk_keeps_the_old_state(self, tmp_path, monkeypatch):
        path = tmp_path / "training"
        model = clone(MODELS["VAE"]).set_params(checkpoint=path, checkpoint_every=0.0)
        with stop_after(20), pytest.raises(CancelledError):
            clone(model).fit(X)
        before = path.read_bytes()

        def full(number):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(OSError, match=r"No space left on device: .*training"):
                clone(model).fit(X)
        assert path.read_bytes() == before
        assert [p.name for p in tmp_path.iterdir()] == ["training"]
        assert state(model.fit(X)) == state(clone(MODELS["VAE"]).fit(X))


class TestWarmStart:
    def histories(self, fitted):
        parts = [*fitted.source_models_, fitted.start_, fitted.critic_]
        return [[epoch["epoch"] for epoch in part.history_] for part in parts]

    def test_separators_go_on_with_every_part(self):
        fitted = separator(warm_start=True).fit(X, Y)
        first, before = weights(fitted), self.histories(fitted)
        assert before == [[1, 2, 3, 4, 5]] * 2 + [[1, 2, 3], [1, 2]]
        fitted.fit(X, Y)
        assert self.histories(fitted) == [[*range(1, 11)]] * 2 + [[*range(1, 7)], [*range(1, 5)]]
        assert all(one != other for one, other in zip(first, weights(fitted), strict=True))
        assert weights(fitted.set_params(warm_start=False).fit(X, Y)) == first

    def test_through_audio_and_files(self, tmp_path, short_voices):
        data = short_voices.utterances, short_voices.speakers
        audio = AudioSeparator(separator(warm_start=True)).fit(*data)
        save_model(audio, tmp_path / "model")
        loaded = load_model(tmp_path / "model")
        for fitted in (audio, loaded):
            fitted.fit(*data)
            assert [len(history) for history in self.histories(fitted.separator_)] == [10, 10, 6, 4]
        assert weights(audio.separator_) == weights(loaded.separator_)

    def test_one_part_alone(self):
        fitted = separator().set_params(start__warm_start=True).fit(X, Y)
        first = weights(fitted)
        fitted.fit(X, Y)
        assert weights(fitted)[:2] == first[:2]
        assert [len(history) for history in self.histories(fitted)] == [5, 5, 6, 2]

    def test_with_a_checkpoint(self, tmp_path):
        def twice(path):
            fitted = separator(warm_start=True).fit(X, Y)
            return fitted.set_params(checkpoint=path)

        expected = weights(twice(None).fit(X, Y))
        fitted = twice(tmp_path / "training")
        with stop_after(130), pytest.raises(CancelledError):
            fitted.fit(X, Y)
        assert weights(twice(tmp_path / "training").fit(X, Y)) == expected

    def test_new_labels_frozen_and_linear_models(self):
        fitted = separator(warm_start=True).fit(X, Y)
        with pytest.warns(UserWarning, match="start and critic begin anew"):
            fitted.fit(X, np.repeat(["high", "new"], 40))
        assert [len(history) for history in self.histories(fitted)] == [10, 5, 3, 2]
        frozen = SupervisedSeparator([("high", FrozenEstimator(fitted.source_models_[0])), ("low", NMFSourceModel(2))])
        frozen.set_params(start="source", critic=None, warm_start=True, low__random_state=0).fit(X, Y)
        templates = frozen.source_models_[1].components_
        assert frozen.fit(X, Y).source_models_[0].estimator is fitted.source_models_[0]
        assert not np.array_equal(frozen.source_models_[1].components_, templates)

    def test_templates_go_on(self):
        model = NMFSourceModel(2, max_iter=2, tol=0, warm_start=True, random_state=0).fit(X)
        first = model.reconstruction_err_
        assert model.fit(X).reconstruction_err_ < first
        with pytest.raises(ValueError, match="fitted with n_components=2, not 3: fit it again, without warm_start"):
            model.set_params(n_components=3).fit(X)

    def test_warns_of_a_model_that_cannot(self):
        class Plain(NMFSourceModel):
            def __init__(self, n_components=2, beta_loss="kullback-leibler", max_iter=2, random_state=None):
                super().__init__(n_components, beta_loss=beta_loss, max_iter=max_iter, random_state=random_state)

        fitted = SupervisedSeparator(Plain(), warm_start=True).fit(X, Y)
        with pytest.warns(UserWarning, match="Plain has no warm_start: it is trained from the beginning"):
            fitted.fit(X, Y)
        assert issubclass(Plain, BaseSourceModel)

    def test_refuses_parts_of_other_layers(self):
        fitted = separator(warm_start=True).fit(X, Y)
        with pytest.raises(ValueError, match="This MixtureStart was fitted for other sources, or with other layers"):
            fitted.set_params(start__hidden_layer_sizes=(9,)).fit(X, Y)
