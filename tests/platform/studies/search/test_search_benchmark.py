"""The benchmark of samplers keeps every search that has ended."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import search_samplers
from search_samplers import kept_search

from fmerl_platform.studies.search.plan import SearchPlan


def test_a_search_that_has_ended_is_not_run_again(
    plan: SearchPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int, int]] = []

    def search(plan: SearchPlan, sampler: str, repeat: int, trials: int) -> tuple[float, float]:
        asked.append((sampler, repeat, trials))
        return 0.5, 0.4 + 0.01 * repeat

    monkeypatch.setattr(search_samplers, "search", search)
    file = tmp_path / "runs" / "kept.jsonl"
    first = kept_search(file, plan, "tpe", 0, 40)
    assert kept_search(file, plan, "tpe", 0, 40) == first
    assert asked == [("tpe", 0, 40)]
    for sampler, repeat, trials in (("random", 0, 40), ("tpe", 1, 40), ("tpe", 0, 20)):
        kept_search(file, plan, sampler, repeat, trials)
    longer = replace(plan, inputs=replace(plan.inputs, control=plan.inputs.control.changed(training__epochs=3)))
    kept_search(file, longer, "tpe", 0, 40)
    assert len(asked) == len(file.read_text().splitlines()) == 5
    assert json.loads(file.read_text().splitlines()[0])["ended"]["test"] == first.test == 0.4
