"""import_features.py as a user runs it: what it writes, what it says, and what a pickle of true size takes."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import resource
import runpy
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from helpers.published_pickles import (
    IEMOCAP_COUNTS,
    IEMOCAP_DIALOGUES,
    MELD_COUNTS,
    MELD_DIALOGUES,
    iemocap_pickle,
    meld_pickle,
    true_lengths,
)
from helpers.raw_iemocap import DIALOGUES, write_iemocap
from helpers.repository import EXPERIMENTS

from fmerl.corpus import read_corpus
from fmerl.features.store import read_features

SCRIPT = EXPERIMENTS / "import_features.py"
GIBIBYTE = 2**20
"""In the kilobytes of ru_maxrss."""


def run(monkeypatch: pytest.MonkeyPatch, *arguments: Any) -> int | str | None:
    monkeypatch.setattr(sys, "argv", [SCRIPT.name, *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    return left.value.code


def save(content: Sequence[Any], path: Path) -> Path:
    with path.open("wb") as file:
        pickle.dump(tuple(content), file, protocol=2)
    return path


def card(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "card.json").read_text(encoding="utf-8"))


def test_meld_becomes_corpus_tables_and_warning_cards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    lengths = {0: 2, 1039: 1, 1153: 3}
    path = save(meld_pickle(lengths), tmp_path / "meld.pkl")
    assert run(monkeypatch, path, "--output", tmp_path / "out", "--text", "mean") == 0
    said = capfd.readouterr().out
    assert "meld: 6 utterances in 3 dialogues" in said
    assert "warning: the text features are trained on this corpus's emotion labels" in said
    assert "warning: the audio features are very probably trained on this corpus's emotion labels" in said
    assert "no VAD scores: make them with fmerl label" in said
    corpus = read_corpus(tmp_path / "out" / "corpus")
    ids = [utterance.utterance_id for utterance in corpus.utterances()]
    supervised = {}
    for modality in ("text", "audio", "visual"):
        read_features(tmp_path / "out" / "features", "meld", modality, ids)
        fields = card(tmp_path / "out" / "features" / "meld" / modality)
        supervised[modality] = fields["supervised_on_labels"], "warning" in fields
        assert fields["recipe"]["pickle"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert supervised == {"text": (True, True), "audio": (True, True), "visual": (False, False)}
    assert "COSMIC's scripts" in card(tmp_path / "out" / "features" / "meld" / "text")["warning"]


def test_dry_run_writes_nothing_and_bad_input_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    held_out = tmp_path / "held_out.txt"
    held_out.write_text("# mine\nSes01F_impro01\n\n", encoding="utf-8")
    path = save(iemocap_pickle({"Ses01F_impro01": 1, "Ses02F_impro01": 2, "Ses05F_impro01": 1}), tmp_path / "i.pkl")
    command = (path, "--output", tmp_path / "out", "--validation", held_out)
    assert run(monkeypatch, *command, "--dry-run") == 0
    assert "or import IEMOCAP's own with --iemocap DIR" in capfd.readouterr().out
    assert not (tmp_path / "out").exists()
    assert run(monkeypatch, *command) == 0
    assert card(tmp_path / "out" / "features" / "iemocap" / "audio")["supervised_on_labels"] is False
    path.write_bytes(path.read_bytes()[:-100])
    assert run(monkeypatch, path, "--output", tmp_path / "other") == 2
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert "i.pkl: no whole pickle" in said
    assert not (tmp_path / "other").exists()


def test_human_scores_of_the_raw_release_join_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    turn = {"gender": "F", "start": 1.0, "seconds": 2.0, "label": "xxx", "vad": (1, 5, 2.5), "text": "", "oddity": None}
    dialogues = {name: {"turns": [turn], "oddities": set()} for name in DIALOGUES}
    write_iemocap({"dialogues": dialogues, "oddities": set()}, tmp_path / "release")
    path = save(iemocap_pickle(dict.fromkeys(DIALOGUES, 1)), tmp_path / "i.pkl")
    held_out = tmp_path / "held_out.txt"
    held_out.write_text(DIALOGUES[1], encoding="utf-8")
    command = (path, "--output", tmp_path / "out", "--validation", held_out, "--iemocap", tmp_path / "release")
    assert run(monkeypatch, *command) == 0
    assert "no VAD scores" not in capfd.readouterr().out
    corpus = read_corpus(tmp_path / "out" / "corpus")
    assert [(item.valence, item.arousal, item.dominance) for item in corpus.utterances()] == [(1, 5, 2.5)] * 3
    told = (tmp_path / "out" / "corpus" / "problems.csv").read_text(encoding="utf-8")
    assert told.count("and xxx in EmoEvaluation,kept as in the pickle") == 3


def _run_apart(arguments: Sequence[str]) -> tuple[int, int]:
    """Exit code and peak resident size in KiB of a process of its own."""
    process = os.posix_spawn(sys.executable, [sys.executable, *arguments], os.environ)
    _, status, usage = os.wait4(process, 0)
    assert isinstance(usage, resource.struct_rusage)
    return os.waitstatus_to_exitcode(status), usage.ru_maxrss


@pytest.mark.slow
@pytest.mark.parametrize("corpus_name", ["iemocap", "meld"])
def test_pickle_of_true_size_imports_within_4_gib(tmp_path: Path, corpus_name: str) -> None:
    counts: tuple[int, ...]
    if corpus_name == "iemocap":
        content = iemocap_pickle(true_lengths(IEMOCAP_DIALOGUES, 7433, 110), IEMOCAP_COUNTS)
        counts, dialogues = IEMOCAP_COUNTS, {"train": 108, "validation": 12, "test": 31}
    else:
        content = meld_pickle(true_lengths(MELD_DIALOGUES, 13_708, 33), MELD_COUNTS)
        counts, dialogues = MELD_COUNTS, {"train": 1038, "validation": 114, "test": 280}
    path = save(content, tmp_path / "features.pkl")
    del content
    code, peak = _run_apart([str(SCRIPT), str(path), "--output", str(tmp_path / "out")])
    assert code == 0
    assert peak < 4 * GIBIBYTE
    assert (tmp_path / "out" / "corpus" / "problems.csv").read_text(encoding="utf-8").count("\n") == 1
    corpus = read_corpus(tmp_path / "out" / "corpus")
    emotions = Counter(utterance.emotion for utterance in corpus.utterances())
    assert tuple(emotions[name] for name in corpus.classes) == counts
    assert Counter(dialogue.split for dialogue in corpus.dialogues) == dialogues
    ids = [utterance.utterance_id for utterance in corpus.utterances()]
    audio = {"iemocap": 1582, "meld": 300}[corpus_name]
    for modality, width in (("text", 1024), ("audio", audio), ("visual", 342)):
        table = read_features(tmp_path / "out" / "features", corpus_name, modality, ids)
        assert table.values.shape == (sum(counts), width)
