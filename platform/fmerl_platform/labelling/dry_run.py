"""What a run would take, as far as the journal does not know it yet. Nothing is asked or written."""

from __future__ import annotations

from dataclasses import dataclass

from fmerl_platform.asking.decoding import known_decoding, score_decodings
from fmerl_platform.asking.journal import JournalReader
from fmerl_platform.asking.plan import CallPlan
from fmerl_platform.asking.prices import Price, Tokens, likely_tokens, most_tokens
from fmerl_platform.labelling.plan import first_call
from fmerl_platform.labelling.request import LabelRequest


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Calls left to make, if each is answered at once."""

    utterances: int
    answered: int
    """Calls that the journal knows."""
    calls: int
    likely: Tokens
    most: Tokens
    likely_cost: float
    most_cost: float
    currency: str

    def __add__(self, other: Estimate) -> Estimate:
        """Of both, about the same utterances and in the same currency."""
        return Estimate(
            utterances=self.utterances,
            answered=self.answered + other.answered,
            calls=self.calls + other.calls,
            likely=self.likely + other.likely,
            most=self.most + other.most,
            likely_cost=self.likely_cost + other.likely_cost,
            most_cost=self.most_cost + other.most_cost,
            currency=self.currency,
        )

    def lines(self) -> list[str]:
        """For the console."""
        told = [
            f"{self.utterances:,} utterances; {self.calls:,} calls to make, {self.answered:,} answered already",
            f"tokens: about {self.likely.prompt:,} of prompts and {self.likely.completion:,} of answers, "
            f"at most {self.most.total:,} together",
        ]
        if self.currency:
            told.append(f"cost: about {self.likely_cost:,.2f}, at most {self.most_cost:,.2f} {self.currency}")
        else:
            told.append("cost: unknown without --prices")
        return told


def estimate(request: LabelRequest) -> Estimate:
    """Count calls, tokens and cost of a request; with decoding `auto` and an endpoint never asked, the dearest's.

    Raises:
        InputError: A price table or descriptions that cannot be read.
    """
    request.reviewed()
    journal, price = JournalReader(request.journal), request.price()
    mode = request.decoding
    if mode == "auto":
        questions = request.questions("text")
        first = first_call(request.corpus, request.splits, questions)
        mode = known_decoding(score_decodings(questions), first, journal) or "schema"
    plan = request.plan(mode)
    return left_to_ask(plan, len(plan.utterances), journal, price, request.patience.answers)


def left_to_ask(plan: CallPlan, utterances: int, journal: JournalReader, price: Price, most_answers: int) -> Estimate:
    """What the calls of a plan take that the journal does not know."""
    known = plan.settled(journal, most_answers)
    waiting = [call.body for key, call in plan.calls.items() if key not in known]
    likely = sum(map(likely_tokens, waiting), Tokens())
    most = sum(map(most_tokens, waiting), Tokens())
    return Estimate(
        utterances=utterances,
        answered=len(known),
        calls=len(waiting),
        likely=likely,
        most=most,
        likely_cost=price.cost(likely),
        most_cost=price.cost(most),
        currency=price.currency,
    )
