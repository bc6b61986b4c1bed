"""A label set from start to end: plan -> journal -> endpoint -> label set with its card -> MLflow."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from fmerl.card import read_card
from fmerl.config import DIMENSIONS
from fmerl.supervision.answers import Mode
from fmerl.supervision.labels import LabelSet, write_labels
from fmerl_platform.exclusive import exclusive
from fmerl_platform.labelling.asking import Outcome
from fmerl_platform.labelling.cards import label_card
from fmerl_platform.labelling.endpoint import Endpoint
from fmerl_platform.labelling.figures import calibration, histograms
from fmerl_platform.labelling.journal import JournalReader, await_writers
from fmerl_platform.labelling.labelset import Drafts, draft_descriptions, row_errors, row_scores
from fmerl_platform.labelling.pipeline import run_calls
from fmerl_platform.labelling.plan import Plan, first_call
from fmerl_platform.labelling.probe import ask_decoding
from fmerl_platform.labelling.publish import publish, quality_metrics
from fmerl_platform.labelling.quality import Quality, judge
from fmerl_platform.labelling.request import LabelRequest
from fmerl_platform.labelling.worker import WorkerConfig
from fmerl_platform.progress import RateProgress
from fmerl_platform.session import ray_session

_WRITERS_SECONDS = 30.0
"""How long workers of a killed run may take to end."""


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """A label set that was written."""

    folder: Path
    mode: Mode
    quality: Quality
    drafts: Drafts
    draft_file: Path | None
    """The model's descriptions, to review; None if reviewed ones were given."""
    tracking_uri: str

    def complete(self, max_error_share: float) -> bool:
        """Whether every class has a description and few enough utterances lack scores."""
        return not self.drafts.problems and self.quality.error_rate <= max_error_share


def label_corpus(request: LabelRequest, console: Console) -> Labelled:
    """Ask for what is not answered yet, and write the label set with its card and its MLflow run.

    Args:
        request: What to label, and how.
        console: For progress.

    Raises:
        InputError: Before anything is asked.
        RequestFailedError: The endpoint cannot be asked for its decoding.
    """
    price, reviewed, prompts = request.price(), request.reviewed(), request.prompts
    config = WorkerConfig(
        endpoint=Endpoint.from_environment(request.timeout),
        journal=request.journal,
        price=price,
        patience=request.patience,
        concurrency=request.fleet.concurrency,
    )
    request.journal.mkdir(parents=True, exist_ok=True)
    # Two runs would pay for the same calls.
    with exclusive(request.home / ".lock", "this corpus is being labelled already", "wait for the other run"):
        await_writers(request.journal, _WRITERS_SECONDS)
        mode = _mode(request, config)
        plan = request.plan(mode)
        outcomes = _ask(plan, config, request, console)
        drafts = draft_descriptions(plan, outcomes, prompts.dimensions)
        draft_file = _write_draft(request, drafts) if reviewed is None and request.corpus.classes else None
        errors = row_errors(plan, outcomes, prompts.dimensions)
        journal = JournalReader(request.journal)
        quality = judge(plan, outcomes, errors, journal, request.corpus, prompts.scale, price)
        card = label_card(request, request.questions(mode), config.endpoint.base_url, drafts, quality)
        labels = LabelSet(
            utterance_ids=tuple(utterance.utterance_id for utterance in plan.utterances),
            vad=row_scores(plan, outcomes, errors, prompts.dimensions),
            errors=errors,
            vad_range=prompts.scale,
            descriptions=drafts.descriptions if reviewed is None else reviewed,
            card={**card, "dimensions": list(prompts.dimensions)},
        )
        write_labels(request.labels, request.corpus.name, labels)
        folder = request.labels / request.corpus.name
        uri = _publish(request, labels, quality, folder)
    return Labelled(folder=folder, mode=mode, quality=quality, drafts=drafts, draft_file=draft_file, tracking_uri=uri)


def _mode(request: LabelRequest, config: WorkerConfig) -> Mode:
    if request.decoding != "auto":
        return request.decoding
    first = first_call(request.corpus, request.splits)
    return ask_decoding(request.questions("text"), first, config, request.limits)


def _ask(plan: Plan, config: WorkerConfig, request: LabelRequest, console: Console) -> dict[str, Outcome]:
    """Outcome of every call, by key; Ray is only started if some are left to make."""
    journal = JournalReader(config.journal)
    outcomes = plan.settled(journal, request.patience.answers)
    waiting = [call for key, call in plan.calls.items() if key not in outcomes]
    if not waiting:
        return outcomes
    spent = config.price.cost(plan.tokens(journal))
    with RateProgress(console, "calls", len(plan.calls), len(outcomes)) as progress, ray_session(0):
        for outcome in run_calls(waiting, config, request.limits, spent, request.fleet):
            outcomes[outcome.key] = outcome
            progress.ended(1, outcome.error is not None)
    return outcomes


def _write_draft(request: LabelRequest, drafts: Drafts) -> Path:
    """All classes, those without a description as empty texts that a reviewer cannot overlook."""
    path = request.home / "descriptions.json"
    texts = {emotion: drafts.descriptions.get(emotion, "") for emotion in request.corpus.classes}
    path.write_text(json.dumps(texts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _publish(request: LabelRequest, labels: LabelSet, quality: Quality, folder: Path) -> str:
    scores = {
        dimension: labels.vad[labels.labelled, DIMENSIONS.index(dimension)].astype(float)
        for dimension in request.prompts.dimensions
    }
    figures = [histograms(scores, labels.vad_range)]
    if quality.human:
        figures.append(calibration(quality.human, request.corpus.vad_range))
    return publish(request.storage, request.corpus.name, read_card(folder), quality_metrics(quality), figures)
