"""What a search has found against the paper's weights, on seeds and test data that no trial saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fmerl.config import CellConfig
from fmerl_platform.report.table import Table
from fmerl_platform.running.options import Resources
from fmerl_platform.running.progress import Progress
from fmerl_platform.studies.ablation.collapse import collapse_warning
from fmerl_platform.studies.ablation.sections import ablation_table
from fmerl_platform.studies.ablation.wording import finding
from fmerl_platform.studies.results import StudyResults
from fmerl_platform.studies.run import run_study
from fmerl_platform.studies.search.objectives import WEIGHTED_F1, Objective
from fmerl_platform.studies.search.plan import SearchPlan
from fmerl_platform.studies.zero_shot import ZeroShot
from fmerl_platform.study.hold_out import HoldOut
from fmerl_platform.study.study import Study
from fmerl_platform.study.variant import Variant

PAPER_WEIGHTS = "paper weights"


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A comparison's part of the report."""

    finding: str
    warning: str
    tables: tuple[Table, ...]


def compare(
    plan: SearchPlan,
    objective: Objective,
    found: Mapping[str, CellConfig],
    storage: Path,
    resources: Resources,
    progress: Progress,
) -> StudyResults:
    """Study of the paper's weights and the found configurations by name, judged by what the objective stands for."""
    search, by_f1 = plan.search, objective.name == WEIGHTED_F1
    study = Study(
        f"{search.name}-comparison" if by_f1 else f"{search.name}-comparison-unseen",
        corpora=(search.corpus,),
        variants=(
            _variant(PAPER_WEIGHTS, plan.inputs.control, plan.paper),
            *(_variant(name, plan.paper, config) for name, config in found.items()),
        ),
        seeds=search.evaluation_seeds,
        hold_out=None if by_f1 else HoldOut(classes=search.unseen),
        inputs=search.inputs,
    )
    kind = None if by_f1 else ZeroShot()
    return run_study(study, storage=storage, kind=kind, resources=resources, progress=progress)


def evaluation(results: StudyResults) -> Evaluation:
    """What a report shows of a comparison."""
    (analysis,) = results.analysis
    if not isinstance(results.kind, ZeroShot):
        warning = collapse_warning(analysis.results)
        return Evaluation(finding=finding(analysis), warning=warning, tables=(ablation_table(analysis),))
    from fmerl_platform.studies.zero_shot.tables import zero_shot_tables
    from fmerl_platform.studies.zero_shot.wording import warning_of, zero_shot_finding

    tables = zero_shot_tables(analysis)
    return Evaluation(finding=zero_shot_finding(analysis), warning=warning_of(analysis), tables=tables)


def _variant(name: str, base: CellConfig, config: CellConfig) -> Variant:
    changes = config.difference(base)
    return Variant(name=name, change=lambda given: given.with_values(changes), declares=tuple(changes))
