"""What a labelling run tells at its end."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from fmerl.supervision.agreement import Agreement, Estimate
from fmerl_platform.labelling.request import LabelRequest
from fmerl_platform.labelling.run import Labelled

_PLAIN: dict[str, Any] = {"highlight": False, "soft_wrap": True, "markup": False}
"""What a model or an endpoint said may look like markup."""


def print_summary(done: Labelled, request: LabelRequest, results: Console) -> None:
    """Rows, errors, cost, agreement, and what to do next."""
    quality, usage = done.quality, done.quality.usage
    lines = [
        f"{request.corpus.name}: {quality.utterances:,} utterances in, {quality.labelled:,} labelled, "
        f"{quality.utterances - quality.labelled:,} with an error (decoding {done.mode})",
        *(f"  {count:,} × {reason}" for reason, count in sorted(quality.errors.items(), key=lambda item: -item[1])),
        f"{usage.answers:,} answers of {', '.join(usage.models) or 'no model'} in all runs, "
        f"{quality.unreadable_rate:.1%} not readable, {quality.refusal_rate:.1%} refusals; "
        f"{usage.tokens.prompt:,} + {usage.tokens.completion:,} tokens",
    ]
    currency = request.price().currency
    if currency:
        lines.append(f"spent {usage.cost:,.4f} {currency}")
    for line in lines:
        results.print(line, **_PLAIN)
    for title, agreements in (("human", quality.human_agreement), ("retest", quality.retest_agreement)):
        for dimension, value in agreements.items():
            results.print(f"{title} agreement, {dimension}: {_told(value)}", **_PLAIN)
    if quality.error_rate > request.max_error_share:
        results.print(
            f"{quality.error_rate:.1%} of the utterances have no scores, more than --max-error-share "
            f"{request.max_error_share:.1%}; the same command asks again for those whose requests failed",
            style="red",
            **_PLAIN,
        )
    for emotion, problem in done.drafts.problems.items():
        results.print(f"no description of {emotion}: {problem}", style="red", **_PLAIN)
    if done.draft_file is not None:
        review = f"review {done.draft_file}, then give it with --descriptions (no call is repeated)"
        results.print(review, **_PLAIN)
    results.print(f"labels   {done.folder}", **_PLAIN)
    results.print(f"judge    mlflow ui --backend-store-uri {done.tracking_uri}", **_PLAIN)


def _told(value: Agreement) -> str:
    coefficients = value.coefficients()
    names = {"pearson": "Pearson", "spearman": "Spearman", "ccc": "CCC"}
    told = ", ".join(f"{names[name]} {_interval(estimate)}" for name, estimate in coefficients.items())
    return f"{told} (n = {value.n}, 95 % intervals)"


def _interval(estimate: Estimate | None) -> str:
    return "undefined" if estimate is None else f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"
