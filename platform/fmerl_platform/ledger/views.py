"""How MLflow's UI shows a study: as experiment tags that the UI itself writes when a user shares a view."""

from __future__ import annotations

import json
from collections.abc import Sequence

_COLUMNS = (
    "tags.`fmerl.verdict`",
    "metrics.`delta_weighted_f1`",
    "metrics.`delta_ci_low`",
    "metrics.`delta_ci_high`",
    "metrics.`p_value_holm`",
    "metrics.`test_weighted_f1_mean`",
    "tags.`fmerl.changes`",
)


def variants_view(
    study_run: str, columns: Sequence[str] = _COLUMNS, order: str = "metrics.`delta_weighted_f1`"
) -> dict[str, str]:
    """Experiment tags of the view `?viewStateShareKey=variants`: a row per variant, largest Δ first."""
    view = {
        "searchFilter": "tags.fmerl.level = 'variant'",
        "orderByKey": order,
        "orderByAsc": False,
        "selectedColumns": columns,
        "runsExpanded": {study_run: True},
        "runListHidden": False,
    }
    return {"mlflow.experimentKind": "custom_model_development", "mlflow.sharedViewState.variants": json.dumps(view)}
