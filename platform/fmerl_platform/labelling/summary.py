"""Lines that a labelling run ends with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fmerl.supervision.agreement import Agreement, Interval
from fmerl_platform.labelling.request import LabelRequest
from fmerl_platform.labelling.run import Labelled
from fmerl_platform.report.numbers import NONE
from fmerl_platform.report.table import Table, columns


def summary_lines(done: Labelled, request: LabelRequest) -> Iterator[str]:
    """Rows, errors, cost and agreement."""
    quality, usage = done.quality, done.quality.usage
    yield from (
        f"{request.corpus.name}: {quality.utterances:,} utterances in, {quality.labelled:,} labelled, "
        f"{quality.utterances - quality.labelled:,} with an error (decoding {done.mode})",
        *(f"  {count:,} × {reason}" for reason, count in sorted(quality.errors.items(), key=lambda item: -item[1])),
        f"{usage.answers:,} answers of {', '.join(usage.models) or 'no model'} in all runs, "
        f"{quality.unreadable_rate:.1%} not readable, {quality.refusal_rate:.1%} refusals; "
        f"{usage.tokens.prompt:,} + {usage.tokens.completion:,} tokens, {usage.tokens.cached:,} of them cached",
    )
    currency = request.price().currency
    if currency:
        yield f"spent {usage.cost:,.4f} {currency}"
    for title, agreements in (("human", quality.human_agreement), ("retest", quality.retest_agreement)):
        for dimension, value in agreements.items():
            yield f"{title} agreement, {dimension}: {_told(value)}"


def problem_lines(done: Labelled, request: LabelRequest) -> Iterator[str]:
    """Reasons why the label set is not complete."""
    quality = done.quality
    if quality.error_rate > request.max_error_share:
        yield (
            f"{quality.error_rate:.1%} of the utterances have no scores, more than --max-error-share "
            f"{request.max_error_share:.1%}; the same command asks again for those whose requests failed"
        )
    for emotion, problem in done.drafts.problems.items():
        yield f"no description of {emotion}: {problem}"


def agreement_table(done: Mapping[str, Labelled]) -> Table:
    """Rows of label sets by their templates: labelled utterances, and agreement with humans where there is any."""

    def told(interval: Interval | None) -> str:
        return NONE if interval is None else _interval(interval)

    rows = []
    for name, found in done.items():
        agreements = found.quality.human_agreement
        counts = (name, str(found.quality.labelled), f"{found.quality.unreadable_rate:.1%}")
        for dimension, value in agreements.items():
            rows.append((*counts, dimension, told(value.pearson), told(value.spearman), told(value.ccc)))
        if not agreements:
            rows.append((*counts, NONE, NONE, NONE, NONE))
    return Table(
        name="templates",
        caption="Label sets by templates, and their agreement with human scores",
        columns=columns("Templates", "Labelled", "Not readable", "Dimension", "Pearson", "Spearman", "CCC"),
        rows=tuple(rows),
        notes=("With 95 % bootstrap intervals over dialogues. Not readable: share of all answers.",),
    )


def next_lines(done: Labelled) -> Iterator[str]:
    """Next steps with the label set."""
    if done.draft_file is not None:
        yield f"review {done.draft_file}, then give it with --descriptions (no call is repeated)"
    yield f"labels   {done.folder}"
    yield f"judge    mlflow ui --backend-store-uri {done.tracking_uri}"


def _told(value: Agreement) -> str:
    coefficients = value.coefficients()
    names = {"pearson": "Pearson", "spearman": "Spearman", "ccc": "CCC"}
    told = ", ".join(f"{names[name]} {_interval(interval)}" for name, interval in coefficients.items())
    return f"{told} (n = {value.n}, 95 % intervals)"


def _interval(interval: Interval | None) -> str:
    return "undefined" if interval is None else f"{interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}]"
