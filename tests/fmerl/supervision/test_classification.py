"""Naming the emotion: what is asked, of whom examples are taken, and how strictly an answer is read."""

from __future__ import annotations

import pytest
from helpers.labelling_endpoint import talk

from fmerl.supervision.answers import Answer, AnswerError, Mode
from fmerl.supervision.classification import classification_messages, draw_examples, read_class, shown

CORPUS = talk([f"say {row}" for row in range(40)])


def test_prompt_word_for_word() -> None:
    [example] = draw_examples(CORPUS, ["anger"], 1, 0, seed=0)
    asked = shown(CORPUS.dialogues[-1], 2)[3]
    [message] = classification_messages(CORPUS.classes, [example], asked)
    assert message == {
        "role": "user",
        "content": "Name the emotion of the last utterance of a conversation. Choose exactly one of: joy, anger. "
        "Answer with the name of the emotion only.\n\n"
        f"Conversation:\na: {example.utterance.text}\nEmotion: joy\n\n"
        "Conversation:\nb: say 37\na: say 38\nb: say 39\nEmotion:",
    }


def test_context_never_holds_the_future() -> None:
    for dialogue in CORPUS.dialogues:
        for item in shown(dialogue, 2):
            turns = [utterance.turn for utterance in item.context]
            assert turns == list(range(max(0, item.utterance.turn - 2), item.utterance.turn))


@pytest.mark.parametrize("seed", range(5))
def test_examples_are_of_train_and_of_seen_classes(seed: int) -> None:
    examples = draw_examples(CORPUS, ["anger"], 3, 2, seed)
    assert [item.utterance.emotion for item in examples] == ["joy"] * 3
    assert all(turn.split == "train" for item in examples for turn in (*item.context, item.utterance))
    assert examples == draw_examples(CORPUS, ["anger"], 3, 2, seed)
    assert examples != draw_examples(CORPUS, ["anger"], 3, 2, seed + 1)


@pytest.mark.parametrize(
    ("mode", "text", "name"),
    [("text", " Joy. ", "joy"), ("text", '"anger"', "anger"), ("schema", '{"emotion": "joy"}', "joy")],
)
def test_name_is_read(mode: Mode, text: str, name: str) -> None:
    assert read_class(Answer(text=text), mode, CORPUS.classes) == name


@pytest.mark.parametrize(
    ("mode", "text", "fault"),
    [
        ("text", "", "empty"),
        ("text", "not joy", "no class"),
        ("text", "joy or anger", "no class"),
        ("text", "I'm sorry, I cannot", "refusal"),
        ("schema", "joy", "malformed"),
        ("schema", '{"emotion": 3}', "malformed"),
        ("schema", '{"emotion": "glee"}', "no class"),
        ("schema", '{"emotion": "joy", "sure": true}', "malformed"),
    ],
)
def test_anything_else_is_an_error(mode: Mode, text: str, fault: str) -> None:
    with pytest.raises(AnswerError) as caught:
        read_class(Answer(text=text), mode, CORPUS.classes)
    assert caught.value.fault == fault
