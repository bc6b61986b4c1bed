"""One question for all relations, and the reading of what comes back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmerl.config import RELATIONS
from fmerl.corpus import Utterance
from fmerl.supervision.answers import Answer, AnswerError
from fmerl.supervision.classification import Shown
from fmerl.supervision.knowledge import MAX_SENTENCE, QUESTIONS, knowledge_messages, read_sentences

RIGHT = {name: f"{name} of it." for name in RELATIONS}


def utterance(text: str, speaker: str) -> Utterance:
    return Utterance(utterance_id=text, dialogue_id="d", turn=0, speaker=speaker, text=text, emotion=None, split="test")


def test_the_question_holds_every_relation_and_names_the_speaker_only_among_others() -> None:
    said = utterance("Oh  my\nGod!", "Ross")
    [alone] = knowledge_messages(Shown(context=(), utterance=said))
    assert list(QUESTIONS) == list(RELATIONS)
    assert all(f"\n{name}: {question}" in alone["content"] for name, question in QUESTIONS.items())
    assert alone["content"].endswith("Conversation:\nOh my God!\n\nJSON:")
    [within] = knowledge_messages(Shown(context=(utterance("We moved.", "Joey"),), utterance=said))
    assert within["content"].endswith("Conversation:\nJoey: We moved.\nRoss: Oh my God!\n\nJSON:")


@given(st.fixed_dictionaries({name: st.text(min_size=1, max_size=40) for name in RELATIONS}), st.booleans())
def test_any_short_texts_come_back_or_are_refused(texts: dict[str, str], fenced: bool) -> None:
    told = json.dumps(texts)
    try:
        found = read_sentences(Answer(text=f"```json\n{told}\n```" if fenced else told), RELATIONS)
    except AnswerError:
        assert not all(text.split() for text in texts.values())
    else:
        assert found == {name: " ".join(text.split()) for name, text in texts.items()}


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (Answer(text=""), "empty"),
        (Answer(text="I'm sorry, I can't help."), "refusal"),
        (Answer(text=json.dumps(dict.fromkeys(RELATIONS, "I cannot answer that."))), "refusal"),
        (Answer(text=json.dumps(RIGHT), finish_reason="length"), "truncated"),
        (Answer(text=json.dumps(RIGHT), finish_reason="content_filter"), "refusal"),
        (Answer(text=json.dumps(RIGHT | {"desire": 3})), "malformed"),
        (Answer(text=json.dumps(RIGHT | {"desire": " "})), "empty"),
        (Answer(text=json.dumps(RIGHT | {"desire": "x" * (MAX_SENTENCE + 1)})), "malformed"),
        (Answer(text=json.dumps(RIGHT | {"mood": "high"})), "malformed"),
        (Answer(text=json.dumps([RIGHT])), "malformed"),
        (Answer(text="xIntent: to joke"), "malformed"),
    ],
)
def test_what_is_no_knowledge_is_refused(answer: Answer, fault: str) -> None:
    with pytest.raises(AnswerError) as raised:
        read_sentences(answer, RELATIONS)
    assert raised.value.fault == fault
