"""What the neural source models share: networks kept as plain arrays, the training loop, the frozen decoder."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Integral, Real

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from typing_extensions import override

from sklearn_gass._bases import BeginsAtBase, check_shapes
from sklearn_gass._checkpoints import CHECKPOINT_CONSTRAINTS
from sklearn_gass._validation import Interval, StrOptions
from sklearn_gass.engine import Decoder
from sklearn_gass.networks import (
    ACTIVATIONS,
    FrameDecoder,
    FrameEncoder,
    StateDict,
    check_device,
    check_widths,
    from_arrays,
    load_arrays,
    shapes_fit,
    step_cost,
    to_arrays,
    warp_frequencies,
)
from sklearn_gass.source_models._base import N_KEPT, BaseSourceModel, spread_rows
from sklearn_gass.source_models._dynamics import fit_transition


class BaseNeuralSourceModel(BeginsAtBase, BaseSourceModel):
    """Base of the source models whose decoder is a multilayer perceptron.

    A subclass implements `_make_trainee`, which puts the networks `decoder` and `encoder`, and `critic` if it has one,
    into what the training loop trains.
    """

    _parameter_constraints: dict = {
        **BaseSourceModel._parameter_constraints,
        **BeginsAtBase._parameter_constraints,
        "hidden_layer_sizes": ["array-like", Integral],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "frequency_warp": [Interval(Real, 0, 1, closed="both")],
        "latent_weight": [Interval(Real, 0, None, closed="left")],
        "learning_rate": [StrOptions({"linear", "constant"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "solver": [StrOptions({"adam", "rmsprop"})],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "weight_average": [Interval(Real, 0, 1, closed="left")],
        "warm_start": ["boolean"],
        **CHECKPOINT_CONSTRAINTS,
        "callbacks": [list, None],
        "verbose": ["verbose"],
        "device": [str],
    }

    @abstractmethod
    def _make_trainee(self, networks: nn.ModuleDict, frames: torch.Tensor) -> nn.Module:
        """Return what is trained; the networks are on the model's device."""

    def _make_networks(self, n_bins, generator=None):
        """Return the networks, without memory for weights if there is no generator."""
        hidden = check_widths("hidden_layer_sizes", self.hidden_layer_sizes)
        k = self.n_components
        return nn.ModuleDict(
            {
                "decoder": FrameDecoder([k, *hidden, n_bins], generator, self.activation),
                "encoder": FrameEncoder([n_bins, *hidden[::-1], self._n_codes * k], generator, self.activation),
            }
        )

    _n_codes = 1  # numbers that the encoder gives for each latent

    def _train(self, frames, generator):
        device = check_device(self.device)
        frames = frames.to(torch.float32)
        networks = self._make_networks(frames.shape[1], generator)
        networks["decoder"].start_at(frames.mean(0))
        begin = self._begin_at_base(networks)
        continues = self.warm_start and hasattr(self, "weights_")
        if continues:
            self._check_weights(networks)
            load_arrays(networks, self.weights_)
        networks.to(device)
        frames = frames.to(device)
        on_device = torch.Generator(device).manual_seed(int(torch.randint(2**31, (), generator=generator)))
        self.history_: list[dict] = list(self.history_) if continues else []
        try:
            self._fit_networks(networks, frames, on_device)
        finally:
            self.weights_: StateDict = to_arrays(networks)
            self.n_iter_ = max(1, len(self.history_))
            self._set_distance(self.weights_, begin)
            with torch.no_grad():
                self._describe(networks, frames)

    def _begin_at_base(self, networks):
        """Load the weights of the base, if there is one, and return them."""
        base = self._fitted_base()
        if base is None:
            return None
        check_shapes(self, base, [(networks.state_dict(), base.weights_)])
        load_arrays(networks, base.weights_)
        return base.weights_

    def _training_cost(self, n_frames, n_bins):
        return sum(self._phase_costs(n_frames, n_bins).values())

    def _phase_costs(self, n_frames, n_bins):
        """Return about how many milliseconds each phase of training takes, by its name."""
        return {"": self.max_iter * self._epoch_cost(n_frames, self._make_networks(n_bins))}

    def _n_weights(self, n_bins):
        return sum(weight.numel() for weight in self._make_networks(n_bins).parameters())

    def _epoch_cost(self, n_frames, networks):
        n_rows = min(self.batch_size, n_frames)
        return n_frames // n_rows * step_cost(n_rows, sum(weight.numel() for weight in networks.parameters()))

    def _fit_networks(self, networks, frames, generator):
        self._run(self._make_trainee(networks, frames), frames, generator, self.history_)

    def augment(self, frames, generator):
        """Return training frames with their frequency axes warped at random, by up to `frequency_warp` octaves.

        Parameters
        ----------
        frames : Tensor of shape (n_frames, n_bins)
            Magnitude frames in any unit.
        generator : torch.Generator
            Source of the warps, on the device of the frames.

        Returns
        -------
        varied : Tensor of shape (n_frames, n_bins)
            Warped frames.
        """
        return warp_frequencies(frames, self.frequency_warp, generator)

    def _describe(self, networks, frames):
        """Set fitted attributes that are measured on the trained networks."""
        rows = spread_rows(len(frames), N_KEPT)
        codes = torch.cat([networks["encoder"](part) for part in frames.split(_CODED_AT_ONCE)])
        latents = codes[:, : self.n_components]
        self.codes_ = codes[rows].cpu().numpy()
        self._set_residuals(frames[rows], networks["decoder"](latents[rows]))
        self.transition_: NDArray[np.float32] | None = None
        self.transition_covariance_: NDArray[np.float32] | None = None
        if self._has_trained_encoder:
            self.transition_, self.transition_covariance_ = fit_transition(latents.cpu().numpy())

    @property
    def _has_trained_encoder(self):
        return True

    def _known_latents(self):
        return self.codes_[:, : self.n_components]

    def _run(self, trainee, frames, generator, history, *, max_iter=None, **options):
        from sklearn_gass.networks._training import FrameBatches, train  # skorch is slow to import

        settings = {
            "average": self.weight_average,
            "decay": self.learning_rate == "linear",
            "callbacks": self.callbacks,
            "verbose": self.verbose,
            **options,
        }
        n_epochs = self.max_iter if max_iter is None else max_iter
        batches = FrameBatches(frames, n_epochs, batch_size=self.batch_size, generator=generator, augment=self.augment)
        train(trainee, batches, generator=generator, history=history, **settings)

    def _optimiser(self, parameters, learning_rate):
        if self.solver == "rmsprop":
            return torch.optim.RMSprop(parameters, lr=learning_rate)
        return torch.optim.Adam(parameters, lr=learning_rate, betas=self._betas, fused=True)

    _betas = (0.9, 0.999)

    def _frozen_networks(self, dtype, device):
        networks = self._make_networks(self.n_features_in_)
        self._check_weights(networks)
        return from_arrays(networks, self.weights_, dtype, device)

    def _check_weights(self, networks):
        """Raise ValueError unless the fitted weights belong to networks of this shape."""
        if not shapes_fit(networks.state_dict(), self.weights_):
            raise ValueError(
                f"This {type(self).__name__} was fitted with other layers or another number of bins than it has now: "
                "fit it again, without warm_start."
            )

    @override
    def decoder(self, dtype=torch.float32, device="cpu"):
        networks = self._frozen_networks(dtype, device)
        k, weight = self.n_components, self.latent_weight
        return Decoder(
            generate=networks["decoder"],
            start=lambda frames: networks["encoder"](frames)[:, :k],
            n_components=k,
            scale=self.scale_,
            energy=lambda latents: 0.5 * weight * latents.square().sum(1),
            critic=(lambda frames: networks["critic"](frames)[:, 0]) if "critic" in networks else None,
        )

    def _draw_latents(self, n_samples, generator, spread):
        """Draw around the code of a random training frame."""
        codes = torch.tensor(self.codes_)[torch.randint(len(self.codes_), (n_samples,), generator=generator)]
        mean, log_variance = codes.chunk(2, dim=1)
        noise = torch.randn(mean.shape, generator=generator)
        return mean + spread * noise * torch.exp(0.5 * log_variance.clamp(*LOG_VARIANCE_RANGE))


LOG_VARIANCE_RANGE = (-8.0, 4.0)
_CODED_AT_ONCE = 4096  # frames, to bound memory
