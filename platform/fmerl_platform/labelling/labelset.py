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
from fmerl_platform.asking.question import Samples
from fmerl_platform.labelling.plan import Plan

Scores = dict[tuple[str, str], float]
"""Scores by utterance id and dimension."""


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
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scores, and their spread over the samples, of the utterances without an error, [U, 3] each.

    A dimension that was not asked for is NaN. The spread is a standard deviation (ddof = 1), NaN of a single sample.
    """
    vad, spread = np.full((2, len(plan.utterances), len(DIMENSIONS)), np.nan, dtype=np.float32)
    for row, (utterance, error) in enumerate(zip(plan.utterances, errors, strict=True)):
        for dimension in dimensions if error is None else ():
            values = sampled_scores(plan.scores[utterance.utterance_id, dimension], dimension, outcomes)
            assert values is not None, "a row without an error has all scores"
            vad[row, DIMENSIONS.index(dimension)] = np.mean(values)
            if len(values) > 1:
                spread[row, DIMENSIONS.index(dimension)] = np.std(values, ddof=1)
    return vad, spread


def mean_scores(calls: Mapping[tuple[str, str], Samples], outcomes: Mapping[str, Answered]) -> Scores:
    """Scores by utterance id and dimension, of those that have all their samples."""
    sampled = {name: sampled_scores(samples, name[1], outcomes) for name, samples in calls.items()}
    return {name: float(np.mean(values)) for name, values in sampled.items() if values is not None}


def sampled_scores(samples: Samples, dimension: str, outcomes: Mapping[str, Answered]) -> list[float] | None:
    """The score in each sample; None if one of them has none."""
    values = [_score(outcomes[call.key], dimension) for call in samples]
    return None if any(value is None for value in values) else [value for value in values if value is not None]


def _score(outcome: Answered, dimension: str) -> float | None:
    value = outcome.value[dimension] if isinstance(outcome.value, dict) else outcome.value
    return value if isinstance(value, float) else None


def _row_error(
    utterance: Utterance, plan: Plan, outcomes: Mapping[str, Answered], dimensions: tuple[str, ...]
) -> str | None:
    if not utterance.text.strip():
        return "the text is empty"
    found: dict[str, str] = {}
    for name in dimensions:
        for call in plan.scores[utterance.utterance_id, name]:
            if error := outcomes[call.key].error:
                found.setdefault(call.key, f"{name}: {error}")
    return "; ".join(found.values()) or None


def _paper_order(dimensions: tuple[str, ...]) -> list[str]:
    return [name for name in ("arousal", "valence", "dominance") if name in dimensions]
