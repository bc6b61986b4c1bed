"""What an encoder is given, and what a change of it does to the fingerprint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.counting_encoder import talk

from fmerl.corpus import Corpus, Dialogue, Utterance
from fmerl.errors import InputError
from fmerl.features.encoder import Encoded, Item
from fmerl.features.items import items_of
from fmerl.synthetic.media.files import write_wav
from fmerl.synthetic.media.speech import SAMPLING_RATE
from fmerl_platform.extraction.items import fingerprint, media_digests, pack, seconds_of, unpack
from fmerl_platform.extraction.staging import Staged, begin, end, forget_begun, stage


def corpus(**media: Any) -> Corpus:
    utterance = Utterance(
        utterance_id="u", dialogue_id="d", turn=0, speaker="s", text="hello", emotion=None, split="train", **media
    )
    return replace(talk([]), dialogues=(Dialogue(dialogue_id="d", utterances=(utterance,)),))


def test_context_is_the_turns_before_within_the_dialogue() -> None:
    items = list(items_of(talk(["a", "b", "c", "d", "e", "f"], turns=3), Path(), "text", context=2))
    assert [item.text for item in items] == ["a", "b", "c", "d", "e", "f"]
    assert [item.context for item in items] == [(), ("a",), ("a", "b"), (), ("d",), ("d", "e")]
    assert all(item.context == () for item in items_of(talk(["a", "b"]), Path(), "text", context=0))


def test_sound_is_a_file_of_its_own_or_the_videos(tmp_path: Path) -> None:
    both = corpus(audio_path="u.wav", video_path="d.avi", video_start=1.5, video_end=2.5, video_side="left")
    (sound,) = items_of(both, tmp_path, "audio", 0)
    assert sound == Item(utterance_id="u", media=tmp_path / "u.wav")
    (picture,) = items_of(both, tmp_path, "visual", 0)
    assert picture == Item(utterance_id="u", media=tmp_path / "d.avi", start=1.5, end=2.5, side="left")
    (track,) = items_of(corpus(video_path="d.avi", video_start=1.5, video_end=2.5), tmp_path, "audio", 0)
    assert track == Item(utterance_id="u", media=tmp_path / "d.avi", start=1.5, end=2.5)
    (none,) = items_of(corpus(), tmp_path, "visual", 0)
    assert none == Item(utterance_id="u")


def test_media_lie_in_the_corpus_or_in_a_root(tmp_path: Path) -> None:
    home, clips = tmp_path / "corpus", tmp_path / "clips"
    home.mkdir()
    clips.mkdir()
    (home / "link").symlink_to(clips)
    for path in ("../clips/u.wav", str(clips / "u.wav"), "link/u.wav", "../corpus2/u.wav"):
        with pytest.raises(InputError, match=r"utterance u lies outside the corpus folder, .*--media-roots"):
            list(items_of(corpus(audio_path=path), home, "audio", 0))
        (found,) = items_of(corpus(audio_path=path), home, "audio", 0, media_roots=[tmp_path])
        assert found.media is not None
        assert found.media.is_relative_to(tmp_path)
    with pytest.raises(InputError, match=r"is a URL, .*; download it"):
        list(items_of(corpus(audio_path="https://example.org/u.wav"), home, "audio", 0, media_roots=[tmp_path]))
    assert list(items_of(corpus(audio_path="https://example.org/u.wav"), home, "text", 0)), "text reads no media"


def test_seconds_of_sound_are_told_by_spans_and_files(tmp_path: Path) -> None:
    pytest.importorskip("av")
    write_wav(tmp_path / "u.wav", np.ones(3 * SAMPLING_RATE, np.int16))
    item = Item(utterance_id="u", media=tmp_path / "u.wav")
    items = [
        item,
        replace(item, start=0.5),
        replace(item, start=2.0),
        replace(item, start=0.0, end=9.0),
        replace(item, media=tmp_path / "absent.wav"),
        replace(item, media=None),
    ]
    assert seconds_of(items) == [3.0, 2.5, 1.0, 9.0, 0.0, 0.0]


def test_fingerprint_follows_all_that_is_read(tmp_path: Path) -> None:
    path, same, other, absent = (tmp_path / name for name in ("a.wav", "b.wav", "c.wav", "absent.wav"))
    path.write_bytes(b"sound")
    same.write_bytes(b"sound")
    other.write_bytes(b"noise")
    item = Item(utterance_id="u", text="hello", context=("hi",), media=path, start=1.0, end=2.0, side="left")
    changed = [
        replace(item, text="hello!"),
        replace(item, context=()),
        replace(item, context=("hi", "hi")),
        replace(item, media=other),
        replace(item, media=absent),
        replace(item, media=None),
        replace(item, start=None),
        replace(item, end=2.5),
        replace(item, side="right"),
    ]
    digests = media_digests([item, replace(item, media=same), *changed])
    assert set(digests) == {path, same, other}
    known = fingerprint(item, "recipe", digests)
    assert fingerprint(replace(item, utterance_id="v", media=same), "recipe", digests) == known
    others = {fingerprint(item, "another recipe", digests), *(fingerprint(one, "recipe", digests) for one in changed)}
    assert len(others) == 1 + len(changed)
    assert known not in others


def test_items_are_packed_without_loss() -> None:
    items = [
        Item(utterance_id="u", text="hello", context=("hi", "")),
        Item(utterance_id="v", media=Path("/clips/v.mp4"), start=0.1, end=2.0, side="right"),
        Item(utterance_id="w"),
    ]
    fingerprints = [bytes([number]) * 32 for number in range(3)]
    assert unpack(pack(items, fingerprints)) == (items, fingerprints)


def test_staged_rows_come_in_the_order_asked(tmp_path: Path) -> None:
    keys = [bytes([number]) * 32 for number in range(5)]
    values = np.arange(10, dtype=np.float32).reshape(5, 2)
    missing = np.zeros(5, dtype=np.bool_)
    values[4], missing[4] = 0, True
    problems: tuple[str | None, ...] = ("odd", None, None, None, "no sound")
    for rows in (slice(0, 2), slice(2, 5), slice(0, 2)):
        stage(tmp_path, keys[rows], Encoded(values=values[rows], missing=missing[rows], problems=problems[rows]))
    assert len(list(tmp_path.iterdir())) == 2, "a block that is staged again replaces itself"
    staged = Staged(tmp_path)
    assert all(key in staged for key in keys)
    assert b"?" * 32 not in staged
    found = staged.rows([keys[4], keys[0], keys[3], keys[0]], width=2)
    np.testing.assert_array_equal(found.values, values[[4, 0, 3, 0]])
    assert found.missing.tolist() == [True, False, False, False]
    assert found.problems == ["no sound", "odd", None, "odd"]
    with pytest.raises(KeyError):
        staged.rows([b"?" * 32], width=2)


def test_what_never_ended_is_counted(tmp_path: Path) -> None:
    one, two = [b"1" * 32], [b"1" * 32, b"2" * 32]
    assert [begin(tmp_path, one), begin(tmp_path, one), begin(tmp_path, two)] == [1, 2, 1]
    end(tmp_path, one)
    assert begin(tmp_path, one) == 1
    forget_begun(tmp_path)
    assert begin(tmp_path, two) == 1
