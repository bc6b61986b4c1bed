"""Rows and descriptions from outcomes: each row has its scores or its error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fmerl.config import DIMENSIONS
from fmerl.corpus import Utterance
from fmerl.supervision.descriptions import join_description
from fmerl_platform.asking.asker import Answered
from fmerl_platform.labelling.plan import Plan


@dataclass(frozen=True, kw_only=True)
class Drafts:
    """Descriptions that the model drafts."""

    descriptions: dict[str, str]
    """Emotion to description."""
    problems: dict[str, str]
    """Reason why an emotion has none, by emotion."""


def draft_descriptions(plan: Plan, outcomes: Mapping[str, Answered], dimensions: tuple[str, ...]) -> Drafts:
    """Join each emotion's phrases in the paper's form; an emotion of which one is missing has no description."""
    descriptions, problems = {}, {}
    for emotion in dict.fromkeys(emotion for emotion, _ in plan.descriptions):
        answers = {
            dimension: outcomes[plan.descriptions[emotion, dimension].key] for dimension in _paper_order(dimensions)
        }
        failed = [f"{dimension}: {answer.error}" for dimension, answer in answers.items() if answer.error]
        if failed:
            problems[emotion] = "; ".join(failed)
            continue
        try:
            descriptions[emotion] = join_description({name: str(answer.value) for name, answer in answers.items()})
        except ValueError as error:
            problems[emotion] = str(error)
    return Drafts(descriptions=descriptions, problems=problems)


def row_errors(plan: Plan, outcomes: Mapping[str, Answered], dimensions: tuple[str, ...]) -> tuple[str | None, ...]:
    """Reasons why utterances have no scores, [U]; lacking one score is having none: training takes all or nothing."""
    return tuple(_row_error(utterance, plan, outcomes, dimensions) for utterance in plan.utterances)


def row_scores(
    plan: Plan, outcomes: Mapping[str, Answered], errors: Sequence[str | None], dimensions: tuple[str, ...]
) -> NDArray[np.float32]:
    """Scores of the utterances without an error, [U, 3]; a dimension that was not asked for is NaN."""
    vad = np.full((len(plan.utterances), len(DIMENSIONS)), np.nan, dtype=np.float32)
    for row, (utterance, error) in enumerate(zip(plan.utterances, errors, strict=True)):
        for dimension in dimensions if error is None else ():
            vad[row, DIMENSIONS.index(dimension)] = outcomes[plan.scores[utterance.utterance_id, dimension].key].value
    return vad


def _row_error(
    utterance: Utterance, plan: Plan, outcomes: Mapping[str, Answered], dimensions: tuple[str, ...]
) -> str | None:
    if not utterance.text.strip():
        return "the text is empty"
    found = {name: outcomes[plan.scores[utterance.utterance_id, name].key].error for name in dimensions}
    return "; ".join(f"{name}: {error}" for name, error in found.items() if error) or None


def _paper_order(dimensions: tuple[str, ...]) -> list[str]:
    return [name for name in ("arousal", "valence", "dominance") if name in dimensions]
