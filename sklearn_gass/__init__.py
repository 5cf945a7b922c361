"""Generative source separation for scikit-learn."""

from importlib import import_module

TYPE_CHECKING = False  # as type checkers know it; typing itself takes long to import
if TYPE_CHECKING:
    from sklearn_gass.audio_io import load_audio as load_audio
    from sklearn_gass.audio_io import save_audio as save_audio
    from sklearn_gass.critics import BaseCritic as BaseCritic
    from sklearn_gass.critics import MixtureCritic as MixtureCritic
    from sklearn_gass.critics import SourceCritic as SourceCritic
    from sklearn_gass.detectors import PresenceDetector as PresenceDetector
    from sklearn_gass.persistence import describe_model as describe_model
    from sklearn_gass.persistence import load_model as load_model
    from sklearn_gass.persistence import save_model as save_model
    from sklearn_gass.separation import AudioSeparator as AudioSeparator
    from sklearn_gass.separation import Explanation as Explanation
    from sklearn_gass.separation import Separation as Separation
    from sklearn_gass.separation import Spread as Spread
    from sklearn_gass.separation import SupervisedSeparator as SupervisedSeparator
    from sklearn_gass.separation import SupervisedSeparatorCV as SupervisedSeparatorCV
    from sklearn_gass.source_models import BackgroundModel as BackgroundModel
    from sklearn_gass.source_models import BaseSourceModel as BaseSourceModel
    from sklearn_gass.source_models import DAESourceModel as DAESourceModel
    from sklearn_gass.source_models import GANSourceModel as GANSourceModel
    from sklearn_gass.source_models import NMFSourceModel as NMFSourceModel
    from sklearn_gass.source_models import VAESourceModel as VAESourceModel
    from sklearn_gass.source_models import WGANSourceModel as WGANSourceModel
    from sklearn_gass.starts import BaseStart as BaseStart
    from sklearn_gass.starts import MixtureStart as MixtureStart
    from sklearn_gass.starts import RandomStart as RandomStart
    from sklearn_gass.starts import SourceStart as SourceStart
    from sklearn_gass.stft import STFT as STFT

__version__ = "0.1.0"

# Where each public name lives. Modules are imported when a name of theirs is first used, since torch and scikit-learn
# take seconds, which help, version and usage errors of the command line must not cost.
_MODULES = {
    "AudioSeparator": "separation",
    "BackgroundModel": "source_models",
    "BaseCritic": "critics",
    "BaseSourceModel": "source_models",
    "BaseStart": "starts",
    "DAESourceModel": "source_models",
    "Explanation": "separation",
    "GANSourceModel": "source_models",
    "MixtureCritic": "critics",
    "MixtureStart": "starts",
    "NMFSourceModel": "source_models",
    "PresenceDetector": "detectors",
    "RandomStart": "starts",
    "STFT": "stft",
    "Separation": "separation",
    "SourceCritic": "critics",
    "SourceStart": "starts",
    "Spread": "separation",
    "SupervisedSeparator": "separation",
    "SupervisedSeparatorCV": "separation",
    "VAESourceModel": "source_models",
    "WGANSourceModel": "source_models",
    "describe_model": "persistence",
    "load_audio": "audio_io",
    "load_model": "persistence",
    "save_audio": "audio_io",
    "save_model": "persistence",
}
_SUBMODULES = {
    *(
        "audio_io",
        "base_models",
        "critics",
        "datasets",
        "detectors",
        "display",
        "divergences",
        "engine",
        "masks",
        "metrics",
    ),
    *("networks", "paper", "presets"),
    *("persistence", "progress", "scoring", "search_display", "separation", "source_models", "starts", "stft"),
    *("training_display", "web"),
}

__all__ = list(_MODULES)


if not TYPE_CHECKING:  # type checkers would take every name for one of this package

    def __getattr__(name):
        if name in _MODULES:
            globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
            return globals()[name]
        if name in _SUBMODULES:
            return import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    special = (name for name in globals() if name.startswith("__"))
    return sorted({*special, *_MODULES, *_SUBMODULES})
