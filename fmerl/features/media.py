"""Sound and picture of a file by PyAV: one stream, decoded from a moment on, on one core.

Times are seconds since the beginning of the file, which is where its earliest stream begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from fmerl.extras import optional_module

StreamKind = Literal["audio", "video"]

_NAMES = {"audio": "sound track", "video": "picture"}
_PREROLL = 0.2
"""Sound decoded before a moment that is sought, in seconds: codecs overlap their frames."""


class MediaError(Exception):
    """Media of one utterance that cannot be read; the text is the reason for its missing feature row."""


@contextmanager
def open_stream(path: Path | None, kind: StreamKind) -> Iterator[Any]:
    """The first stream of a kind, an `av.stream.Stream`, closed at the end.

    Raises:
        InputError: PyAV is not installed.
        MediaError: No file, no media file, or no such stream in it.
    """
    av = optional_module("av", "audio" if kind == "audio" else "visual")
    if path is None:
        raise MediaError(f"the corpus names no file with a {_NAMES[kind]}")
    try:
        if not path.is_file():
            raise MediaError(f"no such file: {path}")
        container = av.open(path)
    except (av.FFmpegError, OSError) as error:
        raise MediaError(f"{path.name} is no media file that can be read ({_reason(error)})") from error
    with container:
        streams = getattr(container.streams, kind)
        if not streams:
            raise MediaError(f"{path.name} has no {_NAMES[kind]}")
        if streams[0].codec_context is None:
            raise MediaError(f"FFmpeg has no decoder for the {_NAMES[kind]} of {path.name}")
        streams[0].codec_context.thread_count = 1
        yield streams[0]


def decoded_from(stream: Any, start: float) -> Iterator[tuple[float, Any]]:
    """Times and frames from the key frame before `start` on; earlier ones are not decoded.

    Raises:
        MediaError: The decoder meets something that it cannot read.
    """
    av = optional_module("av", "audio" if stream.type == "audio" else "visual")
    origin = (stream.container.start_time or 0) / av.time_base
    sought = start - (_PREROLL if stream.type == "audio" else 0)
    time = 0.0
    try:
        if sought > 0:
            stream.container.seek(int((origin + sought) / stream.time_base), stream=stream)
        for frame in stream.container.decode(stream):
            time = time if frame.time is None else frame.time - origin
            yield time, frame
    except (av.FFmpegError, OSError) as error:
        raise MediaError(f"decoding fails after {time:.2f} s ({_reason(error)})") from error


def length(stream: Any) -> float | None:
    """End of the stream, in seconds; None if the file does not say."""
    container = stream.container
    if stream.duration is not None:
        begin = 0 if stream.start_time is None else stream.start_time * stream.time_base
        return float(begin + stream.duration * stream.time_base) - (container.start_time or 0) / 1e6
    return None if container.duration is None else container.duration / 1e6


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
