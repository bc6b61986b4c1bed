"""Printed forms of predictions: what would be predicted, and the rows of a short conversation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import pyarrow as pa

from fmerl.bundle.predictor import probability_column
from fmerl.config import DIMENSIONS
from fmerl_platform.prediction.run import PredictionPlan
from fmerl_platform.report.numbers import NONE
from fmerl_platform.report.table import Column, Table, columns


def describe(plan: PredictionPlan) -> Iterator[str]:
    """Lines on bundle, encoders and input; every turn is read and the encoders are loaded.

    Raises:
        InputError: A bad row, or an encoder that cannot be loaded.
    """
    predictor, manifest = plan.predictor, plan.predictor.bundle.manifest
    seeds = " ".join(str(member.seed) for member in manifest.members)
    yield f"bundle   {manifest.config['system.name']} trained on {manifest.corpus}, seeds {seeds}"
    yield f"classes  {', '.join(manifest.classes)}"
    utterances = dialogues = 0
    for piece in chain([plan.first], plan.rest):
        utterances += len(piece)
        dialogues += len({utterance.dialogue_id for utterance in piece})
        if plan.request.features is None:
            predictor.load(piece)
    yield f"input    {utterances:,} utterances in {dialogues:,} conversations"
    for modality in predictor.bundle.modalities:
        recipe = manifest.recipes[modality]
        how = (
            "read from tables" if plan.request.features else "made here" if modality in predictor.loaded else "missing"
        )
        yield f"{modality:8} {recipe.get('encoder', 'not made by an encoder')}, {how}"
    yield f"way      {'piece by piece through Ray' if plan.large else 'in this process'}"


def rows_table(rows: pa.Table, classes: Sequence[str]) -> Table:
    """Predictions of a short conversation for a terminal."""
    shown = []
    for row in rows.to_pylist():
        chances = sorted(((row[probability_column(name)], name) for name in classes), reverse=True)
        second = f"{chances[1][1]} {chances[1][0]:.2f}"
        vad = (NONE if row[name] is None else f"{row[name]:.2f}" for name in DIMENSIONS)
        agreement = f"{100 * row['seed_agreement']:.0f}%"
        shown.append((row["speaker"], row["text"], row["predicted"], f"{chances[0][0]:.2f}", second, *vad, agreement))
    words = [Column(name, numeric=False) for name in ("text", "predicted")]
    speaker, *numbers = columns("speaker", "probability", *DIMENSIONS, "seeds agree")
    return Table(
        name="predictions",
        caption="Predictions",
        columns=(speaker, *words, numbers[0], Column("then", numeric=False), *numbers[1:]),
        rows=tuple(shown),
        notes=(),
    )
