"""Models of every corpus, trained as cells of a study that keeps them, and the report on what they do on the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fmerl.bundle.model import Bundle
from fmerl_platform.across.report import across_report
from fmerl_platform.across.request import AcrossPlan
from fmerl_platform.across.transfer import Pair, transfers
from fmerl_platform.ledger.kept_bundles import read_kept
from fmerl_platform.report.document import Report
from fmerl_platform.running.options import KeepOptions, Resources
from fmerl_platform.running.progress import Progress, silent
from fmerl_platform.studies.results import StudyResults
from fmerl_platform.studies.run import run_plan


@dataclass(frozen=True, kw_only=True)
class AcrossResults:
    """The trained study, and every pair of its corpora."""

    study: StudyResults
    pairs: Sequence[Pair]
    report: Report


def run_across(
    plan: AcrossPlan,
    *,
    storage: Path,
    resources: Resources | None = None,
    keep: KeepOptions | None = None,
    progress: Progress = silent,
) -> AcrossResults:
    """Train what is not trained yet, and test every corpus by the models of all.

    Args:
        plan: The checked study.
        storage: Folder of everything that is written.
        resources: Resources of a cell.
        keep: Files that cells leave; models are kept whatever it says.
        progress: Shows every cell that starts or ends.
    """
    keep = replace(keep or KeepOptions(), keep_weights=True)
    study = run_plan(plan.plan, storage=storage, resources=resources, keep=keep, progress=progress)
    bundles = read_models(study)
    pairs = transfers(plan, bundles)
    return AcrossResults(study=study, pairs=pairs, report=across_report(study, plan, pairs, bundles))


def read_models(study: StudyResults) -> dict[str, dict[int, Bundle]]:
    """The control's models by corpus and seed; a cell that finished elsewhere may have kept none."""
    client = study.experiment.client()
    return {
        cells.corpus: {
            cell.seed: bundle
            for cell in cells.of_variant(cells.control)
            if (bundle := read_kept(client, cell.run_id)) is not None
        }
        for cells in study.corpora
    }
