"""The report across corpora: a matrix of scores, one of concordance, and every pair of corpora."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial

from fmerl.bundle.model import Bundle
from fmerl.config import DIMENSIONS
from fmerl_platform.across.request import AcrossPlan
from fmerl_platform.across.transfer import Pair, complete_seeds
from fmerl_platform.report.document import Report, Section
from fmerl_platform.report.numbers import NONE, interval, mean_sd, p_value, signed
from fmerl_platform.report.table import Column, Table, columns
from fmerl_platform.statistics import Comparison
from fmerl_platform.studies.results import StudyResults


def across_report(
    study: StudyResults, plan: AcrossPlan, pairs: Sequence[Pair], bundles: Mapping[str, Mapping[int, Bundle]]
) -> Report:
    """Everything that the report shows."""
    lacking = complete_seeds(bundles, plan.plan.study.seeds)
    warning = ""
    if lacking:
        warning = (
            f"Warning: {'; '.join(lacking)}. A cell that failed, or that finished elsewhere and kept no model, is not "
            "in the matrix: run the command again, or in another --storage."
        )
    section = Section(
        title=study.record.study,
        warning=warning,
        finding=" ".join(_findings(pairs)),
        tables=(matrix(plan, pairs), *_vad_matrices(plan, pairs)),
        details=(pair_table(pairs),),
    )
    return Report(
        title=f"Across corpora: {study.record.study}",
        sections=(section,),
        provenance=study.record.facts(),
        rows={
            "study": study.record.study,
            "classes": {corpus: dict(names) for corpus, names in plan.names.items()},
            "pairs": [asdict(pair) for pair in pairs],
        },
    )


def matrix(plan: AcrossPlan, pairs: Sequence[Pair]) -> Table:
    """Weighted F1: rows train, columns test."""
    return Table(
        name="across corpora",
        caption="Weighted F1 across corpora",
        columns=columns("Trained on", *(f"tested on {corpus}" for corpus in plan.corpora)),
        rows=_rows(plan, pairs, _score),
        notes=(
            "In percent, mean ± sd over seeds, over the classes that meet and the test utterances of these; other "
            "classes of the model are left out of its choice. * above always saying the most frequent class, by the "
            "paired test, corrected over all pairs. Cells differ in classes: compare within one only beside the pairs "
            f"below. {NONE}: fewer than two classes meet.",
        ),
    )


def _vad_matrices(plan: AcrossPlan, pairs: Sequence[Pair]) -> Iterator[Table]:
    """Concordance of each dimension that some pair predicts: rows train, columns test."""
    for dimension in DIMENSIONS:
        if not any(dimension in pair.ccc for pair in pairs):
            continue
        yield Table(
            name=f"across corpora {dimension}",
            caption=f"Concordance of {dimension} across corpora",
            columns=columns("Trained on", *(f"tested on {corpus}" for corpus in plan.corpora)),
            rows=_rows(plan, pairs, partial(_concordance, dimension)),
            notes=("Lin's concordance, all test utterances with a score; ranges are mapped ends to ends.",),
        )


def pair_table(pairs: Sequence[Pair]) -> Table:
    """A row per pair of different corpora."""
    shown = (
        Column("Trained on", numeric=False),
        Column("Tested on", numeric=False),
        Column("Classes", numeric=False),
        Column("Utterances"),
        Column("n"),
        Column("w-F1"),
        Column("Δ majority"),
        Column("95% interval"),
        Column("Holm p"),
        Column("Verdict", numeric=False, verdict=True),
        Column("Δ own"),
        Column("95% interval"),
        Column("Holm p"),
        *(Column(f"r {dimension}") for dimension in DIMENSIONS),
    )
    return Table(
        name="pairs of corpora",
        caption="Every pair of corpora",
        columns=shown,
        rows=tuple(_cells(pair) for pair in pairs if pair.train != pair.test),
        notes=(
            "Δ majority: points of weighted F1 against always saying the most frequent class that meets; the verdict "
            "is on it. Δ own: against the models trained on the tested corpus, on the same utterances and classes, "
            "seed by seed. Each Holm p is corrected over all pairs. r: Pearson's correlation.",
        ),
    )


def _rows(plan: AcrossPlan, pairs: Sequence[Pair], cell: Callable[[Pair], str]) -> tuple[tuple[str, ...], ...]:
    found = {(pair.train, pair.test): pair for pair in pairs}
    return tuple((train, *(cell(found[train, test]) for test in plan.corpora)) for train in plan.corpora)


def _score(pair: Pair) -> str:
    if pair.weighted_f1 is None:
        return NONE
    above = pair.chance is not None and pair.chance.verdict == "helps"
    return mean_sd(pair.weighted_f1.mean, pair.weighted_f1.sd) + "*" * above


def _concordance(dimension: str, pair: Pair) -> str:
    return _coefficient(pair.ccc, dimension)


def _coefficient(values: Mapping[str, float], dimension: str) -> str:
    value = values.get(dimension, math.nan)
    return NONE if math.isnan(value) else f"{value:.3f}"


def _cells(pair: Pair) -> tuple[str, ...]:
    return (
        pair.train,
        pair.test,
        ", ".join(pair.classes) or "none",
        str(pair.utterances),
        str(pair.n_seeds),
        _score(pair).rstrip("*"),
        *_effect(pair.chance),
        pair.chance.verdict if pair.chance else NONE,
        *_effect(pair.within),
        *(_coefficient(pair.pearson, dimension) for dimension in DIMENSIONS),
    )


def _effect(found: Comparison | None) -> tuple[str, str, str]:
    if found is None:
        return NONE, NONE, NONE
    return signed(100 * found.delta), interval(found.ci_low, found.ci_high), p_value(found.p_value_holm)


def _findings(pairs: Sequence[Pair]) -> Iterator[str]:
    """A sentence per pair of different corpora."""
    for pair in pairs:
        if pair.train == pair.test:
            continue
        place = f"Models of {pair.train} on {pair.test}"
        if pair.chance is None:
            yield f"{place}: fewer than two classes meet, so only valence, arousal and dominance are compared."
            continue
        told = {"helps": "above", "hurts": "below"}.get(pair.chance.verdict, "not told apart from")
        own = "" if pair.within is None else f", {signed(100 * pair.within.delta)} points from its own models"
        yield f"{place}: {told} the majority class ({signed(100 * pair.chance.delta)} points){own}."
