"""Networks: perceptrons of frames, augmentation, penalties of critics, weights as arrays.

The training loop, `sklearn_gass.networks._training`, is imported where it is needed, since skorch is slow to load.
"""

from sklearn_gass.networks._arrays import StateDict, check_device, from_arrays, load_arrays, shapes_fit, to_arrays
from sklearn_gass.networks._augmentation import vary_excitation, warp_frequencies
from sklearn_gass.networks._costs import step_cost
from sklearn_gass.networks._mlp import ACTIVATIONS, MLP, FrameDecoder, FrameEncoder, check_widths
from sklearn_gass.networks._penalties import PENALTY_EVERY, gradient_penalty, slopes

__all__ = [
    "ACTIVATIONS",
    "MLP",
    "PENALTY_EVERY",
    "FrameDecoder",
    "FrameEncoder",
    "StateDict",
    "check_device",
    "check_widths",
    "from_arrays",
    "gradient_penalty",
    "load_arrays",
    "shapes_fit",
    "slopes",
    "step_cost",
    "to_arrays",
    "vary_excitation",
    "warp_frequencies",
]
