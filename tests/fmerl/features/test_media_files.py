"""Sound and pictures read from files that the tests write, and from real clips."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fmerl.features.audio.sound import read_sound
from fmerl.features.media import MediaError, StreamKind
from fmerl.features.track import Track
from fmerl.features.visual.video import read_frames
from fmerl.synthetic.media.files import FRAME_RATE, write_mp4, write_wav
from fmerl.synthetic.media.speech import SAMPLING_RATE

pytest.importorskip("av")

SECONDS = 10
STEP = 2
"""Grey levels from one frame of the clip to the next."""


def tone(seconds: float, rate: int = SAMPLING_RATE) -> NDArray[np.int16]:
    """A sweep, so that no two moments sound alike."""
    times = np.arange(round(seconds * rate)) / rate
    return (8000 * np.sin(2 * np.pi * (200 * times + 20 * times**2))).astype(np.int16)


def grey(index: int) -> NDArray[np.uint8]:
    """Left half of the level of the frame's index, right half white."""
    picture = np.full((32, 64, 3), 255, dtype=np.uint8)
    picture[:, :32] = STEP * index
    return picture


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_mp4(path, (grey(index) for index in range(SECONDS * FRAME_RATE)), tone(SECONDS))
    return path


def indices(path: Path, **how: Any) -> list[float]:
    """Which frames of the clip were read, by their level."""
    pictures, odd = read_frames(path, **how)
    assert odd is None
    return [round(float(picture[:, 8:24].mean()) / STEP, 0) for picture in pictures]


def near(found: list[float], wanted: list[int]) -> None:
    assert len(found) == len(wanted)
    np.testing.assert_allclose(found, wanted, atol=1.0, err_msg="the codec is off by less than a frame's step")


def test_frames_are_strided_within_the_span(clip: Path) -> None:
    near(indices(clip, frames=4), [0, 30, 60, 90])
    near(indices(clip, frames=4, start=5.0, end=7.0), [60, 66, 72, 78])
    near(indices(clip, frames=20, start=5.0, end=5.5), [60, 61, 62, 63, 64, 65])
    near(indices(clip, frames=3, start=9.5), [114, 116, 118])


def test_frames_far_apart_are_sought(clip: Path) -> None:
    near(indices(clip, frames=2), [0, 60])
    near(indices(clip, frames=1, start=4.0), [48])


def test_a_span_between_frames_shows_the_one_before(clip: Path) -> None:
    near(indices(clip, frames=20, start=5.02, end=5.03), [60])
    near(indices(clip, frames=20, start=9.95, end=9.99), [119])


def test_nothing_before_the_key_frame_is_decoded(clip: Path) -> None:
    with Track(clip, "video") as track:
        first = next(time for time, _ in track.frames_from(8.0))
    assert 7.0 <= first <= 8.0
    with Track(clip, "audio") as track:
        first = next(time for time, _ in track.frames_from(8.0))
    assert 6.9 <= first <= 8.0


def test_halves(clip: Path) -> None:
    left, right = (read_frames(clip, frames=1, start=1.0, side=side)[0][0] for side in ("left", "right"))
    assert left.shape == right.shape == (32, 32, 3)
    assert left[:, 4:28].mean() < 60
    assert right[:, 4:28].mean() > 240


UNIT = 1 << 16
MATRICES = {
    (1, 0, 0, 1): lambda picture: picture,
    (0, 1, -1, 0): lambda picture: np.rot90(picture, -1),
    (-1, 0, 0, -1): lambda picture: np.rot90(picture, 2),
    (0, -1, 1, 0): lambda picture: np.rot90(picture, 1),
    (-1, 0, 0, 1): np.fliplr,
    (1, 0, 0, -1): np.flipud,
    (0, 1, 1, 0): lambda picture: np.swapaxes(picture, 0, 1),
    (0, -1, -1, 0): lambda picture: np.rot90(np.swapaxes(picture, 0, 1), 2),
}
"""What a display matrix (a b / c d), which takes [x, y] to [ax + cy, bx + dy], makes of a picture."""


@pytest.mark.parametrize("matrix", MATRICES)
def test_pictures_are_turned_and_mirrored_as_the_file_says(
    matrix: tuple[int, int, int, int], clip: Path, tmp_path: Path
) -> None:
    content = bytearray(clip.read_bytes())
    place = content.index(b"tkhd") + 4 + 40
    assert struct.unpack_from(">9i", content, place)[:5] == (UNIT, 0, 0, 0, UNIT)
    a, b, c, d = (UNIT * number for number in matrix)
    struct.pack_into(">9i", content, place, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    (tmp_path / "turned.mp4").write_bytes(content)
    plain = read_frames(clip, frames=1)[0][0]
    np.testing.assert_array_equal(read_frames(tmp_path / "turned.mp4", frames=1)[0][0], MATRICES[matrix](plain))


def test_sound_of_a_span_is_that_part_of_the_whole(clip: Path, tmp_path: Path) -> None:
    write_wav(tmp_path / "sweep.wav", tone(SECONDS))
    for path, error in ((tmp_path / "sweep.wav", 0), (clip, 2)):
        whole, _ = read_sound(path, sampling_rate=SAMPLING_RATE)
        part, odd = read_sound(path, sampling_rate=SAMPLING_RATE, start=4.25, end=6.0)
        assert len(part) == 1.75 * SAMPLING_RATE
        assert odd is None
        off = whole[68_000:96_000].astype(np.int32) - part
        assert np.abs(off).max() <= error
    assert np.array_equal(read_sound(tmp_path / "sweep.wav", sampling_rate=SAMPLING_RATE)[0], tone(SECONDS))


def test_spans_beyond_the_media(clip: Path) -> None:
    with pytest.raises(MediaError, match="no sound between 20 s and 21 s"):
        read_sound(clip, sampling_rate=SAMPLING_RATE, start=20.0, end=21.0)
    with pytest.raises(MediaError, match="no frame between 20 s and 21 s"):
        read_frames(clip, frames=20, start=20.0, end=21.0)
    sound, odd = read_sound(clip, sampling_rate=SAMPLING_RATE, start=9.0, end=12.0)
    assert abs(len(sound) - SAMPLING_RATE) < 1100
    assert odd == "the sound ends after 10.0 s, its span at 12.0 s"
    pictures, odd = read_frames(clip, frames=3, start=9.0, end=12.0)
    assert len(pictures) == 1
    assert odd == "the picture ends after 9.0 s, its span at 12.0 s"


def test_files_that_break_off(clip: Path, tmp_path: Path) -> None:
    """The index comes first, as in files that are made for streaming, and the second half is lost."""
    import av

    with av.open(clip) as source, av.open(tmp_path / "whole.mp4", "w", options={"movflags": "faststart"}) as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    content = (tmp_path / "whole.mp4").read_bytes()
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(content[: len(content) // 2])
    pictures, odd = read_frames(broken, frames=20)
    assert 5 <= len(pictures) <= 15
    assert odd is not None
    assert "10.0 s" in odd
    sound, odd = read_sound(broken, sampling_rate=SAMPLING_RATE)
    assert 3 < len(sound) / SAMPLING_RATE < 7
    assert odd is not None
    assert "decoding fails after 4.6" in odd


@pytest.mark.parametrize("content", [b"", bytes(5000), b"no media " * 500])
def test_what_is_no_media_file(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file.mp4").write_bytes(content)
    for kind in ("audio", "video"):
        with pytest.raises(MediaError, match="no media file that can be read"):
            Track(tmp_path / "file.mp4", kind)


def test_what_is_not_there(tmp_path: Path, clip: Path) -> None:
    write_mp4(tmp_path / "mute.mp4", [grey(0)], None)
    write_wav(tmp_path / "sound.wav", tone(0.1))
    os.mkfifo(tmp_path / "pipe.wav")
    cases: list[tuple[Path | None, StreamKind, str]] = [
        (None, "audio", "the corpus names no file with a sound track"),
        (tmp_path, "video", "no regular file"),
        (Path("/dev/zero"), "audio", "no regular file, but a folder, pipe or device"),
        (tmp_path / "pipe.wav", "audio", "no regular file, but a folder, pipe or device"),
        (tmp_path / "absent.mp4", "video", "no such file"),
        (tmp_path / "mute.mp4", "audio", "there is no sound track"),
        (tmp_path / "sound.wav", "video", "there is no picture"),
    ]
    for path, kind, reason in cases:
        with pytest.raises(MediaError, match=reason):
            Track(path, kind)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("list.m3u8", "#EXTM3U\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n", "a playlist, which is not followed"),
        ("list.txt", "\ufeff\nffconcat version 1.0\nfile '{}'\n", "a list of files to join"),
        ("talk.sdp", "v=0\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n", "a session description"),
        ("list.pls", "[playlist]\nFile1={}\n", "a playlist"),
        ("talk.mpd", '<?xml version="1.0"?>\n<MPD><BaseURL>{}</BaseURL></MPD>', "a DASH manifest"),
        ("talk.ffmeta", ";FFMETADATA1\n", "no media file that can be read"),
    ],
)
def test_files_that_point_to_others_are_not_followed(name: str, content: str, reason: str, tmp_path: Path) -> None:
    write_wav(tmp_path / "sound.wav", tone(0.5))
    (tmp_path / name).write_text(content.format("sound.wav"), encoding="utf-8")
    with pytest.raises(MediaError, match=reason):
        Track(tmp_path / name, "audio")


def test_names_are_names_of_files(tmp_path: Path, clip: Path) -> None:
    """Not patterns, not URLs, not FFmpeg's protocols."""
    for name in ("a:b.mp4", "concat:a|b.mp4", "50%d.mp4", "file:x.mp4"):
        (tmp_path / name).write_bytes(clip.read_bytes())
        near(indices(tmp_path / name, frames=4), [0, 30, 60, 90])


def test_times_count_from_the_earliest_stream(shared_data: Path) -> None:
    """The sound of this clip begins 2.43 s after its picture."""
    path = shared_data / "media" / "face_noface.mov"
    with pytest.raises(MediaError, match="no sound between 1 s and 2 s"):
        read_sound(path, sampling_rate=SAMPLING_RATE, start=1.0, end=2.0)
    whole, _ = read_sound(path, sampling_rate=SAMPLING_RATE)
    part, _ = read_sound(path, sampling_rate=SAMPLING_RATE, start=2.0, end=3.0)
    assert abs(len(part) - 0.57 * SAMPLING_RATE) < 200
    assert np.abs(whole[: len(part)].astype(np.int32) - part).max() <= 2
