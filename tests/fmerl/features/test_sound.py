"""Samples of sound: layouts of channels, formats of samples, gaps, and what is listed as odd."""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fmerl.features.audio.sound import read_sound
from fmerl.features.media import MediaError
from fmerl.synthetic.media.files import write_wav

av = pytest.importorskip("av")

RATE = 16_000
TONE = (8000 * np.sin(2 * np.pi * 220 * np.arange(RATE) / RATE)).astype(np.int16)


def write_channels(path: Path, channels: NDArray[np.int16], layout: str, codec: str = "pcm_s16le") -> None:
    """Channels [C, S] as a file of PCM."""
    with av.open(path, "w") as output:
        stream = output.add_stream(codec, rate=RATE, layout=layout)
        frame = av.AudioFrame.from_ndarray(channels.T.reshape(1, -1).copy(), format="s16", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
        for packet in (*stream.encode(frame), *stream.encode()):
            output.mux(packet)


def write_floats(path: Path, samples: NDArray[np.float32]) -> None:
    with av.open(path, "w", format="wav") as output:
        stream = output.add_stream("pcm_f32le", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
        for packet in (*stream.encode(frame), *stream.encode()):
            output.mux(packet)


@pytest.mark.parametrize("layout", ["mono", "stereo", "2.1", "3.0", "quad", "5.1", "7.1", "9.1.6"])
def test_every_channel_counts_alike(layout: str, tmp_path: Path) -> None:
    """Voice in any one of C channels comes out at 1 / C, whatever the channel's name."""
    count = av.AudioLayout(layout).nb_channels
    for voiced in range(count):
        channels = np.zeros((count, RATE), dtype=np.int16)
        channels[voiced] = TONE
        write_channels(tmp_path / "voice.wav", channels, layout)
        sound, odd = read_sound(tmp_path / "voice.wav", sampling_rate=RATE)
        assert odd is None
        np.testing.assert_allclose(sound, TONE / count, atol=0.51)


@pytest.mark.parametrize("kind", ["u8", "s16le", "s24le", "s32le", "f32le", "f64le", "alaw"])
def test_formats_of_samples(kind: str, tmp_path: Path) -> None:
    source = av.AudioFrame.from_ndarray(TONE[None], format="s16", layout="mono")
    source.sample_rate, source.pts, source.time_base = RATE, 0, Fraction(1, RATE)
    with av.open(tmp_path / "tone.wav", "w") as output:
        stream = output.add_stream(f"pcm_{kind}", rate=RATE, layout="mono")
        for packet in (*stream.encode(source), *stream.encode()):
            output.mux(packet)
    sound, _ = read_sound(tmp_path / "tone.wav", sampling_rate=RATE)
    np.testing.assert_allclose(sound, TONE, atol=256 if kind in {"u8", "alaw"} else 0)


def test_planes_of_channels(tmp_path: Path) -> None:
    """FLAC and AAC decode to interleaved and planar samples."""
    channels = np.stack([TONE, TONE // 2])
    write_channels(tmp_path / "voice.flac", channels, "stereo", "flac")
    sound, _ = read_sound(tmp_path / "voice.flac", sampling_rate=RATE)
    np.testing.assert_allclose(sound, channels.mean(axis=0), atol=0.51)
    write_channels(tmp_path / "voice.m4a", channels, "stereo", "aac")
    sound, _ = read_sound(tmp_path / "voice.m4a", sampling_rate=RATE)
    middle = slice(4000, 12_000)
    np.testing.assert_allclose(sound[middle], channels.mean(axis=0)[middle], atol=300)


def test_channels_that_cancel_each_other_are_told_from_silence(tmp_path: Path) -> None:
    write_channels(tmp_path / "opposite.wav", np.stack([TONE, -TONE]), "stereo")
    with pytest.raises(MediaError, match=r"1\.00 s of sound are silent once averaged: its channels cancel each other"):
        read_sound(tmp_path / "opposite.wav", sampling_rate=RATE)
    write_channels(tmp_path / "silent.wav", np.zeros((2, RATE), dtype=np.int16), "stereo")
    with pytest.raises(MediaError, match=r"1\.00 s of sound are silent$"):
        read_sound(tmp_path / "silent.wav", sampling_rate=RATE)


def test_other_rates(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "slow.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(TONE[::2].astype("<i2").tobytes())
    sound, odd = read_sound(tmp_path / "slow.wav", sampling_rate=RATE)
    assert odd is None
    assert len(sound) == RATE
    np.testing.assert_allclose(sound[1000:15_000], TONE[1000:15_000], atol=60)


def test_samples_that_are_not_finite_are_listed(tmp_path: Path) -> None:
    samples: NDArray[np.float32] = (TONE / 2**15).astype(np.float32)
    samples[[100, 101, 5000, 12_000]] = np.nan, np.inf, -np.inf, np.nan
    write_floats(tmp_path / "odd.wav", samples)
    sound, odd = read_sound(tmp_path / "odd.wav", sampling_rate=RATE)
    assert odd == "4 of 16,000 samples are not finite and set to 0"
    expected = TONE.copy()
    expected[[100, 101, 5000, 12_000]] = 0
    np.testing.assert_array_equal(sound, expected)
    part = read_sound(tmp_path / "odd.wav", sampling_rate=RATE, start=0.25, end=0.5)
    assert part[1] == "1 of 4,000 samples are not finite and set to 0"
    assert read_sound(tmp_path / "odd.wav", sampling_rate=RATE, start=0.4, end=0.5)[1] is None
    write_floats(tmp_path / "none.wav", np.full(RATE, np.nan, dtype=np.float32))
    with pytest.raises(MediaError, match="silent"):
        read_sound(tmp_path / "none.wav", sampling_rate=RATE)


def test_floats_in_the_range_of_integers_are_listed(tmp_path: Path) -> None:
    write_floats(tmp_path / "loud.wav", TONE.astype(np.float32))
    _, odd = read_sound(tmp_path / "loud.wav", sampling_rate=RATE)
    assert odd == "samples reach 8e+03 times full scale and are cut off"


def test_gaps_between_times_are_silent(tmp_path: Path) -> None:
    """As in a recording of a call, where a sender who is quiet sends nothing."""
    with av.open(tmp_path / "call.mkv", "w") as output:
        stream = output.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for first, samples in ((0, TONE[:8000]), (16_000, TONE[8000:])):
            frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, first, Fraction(1, RATE)
            for packet in stream.encode(frame):
                output.mux(packet)
    sound, odd = read_sound(tmp_path / "call.mkv", sampling_rate=RATE)
    assert odd == "nothing for 0.50 s, which count as silence"
    np.testing.assert_array_equal(sound, np.concatenate([TONE[:8000], np.zeros(8000, np.int16), TONE[8000:]]))
    part, _ = read_sound(tmp_path / "call.mkv", sampling_rate=RATE, start=1.0, end=1.25)
    np.testing.assert_array_equal(part, TONE[8000:12_000])


def test_long_sound_is_read_to_its_limit(tmp_path: Path) -> None:
    write_wav(tmp_path / "long.wav", np.tile(TONE, 4))
    sound, odd = read_sound(tmp_path / "long.wav", sampling_rate=RATE, start=1.0, longest=1.5)
    np.testing.assert_array_equal(sound, np.tile(TONE, 2)[:24_000])
    assert odd == "only the first 1.5 s of sound are read"
    whole, odd = read_sound(tmp_path / "long.wav", sampling_rate=RATE, longest=4.0)
    assert (len(whole), odd) == (4 * RATE, None)
