"""A label set from start to end: plan -> journal -> endpoint -> label set with its card -> MLflow."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fmerl.card import read_card
from fmerl.config import DIMENSIONS
from fmerl.files import replaced_file
from fmerl.supervision.answers import Mode
from fmerl.supervision.labels import LabelSet, write_labels
from fmerl_platform.asking.decoding import ask_decoding, score_decodings
from fmerl_platform.asking.journal import JournalReader, only_run
from fmerl_platform.asking.plan import ask_plan
from fmerl_platform.asking.worker import WorkerConfig
from fmerl_platform.labelling.cards import label_card
from fmerl_platform.labelling.figures import calibration, histograms
from fmerl_platform.labelling.labelset import Drafts, draft_descriptions, row_errors, row_scores
from fmerl_platform.labelling.plan import first_call
from fmerl_platform.labelling.publish import EXPERIMENT, publish, quality_metrics
from fmerl_platform.labelling.quality import Quality, judge
from fmerl_platform.labelling.request import LabelRequest
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.running.progress import Counting, uncounted


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """A finished label set."""

    folder: Path
    mode: Mode
    quality: Quality
    drafts: Drafts
    draft_file: Path | None
    """The model's descriptions, to review; None if reviewed ones were given."""
    tracking_uri: str

    def complete(self, max_error_share: float) -> bool:
        """True if every class has a description and few enough utterances lack scores."""
        return not self.drafts.problems and self.quality.error_rate <= max_error_share


def label_corpus(request: LabelRequest, counting: Counting = uncounted) -> Labelled:
    """Ask the calls not answered yet, and write the label set with its card and its MLflow run.

    Args:
        request: Label set to make.
        counting: Shows progress.

    Raises:
        InputError: Before anything is asked.
        RequestFailedError: The endpoint cannot be asked for its decoding.
    """
    reviewed, prompts = request.reviewed(), request.prompts
    config = request.workers_for(request.model, request.journal)
    with only_run(request.journal, "this corpus is being labelled already"):
        experiment = Experiment.in_storage(request.storage, EXPERIMENT)  # one that cannot be opened costs no answer
        mode = _mode(request, config)
        plan = request.plan(mode)
        outcomes = ask_plan(plan, config, request.limits, request.pool, counting, batches=request.batches)
        drafts = draft_descriptions(plan, outcomes, prompts.dimensions)
        draft_file = _write_draft(request, drafts) if reviewed is None and request.corpus.classes else None
        errors = row_errors(plan, outcomes, prompts.dimensions)
        journal = JournalReader(request.journal)
        quality = judge(plan, outcomes, errors, journal, request.corpus, prompts.scale, config.price)
        ways = plan.ways(journal)
        card = label_card(request, request.questions(mode), config.endpoint.base_url, drafts, quality, ways)
        vad, spread = row_scores(plan, outcomes, errors, prompts.dimensions)
        labels = LabelSet(
            utterance_ids=tuple(utterance.utterance_id for utterance in plan.utterances),
            vad=vad,
            errors=errors,
            vad_range=prompts.scale,
            descriptions=drafts.descriptions if reviewed is None else reviewed,
            card={**card, "dimensions": list(prompts.dimensions), **_spread_on_card(request, spread)},
            spread=spread if request.samples > 1 else None,
        )
        write_labels(request.labels, request.corpus.name, labels)
        folder = request.labels / request.corpus.name
        _publish(request, experiment, labels, quality, folder)
    return Labelled(
        folder=folder,
        mode=mode,
        quality=quality,
        drafts=drafts,
        draft_file=draft_file,
        tracking_uri=experiment.uri,
    )


def _mode(request: LabelRequest, config: WorkerConfig) -> Mode:
    if request.decoding != "auto":
        return request.decoding
    questions = request.questions("text")
    first = first_call(request.corpus, request.splits, questions)
    return ask_decoding(score_decodings(questions), first, config, request.limits)


def _spread_on_card(request: LabelRequest, spread: NDArray[np.float32]) -> dict[str, Any]:
    """Mean spread of the samples by dimension; nothing of a single sample."""
    if request.samples == 1:
        return {}
    asked = [(name, spread[:, DIMENSIONS.index(name)]) for name in request.prompts.dimensions]
    known = {name: values[~np.isnan(values)] for name, values in asked}
    return {"sample_spread": {name: float(values.mean()) if len(values) else None for name, values in known.items()}}


def _write_draft(request: LabelRequest, drafts: Drafts) -> Path:
    """Write all classes, those without a description as empty texts that a reviewer cannot overlook."""
    path = request.draft_file
    texts = {emotion: drafts.descriptions.get(emotion, "") for emotion in request.corpus.classes}
    with replaced_file(path) as file:
        file.write((json.dumps(texts, indent=2, ensure_ascii=False) + "\n").encode())
    return path


def _publish(request: LabelRequest, experiment: Experiment, labels: LabelSet, quality: Quality, folder: Path) -> None:
    scores = {
        dimension: labels.vad[labels.labelled, DIMENSIONS.index(dimension)].astype(float)
        for dimension in request.prompts.dimensions
    }
    figures = [histograms(scores, labels.vad_range)]
    if quality.human:
        figures.append(calibration(quality.human, request.corpus.vad_range))
    publish(experiment, request.corpus.name, read_card(folder), quality_metrics(quality), figures)
