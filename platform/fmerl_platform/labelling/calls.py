"""What is asked of the endpoint: one call per text and dimension, known by a hash of everything that decides it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from fmerl.card import recipe_digest
from fmerl.corpus import Utterance
from fmerl.errors import InputError
from fmerl.supervision.answers import Answer, Mode, read_phrase, read_score, score_schema, whole_scores
from fmerl.supervision.prompts import PromptConfig

_TOP_LOGPROBS = 20
"""Most that endpoints give."""
_COMPLETION_TOKENS: dict[Mode, int] = {"text": 16, "schema": 32, "logprobs": 1}
_PHRASE_TOKENS = 32


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How scores are drawn from the model; with the model's name and the messages, all that decides an answer."""

    mode: Mode
    temperature: float = 0.0
    retry_temperature: float = 0.7
    """Of asking again after an answer that could not be read: at temperature 0 it would only come again."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One question; a score in [low, high], or a phrase."""

    key: str
    """SHA-256 of utterance or emotion, prompt, model, decoding, and the number of the repeat."""
    mode: Mode
    scale: tuple[float, float] | None
    """None asks for a phrase."""
    body: dict[str, Any]
    """Of the request, at its first try."""
    retry_temperature: float

    def request(self, unreadable: int) -> dict[str, Any]:
        """Body of the request after so many answers that could not be read."""
        if not unreadable:
            return self.body
        return {**self.body, "temperature": max(self.body["temperature"], self.retry_temperature)}

    def read(self, answer: Answer) -> float | str:
        """The score or the phrase.

        Raises:
            AnswerError: The answer is neither.
        """
        return read_phrase(answer) if self.scale is None else read_score(answer, self.mode, self.scale)

    def pack(self) -> str:
        """As text, for a column of a Ray dataset."""
        return json.dumps(asdict(self))

    @classmethod
    def unpack(cls, text: str) -> Call:
        fields = json.loads(text)
        return cls(**{**fields, "scale": tuple(fields["scale"]) if fields["scale"] else None})


@dataclass(frozen=True, kw_only=True)
class Questions:
    """Makes calls to one model."""

    model: str
    prompts: PromptConfig
    decoding: Decoding

    def __post_init__(self) -> None:
        if self.decoding.mode == "logprobs" and whole_scores(self.prompts.scale) is None:
            low, high = self.prompts.scale
            what = f"the scale from {low:g} to {high:g} has scores that are not one digit"
            raise InputError(
                "--decoding logprobs", what, "take a scale of whole numbers from 0 to 9, or another decoding"
            )

    def score(self, utterance: str, dimension: str, repeat: int = 0) -> Call:
        messages = self.prompts.score(dimension, utterance)
        return self._call(utterance, messages, self.decoding.mode, self.prompts.scale, repeat)

    def scores(self, utterances: Iterable[Utterance], repeat: int = 0) -> dict[tuple[str, str], Call]:
        """By utterance id and dimension; utterances of the same text share their calls."""
        return {
            (utterance.utterance_id, dimension): self.score(utterance.text, dimension, repeat)
            for utterance in utterances
            for dimension in self.prompts.dimensions
        }

    def descriptions(self, emotions: Iterable[str]) -> dict[tuple[str, str], Call]:
        """By emotion and dimension."""
        return {
            (emotion, dimension): self._call(emotion, self.prompts.description(dimension, emotion), "text", None, 0)
            for emotion in emotions
            for dimension in self.prompts.dimensions
        }

    def decoded(self, mode: Mode) -> Questions:
        """The same questions in another decoding."""
        return replace(self, decoding=replace(self.decoding, mode=mode))

    def _call(
        self, subject: str, messages: list[dict[str, str]], mode: Mode, scale: tuple[float, float] | None, repeat: int
    ) -> Call:
        body = {
            "model": self.model,
            "messages": messages,
            "temperature": self.decoding.temperature,
            "max_tokens": _PHRASE_TOKENS if scale is None else _COMPLETION_TOKENS[mode],
            **(_MODE_FIELDS[mode] if scale is not None else {}),
        }
        if scale is not None and mode == "schema":
            schema = {"name": "score", "strict": True, "schema": score_schema(scale)}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        known_by = {
            "utterance": subject,
            "prompt": messages,
            "model": self.model,
            "decoding": {**asdict(self.decoding), "mode": mode, "request": body, "scale": scale},
            "repeat": repeat,
        }
        return Call(
            key=recipe_digest(known_by),
            mode=mode,
            scale=scale,
            body=body,
            retry_temperature=self.decoding.retry_temperature,
        )


_MODE_FIELDS: dict[Mode, dict[str, Any]] = {
    "text": {},
    "schema": {},
    "logprobs": {"logprobs": True, "top_logprobs": _TOP_LOGPROBS},
}
DecodingChoice = Literal["auto", "text", "schema", "logprobs"]
