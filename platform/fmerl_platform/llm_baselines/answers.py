"""The ledger's rows, scores and list of problems from outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from fmerl.config import DIMENSIONS
from fmerl.corpus import Utterance
from fmerl.files import write_csv
from fmerl.training.evaluation import classification_scores, prediction_rows
from fmerl_platform.asking.asker import Answered
from fmerl_platform.statistics import UNANSWERED


def prediction_table(
    utterances: Sequence[Utterance], classes: Sequence[str], found: Mapping[str, Answered]
) -> pa.Table:
    """The ledger's rows: the named class with score 1; without an answer, null and scores of 0."""
    names = [found[utterance.utterance_id].value for utterance in utterances]
    return prediction_rows(
        utterance_id=[utterance.utterance_id for utterance in utterances],
        dialogue_id=[utterance.dialogue_id for utterance in utterances],
        turn=[utterance.turn for utterance in utterances],
        speaker=[utterance.speaker for utterance in utterances],
        split=[utterance.split for utterance in utterances],
        gold=[utterance.emotion for utterance in utterances],
        predicted=names,
        scores=np.array([[name == each for each in classes] for name in names], dtype=np.float32),
        vad=np.full((len(names), len(DIMENSIONS)), np.nan, dtype=np.float32),
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
    rows = [(name, outcome.error) for name, outcome in found.items() if outcome.value is None]
    write_csv(path, ("utterance_id", "reason"), rows)
