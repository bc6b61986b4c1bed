"""Made-up IEMOCAP releases with every oddity that the reader knows, and what it must make of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from fmerl.corpus import SPLITS, Problem, Utterance
from fmerl.corpus.readers.iemocap.ids import LABELS

DIALOGUES = ("Ses01F_impro05", "Ses02M_script01_1", "Ses05F_impro01b")
VALIDATION = ("Ses02M_script01_1",)
SPLIT_OF = dict(zip(DIALOGUES, SPLITS, strict=True))
ANNOTATORS = ("C-E2:\tNeutral;\t()", "C-F1:\tAnger; Frustration;\t(x)", "A-E3:\tval 3; act 2; dom  2;\t()", "")

TURN: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "gender": st.sampled_from("FM"),
        "start": st.integers(0, 3000).map(lambda number: number / 8),
        "seconds": st.integers(1, 80).map(lambda number: number / 8),
        "label": st.sampled_from([*LABELS, "xxx", "sur", "oth"]),
        "gap": st.sampled_from(["\t", "    ", " \t"]),
        "vad": st.tuples(*[st.integers(4, 20).map(lambda number: number / 4)] * 3),
        "text": st.text("abc ,.!?'’[]:é", min_size=1, max_size=12).filter(lambda text: text.strip()),
        "oddity": st.none()
        | st.sampled_from(
            [
                "no wav",
                "empty wav",
                "no text",
                "bad score",
                "no span",
                "cp1252",
                "evaluated twice",
                "told twice",
                "capital",
            ]
        ),
    }
)

DIALOGUE: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "turns": st.lists(TURN, min_size=1, max_size=4, unique_by=lambda turn: turn["start"]),
        "oddities": st.sets(
            st.sampled_from(
                ["no avi", "no wavs", "odd evaluation", "foreign evaluation", "odd speech", "unevaluated", "extra wav"]
            )
        ),
    }
)

RELEASE = st.fixed_dictionaries(
    {
        "dialogues": st.fixed_dictionaries(dict.fromkeys(DIALOGUES, DIALOGUE)),
        "oddities": st.sets(
            st.sampled_from(["macOS files", "sub-folder", "no text file", "odd file", "untold", "extra avi"])
        ),
    }
)
"""A release as plain values, which `write_iemocap` writes."""


@dataclass
class Written:
    """What the reader must return, whatever the protocol."""

    root: Path
    utterances: list[Utterance] = field(default_factory=list)
    """In turn order, unlabelled ones with their raw label as `emotion`."""
    problems: list[Problem] = field(default_factory=list)
    """Without those of targets."""
    untargeted: dict[str, Problem] = field(default_factory=dict)
    """By utterance: the row that says it is none of the six, with an empty action."""

    def odd(self, where: Path | str, row: int, what: str, action: str) -> None:
        path = where if isinstance(where, str) else str(where.relative_to(self.root))
        self.problems.append(Problem(where=path, row=row, what=what, action=action))


def write_iemocap(release: Mapping[str, Any], root: Path) -> Written:
    """Write a release of `RELEASE` below an empty folder."""
    written = Written(root)
    for name in ("Session3", "Session4"):
        written.odd(name, 0, "no dialog/EmoEvaluation", "session left out")
    for name in DIALOGUES:
        dialogue = release["dialogues"][name]
        _write_dialogue(written, name, dialogue["turns"], dialogue["oddities"])
    folder = root / "Session1" / "dialog" / "EmoEvaluation"
    oddities = release["oddities"]
    if "macOS files" in oddities:
        (folder / "._Ses01F_impro05.txt").write_bytes(b"\0")
        (folder / "._Ses01F_impro06.txt").write_bytes(b"\0")
        written.odd(folder, 0, "2 files ._*, made by macOS", "skipped")
    if "sub-folder" in oddities:
        (folder / "Categorical").mkdir()
        (folder / "Categorical" / "Ses01F_impro05_e2_cat.txt").write_text("x", encoding="utf-8")
        written.odd(folder, 0, "sub-folder Categorical", "skipped")
    if "no text file" in oddities:
        (folder / "notes.doc").write_bytes(b"x")
        written.odd(folder, 0, "notes.doc is no text file", "skipped")
    if "odd file" in oddities:
        path = folder / "Ses02F_impro01.txt"
        path.write_text("x", encoding="utf-8")
        written.odd(path, 0, "Ses02F_impro01.txt is named after no dialogue of Session1", "left out")
    if "untold" in oddities:
        path = root / "Session1" / "dialog" / "transcriptions" / "Ses01F_impro09.txt"
        path.write_text("x", encoding="utf-8")
        written.odd(path, 0, "no evaluation of a dialogue Ses01F_impro09", "left out")
    if "extra avi" in oddities:
        path = _new(root / "Session1" / "dialog" / "avi" / "DivX" / "Ses01F_impro09.avi")
        written.odd(path, 0, "belongs to no evaluated utterance", "ignored")
    return written


def _write_dialogue(written: Written, name: str, turns: Sequence[Mapping[str, Any]], oddities: set[str]) -> None:
    session = written.root / f"Session{name[4]}"
    avi = session / "dialog" / "avi" / "DivX" / f"{name}.avi"
    wavs = session / "sentences" / "wav" / name
    if "no avi" in oddities:
        written.odd(avi, 0, "no such file", "without video")
    else:
        _new(avi)
    if "no wavs" in oddities:
        written.odd(wavs, 0, "no such folder", f"{len(turns)} utterances without audio")
    else:
        wavs.mkdir(parents=True)
    if "extra wav" in oddities and "no wavs" not in oddities:
        written.odd(_new(wavs / f"{name}_FXX0.wav"), 0, "belongs to no evaluated utterance", "ignored")
    ids = [f"{name}_{turn['gender']}{place:03}" for place, turn in enumerate(turns)]
    rows = _write_evaluation(written, session, name, dict(zip(ids, turns, strict=True)), oddities)
    texts = _write_transcription(written, session, name, dict(zip(ids, turns, strict=True)), oddities)
    in_time = sorted(zip(ids, turns, strict=True), key=lambda item: item[1]["start"])
    evaluation = session / "dialog" / "EmoEvaluation" / f"{name}.txt"
    for place, (utterance_id, turn) in enumerate(in_time):
        span = turn["oddity"] != "no span"
        video = span and "no avi" not in oddities
        if not span:
            what = f"{utterance_id} lasts from {turn['start']:g} to {turn['start']:g} s"
            written.odd(evaluation, rows[utterance_id], what, "without video")
        if not texts[utterance_id]:
            what = f"{utterance_id} has no transcription, or an empty one"
            written.odd(evaluation, rows[utterance_id], what, "kept with an empty text")
        scores = dict(zip(("valence", "arousal", "dominance"), turn["vad"], strict=True))
        written.utterances.append(
            Utterance(
                utterance_id=utterance_id,
                dialogue_id=name,
                turn=place,
                speaker=name[:5] + turn["gender"],
                text=texts[utterance_id],
                emotion=LABELS.get(turn["label"], turn["label"]),
                split=SPLIT_OF[name],
                **({} if turn["oddity"] == "bad score" else scores),
                audio_path=_write_wav(written, wavs, utterance_id, turn["oddity"]),
                video_path=str(avi) if video else None,
                video_start=turn["start"] if video else None,
                video_end=turn["start"] + turn["seconds"] if video else None,
                video_side=("left" if turn["gender"] == name[5] else "right") if video else None,
            )
        )


def _write_evaluation(
    written: Written, session: Path, name: str, turns: Mapping[str, Mapping[str, Any]], oddities: set[str]
) -> dict[str, int]:
    path = session / "dialog" / "EmoEvaluation" / f"{name}.txt"
    lines = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
    rows = {}
    before = 0.0
    disordered = False
    for utterance_id, turn in turns.items():
        end = turn["start"] + (0 if turn["oddity"] == "no span" else turn["seconds"])
        vad = (0.5, 6.0, 1.0) if turn["oddity"] == "bad score" else turn["vad"]
        scores = ", ".join(f"{score:.4f}" for score in vad)
        label = turn["label"].upper() if turn["oddity"] == "capital" else turn["label"]
        lines.append(
            turn.get("gap", "\t").join([f"[{turn['start']:.4f} - {end:.4f}]", utterance_id, label, f"[{scores}]"])
        )
        rows[utterance_id] = len(lines)
        if label != turn["label"]:
            written.odd(path, len(lines), f"{utterance_id} is labelled {label}", f"read as {turn['label']!r}")
        if turn["oddity"] == "bad score":
            what = f"{utterance_id} is scored [0.5000, 6.0000, 1.0000], not 1 to 5"
            written.odd(path, len(lines), what, "scores left out")
        if turn["label"] not in LABELS:
            what = f"{utterance_id} is labelled {turn['label']}, none of the six"
            where = str(path.relative_to(written.root))
            written.untargeted[utterance_id] = Problem(where=where, row=len(lines), what=what, action="")
        if turn["oddity"] == "evaluated twice":
            lines.append(lines[-1])
            written.odd(path, len(lines), f"repeats row {len(lines) - 1}", "left out")
        if turn["start"] < before and not disordered:
            written.odd(path, rows[utterance_id], f"out of order from {utterance_id} on", "sorted by time")
            disordered = True
        before = turn["start"]
        lines += ANNOTATORS
    if "odd evaluation" in oddities:
        lines.append("[1.0 - 2.0] broken")
        written.odd(path, len(lines), "unreadable line '[1.0 - 2.0] broken'", "left out")
    if "foreign evaluation" in oddities:
        lines.append("[1.0 - 2.0]\tSes04F_impro01_F000\tang\t[1.0, 2.0, 3.0]")
        written.odd(path, len(lines), f"Ses04F_impro01_F000 is no utterance of {name}", "left out")
    _new(path, "\r\n".join(lines).encode())
    return rows


def _write_transcription(
    written: Written, session: Path, name: str, turns: Mapping[str, Mapping[str, Any]], oddities: set[str]
) -> dict[str, str]:
    path = session / "dialog" / "transcriptions" / f"{name}.txt"
    lines: list[bytes] = []
    texts = {}
    for utterance_id, turn in turns.items():
        texts[utterance_id] = turn["text"].strip()
        if turn["oddity"] == "no text":
            texts[utterance_id] = ""
            continue
        line = f"{utterance_id} [{turn['start']:08.4f}-{turn['start'] + 1:08.4f}]: {texts[utterance_id]}"
        lines.append(line.encode())
        if turn["oddity"] == "cp1252":
            texts[utterance_id] += "’s"
            lines[-1] += b"\x92s"
            written.odd(path, len(lines), "cp1252 bytes", f"read as {line + '’s'!r}")
        if turn["oddity"] == "told twice":
            lines.append(lines[-1])
            written.odd(path, len(lines), f"repeats row {len(lines) - 1}", "left out")
    if "odd speech" in oddities:
        lines.append(b"M: [LAUGHTER]")
        written.odd(path, len(lines), "unreadable line 'M: [LAUGHTER]'", "left out")
    if "unevaluated" in oddities:
        lines += [b"", f"{name}_FXX0 [001.0000-002.0000]: Hm.".encode()]
        written.odd(path, len(lines), f"{name}_FXX0 has no evaluation", "left out")
    _new(path, b"\n".join(lines))
    return texts


def _write_wav(written: Written, wavs: Path, utterance_id: str, oddity: str | None) -> str | None:
    path = wavs / f"{utterance_id}.wav"
    if not wavs.is_dir():
        return None
    if oddity == "no wav":
        written.odd(path, 0, "no such file", "without audio")
        return None
    _new(path, b"" if oddity == "empty wav" else b"RIFF")
    if oddity == "empty wav":
        written.odd(path, 0, "empty file", "without audio")
        return None
    return str(path)


def _new(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
