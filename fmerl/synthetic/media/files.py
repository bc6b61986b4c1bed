"""Media files by PyAV, the same bytes for the same content: MPEG-4 picture with AAC sound, and 16-bit wav.

Shapes: F frames, h x w pixels, S samples.
"""

from __future__ import annotations

import wave
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fmerl.extras import optional_module
from fmerl.synthetic.media.speech import SAMPLING_RATE

FRAME_RATE = 12
"""Pictures per second."""

_BITS_PER_PIXEL = 0.9
_SOUND_BITS = 64_000


def write_wav(path: Path, sound: NDArray[np.int16]) -> None:
    """Write [S] samples at 16 kHz, mono."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLING_RATE)
        file.writeframes(sound.astype("<i2").tobytes())


def write_mp4(path: Path, frames: Iterable[NDArray[np.uint8]], sound: NDArray[np.int16] | None) -> None:
    """Write F RGB frames [h, w, 3] at 12 per second, with [S] samples at 16 kHz or without a sound track.

    Raises:
        InputError: PyAV is not installed.
    """
    av = optional_module("av", "visual")
    # Without bitexact the file tells the encoder's version and when it was made.
    with av.open(path, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        picture = container.add_stream("mpeg4", rate=FRAME_RATE)
        track = None if sound is None else container.add_stream("aac", rate=SAMPLING_RATE, layout="mono")
        for stream in filter(None, (picture, track)):
            stream.codec_context.flags |= av.codec.context.Flags.bitexact
            stream.codec_context.thread_count = 1
        picture.pix_fmt = "yuv420p"
        for index, pixels in enumerate(frames):
            if index == 0:
                picture.height, picture.width = pixels.shape[:2]
                picture.bit_rate = round(_BITS_PER_PIXEL * pixels.shape[0] * pixels.shape[1] * FRAME_RATE)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FRAME_RATE)
            container.mux(picture.encode(frame))
        container.mux(picture.encode())
        if track is not None and sound is not None:
            track.bit_rate = _SOUND_BITS
            samples = av.AudioFrame.from_ndarray(sound[None], format="s16", layout="mono")
            samples.sample_rate, samples.pts, samples.time_base = SAMPLING_RATE, 0, Fraction(1, SAMPLING_RATE)
            container.mux(track.encode(samples))
            container.mux(track.encode())
