"""A bundle as an MLflow model. MLflow keeps this file with the model and runs it where the model is loaded, so it needs
the method alone, installed from the wheel: neither Ray nor a study.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from fmerl.bundle.classes import parse_classes, with_classes
from fmerl.bundle.folder import read_bundle
from fmerl.bundle.predictor import Predictor, predict_records


class BundleModel(PythonModel):
    """Turns in, a row of predictions for each out."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the bundle; its encoders are loaded when they are first needed."""
        self._predictor = Predictor(read_bundle(context.artifacts["bundle"]))

    # Without type hints of the input: the signature says more, and MLflow would check them in its place.
    def predict(self, context, model_input, params: Mapping[str, Any] | None = None):  # type: ignore[no-untyped-def]
        """Predict a data frame of turns; `classes` of the parameters are those of `fmerl predict --classes`."""
        predictor = self._predictor
        if given := parse_classes(list((params or {}).get("classes", []))):
            predictor = predictor.of(with_classes(predictor.bundle, given))
        rows = [{name: value for name, value in row.items() if pd.notna(value)} for row in _records(model_input)]
        return predict_records(predictor, rows).to_pandas()


def _records(model_input: Any) -> list[dict[str, Any]]:
    return list(pd.DataFrame(model_input).to_dict("records"))


set_model(BundleModel())
