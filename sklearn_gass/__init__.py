"""Generative source separation for scikit-learn."""

from importlib import import_module

TYPE_CHECKING = False  # as type checkers know it; typing itself takes long to import
if TYPE_CHECKING:
    from sklearn_gass.audio_io import load_audio as load_audio
    from sklearn_gass.audio_io import save_audio as save_audio
    from sklearn_gass.separation import AudioSeparator as AudioSeparator
    from sklearn_gass.separation import Separation as Separation
    from sklearn_gass.separation import SupervisedSeparator as SupervisedSeparator
    from sklearn_gass.separation import SupervisedSeparatorCV as SupervisedSeparatorCV
    from sklearn_gass.source_models import DAESourceModel as DAESourceModel
    from sklearn_gass.source_models import GANSourceModel as GANSourceModel
    from sklearn_gass.source_models import NMFSourceModel as NMFSourceModel
    from sklearn_gass.source_models import VAESourceModel as VAESourceModel
    from sklearn_gass.source_models import WGANSourceModel as WGANSourceModel
    from sklearn_gass.stft import STFT as STFT

__version__ = "0.1.0"

# Where each public name lives. Modules are imported when a name of theirs is first used, since torch and scikit-learn
# take seconds, which help, version and usage errors of the command line must not cost.
_MODULES = {
    "STFT": "stft",
    "AudioSeparator": "separation",
    "DAESourceModel": "source_models",
    "GANSourceModel": "source_models",
    "NMFSourceModel": "source_models",
    "Separation": "separation",
    "SupervisedSeparator": "separation",
    "SupervisedSeparatorCV": "separation",
    "VAESourceModel": "source_models",
    "WGANSourceModel": "source_models",
    "load_audio": "audio_io",
    "save_audio": "audio_io",
}
_SUBMODULES = {
    *("audio_io", "datasets", "display", "divergences", "masks", "metrics", "paper", "scoring", "search_display"),
    *("separation", "source_models", "stft"),
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
