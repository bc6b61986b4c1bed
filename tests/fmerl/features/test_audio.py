"""openSMILE's functionals: columns and values of real and made-up sound, and what counts as no sound."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fmerl.errors import InputError
from fmerl.features.audio.encoder import AudioEncoder, AudioSpec
from fmerl.features.encoder import Item
from fmerl.synthetic.media.files import write_mp4, write_wav

opensmile = pytest.importorskip("opensmile")
pytest.importorskip("av")

RATE = 16000


def hum(seconds: float, pitch: float = 120.0, seed: int = 0) -> NDArray[np.int16]:
    """A harmonic sound with a little noise."""
    times = np.arange(round(seconds * RATE)) / RATE
    sound = sum(np.sin(2 * np.pi * pitch * k * times) / k for k in range(1, 20))
    noise = np.random.default_rng(seed).standard_normal(len(times))
    return (5000 * sound + 50 * noise).astype(np.int16)


@pytest.fixture(scope="module")
def encoder() -> AudioEncoder:
    return AudioSpec().build()


def item(path: Path | None, start: float | None = None, end: float | None = None) -> Item:
    return Item(utterance_id="u", media=path, start=start, end=end)


def test_real_clip_has_1582_named_columns(encoder: AudioEncoder, shared_data: Path) -> None:
    assert encoder.width == len(set(encoder.columns)) == 1582
    encoded = encoder.encode([item(shared_data / "media" / "face_noface.mov")])
    assert encoded.problems == (None,)
    assert encoded.values.shape == (1, 1582)
    named = dict(zip(encoder.columns, encoded.values[0].tolist(), strict=True))
    assert 50 < named["F0final_sma_quartile2"] < 400
    assert np.count_nonzero(encoded.values) > 1400


def test_real_clips_without_sound_are_missing(encoder: AudioEncoder, shared_data: Path) -> None:
    media = shared_data / "media"
    encoded = encoder.encode([item(media / "test.mp4"), item(media / "WolfgangLanger_Pexels.mp4", 2.0, 4.0)])
    assert encoded.missing.all()
    assert encoded.problems == ("there is no sound track", "the 2.00 s of sound are silent")


def test_pitch_is_found(encoder: AudioEncoder, tmp_path: Path) -> None:
    for pitch in (110, 220):
        write_wav(tmp_path / "hum.wav", hum(1.0, pitch))
        values = encoder.encode([item(tmp_path / "hum.wav")]).values[0]
        assert abs(values[encoder.columns.index("F0final_sma_quartile2")] - pitch) < 3


def test_values_are_those_of_opensmile_on_the_same_file(encoder: AudioEncoder, tmp_path: Path) -> None:
    write_wav(tmp_path / "hum.wav", hum(1.0))
    smile = opensmile.Smile(opensmile.FeatureSet.IS10, opensmile.FeatureLevel.Functionals)
    expected = smile.process_signal(hum(1.0).astype(np.float32) / 2**15, RATE)
    assert encoder.columns == tuple(expected.columns)
    np.testing.assert_array_equal(encoder.encode([item(tmp_path / "hum.wav")]).values, expected.to_numpy(np.float32))


def test_rows_do_not_depend_on_each_other_and_repeat(encoder: AudioEncoder, tmp_path: Path) -> None:
    for name, seconds in (("short", 0.4), ("long", 1.1)):
        write_wav(tmp_path / f"{name}.wav", hum(seconds))
    items = [item(tmp_path / name) for name in ("short.wav", "absent.wav", "long.wav")]
    together = encoder.encode(items)
    assert together.missing.tolist() == [False, True, False]
    for row, single in enumerate(items):
        np.testing.assert_array_equal(encoder.encode([single]).values[0], together.values[row])
        np.testing.assert_array_equal(AudioSpec().build().encode([single]).values[0], together.values[row])
    assert encoder.encode([]).values.shape == (0, 1582)


def test_span_of_a_file_is_the_file_of_the_span(encoder: AudioEncoder, tmp_path: Path) -> None:
    sound = np.concatenate([hum(0.5, 100), hum(0.5, 200, seed=1), hum(0.5, 150)])
    write_wav(tmp_path / "all.wav", sound)
    write_wav(tmp_path / "middle.wav", sound[RATE // 2 : RATE])
    whole, part = encoder.encode([item(tmp_path / "all.wav", 0.5, 1.0), item(tmp_path / "middle.wav")]).values
    np.testing.assert_array_equal(whole, part)


def test_sound_track_of_a_video(encoder: AudioEncoder, tmp_path: Path) -> None:
    write_mp4(tmp_path / "clip.mp4", [np.zeros((32, 32, 3), np.uint8)] * 12, hum(1.0))
    write_wav(tmp_path / "hum.wav", hum(1.0))
    lossy, exact = encoder.encode([item(tmp_path / "clip.mp4"), item(tmp_path / "hum.wav")]).values
    column = encoder.columns.index("F0final_sma_quartile2")
    assert abs(lossy[column] - exact[column]) < 1


def test_no_sound_has_a_reason(encoder: AudioEncoder, tmp_path: Path) -> None:
    write_wav(tmp_path / "silent.wav", np.zeros(RATE, np.int16))
    write_wav(tmp_path / "short.wav", hum(0.03))
    write_wav(tmp_path / "empty.wav", np.zeros(0, np.int16))
    (tmp_path / "corrupt.wav").write_bytes(bytes(1000))
    encoded = encoder.encode([item(tmp_path / f"{name}.wav") for name in ("silent", "short", "empty", "corrupt")])
    assert encoded.missing.all()
    assert encoded.problems[:2] == ("the 1.00 s of sound are silent", "0.03 s of sound are too short for IS10")
    assert encoded.problems[2] == "the sound track is empty"
    assert "no media file" in str(encoded.problems[3])


def test_values_that_are_not_finite_become_zero_and_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = AudioSpec(feature_set="eGeMAPSv02").build()
    write_wav(tmp_path / "hum.wav", hum(0.5))
    good = encoder.encode([item(tmp_path / "hum.wav")]).values[0]
    smile = encoder._smile

    def spoiled(sound: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
        values = smile(sound, rate)
        values[0, [3, 7], 0] = np.nan, np.inf
        return values

    monkeypatch.setattr(encoder, "_smile", spoiled)
    encoded = encoder.encode([item(tmp_path / "hum.wav")])
    kept = np.delete(np.arange(encoder.width), [3, 7])
    assert not encoded.values[0, [3, 7]].any()
    np.testing.assert_array_equal(encoded.values[0, kept], good[kept])
    told = f"2 of 88 features are not finite and set to 0, the first is {encoder.columns[3]}"
    assert (encoded.missing.tolist(), encoded.problems) == ([False], (told,))


def test_sets_and_configs(tmp_path: Path, encoder: AudioEncoder) -> None:
    assert AudioSpec(feature_set="IS09").build().width == 384
    original = Path(opensmile.Smile(opensmile.FeatureSet.IS10).config_path)
    config = tmp_path / "own.conf"
    config.write_text("\\{extra.conf}\n" + original.read_text())
    (tmp_path / "extra.conf").write_text("; nothing\n")
    own = AudioSpec(feature_set=str(config)).build()
    assert own.columns == encoder.columns
    (tmp_path / "extra.conf").write_text("; something\n")
    changed = AudioSpec(feature_set=str(config)).build()
    assert changed.recipe()["feature_set"] != own.recipe()["feature_set"] != "IS10"


def test_recipe_holds_what_decides_the_vectors(encoder: AudioEncoder) -> None:
    recipe = encoder.recipe()
    assert recipe == {**recipe, "encoder": "opensmile", "feature_set": "IS10", "sampling_rate": 16000}
    assert set(recipe["versions"]) == {"opensmile", "av"}
    assert AudioSpec(sampling_rate=8000).build().recipe() != recipe
    assert pickle.loads(pickle.dumps(AudioSpec(feature_set="IS09"))) == AudioSpec(feature_set="IS09")


def test_what_is_no_set(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no feature set and no config.*IS10"):
        AudioSpec(feature_set="IS99").build()
    (tmp_path / "bad.conf").write_text("hello")
    with pytest.raises(InputError, match="openSMILE cannot use it with level 'func'"):
        AudioSpec(feature_set=str(tmp_path / "bad.conf")).build()
    with pytest.raises(InputError, match=r"gives 9\d vectors for a second of sound, not one"):
        AudioSpec(level="lld").build()
    with pytest.raises(ValueError, match="sampling_rate must be positive"):
        AudioSpec(sampling_rate=0)


def test_absent_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opensmile", None)
    with pytest.raises(InputError, match=r"pip install 'fmerl\[audio\]'"):
        AudioSpec().build()
