"""Behaviour of the neural source models, and of the loop that trains them."""

import pickle
import re
import signal
import warnings

import joblib
import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback, EarlyStopping

from sklearn_gass import DAESourceModel, GANSourceModel, VAESourceModel, WGANSourceModel
from sklearn_gass._random import derive_seed
from sklearn_gass.networks import vary_excitation, warp_frequencies

SMALL = {"hidden_layer_sizes": (8,), "batch_size": 16, "max_iter": 3, "random_state": 0}
CRITIC = {"critic_hidden_layer_sizes": (8,), "inversion_max_iter": 2, "critic_max_iter": 1}
ADVERSARIAL = {
    "GAN": GANSourceModel(3, **SMALL, **CRITIC),
    "GAN-alone": GANSourceModel(3, **SMALL, **CRITIC, reconstruction_weight=0.0),
    "WGAN": WGANSourceModel(3, **SMALL, **CRITIC),
    "WGAN-alone": WGANSourceModel(3, **SMALL, **CRITIC, reconstruction_weight=0.0),
    "WGAN-clip": WGANSourceModel(3, **SMALL, **CRITIC, penalty="clip"),
    "WGAN-spectral": WGANSourceModel(3, **SMALL, **CRITIC, penalty="spectral", n_critic=2),
    "WGAN-data": WGANSourceModel(3, **SMALL, **CRITIC, latent="data"),
    "WGAN-data-alone": WGANSourceModel(3, **SMALL, **CRITIC, latent="data", reconstruction_weight=0.0),
}
AUTOENCODERS = {
    "VAE": VAESourceModel(3, **SMALL),
    "DAE": DAESourceModel(3, **SMALL),
    "VAE-early": VAESourceModel(3, **SMALL, early_stopping=True),
    "VAE-rmsprop": VAESourceModel(3, **SMALL, solver="rmsprop", weight_average=0.9, activation="softplus"),
}
MODELS = AUTOENCODERS | ADVERSARIAL
FOUR = ["VAE", "DAE", "GAN", "WGAN"]


def parametrize(models):
    return pytest.mark.parametrize("model", models.values(), ids=models.keys())


each = parametrize(MODELS)
each_of_four = parametrize({name: MODELS[name] for name in FOUR})


def fit(model, X, **params):
    return clone(model).set_params(**params).fit(X)


class Recorder(Callback):
    """Counts epochs, and may do something at the end of one."""

    def __init__(self, at=None, action=None):
        self.at, self.action = at, action
        self.n_epochs_, self.events_ = 0, []

    def on_train_begin(self, net, **kwargs):
        self.events_.append("begin")

    def on_train_end(self, net, **kwargs):
        self.events_.append("end")

    def on_epoch_end(self, net, **kwargs):
        self.n_epochs_ += 1
        if self.n_epochs_ == self.at:
            self.action()


def raise_keyboard_interrupt():
    raise KeyboardInterrupt


def interrupt(number, frame):
    raise KeyboardInterrupt


def fit_with(model, X, recorder, **params):
    """Fit with a callback that is not cloned, and return the model."""
    model = clone(model).set_params(callbacks=[recorder], **params)
    return model.fit(X)


class TestSample:
    @each
    def test_frames_in_the_unit_of_training(self, model, frames):
        model = fit(model, frames)
        samples = model.sample(40)
        assert samples.shape == (40, 12)
        assert np.isfinite(samples).all()
        assert (samples >= 0).all()
        assert 0.2 < samples.mean() / frames.mean() < 5
        means = model.sample(40, output_noise=False)
        assert means.shape == (40, 12)
        assert np.isfinite(means).all()
        assert (means >= 0).all()
        assert not np.array_equal(means, samples)

    @each
    def test_seeds(self, model, frames):
        model = fit(model, frames)
        assert_array_equal(model.sample(5, random_state=3), model.sample(5, random_state=3))
        assert_array_equal(model.sample(5), model.sample(5, random_state=model.random_state))
        assert not np.array_equal(model.sample(5, random_state=3), model.sample(5, random_state=4))
        means = [model.sample(5, random_state=3, output_noise=False) for _ in range(2)]
        assert_array_equal(*means)
        assert len(np.unique(model.sample(5), axis=0)) > 1

    def test_noise_of_bins_that_the_model_takes_for_silent(self, rng):
        """Quotients beyond the range of half precision are bounded."""
        X = np.full((20, 400), 1e-9)
        X[np.arange(20), rng.integers(400, size=20)] = 1.0
        model = fit(MODELS["GAN-alone"], X, inversion_max_iter=0)
        assert np.isfinite(model.residuals_).all()
        assert np.isfinite(model.sample(20, output_noise=True)).all()


class TestReproducibility:
    @each
    def test_level_does_not_matter(self, model, frames):
        quiet, loud = fit(model, frames), fit(model, 1024 * frames)
        assert_array_equal(loud.transform(1024 * frames[:5]), quiet.transform(frames[:5]))
        assert_array_equal(loud.sample(5), 1024 * quiet.sample(5))

    @each
    def test_global_seed_of_torch_is_neither_read_nor_changed(self, model, frames):
        results = []
        for global_seed in (1, 2):
            torch.manual_seed(global_seed)
            before = torch.get_rng_state()
            fitted = fit(model, frames)
            results.append(
                np.concatenate([fitted.sample(5, output_noise=True).ravel(), fitted.transform(frames).ravel()])
            )
            assert torch.equal(torch.get_rng_state(), before)
        assert_array_equal(*results)

    @each_of_four
    def test_threads_give_the_same_numbers(self, model, frames):
        models = [clone(model).set_params(random_state=seed) for seed in range(3)]
        alone = [clone(m).fit(frames).sample(5) for m in models]
        threaded = Parallel(n_jobs=3, backend="threading")(delayed(clone(m).fit)(frames) for m in models)
        for samples, fitted in zip(alone, threaded, strict=True):
            assert_array_equal(fitted.sample(5), samples)

    @each
    def test_pickle(self, model, frames):
        model = fit(model, frames)
        data = pickle.dumps(model)
        n_bytes = sum(w.nbytes for w in model.weights_.values()) + model.codes_.nbytes + model.residuals_.nbytes
        assert len(data) < n_bytes + 10_000
        assert b"torch" not in data
        assert b"skorch" not in data
        copy = pickle.loads(data)
        assert_array_equal(copy.transform(frames), model.transform(frames))
        assert_array_equal(copy.sample(5), model.sample(5))

    @each
    def test_read_only_memory_maps(self, model, frames, tmp_path):
        """Without a warning, since warnings are errors here."""
        model = fit(model, frames)
        joblib.dump(model, tmp_path / "model.joblib")
        mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
        assert isinstance(mapped.codes_, np.memmap)
        assert_array_equal(mapped.transform(frames), model.transform(frames))
        assert_array_equal(mapped.sample(5, output_noise=True), model.sample(5, output_noise=True))


class TestHistory:
    @each
    def test_plain_numbers_of_each_epoch(self, model, frames):
        model = fit(model, frames)
        assert len(model.history_) == model.n_iter_ == 3
        for number, epoch in enumerate(model.history_, 1):
            assert type(epoch) is dict
            assert {type(value) for value in epoch.values()} <= {float, int, bool}
            assert epoch["epoch"] == number
            assert np.isfinite(epoch["train_loss"])
            assert ("valid_loss" in epoch) == getattr(model, "early_stopping", False)
            assert ("critic_loss" in epoch) == hasattr(model, "critic_score")

    def test_of_what_surrounds_adversarial_training(self, frames):
        lengths = {name: len(fit(model, frames).inversion_history_) for name, model in ADVERSARIAL.items()}
        assert lengths["WGAN"] == 0
        assert lengths["WGAN-alone"] == 2
        assert lengths["WGAN-data"] == 3
        assert lengths["WGAN-data-alone"] == 5

    def test_takes_what_callbacks_record(self, frames):
        class Recording(Callback):
            def on_epoch_end(self, net, **kwargs):
                net.history.record("sizes", [1, 2])
                net.history.record("note", "fine")

        model = VAESourceModel(3, **SMALL, callbacks=[Recording()]).fit(frames)
        assert [(epoch["sizes"], epoch["note"]) for epoch in model.history_] == [([1, 2], "fine")] * 3


class TestCallbacks:
    @each_of_four
    def test_are_called(self, model, frames):
        recorder = Recorder()
        fit_with(model, frames, recorder)
        assert recorder.n_epochs_ == 3
        assert recorder.events_ == ["begin", "end"]

    @each_of_four
    def test_early_stopping_of_skorch_ends_training(self, model, frames):
        stopper = EarlyStopping("train_loss", patience=2, threshold=1e9, threshold_mode="abs", sink=lambda _: None)
        fitted = fit(model, frames, callbacks=[stopper], max_iter=20)
        assert fitted.n_iter_ < 20
        assert np.isfinite(fitted.transform(frames)).all()

    @pytest.mark.parametrize("event", ["on_train_begin", "on_train_end", "on_batch_end"])
    def test_may_end_training_at_any_event(self, event, frames):
        def end(self, net, *args, **kwargs):
            raise KeyboardInterrupt

        stopper = type("Stopper", (Callback,), {event: end})()
        assert np.isfinite(VAESourceModel(3, **SMALL, callbacks=[stopper]).fit(frames).sample(3)).all()

    @pytest.mark.parametrize(
        "at_signal",
        [signal.default_int_handler, lambda *args: raise_keyboard_interrupt(), interrupt],
        ids=["default", "lambda", "function"],
    )
    @each_of_four
    def test_a_signal_is_passed_on_with_weights_in_place(self, model, at_signal, frames):
        recorder = Recorder(at=2, action=lambda: signal.raise_signal(signal.SIGINT))
        model = clone(model).set_params(callbacks=[recorder], max_iter=20)
        handler = signal.signal(signal.SIGINT, at_signal)  # shells turn it off for background jobs
        try:
            with pytest.raises(KeyboardInterrupt):
                model.fit(frames)
        finally:
            signal.signal(signal.SIGINT, handler)
        assert recorder.n_epochs_ == 2
        assert len(model.history_) == 2
        assert np.isfinite(model.transform(frames)).all()
        assert np.isfinite(model.sample(3)).all()
        start = clone(model).set_params(callbacks=[Recorder(at=1, action=raise_keyboard_interrupt)]).fit(frames)
        changed = [not np.array_equal(w, start.weights_[name]) for name, w in model.weights_.items()]
        assert any(changed), "the second epoch's work is kept"

    def test_an_error_is_passed_on(self, frames):
        def fail():
            raise RuntimeError("mine")

        with pytest.raises(RuntimeError, match="mine"):
            fit_with(MODELS["VAE"], frames, Recorder(at=1, action=fail))

    def test_verbose_prints_a_line_per_epoch(self, frames, capsys):
        fit(MODELS["VAE"], frames)
        assert capsys.readouterr().out == ""
        fit(MODELS["VAE"], frames, verbose=1)
        lines = capsys.readouterr().out.splitlines()
        assert "train_loss" in lines[0]
        assert [line.split()[0] for line in lines[2:]] == ["1", "2", "3"]


class TestStopping:
    @pytest.mark.parametrize("name", ["VAE", "DAE"])
    def test_holds_frames_out_and_stops(self, name, frames):
        model = fit(MODELS[name], frames, early_stopping=True, tol=10.0, n_iter_no_change=2, max_iter=20)
        assert model.n_iter_ == 3
        assert all(np.isfinite(epoch["valid_loss"]) for epoch in model.history_)
        whole = fit(MODELS[name], frames)
        assert any(not np.array_equal(w, whole.weights_[name]) for name, w in model.weights_.items())

    @pytest.mark.parametrize("sign", [1, -1])
    def test_watches_the_training_loss_of_either_sign(self, sign, rng):
        """With peaks the loss is negative, as constants are left out; a plateau is one all the same."""
        X = rng.random((64, 12)) * [1 if sign > 0 else 100, *[1] * 11]
        settings = {"tol": 0.05, "n_iter_no_change": 3, "learning_rate_init": 1e-9, "max_iter": 30}
        model = fit(MODELS["VAE"], X, **settings, batch_size=64)
        assert np.sign(model.history_[-1]["train_loss"]) == sign
        assert model.n_iter_ < 30

    def test_one_frame_cannot_be_held_out(self, frames):
        with pytest.raises(ValueError, match="early_stopping needs frames to hold out and others to train on"):
            fit(MODELS["VAE-early"], frames[:1])
        assert fit(MODELS["VAE-early"], frames[:2], validation_fraction=0.99).n_iter_ == 3

    @each_of_four
    def test_warm_start_goes_on(self, model, frames):
        model = clone(model).set_params(max_iter=20, learning_rate_init=2e-2, warm_start=True)
        if hasattr(model, "reconstruction_weight"):
            model.set_params(reconstruction_weight=10.0)  # which makes the loss one that falls
        first = model.fit(frames).history_
        second = model.fit(frames).history_
        start, end, again = first[0]["train_loss"], first[-1]["train_loss"], second[len(first)]["train_loss"]
        assert end < start
        assert abs(again - end) < abs(again - start)
        cold = model.set_params(warm_start=False).fit(frames).history_
        assert cold[0]["train_loss"] == start

    @each_of_four
    def test_warm_start_of_other_layers(self, model, frames):
        model = clone(model).set_params(warm_start=True).fit(frames)
        before = model.transform(frames)
        with pytest.raises(ValueError, match="expecting"):
            model.fit(frames[:, :-1])
        np.testing.assert_array_equal(model.transform(frames), before)
        model.set_params(n_components=model.n_components + 1)
        for call in (model.fit, model.transform):
            with pytest.raises(ValueError, match="was fitted with other layers or another number of bins"):
                call(frames)


class TestDivergence:
    @each_of_four
    def test_warns_and_keeps_finite_weights(self, model, frames):
        with pytest.warns(ConvergenceWarning, match=r"diverged in epoch \d+"):
            model = fit(model, frames, learning_rate_init=1e30, solver="rmsprop", max_iter=20)
        assert model.n_iter_ < 20
        assert all(np.isfinite(weight).all() for weight in model.weights_.values())
        assert np.isfinite(model.transform(frames)).all()

    def test_gives_the_weights_of_the_last_finite_epoch(self, frames):
        """Also if only the loss, not a weight, has overflowed."""

        class Overflow(Callback):
            def on_epoch_begin(self, net, **kwargs):
                if len(net.history) == 3:
                    with torch.no_grad():
                        for parameter in net.module_.networks["encoder"].parameters():
                            parameter.fill_(1e25)

        with pytest.warns(ConvergenceWarning, match="diverged in epoch 3"):
            model = fit(MODELS["VAE"], frames, callbacks=[Overflow()], max_iter=10)
        assert len(model.history_) == 3
        assert max(np.abs(weight).max() for weight in model.weights_.values()) < 100


class TestCritic:
    @parametrize(ADVERSARIAL)
    def test_prefers_real_frames_to_generated_ones(self, model, frames):
        """If the generator hardly learns."""
        model = clone(model).set_params(learning_rate_init=1e-6, critic_learning_rate_init=1e-2, n_reconstruction=1)
        model = fit(model, frames, max_iter=20, **({"clip_value": 0.1} if "clip_value" in model.get_params() else {}))
        scores = model.critic_score(frames)
        assert scores.shape == (60,)
        assert scores.mean() > model.critic_score(model.sample(60, output_noise=False)).mean()

    @pytest.mark.parametrize("kind", ["GAN", "WGAN"])
    def test_goes_on_against_the_finished_generator(self, kind, frames):
        """The generator stays as it is, and the critic learns to tell its frames from those of training."""
        models = [fit(MODELS[kind], frames, critic_max_iter=n, critic_learning_rate_init=1e-2) for n in (0, 60)]
        changed = {name for name, weight in models[0].weights_.items() if (weight != models[1].weights_[name]).any()}
        assert {name.split(".")[0] for name in changed} == {"critic"}
        latents = np.random.RandomState(1).randn(200, 3)  # what the generator is fed in training
        before, after = (
            model.critic_score(frames).mean() - model.critic_score(model.inverse_transform(latents)).mean()
            for model in models
        )
        assert after > max(before, 0)

    @pytest.mark.parametrize("clip_value", [0.01, 0.1])
    def test_clipped_weights(self, clip_value, frames):
        model = fit(MODELS["WGAN-clip"], frames, clip_value=clip_value)
        weights = np.concatenate([w.ravel() for name, w in model.weights_.items() if name.startswith("critic")])
        assert np.abs(weights).max() == pytest.approx(clip_value)

    def test_spectral_norms(self, frames):
        model = fit(MODELS["WGAN-spectral"], frames, max_iter=20, critic_learning_rate_init=1e-2)
        norms = [np.linalg.norm(w, 2) for name, w in model.weights_.items() if re.match(r"critic.*weight", name)]
        assert len(norms) == 2
        assert max(norms) < 1.05
        assert max(norms) > 0.5


class TestFrequencyWarp:
    def test_moves_a_peak_by_a_random_factor(self, rng):
        """A peak at bin 200 comes out within half an octave, at places that differ; its height stays."""
        bins = np.arange(513)
        frames = torch.tensor(np.exp(-((bins - 200) ** 2) / 50)).repeat(300, 1)
        warped = warp_frequencies(frames, 0.5, torch.Generator().manual_seed(0)).numpy()
        octaves = np.log2(warped.argmax(1) / 200)
        assert np.abs(octaves).max() <= 0.51
        assert np.abs(octaves.mean()) < 0.06
        assert octaves.std() == pytest.approx(0.5 / np.sqrt(3), rel=0.1)  # that of a uniform variable
        assert_allclose(warped.max(1), 1, atol=0.05)

    def test_mirrors_what_lies_beyond_the_highest_bin(self):
        frames = torch.arange(9.0).repeat(50, 1)
        warped = warp_frequencies(frames, 1.0, torch.Generator().manual_seed(0))
        factors = warped[:, 1].double()
        places = factors[:, None] * torch.arange(9)
        assert_allclose(warped, 8 - (8 - places).abs(), atol=1e-4)

    @pytest.mark.parametrize("n_bins", [1, 2, 12])
    def test_of_nothing_leaves_frames_alone(self, n_bins, rng):
        frames = torch.tensor(rng.random((5, n_bins)))
        assert torch.equal(warp_frequencies(frames, 0.0, torch.Generator()), frames)
        if n_bins == 1:
            assert torch.equal(warp_frequencies(frames, 1.0, torch.Generator()), frames)

    def test_changes_training(self, frames):
        warped, plain = (fit(MODELS["VAE"], frames, frequency_warp=warp) for warp in (0.5, 0.0))
        assert not np.array_equal(warped.weights_["decoder.layers.0.weight"], plain.weights_["decoder.layers.0.weight"])


def voiced(pitch, resonance, depth=2.0):
    """A frame with harmonics every so many bins, under an envelope that is highest at a bin."""
    bins = np.arange(513)
    harmonics = np.exp(depth * np.cos(2 * np.pi * bins / pitch) - depth)
    return torch.tensor(harmonics * np.exp(-(((bins - resonance) / 200) ** 2)) * 5, dtype=torch.float32)


def pitch_of(frame):
    """Distance of harmonics in bins, from the peak of the cepstrum."""
    cepstrum = np.fft.irfft(np.log(frame + 1e-2))
    quefrencies = np.arange(45, 130)
    return 1024 / quefrencies[cepstrum[quefrencies].argmax()]


def centre_of(frame):
    return float((frame * np.arange(frame.size)).sum() / frame.sum())


class TestExcitation:
    def test_pitch_changes_under_the_same_envelope(self):
        frames = voiced(13.0, 200).repeat(100, 1)
        varied = vary_excitation(frames, 0.25, 0.0, torch.Generator().manual_seed(0)).numpy()
        octaves = np.log2([pitch_of(frame) / pitch_of(frames[0].numpy()) for frame in varied])
        assert np.abs(octaves).max() <= 0.3
        assert octaves.std() > 0.1
        centres = [centre_of(frame) for frame in varied]
        assert_allclose(centres, centre_of(frames[0].numpy()), atol=8)

    def test_frames_get_the_pitch_of_others_and_keep_their_envelopes(self):
        """Low voices resonate low, high ones high; after the exchange all four combinations occur."""
        kinds = ((10.0, 100), (14.0, 300))
        frames = torch.stack([voiced(*kinds[i % 2], depth) for i, depth in enumerate(np.linspace(1, 3, 100))])
        varied = vary_excitation(frames, 0.0, 1.0, torch.Generator().manual_seed(0)).numpy()
        found = {(bool(centre_of(frame) > 220), bool(pitch_of(frame) > 12)) for frame in varied}
        assert len(found) == 4
        for frame, before in zip(varied, frames.numpy(), strict=True):
            assert centre_of(frame) == pytest.approx(centre_of(before), abs=25)

    def test_excitation_comes_from_frames_that_are_about_as_harmonic(self, rng):
        """Noise stays noise, and harmonics stay harmonics, but for the few in the middle of the ranking."""
        noise = torch.tensor(rng.rayleigh(size=(50, 513)), dtype=torch.float32)
        smooth = torch.ones(50, 513)
        varied = vary_excitation(torch.cat([smooth, noise]), 0.0, 1.0, torch.Generator().manual_seed(0))
        rough = varied.log().diff(dim=1).abs().mean(1) > 0.1
        assert rough[:50].sum() <= 10
        assert rough[50:].sum() >= 40

    @pytest.mark.parametrize("n_bins", [1, 12, 127])
    def test_frames_without_pitch_stay_as_they_are(self, n_bins, rng):
        frames = torch.tensor(rng.random((5, n_bins)))
        assert torch.equal(vary_excitation(frames, 0.5, 1.0, torch.Generator()), frames)

    def test_nothing_to_vary_leaves_frames_alone(self, rng):
        frames = torch.tensor(rng.random((5, 513)))
        assert torch.equal(vary_excitation(frames, 0.0, 0.0, torch.Generator()), frames)
        assert_allclose(vary_excitation(frames, 0.0, 1e-9, torch.Generator().manual_seed(0)), frames, atol=1e-4)


class TestTurns:
    def test_between_turns_only_reconstruction_is_learned(self, frames):
        """The critic stays what it was until its turn comes."""
        settings = {"max_iter": 1, "batch_size": 20, "critic_max_iter": 0}  # three steps
        once, always = (
            fit(MODELS["WGAN"], frames, n_reconstruction=n, penalty="clip", clip_value=10.0, **settings) for n in (3, 1)
        )
        untrained = MODELS["WGAN"]._make_networks(12, torch.Generator().manual_seed(derive_seed(0)))
        moved = [
            np.abs(model.weights_["critic.layers.0.weight"] - untrained["critic"].layers[0].weight.detach().numpy())
            for model in (once, always)
        ]
        assert 0 < moved[0].max() <= 1.1e-3  # one step of Adam
        assert moved[1].max() > 1.5e-3

    def test_no_effect_without_reconstruction(self, frames):
        first, second = (fit(MODELS["WGAN-alone"], frames, n_reconstruction=n) for n in (1, 3))
        for name, weights in first.weights_.items():
            assert_array_equal(weights, second.weights_[name])


class TestParameters:
    @each_of_four
    def test_without_hidden_layers(self, model, frames):
        model = fit(model, frames, hidden_layer_sizes=())
        assert model.weights_["decoder.layers.0.weight"].shape == (12, 3)
        assert model.transform(frames).shape == (60, 3)

    def test_an_int_is_one_layer(self, frames):
        one, several = (
            fit(MODELS["WGAN"], frames, hidden_layer_sizes=sizes, critic_hidden_layer_sizes=sizes)
            for sizes in (np.int64(4), (4,))
        )
        assert_array_equal(one.sample(5, random_state=0), several.sample(5, random_state=0))

    @pytest.mark.parametrize("sizes", [0, (0,), (8, -1), ("a",), (1.5,), [None]])
    @pytest.mark.parametrize("name", ["hidden_layer_sizes", "critic_hidden_layer_sizes"])
    def test_invalid_widths(self, name, sizes, frames):
        with pytest.raises(ValueError, match=rf"^{name} must hold integers of at least 1, got"):
            fit(MODELS["WGAN"], frames, **{name: sizes})

    @pytest.mark.parametrize("device", ["abacus", "cuda:99"])
    def test_unknown_device(self, device, frames):
        with warnings.catch_warnings(), pytest.raises(ValueError, match=f"^device '{device}' cannot be used: ") as info:
            warnings.simplefilter("ignore")  # torch's own, of machines with a broken driver
            fit(MODELS["VAE"], frames, device=device)
        assert "\n" not in str(info.value)

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
    @each_of_four
    def test_cuda(self, model, frames):
        """A model fitted there is one like any other, and explains frames as well as one fitted on the CPU."""
        cpu, cuda = (fit(model, frames, device=device, max_iter=40) for device in ("cpu", "cuda"))
        assert all(isinstance(weight, np.ndarray) for weight in cuda.weights_.values())
        assert cuda.score(frames) == pytest.approx(cpu.score(frames), rel=0.2)
        on_cpu, on_cuda = (cuda.decoder(torch.float32, device) for device in ("cpu", "cuda"))
        latents = torch.tensor(cuda.transform(frames), dtype=torch.float32)
        generated = on_cuda.generate(latents.cuda()).cpu()
        assert_allclose(generated, on_cpu.generate(latents), rtol=1e-3, atol=1e-4)
