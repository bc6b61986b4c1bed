"""Scores of prediction files: scikit-learn's numbers, the study's strata, and paired verdicts."""

from __future__ import annotations

import json
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.predictions import CLASSES, predicted, write
from helpers.repository import EXPERIMENTS
from sklearn.metrics import balanced_accuracy_score, f1_score

from fmerl_platform.report.document import Report
from fmerl_platform.report.table import Table
from fmerl_platform.scoring.files import read_predictions
from fmerl_platform.scoring.gold import gold_of_folder, gold_of_study, with_study
from fmerl_platform.scoring.report import score_report
from fmerl_platform.scoring.request import ScoreInputs, ScoreRequest, read_inputs
from fmerl_platform.scoring.systems import results_of


@pytest.fixture(scope="module")
def files(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two systems of three seeds, one run with probabilities, and one class alone."""
    gold = gold_of_folder(folder)
    emotions = dict(zip(gold.rows["utterance_id"].to_pylist(), gold.rows["gold"].to_pylist(), strict=True))
    home = tmp_path_factory.mktemp("predictions")

    def rows(right: float, seeds: int) -> list[dict[str, object]]:
        return [
            {"utterance_id": name, "predicted": label, "seed": seed}
            for seed in range(seeds)
            for name, label in predicted(emotions, right, seed).items()
        ]

    sure = [
        {"utterance_id": row["utterance_id"], "predicted": row["predicted"], "valence": number % 5}
        | {name: 0.8 if name == row["predicted"] else 0.1 for name in CLASSES}
        for number, row in enumerate(rows(0.5, 1))
    ]
    return {
        "good": write(home / "good.csv", rows(0.9, 3)),
        "poor": write(home / "poor.csv", rows(0.2, 3)),
        "sure": write(home / "sure.csv", sure),
        "joyful": write(home / "joyful.csv", [{"utterance_id": name, "predicted": "joy"} for name in emotions]),
    }


@pytest.fixture(scope="module")
def report(folder: Path, files: dict[str, Path]) -> Report:
    return score_report(read_inputs(ScoreRequest(files=files, corpus=str(folder), margin=1.0)))


def by_name(table: Table) -> dict[str, dict[str, str]]:
    headers = [column.header for column in table.columns]
    return {row[0]: dict(zip(headers, row, strict=True)) for row in table.rows}


def test_scores_are_scikit_learns(report: Report, folder: Path, files: dict[str, Path]) -> None:
    gold = gold_of_folder(folder)
    target = gold.rows["gold"].to_pylist()
    labelled = [row for row, name in enumerate(target) if name]
    rows = by_name(report.tables[0])
    for name in files:
        sides = [
            ([target[row] for row in labelled], [seed.predicted[row] for row in labelled])
            for seed in read_predictions(name, files[name], gold).seeds
        ]
        weighted = [f1_score(*side, average="weighted", zero_division=0) for side in sides]
        assert float(rows[name]["w-F1"].split()[0]) == pytest.approx(100 * np.mean(weighted), abs=0.006)
        uar = np.mean([balanced_accuracy_score(*side) for side in sides])
        assert float(rows[name]["UAR"].split()[0]) == pytest.approx(100 * uar, abs=0.006)


def test_systems_are_compared_with_the_first(report: Report) -> None:
    rows = by_name(report.tables[0])
    assert rows["good"]["Verdict"] == "control"
    assert rows["poor"]["Verdict"] == "hurts"
    assert rows["joyful"]["Verdict"] == "hurts"
    assert (rows["poor"]["n"], rows["joyful"]["n"]) == ("3", "1")
    assert "Without seeds: joyful, sure." in " ".join(report.tables[0].notes)
    assert [section.title for section in report.sections] == ["small", "good", "poor", "sure", "joyful"]
    assert {figure.name for figure in report.sections[0].figures} == {"effects", "ranks"}


def test_calibration_and_concordance_stand_where_the_file_has_them(report: Report) -> None:
    rows = by_name(report.tables[0])
    found = report.rows["systems"]["sure"]
    accuracy = float(rows["sure"]["Accuracy"]) / 100
    assert found["calibration_error"][0] == pytest.approx(abs(accuracy - 0.8), abs=1e-4)
    assert rows["good"]["ECE"] == "–"
    assert set(found["ccc"]) == {"valence"}
    assert float(rows["sure"]["CCC valence"]) == pytest.approx(found["ccc"]["valence"][0], abs=1e-3)
    [section] = [section for section in report.sections if section.title == "sure"]
    assert "calibration" in {figure.name for figure in section.figures}


def test_strata_and_warnings_are_those_of_an_ablation(report: Report) -> None:
    strata = by_name(report.sections[0].details[0])
    assert strata["text in train: yes"]["n"] == "12"
    assert strata["text in train: no"]["n"] == "48"
    assert report.warnings[0].startswith("Warning, small: joyful predicts joy alone.")


def test_a_file_is_compared_with_a_study(folder: Path, files: dict[str, Path]) -> None:
    """The study's cells come in another order, and are the control."""
    gold = gold_of_folder(folder)
    study = results_of(gold, [read_predictions("FMERL", files["poor"], gold)], None, "")
    order = list(range(len(gold.rows)))[::-1]
    cells = tuple(replace(cell, predictions=cell.predictions.take(order)) for cell in study.cells)
    study = replace(study, cells=cells)
    for known in (gold_of_study(study), with_study(gold, study)):
        assert known.rows["utterance_id"].to_pylist() == gold.rows["utterance_id"].to_pylist()[::-1]
        inputs = ScoreInputs(
            request=ScoreRequest(files={"good": files["good"]}, study="s"),
            gold=known,
            files=(read_predictions("good", files["good"], with_study(gold, study)),),
            beside=study,
            variant="FMERL",
        )
        rows = by_name(score_report(inputs).tables[0])
        assert list(rows) == ["FMERL", "good"]
        assert rows["good"]["Verdict"] == "helps"


def main(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["score.py", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(EXPERIMENTS / "score.py"), run_name="__main__")
    return left.value.code


def test_the_command_prints_and_writes(
    folder: Path,
    files: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ("--corpus", folder, "--output", tmp_path / "out")
    assert main(monkeypatch, "--predictions", files["sure"], *arguments) == 0
    printed = capsys.readouterr().out
    assert "ECE" in printed
    assert "Verdict" not in printed, "one file has nothing to be compared with"
    written = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert written["corpus"] == "small"
    assert "sha256=" in written["provenance"]["sure"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--predictions", "none.csv"], "give a corpus folder, or --study"),
        (["--predictions", "none.csv", "--corpus", "nowhere"], "no such folder"),
        (["--predictions", "none.csv", "--corpus", "{folder}"], "none.csv: no such file"),
        (["--predictions", "none.csv", "--corpus", "{folder}", "--variant", "x"], "a variant of no study"),
        (["--predictions", "none.csv", "--corpus", "{folder}", "--margin", "0"], "--margin"),
        (["--predictions", "none.csv", "--study", "s", "--storage", "{folder}"], "mlflow.db: no such file"),
    ],
)
def test_bad_arguments_are_one_line(
    arguments: list[str],
    said: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(monkeypatch, *(argument.format(folder=folder) for argument in arguments)) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    assert said in error
