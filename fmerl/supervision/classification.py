"""Naming an emotion with a language model: prompts, and reading of its answers.

Few-shot for the classes that examples are given of, zero-shot for the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from fmerl.corpus import Corpus, Dialogue, Utterance
from fmerl.supervision.answers import REFUSAL, Answer, AnswerError, Mode, given_text, quoted, read_fields

TASK = (
    "Name the emotion of the last utterance of a conversation. Choose exactly one of: {classes}. "
    "Answer with the name of the emotion only."
)
"""Query for an utterance's emotion; examples and the utterance follow it."""
PROMPT_VERSION = 2
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


def classification_messages(
    classes: Sequence[str], examples: Sequence[Shown], asked: Shown, task: str = TASK, system: str | None = None
) -> list[dict[str, str]]:
    """Chat messages that ask for one utterance's emotion.

    All in one user message unless a system message is given, since not every chat template takes one; the examples come
    first, so that an endpoint can cache them from call to call.
    """
    parts = [task.replace("{classes}", ", ".join(classes))]
    parts += [f"Conversation:\n{item.text()}\nEmotion: {item.utterance.emotion}" for item in examples]
    parts.append(f"Conversation:\n{asked.text()}\nEmotion:")
    first = [] if system is None else [{"role": "system", "content": system}]
    return [*first, {"role": "user", "content": "\n\n".join(parts)}]


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
    text = given_text(answer)
    if answer.cut_off:
        raise AnswerError("truncated", quoted(text))
    fields = (read_fields(answer, text, ("emotion",)) or {}) if mode == "schema" else {}
    named = fields.get("emotion") if mode == "schema" else text.strip("\"'“”‘’*.").strip()
    if not isinstance(named, str):
        raise AnswerError("malformed", f"no name as emotion: {quoted(text)}")
    if named in classes:
        return named
    found = [name for name in classes if name.casefold() == named.casefold()]
    if mode == "text" and len(found) == 1:
        return found[0]
    raise AnswerError("refusal" if REFUSAL.search(named) else "no class", quoted(text))
