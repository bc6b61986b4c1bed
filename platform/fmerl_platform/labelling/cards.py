"""The card of a label set: its origin, cost and quality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fmerl.card import content_digest
from fmerl.supervision.answers import PARSER_VERSION
from fmerl_platform.asking.question import Questions
from fmerl_platform.asking.ways import Ways
from fmerl_platform.labelling.labelset import Drafts
from fmerl_platform.labelling.quality import Quality
from fmerl_platform.labelling.request import LabelRequest


def label_card(
    request: LabelRequest, questions: Questions, base_url: str, drafts: Drafts, quality: Quality, ways: Ways
) -> dict[str, Any]:
    """Free fields and the recipe, for `LabelSet.card`."""
    usage = quality.usage
    return {
        "recipe": {
            "method": "a language model is asked for every utterance and dimension",
            "samples": request.samples,
            "corpus": request.corpus.digest(),
            "splits": list(request.splits),
            "limit": request.limit,
            "endpoint": base_url,
            "model": request.model,
            "prompts": _prompts(questions),
            "decoding": asdict(questions.decoding),
            "parser": PARSER_VERSION,
            "answers_per_call": request.retries.answers,
            "descriptions": _descriptions(request, drafts),
        },
        "endpoint_ways": asdict(ways),
        "template_digest": questions.prompts.digest(),
        "models_reported": usage.models,
        "answered": {"first": usage.first, "last": usage.last},
        "usage": {
            "answers": usage.answers,
            "requests_failed": usage.requests_failed,
            "answers_in_batches": usage.in_batches,
            "prompt_tokens": usage.tokens.prompt,
            "cached_tokens": usage.tokens.cached,
            "completion_tokens": usage.tokens.completion,
            "cost": usage.cost,
            "currency": request.price().currency,
        },
        "rows": {"utterances": quality.utterances, "labelled": quality.labelled, "errors": quality.errors},
        "error_rate": quality.error_rate,
        "unreadable_answers": usage.faults,
        "unreadable_rate": quality.unreadable_rate,
        "refusal_rate": quality.refusal_rate,
        "human_agreement": _plain(quality.human_agreement),
        "retest_agreement": _plain(quality.retest_agreement),
        "supervised_on_labels": False,
    }


def _prompts(questions: Questions) -> dict[str, Any]:
    fields = asdict(questions.prompts)
    return {**fields, "scale": list(fields["scale"]), "dimensions": list(fields["dimensions"])}


def _descriptions(request: LabelRequest, drafts: Drafts) -> dict[str, Any]:
    reviewed = request.reviewed()
    if reviewed is None:
        return {"reviewed": False, "from": "the model's drafts", "without": drafts.problems}
    return {"reviewed": True, "from": str(request.descriptions), "digest": content_digest(reviewed)}


def _plain(agreements: Mapping[str, Any]) -> dict[str, Any]:
    return {dimension: asdict(value) for dimension, value in agreements.items()}
