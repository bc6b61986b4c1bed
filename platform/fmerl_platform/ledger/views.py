"""How MLflow's UI shows a study: as experiment tags that the UI itself writes when a user shares a view."""

from __future__ import annotations

import json
from collections.abc import Sequence


def variants_view(study_run: str, columns: Sequence[str], order: str) -> dict[str, str]:
    """Experiment tags of the view `?viewStateShareKey=variants`: a row per variant, largest `order` first."""
    view = {
        "searchFilter": "tags.fmerl.level = 'variant'",
        "orderByKey": order,
        "orderByAsc": False,
        "selectedColumns": columns,
        "runsExpanded": {study_run: True},
        "runListHidden": False,
    }
    return {"mlflow.experimentKind": "custom_model_development", "mlflow.sharedViewState.variants": json.dumps(view)}
