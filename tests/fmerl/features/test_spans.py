"""A span of a file is that part of the whole file, in every container and codec.

The reference decodes a file from its beginning to its end and seeks nothing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.containers import index_of, write_media
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fmerl.features.audio.mixing import Mixer
from fmerl.features.audio.sound import read_sound
from fmerl.features.media import MediaError
from fmerl.features.visual.video import read_frames

av = pytest.importorskip("av")

SECONDS = 4
RATE, RATE_OF_FILES = 16_000, 48_000
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov"}

VIDEOS = [
    *(("mp4", codec) for codec in ("libx264", "mpeg4")),
    *(("matroska", codec) for codec in ("libx264", "ffv1")),
    *(("avi", codec) for codec in ("libx264", "mpeg4", "mjpeg")),
    *(("mpegts", codec) for codec in ("libx264", "mpeg1video", "mpeg2video")),
    *((container, codec) for container in ("mpeg", "vob") for codec in ("mpeg1video", "mpeg2video")),
    *(("mov", "mjpeg"), ("webm", "libvpx"), ("flv", "libx264"), ("ogg", "libvpx"), ("mxf", "mpeg2video")),
    *(("h264", "libx264"), ("m4v", "mpeg4"), ("mpeg2video", "mpeg2video")),
]
SOUNDS = [
    *(("wav", f"pcm_{kind}") for kind in ("u8", "s16le", "s24le", "f32le", "f64le", "alaw", "mulaw")),
    *(("wav", codec) for codec in ("adpcm_ms", "adpcm_ima_wav", "adpcm_g722", "libmp3lame", "ac3")),
    *(("mp4", codec) for codec in ("aac", "libmp3lame", "flac")),
    *(("matroska", codec) for codec in ("aac", "libopus", "flac", "pcm_s16le")),
    *(("avi", codec) for codec in ("libmp3lame", "pcm_s16le", "ac3")),
    *(("mpegts", codec) for codec in ("aac", "mp2", "ac3")),
    *((container, codec) for container in ("mpeg", "vob") for codec in ("mp2", "ac3")),
    *(("flv", "aac"), ("mp3", "libmp3lame"), ("adts", "aac"), ("flac", "flac"), ("ogg", "libopus"), ("ogg", "flac")),
    *(("aiff", "pcm_s16be"), ("au", "pcm_s16be"), ("caf", "pcm_s16le"), ("w64", "pcm_s16le"), ("mp2", "mp2")),
]
BOTH = [
    ("mp4", "libx264", "aac"),
    ("matroska", "libx264", "aac"),
    ("avi", "mpeg4", "libmp3lame"),
    ("mpegts", "libx264", "aac"),
    ("mpegts", "mpeg2video", "mp2"),
    ("mpeg", "mpeg2video", "mp2"),
    ("vob", "mpeg2video", "ac3"),
]
FAR_APART = 1_000_000
"""Samples that cannot be meant."""

spans = st.tuples(st.integers(0, 3600), st.integers(100, 1500)).map(
    lambda span: (span[0] / 1000, min(SECONDS - 0.1, sum(span) / 1000))
)
whole_spans = settings(
    max_examples=4, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def _frames_of_whole(path: Path) -> list[tuple[float, int]]:
    with av.open(path) as container:
        origin = (container.start_time or 0) / av.time_base
        container.streams.video[0].codec_context.thread_count = 1
        frames = [
            (frame.time, index_of(frame.to_ndarray(format="rgb24", threads=1))) for frame in container.decode(video=0)
        ]
    # A bare stream of pictures states no times.
    return [(place / 25 if time is None else time - origin, index) for place, (time, index) in enumerate(frames)]


def _strided(whole: list[tuple[float, int]], start: float, end: float, count: int) -> list[int]:
    """First frame of each of `count` equal parts, else the last one before the span."""
    parts: dict[int, int] = {}
    for time, index in whole:
        if start <= time + 5e-7 < end:
            parts.setdefault(int((time + 5e-7 - start) * count / (end - start)), index)
    return list(parts.values()) or [index for time, index in whole if time < start][-1:]


def _sound_of_whole(path: Path, rate: int) -> tuple[float, NDArray[np.int16]]:
    """Where it begins, and its samples."""
    mixer = Mixer(rate)
    with av.open(path) as container:
        origin = (container.start_time or 0) / av.time_base
        container.streams.audio[0].codec_context.thread_count = 1
        due = 0.0
        for frame in container.decode(audio=0):
            time = due if frame.time is None else frame.time - origin
            mixer.add(time, frame)
            due = time + frame.samples / frame.sample_rate
    assert mixer.begin is not None
    return mixer.begin, mixer.sound()


def _same_pictures(path: Path) -> None:
    whole = _frames_of_whole(path)
    assert len(whole) >= 25 * SECONDS - 1

    @whole_spans
    @given(spans, st.integers(1, 6))
    def holds(span: tuple[float, float], count: int) -> None:
        start, end = span
        pictures, odd = read_frames(path, frames=count, start=start, end=end)
        assert [index_of(pixels) for pixels in pictures] == _strided(whole, start, end, count)
        assert odd is None

    holds()


def _same_sound(path: Path, container: str) -> None:
    """Spans differ from the whole by rounding alone, or a millisecond's shift where times are stated in these."""
    coarse = container in {"matroska", "flv"}
    # A shift is a whole number of samples only where they are not resampled.
    rate = RATE_OF_FILES if coarse else RATE
    shifts = range(-rate // 1000, rate // 1000 + 1) if coarse else range(1)
    begin, whole = _sound_of_whole(path, rate)
    samples = whole.astype(np.int32)

    @whole_spans
    @given(spans)
    def holds(span: tuple[float, float]) -> None:
        start, end = max(begin + 0.1, span[0]), max(begin + 0.2, span[1])
        part, odd = read_sound(path, sampling_rate=rate, start=start, end=end)
        first = round(start * rate) - round(begin * rate)
        assert odd is None
        assert len(part) == round(end * rate) - round(start * rate)
        # AC-3 is dithered.
        assert min(_apart(samples, part, first + shift) for shift in shifts) <= 3

    holds()


def _apart(whole: NDArray[np.int32], part: NDArray[np.int16], first: int) -> int:
    expected = whole[max(0, first) : first + len(part)]
    return FAR_APART if len(expected) < len(part) else int(np.abs(expected - part).max())


@pytest.mark.parametrize(("container", "codec"), VIDEOS)
def test_pictures_of_a_span(container: str, codec: str, tmp_path: Path) -> None:
    write_media(tmp_path / "clip", container, codec, seconds=SECONDS)
    _same_pictures(tmp_path / "clip")


@pytest.mark.parametrize(("container", "codec"), SOUNDS)
def test_sound_of_a_span(container: str, codec: str, tmp_path: Path) -> None:
    write_media(tmp_path / "clip", container, None, codec, seconds=SECONDS)
    _same_sound(tmp_path / "clip", container)


@pytest.mark.parametrize(("container", "video", "audio"), BOTH)
def test_both_of_a_span(container: str, video: str, audio: str, tmp_path: Path) -> None:
    write_media(tmp_path / "clip", container, video, audio, seconds=SECONDS)
    _same_pictures(tmp_path / "clip")
    _same_sound(tmp_path / "clip", container)


@pytest.mark.parametrize("options", [{"flags": "+cgop"}, {"x264-params": "open-gop=1"}, {"x264-params": "keyint=999"}])
@pytest.mark.parametrize("container", ["mp4", "mpegts", "matroska"])
def test_groups_of_pictures(container: str, options: dict[str, str], tmp_path: Path) -> None:
    write_media(tmp_path / "clip", container, "libx264", seconds=SECONDS, video_options=options)
    _same_pictures(tmp_path / "clip")


def test_fragments(tmp_path: Path) -> None:
    write_media(tmp_path / "clip", "mp4", "libx264", "aac", seconds=SECONDS, container_options=FRAGMENTED)
    _same_pictures(tmp_path / "clip")
    _same_sound(tmp_path / "clip", "mp4")


@pytest.mark.slow
@pytest.mark.parametrize("container", ["mp4", "mpegts", "matroska", "hevc"])
def test_hevc(container: str, tmp_path: Path) -> None:
    write_media(tmp_path / "clip", container, "libx265", seconds=SECONDS)
    _same_pictures(tmp_path / "clip")


def test_pictures_of_a_transport_stream_at_their_moments(tmp_path: Path) -> None:
    """The frames that the same pictures have in mp4."""
    for container in ("mp4", "mpegts"):
        write_media(tmp_path / container, container, "libx264", seconds=SECONDS)
        pictures, odd = read_frames(tmp_path / container, frames=4, start=1.0, end=2.0)
        assert ([index_of(pixels) for pixels in pictures], odd) == ([25, 32, 38, 44], None)


def test_a_second_of_a_program_stream(tmp_path: Path) -> None:
    write_media(tmp_path / "clip", "vob", "mpeg2video", "ac3", seconds=SECONDS)
    sound, odd = read_sound(tmp_path / "clip", sampling_rate=RATE, start=1.0, end=2.0)
    assert (len(sound), odd) == (RATE, None)
    with pytest.raises(MediaError, match="no sound between 20 s and 21 s"):
        read_sound(tmp_path / "clip", sampling_rate=RATE, start=20.0, end=21.0)
