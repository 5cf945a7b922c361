"""Read and write sound files, completely or with an error."""

from sklearn_gass.audio_io._reading import AUDIO_SUFFIXES, AudioInfo, audio_info, load_audio
from sklearn_gass.audio_io._resampling import resample
from sklearn_gass.audio_io._writing import save_audio

__all__ = ["AUDIO_SUFFIXES", "AudioInfo", "audio_info", "load_audio", "resample", "save_audio"]
