"""Predictions of files: every output, large inputs piece by piece, resumed, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from helpers.finished_study import Finished

from fmerl.errors import InputError
from fmerl_platform import predict
from fmerl_platform.cli.main import main
from fmerl_platform.prediction import run
from fmerl_platform.prediction.request import SMALL, PredictionRequest
from fmerl_platform.prediction.rows import check_output
from fmerl_platform.prediction.run import plan_predictions, predict_to_file, predictions

TALK = "speaker,text\nA,what a day !\nB,leave me alone\nA,oh my god\n"
PRIDE = "pride=Arousal: a day, Valence: what a day, Dominance: my god"


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    path = tmp_path / "talk.csv"
    path.write_text(TALK, encoding="utf-8")
    return path


def command(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as left:
        main(["predict", *map(str, arguments)])
    assert isinstance(left.value.code, int)
    return left.value.code


def test_every_output_holds_the_same_rows(bundle: Path, talk: Path) -> None:
    wanted = predict(bundle, talk)
    assert wanted["text"].tolist() == ["what a day !", "leave me alone", "oh my god"]
    assert wanted["utterance_id"].tolist() == ["talk_1", "talk_2", "talk_3"]
    for ending in ("csv", "jsonl", "parquet"):
        output = talk.with_name(f"rows.{ending}")
        assert command(bundle, talk, "--output", output) == 0
        read = {"csv": pd.read_csv, "jsonl": lambda path: pd.read_json(path, lines=True), "parquet": pd.read_parquet}
        rows = read[ending](output)
        assert list(rows) == list(wanted)
        pd.testing.assert_frame_equal(
            rows.drop(columns="missing"), wanted.drop(columns="missing"), check_dtype=False, rtol=1e-6
        )
    frame = pd.read_csv(talk).assign(mood="x")
    again = predict(bundle, frame)
    np.testing.assert_allclose(again["joy"], wanted["joy"], atol=1e-6)


def test_a_short_talk_is_shown_and_a_dry_run_says_what_would_be_done(
    bundle: Path, talk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(bundle, talk, "--classes", PRIDE) == 0
    assert "leave me alone" in (shown := capsys.readouterr().out)
    assert "predict the same class alone" in " ".join(shown.split())
    assert command(bundle, talk, "--dry-run", "--classes", PRIDE) == 0
    told = capsys.readouterr().out
    for line in ("FMERL trained on words, seeds 0 1", "joy, anger, fear, pride", "3 utterances in 1 conversations"):
        assert line in told
    assert sorted(path.name for path in talk.parent.iterdir()) == ["talk.csv"]


@pytest.mark.slow
def test_a_large_input_goes_piece_by_piece_and_resumes(
    finished: Finished, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of five pieces are done when it ends; the rest alone are made by the next run, with the same rows."""
    request = PredictionRequest(bundle=str(bundle), input=finished.corpus, storage=tmp_path / "runs")
    wanted = pa.concat_tables(predictions(plan_predictions(request)))
    pieces = replace(request, piece=25)
    real, made = run.extracted, list[int]()

    def counted(utterances: Sequence[object], *arguments: object) -> object:
        if len(made) == 2:
            raise RuntimeError("power cut")
        made.append(len(utterances))
        return real(utterances, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(run, "extracted", counted)
    output = tmp_path / "rows.parquet"
    with pytest.raises(RuntimeError, match="power cut"):
        predict_to_file(plan_predictions(pieces), output)
    assert not output.exists()
    first, made[:] = made.copy(), []

    def counted_again(utterances: Any, *arguments: Any) -> Any:
        made.append(len(utterances))
        return real(utterances, *arguments)

    monkeypatch.setattr(run, "extracted", counted_again)
    assert predict_to_file(plan_predictions(pieces), output) == len(wanted)
    assert sum(first) + sum(made) == len(wanted)
    assert len(first) == 2
    pd.testing.assert_frame_equal(pd.read_parquet(output), wanted.to_pandas(), atol=1e-6)
    assert list((tmp_path / "runs" / "predictions").iterdir()) == []


def test_tables_at_hand_are_read_and_others_refused(finished: Finished, bundle: Path, tmp_path: Path) -> None:
    request = PredictionRequest(bundle=str(bundle), input=finished.corpus, split="test")
    (made,) = predictions(plan_predictions(request))
    (read,) = predictions(plan_predictions(replace(request, features=finished.features)))
    pd.testing.assert_frame_equal(read.to_pandas(), made.to_pandas(), atol=1e-6)
    other = tmp_path / "features"
    shutil.copytree(finished.features, other)
    card = json.loads((other / "words" / "text" / "card.json").read_text())
    from fmerl.card import write_card

    write_card(other / "words" / "text", {**card, "recipe": {**card["recipe"], "layer": 1}})
    with pytest.raises(InputError, match="layer is 1 here and 2 in the recipe; make it by the recipe"):
        list(predictions(plan_predictions(replace(request, features=other))))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere", "TALK"], "nowhere: no folder, run id or registered model"),
        (["BUNDLE", "nowhere.csv"], "nowhere.csv: no such file or folder"),
        (["BUNDLE", "TALK", "--output", "rows.xls"], "rows.xls: no file of predictions; end its name in .csv"),
        (["BUNDLE", "TALK", "--classes", "pride=good"], "--classes: the description of pride"),
        (["BUNDLE", "TALK", "--text-encoder", "package:no_such"], "package:no_such: the Python package"),
        (["BUNDLE", "TALK", "--features", "f"], "--features: "),
        (["0" * 32, "TALK", "--storage", "none"], "none/mlflow.db: no such file"),
        (["BUNDLE", "TALK", "--split", "dev"], "Choose from"),
    ],
)
def test_bad_input_is_one_line(
    bundle: Path, talk: Path, arguments: Sequence[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [{"BUNDLE": str(bundle), "TALK": str(talk)}.get(argument, argument) for argument in arguments]
    assert command(*given) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def test_a_large_input_asks_for_its_cluster_first(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = (f"d{row // 4},{row % 4},a,what a day" for row in range(SMALL + 4))
    (tmp_path / "talk.csv").write_text("\n".join(["dialogue_id,turn,speaker,text", *rows]) + "\n")
    monkeypatch.setenv("RAY_ADDRESS", "nowhere")
    assert command(bundle, tmp_path / "talk.csv", "--storage", tmp_path, "--dry-run") == 2
    assert "RAY_ADDRESS=nowhere: no HOST:PORT" in capfd.readouterr().err
    (tmp_path / "rows.csv").mkdir()
    with pytest.raises(InputError, match=r"rows\.csv: a folder stands where a file is meant"):
        check_output(tmp_path / "rows.csv")
