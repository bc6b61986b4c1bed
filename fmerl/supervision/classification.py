"""Naming an emotion with a language model: prompts, and reading of its answers.

Few-shot for the classes that examples are given of, zero-shot for the rest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from fmerl.corpus import Corpus, Dialogue, Utterance
from fmerl.supervision.answers import REFUSAL, Answer, AnswerError, Fault, Mode, check_given, quoted

_TASK = (
    "Name the emotion of the last utterance of a conversation. Choose exactly one of: {classes}. "
    "Answer with the name of the emotion only."
)
PROMPT_VERSION = 1
"""Version, raised when an utterance may be asked about in other words, or the same answer read otherwise."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """An utterance as the model sees it, with the turns before it."""

    context: tuple[Utterance, ...]
    """Earlier turns of the dialogue, oldest first."""
    utterance: Utterance

    def text(self) -> str:
        """One line for each turn."""
        spoken = (*self.context, self.utterance)
        return "\n".join(f"{turn.speaker}: {' '.join(turn.text.split())}" for turn in spoken)


def shown(dialogue: Dialogue, turns: int) -> list[Shown]:
    """Each utterance of a dialogue with at most `turns` turns before it; none after it."""
    spoken = dialogue.utterances
    return [
        Shown(context=spoken[max(0, index - turns) : index], utterance=utterance)
        for index, utterance in enumerate(spoken)
    ]


def draw_examples(corpus: Corpus, unseen: Collection[str], shots: int, turns: int, seed: int) -> list[Shown]:
    """`shots` training utterances of each class that is not unseen (all, if it has fewer), as `seed` draws them."""

    def drawn(item: Shown) -> bytes:
        return hashlib.sha256(f"{seed}:{item.utterance.utterance_id}".encode()).digest()

    candidates = [
        item
        for dialogue in corpus.dialogues
        if dialogue.split == "train"
        for item in shown(dialogue, turns)
        if item.utterance.text.strip()
    ]
    chosen: list[Shown] = []
    for name in corpus.classes:
        if name not in unseen:
            of_class = [item for item in candidates if item.utterance.emotion == name]
            chosen += sorted(of_class, key=drawn)[:shots]
    return sorted(chosen, key=drawn)


def classification_messages(classes: Sequence[str], examples: Sequence[Shown], asked: Shown) -> list[dict[str, str]]:
    """Chat messages that ask for one utterance's emotion.

    All in one user message, since not every chat template takes a system message; the examples come first, so that
    an endpoint can cache them from call to call.
    """
    parts = [_TASK.format(classes=", ".join(classes))]
    parts += [f"Conversation:\n{item.text()}\nEmotion: {item.utterance.emotion}" for item in examples]
    parts.append(f"Conversation:\n{asked.text()}\nEmotion:")
    return [{"role": "user", "content": "\n\n".join(parts)}]


def class_schema(classes: Sequence[str]) -> dict[str, Any]:
    """JSON schema of `{"emotion": <one of the classes>}`."""
    name = {"type": "string", "enum": list(classes)}
    return {"type": "object", "properties": {"emotion": name}, "required": ["emotion"], "additionalProperties": False}


def read_class(answer: Answer, mode: Mode, classes: Sequence[str]) -> str:
    """The class that an answer names.

    In text the whole answer must be the name, in any case, with quotes around it or a full stop after it: "not joy" and
    "joy or anger" name none.

    Raises:
        AnswerError: A refusal, or an answer that is empty, cut off or no class's name.
    """
    check_given(answer)
    named = _field(answer) if mode == "schema" else answer.text.strip().strip("\"'“”‘’*.").strip()
    if named in classes:
        return named
    found = [name for name in classes if name.casefold() == named.casefold()]
    if mode == "text" and len(found) == 1:
        return found[0]
    if answer.finish_reason == "length":
        raise AnswerError("truncated", quoted(answer.text))
    raise AnswerError("refusal" if REFUSAL.search(named) else "no class", quoted(answer.text))


def _field(answer: Answer) -> str:
    try:
        read = json.loads(answer.text)
    except ValueError:
        fault: Fault = "truncated" if answer.finish_reason == "length" else "malformed"
        raise AnswerError(fault, f"no JSON: {quoted(answer.text)}") from None
    named = read.get("emotion") if isinstance(read, dict) and read.keys() == {"emotion"} else None
    if not isinstance(named, str):
        raise AnswerError("malformed", f"no name as emotion: {quoted(answer.text)}")
    return named
