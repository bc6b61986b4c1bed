"""Reading a language model's answer: a score or a phrase, or the reason why it is neither. Never a default.

Three ways to score: the number in plain text, the field of a JSON object (structured outputs), and the expected value
over the probabilities of the whole scores as the answer's first token.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

Mode = Literal["text", "schema", "logprobs"]
MODES: tuple[Mode, ...] = get_args(Mode)
Fault = Literal["empty", "refusal", "no score", "no class", "ambiguous", "truncated", "out of range", "malformed"]

PARSER_VERSION = 3
"""Version, raised when the same answer may be read as another score; stands on the card of a label set."""
MIN_SCORE_MASS = 0.5
"""Least probability that the first token is a score at all, for its expected value to mean something."""
_FEWEST_WHOLE = 5
"""Whole scores that a scale must have for a schema to ask for whole ones."""
_MOST_LISTED = 20
"""Most whole scores that a schema lists; more are bounded."""
MAX_PHRASE = 120
"""Longest description of one emotion in one dimension, in characters: the paper asks for a brief phrase."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """An endpoint's answer, before it is read."""

    text: str
    finish_reason: str = "stop"
    """The endpoint's own word for why it ended; `content_filter` for one that was withheld."""
    refusal: str | None = None
    """The endpoint's own field for a refusal."""
    first_token: tuple[tuple[str, float], ...] | None = None
    """Candidates for the first token with their log-probabilities (natural), where the endpoint gives them."""

    @property
    def cut_off(self) -> bool:
        """True if the token budget ended it, in any of the words that endpoints have for that."""
        return self.finish_reason.lower() in _CUT_OFF


class AnswerError(ValueError):
    """An answer that cannot be read."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(fault, detail)
        self.fault, self.detail = fault, detail

    def __str__(self) -> str:
        return f"{self.fault}: {self.detail}"


def score_schema(scale: tuple[float, float], names: Sequence[str] = ("score",)) -> dict[str, Any]:
    """JSON schema of an object with a number in the scale under each name.

    On a scale with enough whole scores the numbers are whole: decoders such as llama.cpp's hold an enumeration or the
    bounds of an integer, and let a `number` leave its bounds.
    """
    low, high = scale
    number: dict[str, Any] = {"type": "number", "minimum": low, "maximum": high}
    if _asks_whole(scale):
        scores = range(int(low), int(high) + 1)
        bounds = {"minimum": int(low), "maximum": int(high)}
        number = {"type": "integer", **({"enum": list(scores)} if len(scores) <= _MOST_LISTED else bounds)}
    properties = {name: dict(number) for name in names}
    return {"type": "object", "properties": properties, "required": list(names), "additionalProperties": False}


def whole_scores(scale: tuple[float, float]) -> range | None:
    """The whole numbers of a scale, if each is one digit and so one token; None if the scale is another."""
    low, high = scale
    return range(int(low), int(high) + 1) if _has_whole_ends(scale) and low >= 0 and high <= 9 else None


def read_score(answer: Answer, mode: Mode, scale: tuple[float, float]) -> float:
    """The score in an answer, within `scale`.

    Raises:
        AnswerError: A refusal, or an answer that is empty, cut off, out of range, or open to two readings.
    """
    return _within(_READERS[mode](answer, given_text(answer), scale), scale)


def read_scores(answer: Answer, mode: Mode, scale: tuple[float, float], names: Sequence[str]) -> dict[str, float]:
    """The score under each name in one answer, within `scale`.

    As text, each name must stand once, with one number between it and the next, and no number before the first.

    Args:
        answer: The answer.
        mode: `text` or `schema`.
        scale: Lowest and highest score.
        names: Names of the scores.

    Raises:
        AnswerError: As `read_score`; or a name that is not there, or there twice.
    """
    text = given_text(answer)
    if mode == "schema":
        fields = read_fields(answer, text, names)
        if fields is None:
            raise AnswerError("malformed", f"not {', '.join(names)}: {quoted(text)}")
        return {name: _within(_json_number(fields[name], text, scale), scale) for name in names}
    if answer.cut_off:
        raise AnswerError("truncated", quoted(text))
    before, *parts = re.split(rf"\b({'|'.join(map(re.escape, names))})\b", text, flags=re.IGNORECASE)
    found = [name.casefold() for name in parts[::2]]
    if sorted(found) != sorted(names) or _NUMBER.search(_without_scale(before, scale)):
        fault: Fault = "ambiguous" if len(found) > len(names) else "no score"
        raise AnswerError("refusal" if not found and REFUSAL.search(text) else fault, quoted(text))
    return {name: _within(_text_number(part, scale), scale) for name, part in zip(found, parts[1::2], strict=True)}


def _within(score: float, scale: tuple[float, float]) -> float:
    low, high = scale
    if not low <= score <= high:
        raise AnswerError("out of range", f"{score:g} is not from {low:g} to {high:g}")
    return score


def _has_whole_ends(scale: tuple[float, float]) -> bool:
    return all(float(end).is_integer() for end in scale)


def _asks_whole(scale: tuple[float, float]) -> bool:
    """True if a schema asks for whole scores: from -1 to 1 they would be too few."""
    low, high = scale
    return _has_whole_ends(scale) and high - low + 1 >= _FEWEST_WHOLE


def read_phrase(answer: Answer) -> str:
    """The brief phrase in an answer, without quotes around it, a full stop after it or Markdown's bold.

    Raises:
        AnswerError: A refusal, or an answer that is empty, cut off, longer than a phrase or more than one line.
    """
    text = given_text(answer)
    phrase = text.replace("**", "").strip("\"'“”‘’").rstrip(".").strip("\"'“”‘’").strip()
    if not phrase:
        raise AnswerError("empty", quoted(text))
    if REFUSAL.search(phrase):
        raise AnswerError("refusal", quoted(phrase))
    if answer.cut_off:
        raise AnswerError("truncated", quoted(phrase))
    if len(phrase.splitlines()) > 1 or len(phrase) > MAX_PHRASE:
        raise AnswerError("malformed", f"no brief phrase but {quoted(phrase)}")
    return phrase


REFUSAL = re.compile(
    r"\b(?:I(?:['’]m| am) (?:sorry|unable|not able)|I (?:can(?:not|['’]t)|won['’]t|will not|must decline)"
    r"|as an AI\b|unable to (?:assist|help|provide|score|rate))",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.,])[-−+]?\d+(?:[.,]\d+)*(?![\w%])")
_COUNTER = re.compile(r"^[ \t*_#>-]*\(?\d+[.)](?=[ \t]+\S)|\bstep\s+\d+", re.IGNORECASE | re.MULTILINE)
"""The number of a list's item or of a step, which is no score."""
_CUT_OFF = {"length", "max_tokens", "model_length", "max_output_tokens", "token_limit"}

_THOUGHTS = re.compile(
    # A template may open the block in the prompt, so that the answer holds its end only.
    r"\A.*</(?:think|thinking|thought)>|\A.*\[/THINK\]|\A\s*(?:<(?:think|thinking|thought)>|\[THINK\]).*",
    re.DOTALL | re.IGNORECASE,
)
_STOP_TOKENS = re.compile(r"(?:\s*(?:<\|[\w-]+\|>|</s>|<eos>|<end_of_turn>))+\s*\Z")
_FENCE = re.compile(r"\A```\w*\n(.*?)\n?```\Z", re.DOTALL)


def given_text(answer: Answer) -> str:
    """The answer proper: without thoughts before it, stop tokens after it or a code fence around it.

    Raises:
        AnswerError: It is empty, or a refusal by the endpoint's own word.
    """
    if answer.refusal or answer.finish_reason == "content_filter":
        raise AnswerError("refusal", quoted(answer.refusal or "withheld by the endpoint's content filter"))
    text = _STOP_TOKENS.sub("", _THOUGHTS.sub("", answer.text, count=1)).strip()
    fenced = _FENCE.match(text)
    text = fenced[1].strip() if fenced else text
    if not text and not answer.first_token:
        raise AnswerError("empty", "no text before the answer was cut off" if answer.cut_off else "no text")
    return text


def _read_text(answer: Answer, text: str, scale: tuple[float, float]) -> float:
    """The one number of the text, apart from those that only count or tell the scale."""
    if answer.cut_off:
        raise AnswerError("truncated", quoted(text))
    return _text_number(text, scale)


def _text_number(text: str, scale: tuple[float, float]) -> float:
    uncounted = _COUNTER.sub(" ", _without_scale(text, scale))
    numbers = list(_NUMBER.finditer(uncounted))
    if not numbers:
        fault: Fault = "refusal" if REFUSAL.search(uncounted) else "no score"
        raise AnswerError(fault, quoted(text))
    if any("," in match[0] or match[0].count(".") > 1 for match in numbers):
        raise AnswerError("ambiguous", quoted(text))
    scores = {float(match[0].replace("−", "-")) for match in numbers}
    if len(scores) > 1:
        raise AnswerError("ambiguous", quoted(text))
    return scores.pop()


def _without_scale(text: str, scale: tuple[float, float]) -> str:
    """Text without "out of 5", "/5", "from 0 to 5", "0-5" and their like."""
    low, high = (rf"{end:g}(?:\.0+)?".replace("-", "[-−]") for end in scale)
    stop = r"(?![\d]|[.,]\d)"
    span = rf"(?<![\d.,/-])(?:from\s+|between\s+)?{low}\s*(?:to|and|[-–—])\s*{high}{stop}"
    return re.sub(rf"{span}|\s*(?:out\s+of|/)\s*{high}{stop}", " ", text, flags=re.IGNORECASE)


def _read_schema(answer: Answer, text: str, scale: tuple[float, float]) -> float:
    return _json_number((read_fields(answer, text, ("score",)) or {}).get("score"), text, scale)


def _json_number(score: Any, text: str, scale: tuple[float, float]) -> float:
    if isinstance(score, bool) or not isinstance(score, int | float) or not abs(score) <= sys.float_info.max:
        raise AnswerError("malformed", f"no number as score: {quoted(text)}")
    if _asks_whole(scale) and score != int(score):
        raise AnswerError("malformed", f"no whole number as score: {quoted(text)}")
    return float(score)


def read_fields(answer: Answer, text: str, names: Sequence[str]) -> dict[str, Any] | None:
    """The JSON object that an answer's text is; None if it has not these names and no others.

    Raises:
        AnswerError: It is cut off, a refusal, or no JSON.
    """
    if answer.cut_off:
        raise AnswerError("truncated", quoted(text))
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        fault: Fault = "refusal" if REFUSAL.search(text) else "malformed"
        raise AnswerError(fault, f"no JSON: {quoted(text)}") from None
    return read if isinstance(read, dict) and read.keys() == set(names) else None


def _read_logprobs(answer: Answer, text: str, scale: tuple[float, float]) -> float:
    """Expected score, over the first token's candidates that are whole scores."""
    scores = whole_scores(scale)
    if scores is None:
        raise ValueError(f"the scores of {scale} are not one token each")
    if not answer.first_token:
        raise AnswerError("malformed", f"no log-probabilities with {quoted(text)}")
    digits = {str(score): score for score in scores}
    mass: dict[int, float] = defaultdict(float)
    for token, logprob in answer.first_token:
        if token.strip() in digits:
            mass[digits[token.strip()]] += math.exp(min(0.0, logprob))
    total = sum(mass.values())
    if not total >= MIN_SCORE_MASS:
        fault: Fault = "refusal" if REFUSAL.search(text) else "no score"
        raise AnswerError(fault, f"a score has probability {total:.2f} only, before {quoted(text)}")
    return sum(score * share for score, share in mass.items()) / total


_READERS = {"text": _read_text, "schema": _read_schema, "logprobs": _read_logprobs}


def quoted(text: str) -> str:
    """The beginning of a text, for an error."""
    plain = " ".join(text.split())
    return repr(plain if len(plain) <= 80 else f"{plain[:79]}…")
