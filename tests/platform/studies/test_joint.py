"""A joint table holds every study's own rows, printed and unrounded."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from helpers.studies import record_of

from fmerl.errors import InputError
from fmerl_platform.ledger.publish import RunSummary
from fmerl_platform.studies.joint import CSV, joint_report, joint_table, save_joint

SCORES = {"test_weighted_f1_mean": 0.61234567, "test_weighted_f1_sd": 0.01, "n_seeds": 5.0}
PEEK = {"peek_gap_mean": 0.0042, "peek_gap_sd": 0.0031}
DELTA = {"delta_weighted_f1": -0.0123456, "delta_ci_low": -0.02, "delta_ci_high": -0.005, "p_value_holm": 0.012}


@dataclass(frozen=True)
class Found:
    """As much of `StudyResults` as a joint table reads."""

    record: Any
    summaries: Sequence[RunSummary]


def summary(variant: str, metrics: dict[str, float], **tags: str) -> RunSummary:
    named = {f"fmerl.{name}": value for name, value in tags.items()}
    return RunSummary(corpus="meld", variant=variant, metrics=metrics, tags=named, note="")


ONE = Found(
    record_of("one", code_digest="abc"),
    [
        summary("FMERL", {**SCORES, **PEEK}, verdict="control"),
        summary("w/o Valence", {**SCORES, **DELTA}, verdict="hurts"),
    ],
)
UNSEEN = Found(
    record_of("unseen", code_digest="abc"), [summary("FMERL", {**SCORES, "p_value_holm": 0.5}, unseen="joy")]
)


def test_rows_are_printed_with_their_study() -> None:
    table = joint_table(joint_report([ONE, UNSEEN]).rows["rows"])  # type: ignore[list-item]
    assert table.rows == (
        ("one", "meld", "FMERL", "61.23 ± 1.00", "5", "–", "–", "–", "control", "0.42 ± 0.31"),
        ("one", "meld", "w/o Valence", "61.23 ± 1.00", "5", "−1.23", "[−2.00, −0.50]", "0.012", "hurts", "–"),
        ("unseen", "meld", "FMERL", "61.23 ± 1.00", "5", "–", "–", "–", "–", "–"),
    )


def test_the_csv_is_unrounded(tmp_path: Path) -> None:
    paths = save_joint(joint_report([ONE, UNSEEN]), tmp_path)  # type: ignore[list-item]
    assert "w/o Valence" in paths.latex.read_text(encoding="utf-8")
    with (tmp_path / CSV).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["study"], row["variant"], row["verdict"]) for row in rows] == [
        ("one", "FMERL", "control"),
        ("one", "w/o Valence", "hurts"),
        ("unseen", "FMERL", ""),
    ]
    assert float(rows[1]["delta_weighted_f1"]) == DELTA["delta_weighted_f1"]
    assert rows[0]["delta_weighted_f1"] == ""


def test_a_study_stands_once() -> None:
    with pytest.raises(InputError, match="--study one: it stands twice"):
        joint_report([ONE, ONE])  # type: ignore[list-item]
