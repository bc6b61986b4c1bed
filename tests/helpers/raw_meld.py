"""Made-up MELD releases, CSVs and clips, with every oddity that the readers know, and what they must make of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from fmerl.corpus import Problem, Utterance
from fmerl.corpus.dialogue import Split
from fmerl.corpus.readers.meld import CLASSES
from fmerl.corpus.readers.meld_media import CLIP_FOLDERS

HEADER = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime"
SPLITS: dict[str, Split] = {"train": "train", "dev": "validation", "test": "test"}

TURN = st.fixed_dictionaries(
    {
        "turn": st.integers(0, 6),
        "text": st.text("abc ,.’“é", min_size=1, max_size=8).filter(lambda text: text.strip()),
        "speaker": st.sampled_from(["Ross", "Phoebe", "The Interviewer"]),
        "emotion": st.sampled_from(CLASSES),
        "oddity": st.none()
        | st.sampled_from(["cp1252", "row twice", "long span", "no clip", "empty clip", "second clip", "macOS clip"]),
    }
)

SPLIT = st.fixed_dictionaries(
    {
        "dialogues": st.dictionaries(
            st.integers(0, 30),
            st.lists(TURN, min_size=1, max_size=4, unique_by=lambda turn: turn["turn"]),
            min_size=1,
            max_size=3,
        ),
        "oddities": st.sets(st.sampled_from(["clip of nobody", "another file", "folder"])),
    }
)

RELEASE = st.fixed_dictionaries(dict.fromkeys(SPLITS, SPLIT))
"""A release as plain values, which `write_meld` writes."""


@dataclass
class Written:
    """What the readers must return."""

    utterances: list[Utterance] = field(default_factory=list)
    """By dialogue, in turn order, with their clips."""
    problems: list[Problem] = field(default_factory=list)

    def odd(self, where: str, row: int, what: str, action: str) -> None:
        self.problems.append(Problem(where=where, row=row, what=what, action=action))


def write_meld(release: Mapping[str, Any], root: Path) -> Written:
    """Write a release of `RELEASE` into an empty folder."""
    written = Written()
    for prefix in SPLITS:
        _write_split(written, prefix, release[prefix], root)
    return written


def _write_split(written: Written, prefix: str, split: Mapping[str, Any], root: Path) -> None:
    lines = [HEADER.encode()]
    table, clips = f"{prefix}_sent_emo.csv", root / CLIP_FOLDERS[prefix]
    clips.mkdir()
    for dialogue, turns in split["dialogues"].items():
        rows = {}
        found = []
        for turn in turns:
            lines.append(_line(dialogue, turn))
            rows[turn["turn"]] = len(lines)
            text = turn["text"]
            if turn["oddity"] == "cp1252":
                text += "’"
                written.odd(table, len(lines), "cp1252 bytes in Utterance", f"read as {text!r}")
            if turn["oddity"] == "long span":
                written.odd(table, len(lines), "span of 61.500 s", "kept; do not trust its clip")
            if turn["oddity"] == "row twice":
                lines.append(lines[-1])
                written.odd(table, len(lines), f"repeats row {len(lines) - 1}", "left out")
            clip = _write_clip(written, clips, prefix, f"dia{dialogue}_utt{turn['turn']}", turn["oddity"])
            found.append(
                Utterance(
                    utterance_id=f"{prefix}_dia{dialogue}_utt{turn['turn']}",
                    dialogue_id=f"{prefix}_dia{dialogue}",
                    turn=turn["turn"],
                    speaker=turn["speaker"],
                    text=text,
                    emotion=turn["emotion"],
                    split=SPLITS[prefix],
                    audio_path=clip,
                    video_path=clip,
                    start=60.0,
                    end=121.5 if turn["oddity"] == "long span" else 62.5,
                )
            )
        written.utterances += sorted(found, key=lambda item: item.turn)
        _tell_id_order(written, table, dialogue, rows)
    (root / table).write_bytes(b"".join(line + b"\r\n" for line in lines))
    _write_others(written, clips, split["oddities"], prefix)


def _line(dialogue: int, turn: Mapping[str, Any]) -> bytes:
    text = turn["text"].encode() + (b"\x92" if turn["oddity"] == "cp1252" else b"")
    end = "00:02:01,500" if turn["oddity"] == "long span" else "00:01:02,500"
    cells = f',{turn["speaker"]},{turn["emotion"]},x,{dialogue},{turn["turn"]},1,2,"00:01:00,000","{end}"'
    return b'1,"' + text + b'"' + cells.encode()


def _tell_id_order(written: Written, table: str, dialogue: int, rows: Mapping[int, int]) -> None:
    order = list(rows)
    late = [turn for turn, before in zip(order[1:], order, strict=False) if turn < before]
    if late:
        what = f"utterances of dialogue {dialogue} are out of order from Utterance_ID {late[0]} on"
        written.odd(table, rows[late[0]], what, "sorted by Utterance_ID")
    absent = sorted(set(range(max(order))) - set(order))
    if absent:
        after = min(turn for turn in order if turn > absent[0])
        what = f"dialogue {dialogue} lacks Utterance_ID {', '.join(map(str, absent))}"
        written.odd(table, rows[after], what, "kept with the gap")


def _write_clip(written: Written, clips: Path, prefix: str, name: str, oddity: str | None) -> str | None:
    path = clips / f"{name}.mp4"
    where = f"{clips.name}/{path.name}"
    if oddity == "no clip":
        written.odd(where, 0, "no such clip", "kept without audio and video")
        return None
    path.write_bytes(b"" if oddity == "empty clip" else b"x")
    if oddity == "empty clip":
        written.odd(where, 0, "the clip is empty", "kept without audio and video")
        return None
    if oddity == "second clip":
        (clips / f"final_videos_test{name}.mp4").write_bytes(b"x")
        other = f"{clips.name}/final_videos_test{name}.mp4"
        written.odd(other, 0, f"a second clip of {prefix}_{name}", "ignored")
    if oddity == "macOS clip":
        (clips / f"._{name}.mp4").write_bytes(b"x")
        written.odd(f"{clips.name}/._{name}.mp4", 0, "a file made by macOS", "ignored")
    return str(path)


def _write_others(written: Written, clips: Path, oddities: set[str], prefix: str) -> None:
    if "clip of nobody" in oddities:
        (clips / "dia99_utt0.mp4").write_bytes(b"x")
        what = f"no utterance {prefix}_dia99_utt0 in the CSV"
        written.odd(f"{clips.name}/dia99_utt0.mp4", 0, what, "ignored")
    if "another file" in oddities:
        (clips / "dia0_utt0.wav").write_bytes(b"x")
        written.odd(f"{clips.name}/dia0_utt0.wav", 0, "no name of a clip", "ignored")
    if "folder" in oddities:
        (clips / "wav").mkdir()
        written.odd(f"{clips.name}/wav", 0, "no name of a clip", "ignored")
