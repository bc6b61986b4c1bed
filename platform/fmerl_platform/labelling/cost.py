"""Cost of a label set."""

from __future__ import annotations

from fmerl_platform.asking.cost import CostEstimate, left_to_ask
from fmerl_platform.asking.decoding import known_decoding, score_decodings
from fmerl_platform.asking.journal import JournalReader
from fmerl_platform.labelling.plan import first_call
from fmerl_platform.labelling.request import LabelRequest


def estimate(request: LabelRequest) -> CostEstimate:
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
    return left_to_ask(plan, len(plan.utterances), journal, price, request.retries.answers)
