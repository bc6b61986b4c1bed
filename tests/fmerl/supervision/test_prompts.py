"""The paper's queries word for word, and what a user may change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmerl.errors import InputError
from fmerl.supervision.prompts import PromptConfig


def test_default_queries_are_the_papers() -> None:
    prompts = PromptConfig()
    assert prompts.score("valence", "Oh my God!") == [
        {
            "role": "user",
            "content": "In the field of emotion recognition, score this utterance in the dimension of valence from 0 "
            "to 5. The utterance is : Oh my God!. Hence, the score is:",
        }
    ]
    [message] = prompts.description("arousal", "joy")
    assert message["content"] == (
        "Use a brief phrase to describe the level of an emotion of joy in the dimension of arousal."
    )


def test_one_question_names_all_dimensions() -> None:
    [message] = PromptConfig(questions="one").joint_scores("Oh my God!")
    assert message["content"] == (
        "In the field of emotion recognition, score this utterance in the dimensions of valence, arousal and dominance "
        "from 0 to 5 each. The utterance is : Oh my God!. Hence, the scores of valence, arousal and dominance are:"
    )
    [message] = PromptConfig(joint_template="{dimensions}: {utterance}", dimensions=("arousal",)).joint_scores("Oh")
    assert message["content"] == "arousal: Oh"


@given(st.text())
def test_utterances_are_sent_verbatim(utterance: str) -> None:
    [message] = PromptConfig(score_template="{dimension}|{utterance}|{low}-{high} {{a: 1}}").score("valence", utterance)
    assert message["content"] == f"valence|{utterance}|0-5 {{{{a: 1}}}}"


def test_what_stays_the_same_comes_first_so_that_it_can_be_cached() -> None:
    [one], [other] = (PromptConfig().score("valence", utterance) for utterance in ("Oh!", "Well."))
    before, _, after = one["content"].partition("Oh!")
    assert other["content"] == f"{before}Well.{after}"
    assert len(before) > 3 * len(after)
    system, _ = PromptConfig(system="Be brief.").score("valence", "Oh!")
    assert system["content"] == "Be brief."


def test_system_text_scale_and_dimensions_are_configurable() -> None:
    prompts = PromptConfig(system="Answer with one number.", scale=(1, 4.5), dimensions=("arousal",))
    system, user = prompts.score("arousal", "Well.")
    assert system == {"role": "system", "content": "Answer with one number."}
    assert "from 1 to 4.5." in user["content"]


def test_digest_tells_every_field() -> None:
    base = PromptConfig()
    others = [
        replace(base, score_template="{dimension} {utterance}"),
        replace(base, description_template="{dimension} {emotion}"),
        replace(base, joint_template="{dimensions} {utterance}"),
        replace(base, questions="one"),
        replace(base, system=""),
        replace(base, scale=(0, 4)),
        replace(base, dimensions=("valence",)),
    ]
    assert len({prompts.digest() for prompts in (base, *others)}) == 8
    assert base.digest() == PromptConfig(scale=(0, 5)).digest()


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"score_template": "score {utterance}"}, r"\{dimension\} is not in it"),
        ({"score_template": "score {dimension} of {utterence}"}, r"\{utterance\} is not in it"),
        ({"score_template": "{dimension} {utterance} {speaker}"}, r"unknown placeholder \{speaker\}"),
        ({"joint_template": "{dimension} {utterance}"}, r"\{dimensions\} is not in it"),
        ({"description_template": "{dimension}"}, r"\{emotion\} is not in it"),
        ({"scale": (5, 0)}, "5 to 0 is empty"),
        ({"scale": (float("nan"), 5)}, "is empty"),
        ({"dimensions": ()}, "none are not"),
        ({"dimensions": ("valence", "valence")}, "not distinct"),
        ({"dimensions": ("pleasure",)}, "pleasure are not"),
    ],
)
def test_bad_prompts_are_refused(changes: dict[str, Any], what: str) -> None:
    with pytest.raises(InputError, match=what):
        PromptConfig(**changes)
