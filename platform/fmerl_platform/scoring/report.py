"""The report of scored predictions: a section on all systems, and one per file."""

from __future__ import annotations

import statistics as moments
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from fmerl.config import DIMENSIONS
from fmerl_platform.ledger.provenance import command_line
from fmerl_platform.report.document import Report, Section
from fmerl_platform.report.figure import ReportFigure, style
from fmerl_platform.report.numbers import NONE, deviation, mean_sd, percent
from fmerl_platform.report.table import Column, Table, columns
from fmerl_platform.scoring.figures import calibration
from fmerl_platform.scoring.request import ScoreInputs
from fmerl_platform.scoring.systems import SystemScores, results_of, system_scores
from fmerl_platform.statistics import class_f1, class_precision, class_recall, confusion_by_dialogue
from fmerl_platform.studies.ablation.analysis import CorpusAnalysis, analyse
from fmerl_platform.studies.ablation.collapse import collapse_warning
from fmerl_platform.studies.ablation.figures import effects
from fmerl_platform.studies.ablation.prediction_figures import confusion, dimensions
from fmerl_platform.studies.ablation.ranks import rank_table, ranks
from fmerl_platform.studies.ablation.sections import class_table, row_cells
from fmerl_platform.studies.ablation.strata import strata_table
from fmerl_platform.studies.ablation.wording import comparison_notes, finding

_TO_TRY = "Look at the file's column predicted, and at the order in which classes were numbered."


def score_report(inputs: ScoreInputs) -> Report:
    """Score the files and compare them, with the study's variant where one is named, else with the first file."""
    margin = inputs.request.margin
    results = results_of(inputs.gold, inputs.files, inputs.beside, inputs.variant)
    analysis = analyse(results, margin=None if margin is None else margin / 100)
    scores = {file.name: system_scores(inputs.gold, file) for file in inputs.files}
    return Report(
        title=f"Scores on {results.corpus}",
        sections=(_all_systems(analysis, scores), *(_of_file(analysis, name, scores[name]) for name in scores)),
        provenance={"command": command_line(), **inputs.facts},
        rows={
            "corpus": results.corpus,
            "rows": [asdict(row) for row in analysis.rows],
            "systems": {name: asdict(found) for name, found in scores.items()},
            **({"ranks": dict(analysis.ranking.ranks)} if analysis.ranking else {}),
        },
    )


def _all_systems(analysis: CorpusAnalysis, scores: Mapping[str, SystemScores]) -> Section:
    results = analysis.results
    details = (strata_table(results), class_table(analysis), rank_table(analysis))
    with style():
        figures = [figure for figure in (effects(analysis), ranks(analysis)) if figure is not None]
    return Section(
        title=results.corpus,
        key=results.corpus,
        warning=collapse_warning(results, _TO_TRY),
        finding=finding(analysis),
        tables=(score_table(analysis, scores),),
        figures=tuple(figures),
        details=tuple(table for table in details if table is not None),
    )


def score_table(analysis: CorpusAnalysis, scores: Mapping[str, SystemScores]) -> Table:
    """A row per system, the control first."""
    results = analysis.results
    compared = len(analysis.rows) > 1
    wanted = [
        Column("System", numeric=False),
        Column("w-F1"),
        Column("n"),
        *([Column("Δ"), Column("95% interval"), Column("Holm p")] if compared else []),
        *([Column("Equivalent p")] if analysis.margin is not None else []),
        *([Column("Verdict", numeric=False, verdict=True)] if compared else []),
        *map(Column, ("Accuracy", "Macro F1", "UAR")),
        *([Column("ECE")] if any(found.calibration_error for found in scores.values()) else []),
        *(
            Column(f"CCC {dimension}")
            for dimension in DIMENSIONS
            if any(dimension in found.ccc for found in scores.values())
        ),
    ]
    rows = []
    for row in analysis.rows:
        found = scores.get(row.variant, SystemScores())
        cells = row_cells(row) | {
            "UAR": percent(row.balanced_accuracy),
            "ECE": _mean_sd(found.calibration_error),
            **{f"CCC {name}": f"{moments.fmean(values):.3f}" for name, values in found.ccc.items()},
        }
        rows.append(tuple(cells.get(column.header, NONE) for column in wanted))
    return Table(
        name=results.corpus,
        caption=f"Predictions for {results.corpus}'s test set",
        columns=tuple(wanted),
        rows=tuple(rows),
        notes=tuple(_notes(analysis, scores)),
    )


def _notes(analysis: CorpusAnalysis, scores: Mapping[str, SystemScores]) -> list[str]:
    results = analysis.results
    notes = [
        "w-F1: test weighted F1 in percent, mean ± sd (ddof = 1) over n seeds. UAR: unweighted average recall, or "
        "balanced accuracy."
    ]
    if len(analysis.rows) > 1:
        notes.append(
            f"Δ: points against {results.control}, paired by seed; its 95% interval covers new seeds and new "
            "dialogues. Holm p: adjusted over the systems."
        )
    if len(analysis.rows) > 1 and results.seedless:
        notes.append(
            f"Without seeds: {', '.join(sorted(results.seedless))}. Such predictions are compared with every seed of "
            "the other side, and the verdict is on these very predictions, not on training again."
        )
    notes += comparison_notes(analysis)
    if any(found.calibration_error for found in scores.values()):
        notes.append("ECE: expected calibration error in percent, 15 bins, of the predicted class's probability.")
    if any(found.ccc for found in scores.values()):
        notes.append("CCC: Lin's concordance with the corpus's human scores, mean over seeds.")
    for name, found in scores.items():
        if found.unanswered:
            notes.append(f"{name}: {found.unanswered} labelled utterances without an answer, which count as wrong.")
        if found.other_than_likeliest:
            notes.append(f"{name}: {found.other_than_likeliest} predictions are not the most probable class.")
    return notes


def _of_file(analysis: CorpusAnalysis, name: str, found: SystemScores) -> Section:
    """A file's scores by class, its confusions, and its calibration."""
    results = analysis.results
    alone = replace(analysis, results=replace(results, control=name))
    with style():
        drawn: list[ReportFigure | None] = [confusion(alone), dimensions(alone)]
        drawn.append(calibration(name, found) if found.bins else None)
    row = next(row for row in analysis.rows if row.variant == name)
    weighted = mean_sd(row.weighted_f1.mean, row.weighted_f1.sd)
    return Section(
        title=name,
        key=name,
        finding=f"{name}: {weighted} weighted F1, {percent(row.balanced_accuracy)} unweighted average recall.",
        figures=tuple(figure for figure in drawn if figure is not None),
        details=(by_class(analysis, name),),
    )


def by_class(analysis: CorpusAnalysis, name: str) -> Table:
    """Precision, recall and F1 of each class."""
    results = analysis.results
    counts = confusion_by_dialogue(results.predictions_of(name), len(results.classes)).sum(axis=1)
    means = [score(counts).mean(axis=0) for score in (class_precision, class_recall, class_f1)]
    gold, predicted = counts[0].sum(axis=1), counts.sum(axis=1).mean(axis=0)
    return Table(
        name=f"{name} classes",
        caption=f"Classes of {results.corpus} as {name} predicts them",
        columns=columns("Class", "n", "Predicted", "Precision", "Recall", "F1"),
        rows=tuple(
            (label, f"{gold[index]:.0f}", f"{predicted[index]:.1f}", *(percent(mean[index]) for mean in means))
            for index, label in enumerate(results.classes)
        ),
        notes=("In percent, means over seeds. Predicted: utterances, mean over seeds.",),
    )


def _mean_sd(values: Sequence[float]) -> str:
    if not values:
        return NONE
    return mean_sd(moments.fmean(values), deviation(values))
