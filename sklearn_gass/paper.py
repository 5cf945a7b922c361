"""The six methods of the paper as it configured them, so that you can compare with them.

Architecture and schedule are those of C. Subakan, P. Smaragdis, "Generative Adversarial Source Separation", ICASSP
2018, arXiv:1710.10779:

* Networks have one hidden layer of 100 softplus units.
* Training takes 400 epochs of RMSprop at a rate of 0.001, in batches of 350 frames. For half a minute of speech these
  are 2,000 steps (1,200 to 2,000 for the speakers of the TIMIT sample, because the last batch is left out if it is not
  full).
* The critic, a network that ranks how much frames look like training frames, has 90 tanh units. Its weights are clipped
  in the two Wasserstein GANs.
* Separation takes 2,000 steps of RMSprop from random latents.

Three things differ:

* The critic's sign is right.
* Frames are scaled to mean 1, and networks read their ``log1p``.
* All methods are reconstructed by the same masks.
"""

from __future__ import annotations

from sklearn_gass.separation import SupervisedSeparator
from sklearn_gass.source_models import (
    DAESourceModel,
    GANSourceModel,
    NMFSourceModel,
    VAESourceModel,
    WGANSourceModel,
)

_SCHEDULE = {
    "solver": "rmsprop",
    "learning_rate": "constant",
    "learning_rate_init": 1e-3,
    "batch_size": 350,
    "max_iter": 400,
    "weight_average": 0.0,
}
_TO_THE_END = {"n_iter_no_change": _SCHEDULE["max_iter"]}
_NETWORK = {"activation": "softplus", "frequency_warp": 0.0, "latent_weight": 0.0, **_SCHEDULE}
_ADVERSARY = {
    "hidden_layer_sizes": (100,),
    "critic_hidden_layer_sizes": (90,),
    "critic_activation": "tanh",
    "critic_learning_rate_init": 1e-3,
    "reconstruction_weight": 0.0,
    "inversion_max_iter": 0,
    "critic_max_iter": 0,
    **_NETWORK,
}
_CLIPPED = {"penalty": "clip", "clip_value": 0.01, "n_critic": 5, **_ADVERSARY}


def _source_models():
    return {
        "NMF": NMFSourceModel(100, max_iter=100, tol=0),
        "GAN": GANSourceModel(513, penalty_weight=0.0, n_critic=1, **_ADVERSARY),
        "WGAN": WGANSourceModel(513, **_CLIPPED),
        "AE-WGAN": WGANSourceModel(100, latent="data", **_CLIPPED),
        "AE": DAESourceModel(
            100,
            hidden_layer_sizes=(),
            masking_noise=0.0,
            additive_noise=0.0,
            interference=0.0,
            **_NETWORK,
            **_TO_THE_END,
        ),
        "VAE": VAESourceModel(100, hidden_layer_sizes=(100,), **{**_NETWORK, "latent_weight": 1.0}, **_TO_THE_END),
    }


PAPER_METHODS = tuple(_source_models())
"""Names of the methods."""


def paper_separator(method, *, random_state=None):
    """Return a separator configured like one of the paper's methods.

    Parameters
    ----------
    method : {"NMF", "GAN", "WGAN", "AE-WGAN", "AE", "VAE"}
        Name of the method.
    random_state : int, RandomState instance or None, default=None
        Seed of the separator and its source models.

    Returns
    -------
    separator : SupervisedSeparator
        Not fitted.

    Raises
    ------
    ValueError
        For another name.

    References
    ----------
    C. Subakan, P. Smaragdis, "Generative Adversarial Source Separation", ICASSP 2018, arXiv:1710.10779.

    Examples
    --------
    >>> from sklearn_gass.paper import paper_separator
    >>> paper_separator("WGAN").source_model.critic_hidden_layer_sizes
    (90,)
    """
    models = _source_models()
    if method not in models:
        raise ValueError(f"Unknown method {method!r}; the paper's methods are {', '.join(PAPER_METHODS)}.")
    return SupervisedSeparator(
        models[method],
        solver="rmsprop",
        smoothness=0.0,
        start="random",
        critic="source",
        critic_weight=10.0 if hasattr(models[method], "critic_score") else 0.0,
        max_iter=2000,
        tol=0.0,
        random_state=random_state,
    )
