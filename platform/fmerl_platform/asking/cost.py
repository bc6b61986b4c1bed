"""Cost of the calls that a run has still to make. Nothing is asked or written."""

from __future__ import annotations

from dataclasses import dataclass

from fmerl_platform.asking.batch.store import BatchStore
from fmerl_platform.asking.journal import JournalReader
from fmerl_platform.asking.plan import CallPlan
from fmerl_platform.asking.prices import Price, Tokens, likely_tokens, most_tokens


@dataclass(frozen=True, kw_only=True)
class CostEstimate:
    """Calls left to make, if each is answered at once."""

    utterances: int
    answered: int
    """Calls answered in the journal."""
    calls: int
    likely: Tokens
    most: Tokens
    likely_cost: float
    most_cost: float
    currency: str
    batch: float
    """Share of these costs that asking in batches takes."""
    in_batches: int
    """Calls, not among those left to make, that are in batches sent before."""

    def __add__(self, other: CostEstimate) -> CostEstimate:
        """Sum of both, about the same utterances and in the same currency."""
        return CostEstimate(
            utterances=self.utterances,
            answered=self.answered + other.answered,
            calls=self.calls + other.calls,
            likely=self.likely + other.likely,
            most=self.most + other.most,
            likely_cost=self.likely_cost + other.likely_cost,
            most_cost=self.most_cost + other.most_cost,
            currency=self.currency,
            batch=self.batch,
            in_batches=self.in_batches + other.in_batches,
        )

    def lines(self) -> list[str]:
        """Lines for the console."""
        told = [
            f"{self.utterances:,} utterances; {self.calls:,} calls to make, {self.answered:,} answered already",
            f"tokens: about {self.likely.prompt:,} of prompts and {self.likely.completion:,} of answers, "
            f"at most {self.most.total:,} together",
        ]
        if self.in_batches:
            told.append(f"{self.in_batches:,} calls more are in batches sent before; --batch reads them")
        if self.currency:
            told.append(f"cost: about {self.likely_cost:,.2f}, at most {self.most_cost:,.2f} {self.currency}")
            likely, most = self.batch * self.likely_cost, self.batch * self.most_cost
            told.append(f"with --batch: about {likely:,.2f}, at most {most:,.2f} {self.currency}, within a day or so")
        else:
            told.append("cost: unknown without --prices")
        return told


def left_to_ask(
    plan: CallPlan, utterances: int, journal: JournalReader, price: Price, most_answers: int
) -> CostEstimate:
    """Cost of the calls of a plan that the journal does not answer."""
    known = plan.answered(journal, most_answers)
    sent = BatchStore(journal.folder).keys() - known.keys()
    waiting = [call.body for key, call in plan.calls.items() if key not in known and key not in sent]
    likely = sum(map(likely_tokens, waiting), Tokens())
    most = sum(map(most_tokens, waiting), Tokens())
    return CostEstimate(
        utterances=utterances,
        answered=len(known),
        calls=len(waiting),
        likely=likely,
        most=most,
        likely_cost=price.cost(likely),
        most_cost=price.cost(most),
        currency=price.currency,
        batch=price.batch,
        in_batches=len(plan.calls.keys() & sent),
    )
