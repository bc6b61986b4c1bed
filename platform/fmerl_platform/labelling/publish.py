"""The MLflow run of a label set, found by its content, so that the same set has one run however often it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fmerl.supervision.agreement import Agreement
from fmerl_platform.labelling.quality import Quality
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.provenance import provenance
from fmerl_platform.report.figure import ReportFigure

EXPERIMENT = "labels"


def publish(
    experiment: Experiment,
    corpus: str,
    card: Mapping[str, Any],
    metrics: Mapping[str, float],
    figures: Sequence[ReportFigure],
) -> None:
    """Log a label set to the experiment `labels`."""
    digest = str(card["content_digest"])
    model = card["recipe"]["model"]
    run_id = experiment.find_or_create(f"{corpus} · {model}", None, level="labels", corpus=corpus, labels=digest)
    experiment.tag(run_id, {f"fmerl.{name}": value for name, value in provenance().items()})
    client = experiment.client()
    if not client.get_run(run_id).data.params:
        experiment.set_params(run_id, {**_flat(card["recipe"]), "template_digest": card["template_digest"]})
    experiment.log_once(run_id, metrics, step=0)
    client.log_dict(run_id, dict(card), "card.json")
    for figure in figures:
        client.log_text(run_id, figure.svg, f"{figure.name}.svg")
    client.set_terminated(run_id, "FINISHED")


def quality_metrics(quality: Quality) -> dict[str, float]:
    """Counts, rates and agreement: `human_valence_pearson`, `human_valence_pearson_ci_low` and so on, where defined."""
    usage = quality.usage
    metrics = {
        "utterances": float(quality.utterances),
        "labelled": float(quality.labelled),
        "error_rate": quality.error_rate,
        "unreadable_rate": quality.unreadable_rate,
        "refusal_rate": quality.refusal_rate,
        "answers": float(usage.answers),
        "answers_in_batches": float(usage.in_batches),
        "prompt_tokens": float(usage.tokens.prompt),
        "cached_tokens": float(usage.tokens.cached),
        "completion_tokens": float(usage.tokens.completion),
        "cost": usage.cost,
    }
    return metrics | _agreement("human", quality.human_agreement) | _agreement("retest", quality.retest_agreement)


def _agreement(prefix: str, agreements: Mapping[str, Agreement]) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for dimension, value in agreements.items():
        for name, estimate in value.coefficients().items():
            if estimate is not None:
                key = f"{prefix}_{dimension}_{name}"
                metrics |= {key: estimate.value, f"{key}_ci_low": estimate.low, f"{key}_ci_high": estimate.high}
    return metrics


def _flat(fields: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in fields.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat
