"""Forms of an answer: the fields each adds to a request, and its parsing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from fmerl.supervision.answers import Answer, Mode, read_phrase, read_score, read_scores, score_schema
from fmerl.supervision.classification import class_schema, read_class
from fmerl.supervision.knowledge import read_sentences, sentences_schema

_TOP_LOGPROBS = 20
"""Most candidates that endpoints give."""


Value: TypeAlias = float | str | dict[str, float] | dict[str, str]
"""A score, a text, scores by dimension, or sentences by question."""


class Form(Protocol):
    """Request fields and parsing of one kind of answer."""

    @property
    def mode(self) -> Mode: ...

    @property
    def tokens(self) -> int:
        """Longest answer, in tokens."""

    def fields(self) -> dict[str, Any]:
        """Fields that a request carries beside model, messages and temperature."""

    def known_by(self) -> dict[str, Any]:
        """Fields of the form that decide how an answer is read."""

    def read(self, answer: Answer) -> Value:
        """The value in an answer.

        Raises:
            AnswerError: There is none.
        """


@dataclass(frozen=True, kw_only=True)
class ScoreForm:
    """A score in `scale`."""

    mode: Mode
    scale: tuple[float, float]

    @property
    def tokens(self) -> int:
        return _SCORE_TOKENS[self.mode]

    def fields(self) -> dict[str, Any]:
        if self.mode == "logprobs":
            return {"logprobs": True, "top_logprobs": _TOP_LOGPROBS}
        return _structured("score", score_schema(self.scale)) if self.mode == "schema" else {}

    def known_by(self) -> dict[str, Any]:
        return {"scale": self.scale}

    def read(self, answer: Answer) -> float:
        return read_score(answer, self.mode, self.scale)


@dataclass(frozen=True, kw_only=True)
class JointScoresForm:
    """A score in `scale` for each dimension."""

    mode: Mode
    scale: tuple[float, float]
    dimensions: tuple[str, ...]

    @property
    def tokens(self) -> int:
        return len(self.dimensions) * _SCORE_TOKENS[self.mode]

    def fields(self) -> dict[str, Any]:
        schema = score_schema(self.scale, self.dimensions)
        return _structured("scores", schema) if self.mode == "schema" else {}

    def known_by(self) -> dict[str, Any]:
        return {"scale": self.scale, "dimensions": list(self.dimensions)}

    def read(self, answer: Answer) -> dict[str, float]:
        return read_scores(answer, self.mode, self.scale, self.dimensions)


@dataclass(frozen=True, kw_only=True)
class PhraseForm:
    """A brief phrase."""

    mode: Mode = "text"
    tokens: int = 32

    def fields(self) -> dict[str, Any]:
        return {}

    def known_by(self) -> dict[str, Any]:
        return {"scale": None}

    def read(self, answer: Answer) -> str:
        return read_phrase(answer)


@dataclass(frozen=True, kw_only=True)
class ClassForm:
    """The name of one class."""

    mode: Mode
    classes: tuple[str, ...]
    tokens: int = 32

    def fields(self) -> dict[str, Any]:
        return _structured("emotion", class_schema(self.classes)) if self.mode == "schema" else {}

    def known_by(self) -> dict[str, Any]:
        return {"classes": list(self.classes)}

    def read(self, answer: Answer) -> str:
        return read_class(answer, self.mode, self.classes)


@dataclass(frozen=True, kw_only=True)
class SentencesForm:
    """A short sentence for each of several questions, as one JSON object in any decoding."""

    mode: Mode
    names: tuple[str, ...]

    @property
    def tokens(self) -> int:
        return len(self.names) * _SENTENCE_TOKENS

    def fields(self) -> dict[str, Any]:
        return _structured("sentences", sentences_schema(self.names)) if self.mode == "schema" else {}

    def known_by(self) -> dict[str, Any]:
        return {"names": list(self.names)}

    def read(self, answer: Answer) -> dict[str, str]:
        return read_sentences(answer, self.names)


_SENTENCE_TOKENS = 48
_SCORE_TOKENS: dict[Mode, int] = {"text": 16, "schema": 32, "logprobs": 1}


def _structured(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    described = {"name": name, "strict": True, "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": described}}
