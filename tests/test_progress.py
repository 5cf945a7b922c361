"""Progress of training: who is told what, and that nothing changes by it."""

import threading

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_gass import (
    AudioSeparator,
    GANSourceModel,
    MixtureCritic,
    MixtureStart,
    NMFSourceModel,
    SupervisedSeparator,
    SupervisedSeparatorCV,
    VAESourceModel,
    WGANSourceModel,
    progress,
)
from sklearn_gass.progress import PrintProgress, Progress, on_progress

SMALL = {"n_components": 2, "hidden_layer_sizes": (8,), "max_iter": 3, "batch_size": 8}
X = np.random.RandomState(0).gamma(0.5, size=(80, 6)).astype(np.float32)
Y = np.repeat(["high", "low"], 40)


class CancelledError(Exception):
    pass


@pytest.fixture
def every_step(monkeypatch):
    monkeypatch.setattr(progress, "_EVERY", 0.0)


def separator(model=None, **params):
    model = VAESourceModel(**SMALL) if model is None else model
    start, critic = MixtureStart(8, max_iter=120), MixtureCritic(8, max_iter=110)
    return SupervisedSeparator(model, start=start, critic=critic, random_state=0, **params)


def followed(estimator, *data):
    events = []
    with on_progress(events.append):
        estimator.fit(*data)
    return events


def weights(fitted):
    parts = [*fitted.source_models_, fitted.start_, fitted.critic_]
    return {(i, name): weight for i, part in enumerate(parts) for name, weight in part.weights_.items()}


@pytest.mark.usefixtures("every_step")
class TestEvents:
    def test_every_part_epoch_and_step(self):
        events = followed(separator(), X, Y)
        done = [event for event in events if event.is_done]
        assert [event.part for event in done] == ["source high", "source low", "start", "critic"]
        assert [event.epoch for event in done] == [3, 3, 2, 2]
        steps = [event.step for event in events if event.part == "source low" and not event.is_done]
        assert steps == [0, *range(1, 16)]
        assert all("train_loss" in event.losses for event in done)
        assert {(event.n_epochs, event.n_steps) for event in done} == {(3, 15), (2, 120), (2, 110)}

    def test_share_rises_to_one(self):
        events = followed(separator(WGANSourceModel(**SMALL, critic_max_iter=2)), X, Y)
        shares = [event.share for event in events]
        assert shares == sorted(shares)
        assert shares[0] == 0
        assert shares[-1] == 1
        assert np.diff(shares).max() < 0.05
        assert events[-1].seconds_left == 0
        assert events[0].seconds_left is None

    def test_phases_of_adversarial_models(self):
        model = GANSourceModel(**SMALL, latent="data", reconstruction_weight=0, inversion_max_iter=2, critic_max_iter=1)
        events = followed(model, X)
        assert list(dict.fromkeys(event.phase for event in events if event.phase)) == [
            "autoencoder",
            "generator",
            "encoder",
            "critic",
        ]
        assert [event.part for event in events if event.is_done] == ["GANSourceModel"]

    def test_a_model_alone_and_a_linear_one(self):
        assert followed(NMFSourceModel(2), X)[-1].is_done
        events = followed(separator(NMFSourceModel(2)), X, Y)
        assert [event.part for event in events if event.is_done] == ["source high", "source low"]
        assert events[-1].share == 1

    def test_folds_of_a_search(self):
        search = SupervisedSeparatorCV(separator(NMFSourceModel(2, max_iter=2)), critic_weights=[0], cv=2)
        done = [event.part for event in followed(search, X, Y) if event.is_done]
        assert done[:3] == ["fold 1 of 2, source high", "fold 1 of 2, source low", "fold 1 of 2"]
        assert done[-1] == "choice"

    @pytest.mark.parametrize("n_jobs", [1, 2])
    def test_nothing_changes(self, n_jobs):
        alone = separator(n_jobs=n_jobs).fit(X, Y)
        told = separator(n_jobs=n_jobs)
        events = followed(told, X, Y)
        assert events[-1].share == 1
        expected = weights(alone)
        assert all(np.array_equal(weight, expected[name]) for name, weight in weights(told).items())


@pytest.mark.usefixtures("every_step")
class TestStopping:
    @pytest.mark.parametrize("part", ["source high", "source low", "start", "critic"])
    def test_a_callback_may_stop_everything(self, part):
        def stop(event):
            if event.part == part and event.step == 3:
                raise CancelledError

        fresh = separator()
        with on_progress(stop), pytest.raises(CancelledError):
            fresh.fit(X, Y)
        assert not hasattr(fresh, "classes_")
        assert progress.current_task() is None
        fresh.fit(X, Y).transform(X[:2])

    def test_keyboard_interrupt_leaves_what_was_there(self):
        def stop(event):
            if event.part == "start":
                raise KeyboardInterrupt

        fitted = separator().fit(X, Y)
        before = fitted.transform(X[:3])
        with on_progress(stop), pytest.raises(KeyboardInterrupt):
            fitted.fit(X[::-1], Y)
        np.testing.assert_array_equal(fitted.transform(X[:3]), before)

    def test_a_model_keeps_what_it_has(self):
        def stop(event):
            if event.epoch == 2:
                raise CancelledError

        model = VAESourceModel(**SMALL)
        with on_progress(stop), pytest.raises(CancelledError):
            model.fit(X)
        assert len(model.history_) == 2
        assert np.isfinite(model.transform(X[:2])).all()


class TestPrinting:
    def test_verbose_prints_a_line_for_each_part(self, capsys):
        separator(verbose=1).fit(X, Y)
        lines = capsys.readouterr().out.splitlines()
        assert [line.partition(":")[0] for line in lines] == ["source high", "source low", "start", "critic"]
        assert "3 epochs, train loss" in lines[0]
        assert lines[-1].endswith("100% of all")

    def test_through_audio_and_once(self, capsys, short_voices):
        audio = AudioSeparator(separator(NMFSourceModel(2, max_iter=1), verbose=1), verbose=1)
        audio.fit(short_voices.utterances, short_voices.speakers)
        assert len(capsys.readouterr().out.splitlines()) == 2
        clone(audio).set_params(verbose=0, separator__verbose=0).fit(short_voices.utterances, short_voices.speakers)
        assert capsys.readouterr().out == ""

    def test_lines_while_a_part_lasts(self):
        lines = []
        printer = PrintProgress(lines.append, every=0.0)
        printer(Progress("start", "", 0.25, 5.0, 15.0, epoch=2, n_epochs=30, losses={"train_loss": 12.3456}))
        printer(Progress("start", "", 1.0, 20.0, 0.0, epoch=30, n_epochs=30, is_done=True))
        assert lines == [
            "start, epoch 2 of 30, train loss 12.35, 25% of all, 15 s left",
            "start: 15.0 s, 30 epochs, 100% of all",
        ]


def test_threads_that_nobody_listens_to_tell_nothing():
    events = []
    with on_progress(events.append):
        thread = threading.Thread(target=lambda: NMFSourceModel(2, max_iter=1).fit(X))
        thread.start()
        thread.join()
    assert events == []
