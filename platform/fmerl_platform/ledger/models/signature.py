"""Signature of a bundle as an MLflow model: columns of its input and output, and its parameters."""

from __future__ import annotations

from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec

from fmerl.bundle.model import Bundle
from fmerl.bundle.predictor import probability_column
from fmerl.config import DIMENSIONS

_OPTIONAL = ("utterance_id", "dialogue_id")
_MEDIA = ("audio_path", "video_path")


def signature_of(bundle: Bundle) -> ModelSignature:
    """Turns in, one row of predictions each out; `classes` adds classes in words."""
    text, number = DataType.string, DataType.double
    optional = [ColSpec(text, name, required=False) for name in (*_OPTIONAL, *_MEDIA)]
    required = ColSpec(text, "speaker"), ColSpec(text, "text")
    inputs: list[ColSpec | TensorSpec] = [*required, *optional, ColSpec(DataType.long, "turn", required=False)]
    names = ("utterance_id", "dialogue_id", "speaker", "text", "predicted", "missing")
    numbers = (*map(probability_column, bundle.classes), *DIMENSIONS, "seed_agreement", "seed_sd")
    outputs: list[ColSpec | TensorSpec] = [
        *(ColSpec(text, name) for name in names),
        ColSpec(DataType.long, "turn"),
        *(ColSpec(number, name, required=False) for name in numbers),
    ]
    classes = ParamSpec("classes", text, default=[], shape=(-1,))
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs), params=ParamSchema([classes]))
