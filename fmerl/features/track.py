"""A sound track or picture, decoded from any moment on to the frames that decoding the whole file gives.

A seek may land after the moment that is asked for (MPEG-TS), within a frame, or where times are guessed until the file
states one again (MPEG-PS, ADPCM in WAV). So it counts only if its first whole frame is early enough, and only in
containers that state times; in others packets are read from the beginning and decoded from the last key frame on.

Times are seconds since the beginning of the file, which is where its earliest stream begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any

from fmerl.extras import optional_module
from fmerl.features.media import STREAM_NAMES, MediaError, StreamKind, open_container, reason_of

_SETTLING = {"audio": 1.0, "video": 0.0}
"""Seconds decoded before a moment: frames of sound overlap, and some codecs carry a state from frame to frame."""
_FURTHER_BACK = (0.0, 2.0, 10.0)
"""Seconds that are sought before a moment, one after the other, until a frame is early enough."""
_STATE_TIMES = {"avi", "flac", "flv", "matroska", "mov", "mpegts", "ogg", "w64", "wav"}
"""Demuxers whose times after a seek are those of the whole file; WAV and W64 only with samples of equal size."""
_EQUAL_SAMPLES = "pcm_"


class Track:
    """The first stream of a kind in a file, open while its block lasts.

    Args:
        path: A media file.
        kind: Sound or picture.

    Raises:
        InputError: PyAV is not installed.
        MediaError: No file, no media file, or no such stream in it.
    """

    def __init__(self, path: Path | None, kind: StreamKind) -> None:
        self._path, self._kind = path, kind
        self._av = optional_module("av", "audio" if kind == "audio" else "visual")
        self._stream, self._read = self._opened(), False

    def __enter__(self) -> Track:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.container.close()

    @property
    def end(self) -> float | None:
        """End of the track, in seconds; None if the file does not say."""
        stream, container = self._stream, self._stream.container
        if stream.duration is not None:
            begin = 0 if stream.start_time is None else stream.start_time * stream.time_base
            return float(begin + stream.duration * stream.time_base) - self._origin
        return None if container.duration is None else container.duration / self._av.time_base

    def frames_from(self, start: float) -> Iterator[tuple[float, Any]]:
        """Times and frames in order, the first at or before `start` unless the track begins later.

        Raises:
            MediaError: The decoder meets something that it cannot read.
        """
        begin = start - _SETTLING[self._kind]
        if begin > 0 and self._states_times:
            for back in _FURTHER_BACK:
                self._read = True
                frames = self._sought(begin - back)
                try:
                    first = next(frames, None)
                except MediaError:
                    continue
                if first is not None and first[0] <= start:
                    yield first
                    yield from frames
                    return
        if self._read:
            self._stream.container.close()
            self._stream = self._opened()
        self._read = True
        yield from self._decoded(self._packets_from(begin))

    @property
    def _origin(self) -> float:
        return (self._stream.container.start_time or 0) / float(self._av.time_base)

    @property
    def _states_times(self) -> bool:
        names = self._stream.container.format.name.split(",")
        if "wav" in names or "w64" in names:
            return str(self._stream.codec_context.name).startswith(_EQUAL_SAMPLES)
        return not _STATE_TIMES.isdisjoint(names)

    def _opened(self) -> Any:
        container = open_container(self._path, self._kind)
        streams = getattr(container.streams, self._kind)
        if not streams or streams[0].codec_context is None:
            container.close()
            name = STREAM_NAMES[self._kind]
            raise MediaError(f"there is no {name}" if not streams else f"FFmpeg has no decoder for the {name}")
        streams[0].codec_context.thread_count = 1
        return streams[0]

    def _sought(self, moment: float) -> Iterator[tuple[float, Any]]:
        """Frames from about a moment on; none where the file cannot be sought."""
        stream = self._stream
        try:
            stream.container.seek(int((self._origin + max(moment, 0.0)) / stream.time_base), stream=stream)
        except (self._av.FFmpegError, OSError):
            return
        yield from self._decoded(stream.container.demux(stream))

    def _packets_from(self, moment: float) -> Iterator[Any]:
        """Packets from the last key frame at or before a moment on; those before are read but not decoded."""
        packets, waiting = self._stream.container.demux(self._stream), list[Any]()
        broken = None
        try:
            for packet in packets:
                time = None if packet.pts is None else float(packet.pts * packet.time_base) - self._origin
                if time is not None and time <= moment and packet.is_keyframe:
                    waiting.clear()
                waiting.append(packet)
                if time is not None and time > moment:
                    break
        except (self._av.FFmpegError, OSError) as error:
            broken = error
        if broken is not None:
            yield from waiting
            raise broken
        yield from chain(waiting, packets)

    def _decoded(self, packets: Iterable[Any]) -> Iterator[tuple[float, Any]]:
        """Times and frames; what comes before the first key frame refers to pictures that were not decoded."""
        due, error = None, None
        try:
            for packet in packets:
                try:
                    frames = packet.decode()
                except self._av.FFmpegError as refused:
                    # The first packet may be the rest of one that lies before it.
                    if due is not None:
                        raise
                    error = refused
                    continue
                for frame in frames:
                    if due is None and self._kind == "video" and not frame.key_frame:
                        continue
                    # A bare stream of pictures states no times: they follow from their places.
                    time = (due or 0.0) if frame.time is None else float(frame.time) - self._origin
                    yield time, frame
                    due = time + self._duration(frame)
        except (self._av.FFmpegError, OSError) as broken:
            raise MediaError(f"decoding fails after {due or 0:.2f} s ({reason_of(broken)})") from broken
        if due is None and error is not None:
            raise MediaError(f"decoding fails after 0.00 s ({reason_of(error)})") from error

    def _duration(self, frame: Any) -> float:
        if self._kind == "audio":
            return float(frame.samples / frame.sample_rate)
        return float(1 / (self._stream.average_rate or 25))
