"""A zero-shot study's report stays as it is kept in git."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from helpers.golden import check_report
from helpers.studies import record_of

from fmerl_platform.ledger.results import CorpusCells
from fmerl_platform.studies.zero_shot import ZeroShot
from fmerl_platform.studies.zero_shot.analysis import analyse_zero_shot
from fmerl_platform.studies.zero_shot.language_models import NO_MODELS


def test_golden_report(make_results: Callable[..., CorpusCells], tmp_path: Path) -> None:
    analysis = analyse_zero_shot(make_results(), ("fear",), "context", (), NO_MODELS, resamples=200)
    report = ZeroShot().report(record_of("golden", kind="zero_shot"), [analysis])
    check_report(report.save(tmp_path), Path(__file__).parent / "golden")
