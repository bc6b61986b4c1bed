"""Predictions from Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

import pyarrow.parquet as pq

from fmerl.bundle.live import LiveConversation
from fmerl.bundle.model import Bundle
from fmerl.bundle.predictor import Predictor, predict_records
from fmerl_platform.prediction.request import PredictionRequest
from fmerl_platform.prediction.run import plan_predictions, predict_to_file
from fmerl_platform.prediction.source import open_bundle

if TYPE_CHECKING:
    import pandas as pd


def predict(
    bundle: str | Path,
    conversation: str | Path | pd.DataFrame | Iterable[Mapping[str, Any]],
    *,
    classes: Sequence[str] = (),
    storage: str | Path = "runs",
) -> pd.DataFrame:
    """Predict the emotions of a conversation, or of many.

    Args:
        bundle: A folder of `fmerl export`, a run's id, or `models:/NAME/VERSION` or `models:/NAME@ALIAS`.
        conversation: A CSV, Parquet, JSON lines or chat JSON file, a corpus folder, a data frame, or turns such as
            `{"speaker": "A", "text": "Hi"}`.
        classes: `NAME=DESCRIPTION` of classes to add or describe anew. How well a class is recognised that was never
            trained is for a zero-shot study to measure.
        storage: Folder of MLflow's database and of unfinished work.

    Returns:
        One row per turn, in its order: `predicted`, a calibrated probability per class, valence, arousal and dominance,
        modalities that are missing, and the spread over the seeds.

    Raises:
        InputError: A bundle or conversation that cannot be read, a recipe that cannot be followed, or classes that the
            bundle cannot take.
    """
    if isinstance(conversation, str | Path):
        request = PredictionRequest(
            bundle=str(bundle), input=Path(conversation), classes=tuple(classes), storage=Path(storage)
        )
        with TemporaryDirectory() as folder:
            rows = Path(folder) / "rows.parquet"
            predict_to_file(plan_predictions(request), rows)
            return pq.read_table(rows).to_pandas()
    opened: Bundle = open_bundle(str(bundle), Path(storage), classes)
    return predict_records(Predictor(opened), _records(conversation)).to_pandas()


def open_conversation(
    bundle: str | Path, *, classes: Sequence[str] = (), storage: str | Path = "runs"
) -> LiveConversation:
    """Begin a conversation that is predicted turn by turn, `turn("Ana", "I got the job!")`.

    Args:
        bundle: As for `predict`, of models with `backbone.attention = past`.
        classes: As for `predict`.
        storage: Folder of MLflow's database.

    Raises:
        InputError: As `predict`; or models or encoders that read later turns.
    """
    return LiveConversation(Predictor(open_bundle(str(bundle), Path(storage), classes)))


def _records(conversation: pd.DataFrame | Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    if hasattr(conversation, "to_dict"):
        table = cast("pd.DataFrame", conversation)
        columns = table.astype(object).where(table.notna(), None)
        records: list[Mapping[str, Any]] = columns.to_dict("records")
        return records
    return conversation
