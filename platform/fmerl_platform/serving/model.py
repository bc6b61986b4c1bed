"""The models behind the service: conversations of several requests are predicted together, each gets its own rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from fmerl.bundle.predictor import Predictor
from fmerl.corpus.conversations import pieces, turns_of
from fmerl.errors import InputError
from fmerl_platform.prediction.requirements import EXAMPLE
from fmerl_platform.prediction.source import open_bundle
from fmerl_platform.serving.request import ServingRequest
from fmerl_platform.serving.service import About, Conversation, Rows


def open_predictor(request: ServingRequest) -> Predictor:
    """Read the bundle and predict an example by it, so that all that a request needs is loaded.

    Raises:
        InputError: No bundle, one that reads no text, or a text encoder that cannot be loaded.
    """
    bundle = open_bundle(request.bundle, request.storage, request.classes, request.anchor_encoder)
    if "text" not in bundle.modalities:
        what = f"it reads {' and '.join(bundle.modalities)}, and requests bring text"
        raise InputError(request.bundle, what, "serve a bundle that reads text, or use fmerl predict")
    predictor = Predictor(bundle, request.places)
    predictor.predict(next(pieces(turns_of(EXAMPLE), bundle.manifest.vad_range)))
    return predictor


def about(predictor: Predictor) -> About:
    """What a client is told of a bundle."""
    manifest = predictor.bundle.manifest
    return About(
        system=str(manifest.config["system.name"]),
        corpus=manifest.corpus,
        classes=manifest.classes,
        vad_range=manifest.vad_range,
        seeds=tuple(member.seed for member in manifest.members),
        missing=tuple(name for name in predictor.bundle.modalities if name != "text"),
    )


def predict_together(predictor: Predictor, conversations: Sequence[Conversation]) -> list[Rows]:
    """Rows of each conversation; names that two of them share do not mix them.

    Args:
        predictor: The models.
        conversations: Of any number of requests.
    """
    renamed = [
        replace(utterance, utterance_id=f"{number} {place}", dialogue_id=str(number))
        for number, conversation in enumerate(conversations)
        for place, utterance in enumerate(conversation)
    ]
    rows = iter(predictor.predict(renamed).to_pylist())
    return [
        [
            row | {"utterance_id": utterance.utterance_id, "dialogue_id": utterance.dialogue_id}
            for utterance, row in zip(conversation, islice(rows, len(conversation)), strict=True)
        ]
        for conversation in conversations
    ]
