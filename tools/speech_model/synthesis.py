"""Speech from text by espeak-ng, in this process, with the time at which each word starts."""

from __future__ import annotations

import ctypes
import ctypes.util
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000

_SYNCHRONOUS, _UTF8, _END_PAUSE, _BY_CHARACTER = 2, 1, 0x1000, 1
_EVENT_END, _EVENT_WORD = 0, 1
_SPEED, _PITCH, _MELODY, _GAP = 1, 3, 4, 7


class SynthesiserMissing(RuntimeError):
    """espeak-ng is not installed: `apt-get install espeak-ng`."""


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position_ms", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True)
class Voice:
    """A speaker. `speed` is in words a minute, `pitch` and `melody` from 0 to 99, `gap` in units of 10 ms."""

    name: str
    speed: int = 175
    pitch: int = 50
    melody: int = 50
    gap: int = 0


@dataclass(frozen=True)
class Speech:
    """Samples at 16 kHz between -1 and 1, and where each word starts in seconds."""

    samples: NDArray[np.float32]
    word_starts_s: list[float]


class Synthesiser:
    """espeak-ng. The library keeps global state: one of these in a process, used by one thread."""

    def __init__(self) -> None:
        self._library = _load()
        self._rate: int = self._library.espeak_Initialize(_SYNCHRONOUS, 0, None, 0)
        self._parts: list[NDArray[np.int16]] = []
        self._starts_s: list[float] = []
        self._callback = _Callback(self._receive)  # kept: the library holds only a pointer
        self._library.espeak_SetSynthCallback(self._callback)

    def variants(self) -> list[str]:
        """The names of the installed variants."""
        folder = ctypes.c_char_p()
        self._library.espeak_Info(ctypes.byref(folder))
        assert folder.value is not None
        return sorted(path.name for path in (Path(folder.value.decode()) / "voices" / "!v").iterdir())

    def say(self, text: str, voice: Voice) -> Speech:
        """Speak a text.

        Raises:
            ValueError: There is no such voice.
        """
        if self._library.espeak_SetVoiceByName(voice.name.encode()):
            raise ValueError(f"espeak-ng has no voice {voice.name!r}")
        for parameter, setting in (
            (_SPEED, voice.speed),
            (_PITCH, voice.pitch),
            (_MELODY, voice.melody),
            (_GAP, voice.gap),
        ):
            self._library.espeak_SetParameter(parameter, setting, 0)
        self._parts, self._starts_s = [], []
        encoded = text.encode() + b"\0"
        self._library.espeak_Synth(encoded, len(encoded), 0, _BY_CHARACTER, 0, _UTF8 | _END_PAUSE, None, None)
        self._library.espeak_Synchronize()
        return Speech(_resample(np.concatenate(self._parts), self._rate), self._starts_s)

    def _receive(self, samples: ctypes._Pointer[ctypes.c_short], count: int, events: ctypes._Pointer[_Event]) -> int:
        if samples and count:
            self._parts.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events[index].type != _EVENT_END:
            if events[index].type == _EVENT_WORD:
                self._starts_s.append(events[index].audio_position_ms / 1000)
            index += 1
        return 0


def _load() -> ctypes.CDLL:
    name = ctypes.util.find_library("espeak-ng")
    if name is None:
        raise SynthesiserMissing(SynthesiserMissing.__doc__)
    return ctypes.CDLL(name)


def _resample(samples: NDArray[np.int16], rate: int) -> NDArray[np.float32]:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
    frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
    frame.sample_rate = rate
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    joined = np.concatenate([part.to_ndarray() for part in frames], axis=1)[0]
    return np.asarray(joined / 32768, np.float32)
