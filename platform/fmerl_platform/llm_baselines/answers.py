"""From outcomes to the ledger's rows, scores and list of problems."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from fmerl.config import DIMENSIONS
from fmerl.corpus import Utterance
from fmerl.training.evaluation import classification_scores
from fmerl_platform.asking.asker import Answered
from fmerl_platform.llm_baselines.plan import SeedPlan
from fmerl_platform.statistics import UNANSWERED


def outcomes_by_utterance(plan: SeedPlan, outcomes: Mapping[str, Answered]) -> dict[str, Answered]:
    """What became of each utterance; those that share a call share its outcome."""
    return {name: outcomes[call.key] for name, call in plan.asked.items()}


def prediction_table(
    utterances: Sequence[Utterance], classes: Sequence[str], found: Mapping[str, Answered]
) -> pa.Table:
    """The ledger's rows: the named class with score 1; of an utterance without an answer null, and scores of 0."""
    names = [found[utterance.utterance_id].value for utterance in utterances]
    scores = np.array([[name == each for each in classes] for name in names], dtype=np.float32)
    offsets = pa.array(np.arange(len(names) + 1) * len(classes), pa.int32())
    return pa.table(
        {
            "utterance_id": [utterance.utterance_id for utterance in utterances],
            "dialogue_id": [utterance.dialogue_id for utterance in utterances],
            "turn": [utterance.turn for utterance in utterances],
            "speaker": [utterance.speaker for utterance in utterances],
            "split": [utterance.split for utterance in utterances],
            "gold": pa.array([utterance.emotion for utterance in utterances], pa.string()),
            "predicted": pa.array(names, pa.string()),
            "scores": pa.ListArray.from_arrays(offsets, pa.array(scores.reshape(-1), pa.float32())),
            **{dimension: pa.nulls(len(names), pa.float32()) for dimension in DIMENSIONS},
        }
    )


def scores_of(table: pa.Table, classes: Sequence[str], unseen: Sequence[str]) -> dict[str, float]:
    """Final metrics of a seed run. No answer is a wrong one: a model gains nothing by skipping what is hard.

    The accuracy on unseen classes is left out where no utterance has one.
    """
    index: dict[str | None, int] = {None: UNANSWERED, **{name: position for position, name in enumerate(classes)}}
    gold, predicted = (
        np.array([index[name] for name in table[column].to_pylist()]) for column in ("gold", "predicted")
    )
    scores = {f"test_{name}": value for name, value in classification_scores(gold, predicted, len(classes)).items()}
    of_unseen = np.isin(gold, [index[name] for name in unseen])
    if of_unseen.any():
        scores["test_unseen_accuracy"] = float((gold == predicted)[of_unseen].mean())
    return {**scores, "test_unanswered": float((predicted == UNANSWERED).sum())}


def write_problems(path: Path, found: Mapping[str, Answered]) -> None:
    """List every utterance without an answer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["utterance_id", "reason"])
        table.writerows([name, outcome.error] for name, outcome in found.items() if outcome.value is None)
