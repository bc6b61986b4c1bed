"""A study's runs above its cells: opened before it trains, filled with what its finished cells show afterwards.

Everything is read from MLflow, so a report can be made again at any time, without training and without the inputs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fmerl.errors import InputError
from fmerl_platform.ledger.cells import CellRecord, failure_reasons, read_cells, variant_metrics
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.provenance import working_tree_diff
from fmerl_platform.ledger.views import variants_view
from fmerl_platform.report.render import ReportPaths, write_report
from fmerl_platform.studies.ablation.analysis import CorpusResults, StudyReport, analyse
from fmerl_platform.studies.ablation.notes import change_note, study_note, variant_note
from fmerl_platform.study.record import DIFF_FILE, STUDY_FILE, CorpusRecord, StudyRecord


@dataclass(frozen=True, kw_only=True)
class StudyRuns:
    """MLflow ids of the runs above the cells."""

    study: str
    variants: dict[tuple[str, str], str]
    """By (corpus, variant)."""

    def close(self, experiment: Experiment, *, complete: bool) -> None:
        """Nothing more is being trained; the study failed unless every cell is finished."""
        client = experiment.client()
        for run_id in self.variants.values():
            client.set_terminated(run_id, "FINISHED")
        client.set_terminated(self.study, "FINISHED" if complete else "FAILED")


def open_runs(experiment: Experiment, record: StudyRecord) -> StudyRuns:
    """Find or create the study's runs and write on them what the study is: its record, its source, its changes."""
    client = experiment.client()
    study = experiment.find_or_create(experiment.study, None, level="study")
    client.log_text(study, record.json(), STUDY_FILE)
    client.log_text(study, working_tree_diff(), DIFF_FILE)
    experiment.tag(study, {f"fmerl.{name}": value for name, value in facts(record).items()})
    runs = StudyRuns(study=study, variants={})
    for corpus in record.corpora:
        for variant, changes in corpus.changes.items():
            run_id = experiment.find_or_create(
                f"{corpus.corpus} · {variant}", study, level="variant", corpus=corpus.corpus, variant=variant
            )
            note = change_note(variant, corpus.corpus, record.control, changes)
            changed = " ".join(f"{path}={value}" for path, value in changes.items())
            experiment.tag(run_id, {"mlflow.note.content": note, "fmerl.changes": changed})
            runs.variants[corpus.corpus, variant] = run_id
    return runs


def read_runs(experiment: Experiment) -> StudyRuns:
    """The runs that `open_runs` made.

    Raises:
        InputError: The study has none.
    """
    found = experiment.find(level="study")
    if not found:
        raise InputError(f"study {experiment.study}", "it has no run of its own", "run the study's command first")
    places = {
        (run.data.tags["fmerl.corpus"], run.data.tags["fmerl.variant"]): run.info.run_id
        for run in experiment.find(level="variant")
    }
    return StudyRuns(study=found[0].info.run_id, variants=places)


def publish(
    experiment: Experiment, record: StudyRecord, runs: StudyRuns, folder: Path
) -> tuple[StudyReport, ReportPaths]:
    """Judge the finished cells; aggregates and notes to the variants' runs, the report to `folder` and the study's run.

    Raises:
        InputError: Cells that were not tested on the same utterances.
    """
    analyses = tuple(analyse(results) for results in read_results(experiment, record))
    report = StudyReport(study=record.study, analyses=analyses, provenance=facts(record))
    for analysis in report.analyses:
        for row in analysis.rows:
            run_id = runs.variants[analysis.results.corpus, row.variant]
            # Without steps the UI draws bars of the variants, side by side, and no lines of one point.
            experiment.log_once(run_id, variant_metrics(row), step=0)
            verdict = row.comparison.verdict if row.comparison else "control"
            experiment.tag(run_id, {"fmerl.verdict": verdict, "mlflow.note.content": variant_note(analysis, row)})
    paths = write_report(report, folder)
    client, note = experiment.client(), study_note(report)
    client.log_artifacts(runs.study, str(folder), "report")
    experiment.tag(runs.study, {"mlflow.note.content": note})
    for name, value in {"mlflow.note.content": note, **variants_view(runs.study)}.items():
        client.set_experiment_tag(experiment.experiment_id, name, value)
    return report, paths


def read_results(experiment: Experiment, record: StudyRecord) -> tuple[CorpusResults, ...]:
    """What a study's finished cells left, by corpus."""
    finished: dict[str, list[CellRecord]] = defaultdict(list)
    for cell in read_cells(experiment, (cell.fingerprint for corpus in record.corpora for cell in corpus.cells)):
        finished[cell.corpus].append(cell)
    reasons = failure_reasons(experiment)
    return tuple(_results(corpus, record.control, finished[corpus.corpus], reasons) for corpus in record.corpora)


def _results(record: CorpusRecord, control: str, cells: Sequence[CellRecord], reasons: dict[str, str]) -> CorpusResults:
    finished = {cell.fingerprint for cell in cells}
    return CorpusResults(
        corpus=record.corpus,
        classes=record.classes,
        control=control,
        variants=tuple(record.changes),
        cells=tuple(cells),
        missing=tuple(
            (cell.variant, cell.seed, reasons.get(cell.fingerprint, "never ran"))
            for cell in record.cells
            if cell.fingerprint not in finished
        ),
        changes=record.changes,
        modalities=tuple(record.control["backbone.modalities"]),
        anchors=record.anchors,
    )


def facts(record: StudyRecord) -> dict[str, str]:
    """Provenance, command, seeds and data of a study, as short strings by name."""
    seeds = sorted({cell.seed for corpus in record.corpora for cell in corpus.cells})
    return {
        "command": record.command,
        "seeds": " ".join(map(str, seeds)),
        **record.provenance,
        "data": "; ".join(
            f"{corpus.corpus}: {' '.join(f'{name}={digest}' for name, digest in corpus.digests.items())}"
            for corpus in record.corpora
        ),
    }
