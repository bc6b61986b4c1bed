"""What a command needs and what is not there: one line before any work, in a dry run too."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest
from helpers.raw_meld import HEADER, SPLITS

from fmerl.corpus.readers.meld import CLASSES
from fmerl.errors import InputError
from fmerl_platform.cli.main import main


@pytest.fixture
def raw(tmp_path: Path) -> list[str]:
    """Options that name a small MELD and a small EmoBank."""
    times = '"00:00:01,000","00:00:02,000"'
    rows = [f"1,Well {name},Ross,{name},x,0,{turn},1,2,{times}" for turn, name in enumerate(CLASSES)]
    for prefix in SPLITS:
        (tmp_path / f"{prefix}_sent_emo.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    told = [f"{row},{('train', 'dev', 'test')[row % 3]},3.{row % 9},2.{row % 7},3.1,A text" for row in range(30)]
    (tmp_path / "emobank.csv").write_text("\n".join(["id,split,V,A,D,text", *told]) + "\n")
    return ["--meld", str(tmp_path), "--emobank", str(tmp_path / "emobank.csv")]


def _said(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    """Lines that a command which refuses its input leaves on the screen."""
    with pytest.raises(SystemExit) as left:
        main(arguments)
    said = capfd.readouterr().err
    assert left.value.code == 2, said
    return said


def _worked(*arguments: object, **options: object) -> NoReturn:
    raise AssertionError("work began")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["meld-text", "--emotion-encoder", "package:none"], "package:none: the Python package cannot be imported"),
        (["meld-text", "--emobank", "none.csv"], "none.csv: no such file"),
        (["meld-text", "--set", "training.epoch=3"], "--set training.epoch: is no configuration field"),
        (["meld-text", "--conditions", "audio:drop"], "--conditions audio:drop: no cell of meld reads audio"),
        (["meld-text", "--modalities", "audio"], "MELD's text alone is prepared, and the study reads audio"),
        (
            ["main-results", "--systems", "COSMIC (LLM knowledge)"],
            "MELD's text alone is prepared, and the study reads knowledge",
        ),
        (["main-results", "--folds", "session"], "--folds session: "),
        (["zero-shot", "--unseen", "love"], "--unseen love: no class of meld"),
        (["zero-shot", "--unseen", "iemocap=fear"], "no corpus of this study is called iemocap"),
        (["zero-shot", "--llm-study", "asked"], "mlflow.db: no such file"),
    ],
    ids=lambda value: " ".join(value[1:]) if isinstance(value, list) else "",
)
def test_what_melds_text_cannot_be_studied_without_is_told_before_it_is_encoded(
    arguments: list[str],
    told: str,
    raw: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("fmerl_platform.importing.meld_text.extract", _worked)
    given = raw[:2] if "--emobank" in arguments else raw
    said = _said([*arguments, *given, "--storage", str(tmp_path / "runs"), "--dry-run"], capfd)
    assert told in said.splitlines()[-1]


@pytest.mark.parametrize("command", ["meld-text", "main-results", "zero-shot"])
def test_the_tracking_server_is_asked_before_melds_text_is_prepared(
    command: str, raw: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def away() -> NoReturn:
        raise InputError("MLFLOW_TRACKING_URI", "no server has answered", "start it")

    monkeypatch.setattr("fmerl_platform.cli.ready.tracking_server", away)
    monkeypatch.setattr("fmerl_platform.importing.meld_text.study_on_meld", _worked)
    said = _said([command, *raw, "--storage", str(tmp_path / "runs")], capfd)
    assert "MLFLOW_TRACKING_URI: no server has answered; start it" in said


def test_a_dry_run_tells_that_the_key_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SystemExit) as left:
        main(["llm-baselines", "--corpus", "synthetic-meld", "--limit", "3", "--storage", str(tmp_path), "--dry-run"])
    said = capfd.readouterr()
    assert left.value.code == 0
    assert "asking would be refused: OPENAI_API_KEY: not set for https://api.openai.com/v1; set it" in said.err
    assert "calls" in said.out
