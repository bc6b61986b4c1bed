"""Sentences of an ablation's report: findings and notes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from fmerl_platform.report.numbers import mean_sd, percent, seeds
from fmerl_platform.statistics import Comparison
from fmerl_platform.studies.ablation.analysis import CorpusAnalysis, VariantRow
from fmerl_platform.studies.paper_results import NOT_RUN
from fmerl_platform.studies.wording import missing_notes, missing_sentence

_DIFFERENT = ("helps", "hurts")
_SYSTEM_VERBS = {"helps": "is ahead", "hurts": "is behind"}
"""Verbs for another system, in place of the verdict on a change."""

_FOLD_NOTE = (
    "Folds: a seed's score is of all folds' test predictions together, so every utterance counts once; a seed counts "
    "when all its folds are there. The interval covers new folds (sessions, speakers, training sets) as well. Oracle "
    "and peek gap are means over folds."
)

_GUIDE = (
    (
        "Start with the effect and its interval.",
        "Δ is the mean over seeds of the variant's weighted F1 minus the control's with the same seed on the same "
        "dialogues. Its 95% interval covers new seeds and new dialogues: a paired bootstrap over dialogues, joined "
        "with the spread over seeds by Student's t.",
    ),
    (
        "The verdict",
        "is helps or hurts where the p-value, adjusted over the variants by Holm's method, is below 0.05; else it is "
        "inconclusive, which does not mean “no effect”. Intervals are per comparison and not adjusted, so one may "
        "leave out zero while its verdict is inconclusive.",
    ),
    (
        "The epoch is selected without test data:",
        "the first with the best validation weighted F1, or the last one where the study's configuration says so. Test "
        "scores are that epoch's.",
    ),
    (
        "The peek gap",
        "is what weighted F1 would gain had each seed's epoch been picked on the test set, as some published code does "
        "(test_oracle). It measures how far such numbers flatter; it never is a result, and no Δ or verdict here uses "
        "it.",
    ),
    (
        "The paper's columns",
        "appear for MELD and IEMOCAP only and show its Table 3, of systems its Table 1. It prints no deviations, so "
        "they are a reference and not a test.",
    ),
)
"""Reading guide: topic and text of each paragraph."""


def guide(margin: float | None) -> tuple[tuple[str, str], ...]:
    """Reading guide: topic and text of each paragraph, with that of the margin where one was stated."""
    if margin is None:
        return _GUIDE
    text = (
        f"within ±{percent(margin)} points, the margin that was stated for this report: neither helps nor hurts, and "
        "two one-sided tests, adjusted over the variants by Holm's method, rule out a difference as large as that. A "
        "variant that helps or hurts keeps that verdict, also where its effect is smaller than the margin."
    )
    return (*_GUIDE[:2], ("Equivalent", text), *_GUIDE[2:])


def finding(analysis: CorpusAnalysis) -> str:
    """Finding on one corpus, largest effect first, in one to four sentences."""
    results = analysis.results
    control = next((row for row in analysis.rows if row.variant == results.control), None)
    if control is None:
        return f"On {results.corpus}, no cell of the control {results.control} finished: nothing can be compared."
    score = mean_sd(control.weighted_f1.mean, control.weighted_f1.sd)
    each = f" of {len(results.folds)} folds each" if results.folds else ""
    over = f"{seeds(control.weighted_f1.n_seeds)}{each}"
    sentences = [f"On {results.corpus}, {results.control} reaches {score} weighted F1 over {over}."]
    compared = {row.variant: comparison for row, comparison in analysis.compared}
    sentences += verdict_sentences(compared, results.control, systems=results.compares_systems)
    return " ".join([*sentences, *missing_sentence(results)])


def verdict_sentences(compared: Mapping[str, Comparison], control: str, *, systems: bool = False) -> list[str]:
    """Verdicts in words: the largest effect first, then what is equivalent, then what is open."""
    decided = [(name, comparison) for name, comparison in compared.items() if comparison.verdict in _DIFFERENT]
    decided.sort(key=lambda pair: -abs(pair[1].delta))
    sentences = []
    if decided:
        verbs = _SYSTEM_VERBS if systems else {}
        sentences.append("; ".join(_effect(name, comparison, verbs) for name, comparison in decided) + ".")
    equivalent = {name: found.equivalence for name, found in compared.items() if found.verdict == "equivalent"}
    for margin in {found.margin for found in equivalent.values() if found}:
        verb = "is" if len(equivalent) == 1 else "are"
        sentences.append(f"{', '.join(equivalent)} {verb} equivalent to {control} within ±{percent(margin)} points.")
    open_rows = [name for name, comparison in compared.items() if comparison.verdict == "inconclusive"]
    if open_rows:
        others = "The other " if len(open_rows) < len(compared) else "All "
        kind = "systems" if systems else "variants"
        many = f"{others}{len(open_rows)} {kind} are inconclusive."
        sentences.append(many if len(open_rows) > 1 else f"{open_rows[0]} is inconclusive.")
    return sentences


def table_notes(analysis: CorpusAnalysis) -> tuple[str, ...]:
    """Foot notes of the table: meaning and limits of its numbers, and what is not in it."""
    results = analysis.results
    notes = [
        "w-F1: test weighted F1 in percent at the selected epoch, mean ± sd (ddof = 1) over n seeds. "
        f"Δ: points against {results.control}, paired by seed; its 95% interval covers new seeds and new dialogues. "
        "Holm p: adjusted over the variants."
    ]
    if results.folds:
        notes.append(_FOLD_NOTE)
    notes += comparison_notes(analysis)
    published = any(row.published for row in analysis.rows)
    if results.compares_systems:
        notes += _system_notes(results.control, published)
    elif published:
        notes.append("Paper: Table 3 of the FMERL paper, means of five runs; it prints no deviations.")
    return (*notes, *missing_notes(results))


def comparison_notes(analysis: CorpusAnalysis) -> list[str]:
    """Foot notes on tests and intervals."""
    results = analysis.results
    notes = []
    if analysis.margin is not None:
        notes.append(
            f"Equivalent p: that the true Δ is as large as the stated margin of ±{percent(analysis.margin)} points; "
            "two one-sided tests, adjusted over the variants."
        )
    most_pairs = max((comparison.n_pairs for _, comparison in analysis.compared), default=0)
    if most_pairs > 1:
        notes.append(_sign_flip_note(most_pairs))
    single = [row.variant for row, comparison in analysis.compared if comparison.n_pairs == 1]
    if single:
        notes.append(f"One shared seed, so no test, and an interval for new dialogues only: {', '.join(single)}.")
    notes += _seeds_to_decide_notes(analysis.compared)
    notes += [
        f"Not compared: {row.variant} shares no seed with {results.control}."
        for row in analysis.rows
        if row.comparison and not row.comparison.n_pairs
    ]
    return notes


def _system_notes(control: str, published: bool) -> list[str]:
    notes = [
        f"Verdict: of putting the system in {control}'s place, on the same features, batches, epochs and selection.",
        "Oracle w-F1: if each seed's epoch were picked on the test set; never a result, and no Δ or verdict uses it.",
    ]
    if published:
        why = "; ".join(f"{name} {reason}" for name, reason in NOT_RUN.items())
        notes += [
            "Paper: Table 1 of the FMERL paper, on its features of three modalities; no deviations. SDT's and "
            "MultiEMO's published numbers pick the epoch on the test set, so the oracle is what they compare with.",
            f"Published only: {why}.",
        ]
    return notes


def _effect(name: str, comparison: Comparison, verbs: Mapping[str, str]) -> str:
    low, high = sorted((abs(comparison.ci_low), abs(comparison.ci_high)))
    size = f"{percent(abs(comparison.delta))} points [{percent(low)}, {percent(high)}]"
    return f"{name} {verbs.get(comparison.verdict, comparison.verdict)} by {size}"


def _sign_flip_note(n_pairs: int) -> str:
    least = 2 / 2**n_pairs
    note = f"An exact sign-flip test over {n_pairs} seeds cannot give a p-value below {least:.4g}"
    return f"{note}, so never p < 0.05: read the effect and its interval first." if least >= 0.05 else f"{note}."


def _seeds_to_decide_notes(compared: Sequence[tuple[VariantRow, Comparison]]) -> list[str]:
    plans = [
        (row.variant, comparison.seeds_to_decide)
        for row, comparison in compared
        if comparison.verdict == "inconclusive" and not math.isnan(comparison.p_value)
    ]
    enough = [f"{variant} about {number}" for variant, number in plans if number is not None]
    never = [variant for variant, number in plans if number is None]
    notes = []
    if enough:
        notes.append(f"Seeds that would decide, if the effect is as large as it looks: {', '.join(enough)}.")
    if never:
        notes.append(f"More seeds alone would not decide (the test set is the limit): {', '.join(never)}.")
    return notes
