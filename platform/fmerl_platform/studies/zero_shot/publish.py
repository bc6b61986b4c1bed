"""What a zero-shot study found, written to its MLflow runs and its report. Everything is read from MLflow."""

from __future__ import annotations

import math
from pathlib import Path

from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.runs import StudyRuns, facts, read_results
from fmerl_platform.ledger.views import variants_view
from fmerl_platform.report.render import ReportPaths
from fmerl_platform.report.table import markdown_text
from fmerl_platform.statistics import confusion_by_dialogue
from fmerl_platform.statistics.scores import SCORES
from fmerl_platform.studies.ablation.analysis import CellRecord, CorpusResults, labelled_predictions
from fmerl_platform.studies.ablation.notes import change_note
from fmerl_platform.studies.zero_shot.analysis import ZeroShotAnalysis, ZeroShotRow, analyse_zero_shot
from fmerl_platform.studies.zero_shot.language_models import NO_MODELS, read_language_models
from fmerl_platform.studies.zero_shot.page import write_zero_shot_report
from fmerl_platform.studies.zero_shot.scores import zero_shot_scores
from fmerl_platform.studies.zero_shot.wording import supervised_warning, zero_shot_finding
from fmerl_platform.study.hold_out import UNSEEN_CLASSES
from fmerl_platform.study.record import CorpusRecord, StudyRecord

_VIEW = (
    "tags.`fmerl.unseen`",
    "metrics.`test_unseen_accuracy_mean`",
    "metrics.`test_unseen_accuracy_sd`",
    "metrics.`test_harmonic_mean_mean`",
    "metrics.`test_weighted_f1_mean`",
    "tags.`fmerl.changes`",
)


def publish_zero_shot(
    experiment: Experiment, record: StudyRecord, runs: StudyRuns, folder: Path
) -> tuple[tuple[ZeroShotAnalysis, ...], ReportPaths]:
    """Judge the finished cells; scores and notes to the variants' runs, the report to `folder` and the study's run.

    Raises:
        InputError: The study of language models is gone, or a prediction names a class that the corpus does not have.
    """
    models = None if record.llm_study is None else experiment.sibling(record.llm_study)
    analyses = tuple(
        _analyse(corpus, results, models)
        for corpus, results in zip(record.corpora, read_results(experiment, record), strict=True)
    )
    for corpus, analysis in zip(record.corpora, analyses, strict=True):
        _tag_variants(experiment, runs, record.control, corpus, analysis)
    paths = write_zero_shot_report(record.study, analyses, facts(record), folder)
    client = experiment.client()
    client.log_artifacts(runs.study, str(folder), "report")
    note = "\n\n".join(markdown_text(zero_shot_finding(analysis)) for analysis in analyses)
    warnings = [
        supervised_warning(analysis.results.corpus, analysis.supervised, analysis.unseen)
        for analysis in analyses
        if analysis.supervised
    ]
    if warnings:
        note = "\n\n".join([*map(markdown_text, warnings), note])
        experiment.tag(runs.study, {"fmerl.warning": " ".join(warnings)})
    experiment.tag(runs.study, {"mlflow.note.content": note})
    view = variants_view(runs.study, _VIEW, "metrics.`test_unseen_accuracy_mean`")
    for name, value in {"mlflow.note.content": note, **view}.items():
        client.set_experiment_tag(experiment.experiment_id, name, value)
    return analyses, paths


def _analyse(corpus: CorpusRecord, results: CorpusResults, models: Experiment | None) -> ZeroShotAnalysis:
    unseen = tuple(corpus.control[UNSEEN_CLASSES])
    return analyse_zero_shot(
        results,
        unseen,
        corpus.control["training.unseen_utterances"],
        corpus.supervised,
        NO_MODELS if models is None else read_language_models(models, corpus.corpus, unseen),
    )


def _tag_variants(
    experiment: Experiment, runs: StudyRuns, control: str, corpus: CorpusRecord, analysis: ZeroShotAnalysis
) -> None:
    warning = supervised_warning(corpus.corpus, analysis.supervised, analysis.unseen) if analysis.supervised else ""
    rows = {row.name: row for row in analysis.rows if row.name in corpus.changes}
    for variant, changes in corpus.changes.items():
        run_id = runs.variants[corpus.corpus, variant]
        unseen = changes.get(UNSEEN_CLASSES, analysis.unseen)
        note = [change_note(variant, corpus.corpus, control, changes), f"Unseen: {', '.join(unseen)}."]
        tags = {"fmerl.unseen": ",".join(unseen)}
        if warning:
            note.append(markdown_text(warning))
            tags["fmerl.warning"] = warning
        if variant in rows:
            experiment.log_once(run_id, row_metrics(rows[variant]), step=0)
            for cell in analysis.results.of_variant(variant):
                experiment.log_once(cell.run_id, cell_metrics(cell, analysis), step=0)
        if variant == control and analysis.calibrated is not None:
            experiment.log_once(run_id, row_metrics(analysis.calibrated, "calibrated_"), step=0)
        experiment.tag(run_id, {**tags, "mlflow.note.content": "\n\n".join(note)})


def cell_metrics(cell: CellRecord, analysis: ZeroShotAnalysis) -> dict[str, float]:
    """A cell's scores that it did not log itself, which knows nothing of unseen classes in test."""
    classes = analysis.results.classes
    confusion = confusion_by_dialogue([labelled_predictions(cell, classes)], len(classes)).sum(axis=(0, 1))
    scores = zero_shot_scores([classes.index(name) for name in analysis.unseen], len(classes))
    return {f"test_{name}": float(score(confusion)) for name, score in scores.items() if name not in SCORES}


def row_metrics(row: ZeroShotRow, prefix: str = "") -> dict[str, float]:
    """A table row as metrics of its variant's run; undefined ones left out."""
    metrics = {"n_seeds": float(next(iter(row.scores.values())).n_seeds)}
    for name, score in row.scores.items():
        metrics[f"test_{name}_mean"] = score.mean
        metrics[f"test_{name}_sd"] = score.sd
        metrics[f"test_{name}_ci_low"] = score.ci_low
        metrics[f"test_{name}_ci_high"] = score.ci_high
    for name, against in row.against.items():
        metrics[f"delta_{name}"] = against.delta
        metrics[f"delta_{name}_ci_low"] = against.ci_low
        metrics[f"delta_{name}_ci_high"] = against.ci_high
    metrics["p_value_holm"] = row.p_value_holm
    for name, value in (
        ("ausuc", row.area),
        ("uninformed_ausuc", row.uninformed_area),
        ("median_lead", row.lead),
        ("constant", row.constant),
    ):
        if value is not None:
            metrics[f"{name}_mean"], metrics[f"{name}_sd"] = value.mean, value.sd
    return {f"{prefix}{name}": value for name, value in metrics.items() if not math.isnan(value)}
