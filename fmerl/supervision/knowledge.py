"""Knowledge about an utterance from a language model: one question for all relations, and the reading of its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fmerl.config import RELATIONS
from fmerl.supervision.answers import REFUSAL, Answer, AnswerError, given_text, quoted, read_fields
from fmerl.supervision.classification import Shown

QUESTIONS: dict[str, str] = {
    "xIntent": "Why does the speaker say it?",
    "xEffect": "What happens to the speaker, or what will the speaker do, because of it?",
    "xReact": "How does the speaker feel after it?",
    "oEffect": "What happens to the others, or what will they do, because of it?",
    "oReact": "How do the others feel after it?",
    "belief": "What does the speaker hold to be the case?",
    "desire": "What does the speaker want?",
}
"""Question of each relation; the first five ask in words for what ATOMIC's relations mean."""
TASK = (
    "Answer these questions about the last utterance of a conversation, each in one sentence of at most 12 words. "
    "Answer with a JSON object that has a text under each of these names, and nothing else."
)
PROMPT_VERSION = 1
"""Version, raised when an utterance may be asked about in other words, or the same answer read otherwise."""
MAX_SENTENCE = 240
"""Longest sentence in characters."""


def knowledge_messages(asked: Shown) -> list[dict[str, str]]:
    """Chat messages that ask for all relations of one utterance.

    Without earlier turns the speaker is not named, so that utterances of the same text are asked about once.
    """
    questions = "\n".join(f"{name}: {QUESTIONS[name]}" for name in RELATIONS)
    said = asked.text() if asked.context else " ".join(asked.utterance.text.split())
    return [{"role": "user", "content": f"{TASK}\n\n{questions}\n\nConversation:\n{said}\n\nJSON:"}]


def sentences_schema(names: Sequence[str]) -> dict[str, Any]:
    """JSON schema of an object with a text under each name."""
    properties = {name: {"type": "string"} for name in names}
    return {"type": "object", "properties": properties, "required": list(names), "additionalProperties": False}


def read_sentences(answer: Answer, names: Sequence[str]) -> dict[str, str]:
    """The sentence under each name, spaces and line breaks made one space.

    Raises:
        AnswerError: A refusal, or an answer that is cut off, no JSON object of these names, or has an empty or endless
            text.
    """
    text = given_text(answer)
    fields = read_fields(answer, text, names)
    if fields is None or not all(isinstance(value, str) for value in fields.values()):
        raise AnswerError("malformed", f"no texts as {', '.join(names)}: {quoted(text)}")
    sentences = {name: " ".join(fields[name].split()) for name in names}
    for name, sentence in sentences.items():
        if not sentence:
            raise AnswerError("empty", f"{name} of {quoted(text)}")
        if len(sentence) > MAX_SENTENCE:
            raise AnswerError("malformed", f"{name} is no short sentence but {quoted(sentence)}")
    if all(REFUSAL.search(sentence) for sentence in sentences.values()):
        raise AnswerError("refusal", quoted(text))
    return sentences
