"""Calls to the endpoint, each known by a hash of everything that decides its answer."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeAlias

from fmerl.card import recipe_digest
from fmerl.corpus import Utterance
from fmerl.errors import InputError
from fmerl.supervision.answers import Answer, Mode, whole_scores
from fmerl.supervision.prompts import PromptConfig
from fmerl_platform.asking.forms import Form, JointScoresForm, PhraseForm, ScoreForm, Value

Messages = list[dict[str, str]]
"""Messages of a chat, each with role and content."""
DecodingChoice = Literal["auto", "text", "schema", "logprobs"]


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """Sampling of answers; with the model's name and the messages, all that decides an answer."""

    mode: Mode
    temperature: float = 0.0
    retry_temperature: float = 0.7
    """Temperature after an unreadable answer: at 0 the same answer would come again."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One question and the form of its answer."""

    key: str
    """SHA-256 of subject, messages, model, decoding, form, and the number of the repeat."""
    form: Form
    body: dict[str, Any]
    """Body of the first request."""
    retry_temperature: float

    @classmethod
    def of(
        cls, subject: str, messages: Messages, form: Form, *, model: str, decoding: Decoding, repeat: int = 0
    ) -> Call:
        """Ask `model` about `subject`, the text or emotion that the messages are about."""
        body = {
            "model": model,
            "messages": messages,
            "temperature": decoding.temperature,
            "max_tokens": form.tokens,
            **form.fields(),
        }
        known_by = {
            "utterance": subject,
            "prompt": messages,
            "model": model,
            "decoding": {**asdict(decoding), "mode": form.mode, "request": body, **form.known_by()},
            "repeat": repeat,
        }
        return cls(key=recipe_digest(known_by), form=form, body=body, retry_temperature=decoding.retry_temperature)

    def request(self, unreadable: int) -> dict[str, Any]:
        """Body of the request after `unreadable` answers that could not be read."""
        if not unreadable:
            return self.body
        return {**self.body, "temperature": max(self.body["temperature"], self.retry_temperature)}

    def read(self, answer: Answer) -> Value:
        """The value in an answer.

        Raises:
            AnswerError: There is none.
        """
        return self.form.read(answer)

    def pack(self) -> bytes:
        """Bytes for a column of a Ray dataset."""
        return pickle.dumps(self)

    @classmethod
    def unpack(cls, packed: bytes) -> Call:
        call = pickle.loads(packed)
        assert isinstance(call, cls)
        return call


Samples: TypeAlias = tuple[Call, ...]
"""Calls that ask the same."""


@dataclass(frozen=True, kw_only=True)
class Questions:
    """Makes the calls of a label set to one model."""

    model: str
    prompts: PromptConfig
    decoding: Decoding

    def __post_init__(self) -> None:
        if self.decoding.mode == "logprobs" and self.prompts.questions == "one":
            what = "an answer to one question for all dimensions starts with no score"
            raise InputError("--decoding logprobs", what, "take --questions three, or another decoding")
        if self.decoding.mode == "logprobs" and whole_scores(self.prompts.scale) is None:
            low, high = self.prompts.scale
            what = f"the scale from {low:g} to {high:g} has scores that are not one digit"
            raise InputError(
                "--decoding logprobs", what, "take a scale of whole numbers from 0 to 9, or another decoding"
            )

    def score(self, utterance: str, dimension: str, repeat: int = 0) -> Call:
        """The call for a score; one question for all dimensions is the same call for each."""
        mode, scale, dimensions = self.decoding.mode, self.prompts.scale, self.prompts.dimensions
        if self.prompts.questions == "one":
            form = JointScoresForm(mode=mode, scale=scale, dimensions=dimensions)
            return self._call(utterance, self.prompts.joint_scores(utterance), form, repeat)
        messages = self.prompts.score(dimension, utterance)
        return self._call(utterance, messages, ScoreForm(mode=mode, scale=scale), repeat)

    def scores(self, utterances: Iterable[Utterance], repeats: Iterable[int]) -> dict[tuple[str, str], Samples]:
        """Calls by utterance id and dimension, one for each repeat; utterances of the same text share theirs."""
        numbers = tuple(repeats)
        return {
            (utterance.utterance_id, dimension): tuple(
                self.score(utterance.text, dimension, repeat) for repeat in numbers
            )
            for utterance in utterances
            for dimension in self.prompts.dimensions
        }

    def descriptions(self, emotions: Iterable[str]) -> dict[tuple[str, str], Call]:
        """Calls by emotion and dimension."""
        return {
            (emotion, dimension): self._call(emotion, self.prompts.description(dimension, emotion), PhraseForm(), 0)
            for emotion in emotions
            for dimension in self.prompts.dimensions
        }

    def decoded(self, mode: Mode) -> Questions:
        """The same questions in another decoding."""
        return replace(self, decoding=replace(self.decoding, mode=mode))

    def _call(self, subject: str, messages: Messages, form: Form, repeat: int) -> Call:
        return Call.of(subject, messages, form, model=self.model, decoding=self.decoding, repeat=repeat)
