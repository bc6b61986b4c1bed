"""Quality of a label set: counts of what failed, agreement with humans, agreement with itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fmerl.config import DIMENSIONS
from fmerl.corpus import Corpus
from fmerl.supervision.agreement import Agreement, agreement, rescaled
from fmerl.supervision.answers import AnswerError
from fmerl_platform.asking.asker import Answered
from fmerl_platform.asking.journal import JournalReader
from fmerl_platform.asking.prices import Price, Tokens
from fmerl_platform.labelling.labelset import Scores, mean_scores
from fmerl_platform.labelling.plan import Plan


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Two scores of n utterances in one dimension, on the corpus's range, and their dialogues."""

    first: NDArray[np.float64]
    second: NDArray[np.float64]
    dialogues: NDArray[np.str_]

    def agreement(self) -> Agreement:
        return agreement(self.first, self.second, self.dialogues)


@dataclass(frozen=True, kw_only=True)
class Spending:
    """Requests to the endpoint and their cost over all runs."""

    answers: int
    requests_failed: int
    """Requests that may have been charged for, or were refused."""
    faults: dict[str, int]
    """Answers that could not be read, by fault."""
    models: dict[str, int]
    """Answers by the model that the endpoint reports."""
    tokens: Tokens
    cost: float
    in_batches: int
    """Answers that came in batches."""
    first: str | None
    """Time of the first answer."""
    last: str | None


def usage(plan: Plan, journal: JournalReader, price: Price) -> Spending:
    """Count the journal's entries of a plan's calls."""
    entries = list(plan.entries(journal))
    answered = [(call, entry, entry.answer) for call, entry in entries if entry.answer is not None]
    faults: Counter[str] = Counter()
    for call, _, answer in answered:
        try:
            call.read(answer)
        except AnswerError as error:
            faults[error.fault] += 1
    times = sorted(entry.at for _, entry, _ in answered)
    return Spending(
        answers=len(answered),
        requests_failed=len(entries) - len(answered),
        faults=dict(faults),
        models=dict(Counter(entry.model for _, entry, _ in answered)),
        tokens=plan.tokens(journal),
        cost=plan.cost(journal, price),
        in_batches=sum(bool(entry.batch) for _, entry, _ in answered),
        first=times[0] if times else None,
        last=times[-1] if times else None,
    )


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Quality figures by which to decide on training with a label set."""

    utterances: int
    errors: dict[str, int]
    """Number of utterances without scores, by the first reason."""
    usage: Spending
    human: dict[str, Pairs]
    """Human and model scores of utterances that have both, by dimension."""
    retest: dict[str, Pairs]
    """First and repeated score, by dimension."""

    @property
    def labelled(self) -> int:
        return self.utterances - sum(self.errors.values())

    @property
    def error_rate(self) -> float:
        return 1 - self.labelled / self.utterances

    @property
    def unreadable_rate(self) -> float:
        """Share of answers that could not be read."""
        return sum(self.usage.faults.values()) / max(1, self.usage.answers)

    @property
    def refusal_rate(self) -> float:
        """Share of answers that were refusals."""
        return self.usage.faults.get("refusal", 0) / max(1, self.usage.answers)

    @cached_property
    def human_agreement(self) -> dict[str, Agreement]:
        return {dimension: pairs.agreement() for dimension, pairs in self.human.items()}

    @cached_property
    def retest_agreement(self) -> dict[str, Agreement]:
        return {dimension: pairs.agreement() for dimension, pairs in self.retest.items()}


def judge(
    plan: Plan,
    outcomes: Mapping[str, Answered],
    errors: Sequence[str | None],
    journal: JournalReader,
    corpus: Corpus,
    scale: tuple[float, float],
    price: Price,
) -> Quality:
    """Judge the scores of a plan.

    Args:
        plan: Plan, whose utterances may have human scores.
        outcomes: Outcomes by key.
        errors: Reasons for missing scores, in the plan's order.
        journal: Journal of the calls.
        corpus: Its `vad_range` is that of human scores, onto which the model's are stretched.
        scale: Scale of the model's scores.
        price: Price of tokens.
    """
    first, second = (
        _rescaled(mean_scores(calls, outcomes), scale, corpus.vad_range) for calls in (plan.scores, plan.retest)
    )
    humans = {
        (utterance.utterance_id, dimension): score
        for utterance in plan.utterances
        for dimension in DIMENSIONS
        if (score := getattr(utterance, dimension)) is not None
    }
    return Quality(
        utterances=len(plan.utterances),
        errors=dict(Counter(_reason(error) for error in errors if error is not None)),
        usage=usage(plan, journal, price),
        human=_pairs(plan, humans, first),
        retest=_pairs(plan, first, second),
    )


def _reason(error: str) -> str:
    """The kind of an error: "valence: refusal: 'I cannot'" is a refusal."""
    parts = [part for part in error.split(": ") if part not in DIMENSIONS]
    return parts[0]


def _rescaled(scores: Scores, source: tuple[float, float], target: tuple[float, float]) -> Scores:
    moved = rescaled(list(scores.values()), source, target)
    return dict(zip(scores, moved.tolist(), strict=True))


def _pairs(plan: Plan, first: Scores, second: Scores) -> dict[str, Pairs]:
    found = {}
    for dimension in DIMENSIONS:
        both = [
            (first[name], second[name], utterance.dialogue_id)
            for utterance in plan.utterances
            if (name := (utterance.utterance_id, dimension)) in first and name in second
        ]
        if both:
            one, other, dialogues = zip(*both, strict=True)
            found[dimension] = Pairs(first=np.array(one), second=np.array(other), dialogues=np.array(dialogues))
    return found
