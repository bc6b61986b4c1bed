"""Generated replies of endpoints: each score is read as it was meant, or refused; never another, never a traceback."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from fmerl.supervision.answers import AnswerError, read_score
from fmerl_platform.asking.reply import BadReplyError, read_reply

SCALE, BUDGET = (0.0, 5.0), 50
WORDINGS = ["{}", "Score: {}", "{}/5", "{} out of 5.", "It is **{}**.", "On a scale from 0 to 5: {}", "1. calm\n{}"]
ENDS = ["", "<|im_end|>", "</s>\n", "<|eot_id|>"]
THOUGHTS = st.text(st.characters(codec="ascii", exclude_characters="<>[]`"), max_size=20)


@st.composite
def replies(draw: st.DrawFn) -> tuple[str, str, float | None]:
    """A body, the decoding it answers, and the score it means; None if it may not be read as any."""
    mode = draw(st.sampled_from(["text", "schema"]))
    meant: float | None
    if mode == "text":
        meant = draw(st.integers(-100, 700)) / 100
        text = draw(st.sampled_from(WORDINGS)).format(meant)
    else:
        meant = draw(st.integers(-1, 7))
        text = json.dumps({"score": meant}, indent=draw(st.sampled_from([None, 1])))
    if not SCALE[0] <= meant <= SCALE[1]:
        meant = None
    fault = draw(st.sampled_from(["none", "none", "cut", "budget", "refused", "two", "open", "half", "filtered"]))
    event(fault)
    if fault == "two":
        text = f"{text} or 4.255"
    thoughts = draw(THOUGHTS)
    text = draw(st.sampled_from(["{}", "```\n{}\n```"])).replace("{}", text) + draw(st.sampled_from(ENDS))
    if fault == "open":
        text = f"<think>{thoughts} {text}"
    elif draw(st.booleans()):
        text = f"<think>{thoughts}</think>{text}"
    content: Any = text
    if draw(st.booleans()):
        content = [
            {"type": "thinking", "thinking": [{"type": "text", "text": thoughts}]},
            {"type": "text", "text": text},
        ]
    message = {"role": "assistant", "content": content, "reasoning_content": draw(st.none() | THOUGHTS)}
    if fault == "refused":
        message["refusal"] = "I will not."
    finish = {"cut": "length", "filtered": "content_filter"}.get(fault, draw(st.sampled_from(["stop", None, "eos"])))
    model = draw(st.none() | THOUGHTS)
    body: dict[str, Any] = {"choices": [{"message": message, "finish_reason": finish}], "model": model}
    body["usage"] = draw(st.sampled_from([None, {}, {"prompt_tokens": 9, "completion_tokens": 3}]))
    if fault == "budget":
        body["usage"] = {"prompt_tokens": 9, "completion_tokens": BUDGET}
        body["choices"][0]["finish_reason"] = "stop"
    sent = json.dumps(body)
    if fault == "half":
        sent = sent[: draw(st.integers(0, len(sent) - 1))]
    return sent, mode, meant if fault == "none" else None


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(replies())
def test_a_score_is_read_as_it_was_meant_or_refused(reply: tuple[str, str, float | None]) -> None:
    body, mode, meant = reply
    try:
        read = read_score(read_reply(body, BUDGET).answer, mode, SCALE)  # type: ignore[arg-type]
    except (AnswerError, BadReplyError):
        read = None
    assert read == meant
