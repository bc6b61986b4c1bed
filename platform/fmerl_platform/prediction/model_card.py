"""The model card of a bundle, README.md: how good it is, of what it was made, what it is for and what not.

Shapes: C classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from fmerl.bundle.manifest import Manifest
from fmerl.features.encoder import parts_of
from fmerl_platform.ledger.results import CellRecord, CorpusCells
from fmerl_platform.ledger.schema import Tag
from fmerl_platform.report.numbers import interval, mean_sd, p_value, percent, seeds, signed
from fmerl_platform.report.table import Column, Table, columns, markdown_text, to_markdown
from fmerl_platform.statistics import Estimate, Score, class_f1, estimates, weighted_f1
from fmerl_platform.studies.results import StudyResults


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How far probabilities can be trusted, on the test split, in [0, 1]."""

    error: float
    """Expected calibration error."""
    uncalibrated: float
    """The same without a fitted temperature."""
    accuracy: float
    """Accuracy of the models together."""


def model_card(
    study: StudyResults, corpus: CorpusCells, cells: Sequence[CellRecord], manifest: Manifest, calibration: Calibration
) -> str:
    """The card in Markdown.

    Args:
        study: The study, for the verdict.
        corpus: Its cells on the bundle's corpus.
        cells: The cells that are exported, all of one variant.
        manifest: The bundle's.
        calibration: Of the cells' models together.
    """
    variant = cells[0].variant
    parts = [
        f"# {markdown_text(variant)} on {markdown_text(manifest.corpus)}",
        _lead(manifest, cells),
        _use(),
        "## How good it is",
        _verdict(study, manifest.corpus, variant),
        *map(to_markdown, _scores(corpus, cells, manifest)),
        _calibrated(manifest, calibration),
        "## What it is for",
        _intended(),
        *map(to_markdown, _tables(manifest)),
        _origin(study, manifest, cells),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _lead(manifest: Manifest, cells: Sequence[CellRecord]) -> str:
    seen = {
        "full": "the whole conversation, later turns too",
        "past": "a turn and those before it, so that it can be used live",
    }[manifest.cell_config().backbone.attention]
    return (
        f"Emotion recognition in conversation: of every utterance one of {', '.join(manifest.classes)}, and valence, "
        f"arousal and dominance from {manifest.vad_range[0]:g} to {manifest.vad_range[1]:g} where the system has nets "
        f"for them. {manifest.config['system.name']} reads {' and '.join(manifest.widths)} of {seen}. "
        f"{len(cells)} model{'s' if len(cells) > 1 else ''} of seed"
        f"{'s' if len(cells) > 1 else ''} {', '.join(str(cell.seed) for cell in cells)}; probabilities are their mean."
    )


def _use() -> str:
    return (
        "```bash\nfmerl predict THIS_FOLDER conversation.csv --output predictions.csv  # columns speaker and text\n```"
    )


def _verdict(study: StudyResults, corpus: str, variant: str) -> str:
    found = next((each for each in study.summaries if (each.corpus, each.variant) == (corpus, variant)), None)
    verdict = None if found is None else found.tags.get(Tag.VERDICT)
    if found is None or verdict is None:
        return "The study gave no verdict on this variant."
    if verdict == "control":
        return "It is the control of its study, which the variants are compared with."
    metrics = found.metrics
    said = f"Verdict against {markdown_text(study.record.control)} in its study: **{verdict}**"
    if "delta_weighted_f1" not in metrics:
        return f"{said}."
    return (
        f"{said}, Δ {signed(100 * metrics['delta_weighted_f1'])} points "
        f"{interval(metrics['delta_ci_low'], metrics['delta_ci_high'])}, Holm p "
        f"{markdown_text(p_value(metrics.get('p_value_holm', math.nan)))}."
    )


def _scores(corpus: CorpusCells, cells: Sequence[CellRecord], manifest: Manifest) -> Iterator[Table]:
    """Scores of single models, with intervals for new seeds and new dialogues."""
    chosen = {cell.seed for cell in cells}
    found = [each for each in corpus.predictions_of(cells[0].variant) if each.seed in chosen]
    names = manifest.classes
    scores: dict[str, Score] = {"weighted F1": weighted_f1}
    scores |= {name: partial(_class_f1, index) for index, name in enumerate(names)}
    of_test = estimates(found, len(names), scores)
    counts = np.bincount(found[0].gold, minlength=len(names))
    rows = [("weighted F1", *_shown(of_test["weighted F1"]), str(len(found[0].gold)), str(sum(manifest.train_counts)))]
    for index, name in enumerate(names):
        trained = str(manifest.train_counts[index]) if manifest.train_counts[index] else "held out"
        rows.append((name, *_shown(of_test[name]), str(counts[index]), trained))
    yield Table(
        name="scores",
        caption="Test scores of one model",
        columns=columns("score", "mean ± sd", "95% interval", "test utterances", "trained on"),
        rows=tuple(rows),
        notes=(
            f"Mean over {seeds(len(found))}; the interval is for new seeds and new dialogues, with one seed for new "
            "dialogues alone. Rows below the first are F1 of each class.",
        ),
    )


def _class_f1(index: int, confusion: np.ndarray) -> np.ndarray:
    return class_f1(confusion)[..., index]


def _shown(score: Estimate) -> tuple[str, str]:
    # A rare class's interval by Student's t may leave the scores that there are.
    low, high = max(score.ci_low, 0.0), min(score.ci_high, 1.0)
    return mean_sd(score.mean, score.sd), f"[{percent(low)}, {percent(high)}]"


def _calibrated(manifest: Manifest, calibration: Calibration) -> str:
    trained = " It was trained on validation, so probabilities are too sure." * bool(
        manifest.config["training.train_on_validation"]
    )
    return (
        f"All models together have test accuracy {percent(calibration.accuracy)}. Their probabilities are a softmax at "
        f"temperature {manifest.temperature:.4g}, fitted on validation; on test the expected calibration error "
        f"(15 bins) is **{percent(calibration.error)}** points, without the fit {percent(calibration.uncalibrated)}."
        f"{trained}"
    )


def _intended() -> str:
    return (
        "Research on conversations like those of its corpus, in the same language. It names what the corpus's "
        "annotators would likely have said of an utterance, which is not what a person feels. On other domains, "
        "languages, encoders' failures or groups of speakers it was not tested: score it on labelled conversations of "
        "your own first. Do not decide about people by it: not on work, school, care, credit or law. Classes that are "
        "added in words (`--classes`) were never trained; only a zero-shot study measures how well such classes are "
        "recognised."
    )


def _tables(manifest: Manifest) -> Iterator[Table]:
    label, text = Column("class", numeric=False), Column("text of its anchor", numeric=False)
    rows = tuple(zip(manifest.classes, manifest.anchor_texts, strict=True))
    yield Table(name="anchors", caption="Classes in label order", columns=(label, text), rows=rows, notes=())
    made = [
        (
            f"{modality} {part}".strip(),
            str(width),
            ", ".join(f"{name} {value}" for name, value in recipe.items()),
        )
        for modality, width in manifest.widths.items()
        for part, recipe in parts_of(manifest.recipes[modality])
    ]
    heads = Column("modality", numeric=False), Column("width"), Column("recipe", numeric=False)
    yield Table(name="features", caption="Features", columns=heads, rows=tuple(made), notes=())
    parts = Column("part", numeric=False), Column("licence", numeric=False)
    yield Table(
        name="licences",
        caption="Licences",
        columns=parts,
        rows=tuple(manifest.licences.items()),
        notes=("A model may be bound by the licences of what it was trained on.",),
    )


def _origin(study: StudyResults, manifest: Manifest, cells: Sequence[CellRecord]) -> str:
    lines = [
        f"study {study.record.study}",
        f"code {manifest.study.get('code_digest', '')} ({manifest.study.get('git_commit', '')})",
        f"packages {manifest.study.get('packages', '')}",
        *(f"{name} {digest}" for name, digest in manifest.digests.items()),
        f"splits {manifest.split_digest}",
        *(f"seed {cell.seed}: fingerprint {cell.fingerprint}" for cell in cells),
        "configuration, input statistics and all of this for programs: `card.json` and the `.safetensors`",
    ]
    return "## Origin\n\n" + "\n".join(f"- {line}" for line in lines)
