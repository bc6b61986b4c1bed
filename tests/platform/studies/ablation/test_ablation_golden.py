"""An ablation's report stays as it is kept in git."""

from __future__ import annotations

from pathlib import Path

from helpers.golden import check_report
from helpers.studies import record_of

from fmerl_platform.studies.ablation.analysis import CorpusAnalysis
from fmerl_platform.studies.ablation.sections import ablation_report


def test_golden_report(analysis: CorpusAnalysis, tmp_path: Path) -> None:
    paths = ablation_report(record_of("golden"), [analysis]).save(tmp_path)
    check_report(paths, Path(__file__).parent / "golden")
