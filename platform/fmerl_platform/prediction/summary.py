"""Printed forms of predictions: what would be predicted, and the rows of a short conversation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import pyarrow as pa

from fmerl.bundle.predictor import probability_column
from fmerl.config import DIMENSIONS
from fmerl.features.joined import encoders_told
from fmerl_platform.prediction.run import PredictionPlan
from fmerl_platform.report.numbers import NONE
from fmerl_platform.report.table import Column, Table


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
        how = (
            "read from tables" if plan.request.features else "made here" if modality in predictor.loaded else "missing"
        )
        yield f"{modality:8} {encoders_told(manifest.recipes[modality])}, {how}"
    yield f"way      {'piece by piece through Ray' if plan.large else 'in this process'}"


def rows_table(rows: pa.Table, classes: Sequence[str]) -> Table:
    """Predictions of a short conversation for a terminal."""
    shown = []
    for row in rows.to_pylist():
        chances = sorted(((row[probability_column(name)], name) for name in classes), reverse=True)
        (first, _), (second, then) = chances[:2]
        vad = (NONE if row[name] is None else f"{row[name]:.2f}" for name in DIMENSIONS)
        agree = f"{100 * row['seed_agreement']:.0f}"
        words = row["speaker"], row["text"], row["predicted"]
        shown.append((*words, f"{first:.2f}", f"{then} {second:.2f}", *vad, agree))
    words_heads = (Column(name, numeric=False) for name in ("speaker", "text", "predicted"))
    return Table(
        name="predictions",
        caption="Predictions",
        columns=(*words_heads, Column("p"), Column("then", numeric=False), *map(Column, ("V", "A", "D", "seeds"))),
        rows=tuple(shown),
        notes=("p: probability; V, A, D: valence, arousal, dominance; seeds: % that predict the same class alone",),
    )
