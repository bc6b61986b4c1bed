#!/usr/bin/env bash
# xgrammar 0.2.9, llguidance 1.9.1 and outlines_core 0.2.14 hold one JSON schema in three ways, two of them with gaps.
#
# Guess: an engine either holds a keyword of a schema or raises; what all three accept they hold alike.
# Seen:  outlines_core accepts minimum, maximum, their exclusive forms and multipleOf, of numbers and of integers, and
#        holds none: a score from 0 to 5 may be 7 or -1. It holds an enum of the scores, lengths of arrays and
#        properties. xgrammar holds bounds, but not those under allOf, beside $ref, beside enum or without a type;
#        multipleOf of an integer but not of a number. A bounded number has at most six decimals there. In both, a
#        pattern must match the whole string (in JSON Schema any part of it), and a name that is required but not among
#        the properties is forgotten. Some of this xgrammar tells on standard error; nothing is raised. llguidance held
#        all of these. No engine that sees a bound takes a number with an exponent (1e-1), and none takes properties in
#        another order than the schema's.
# For a user who asks an endpoint for scores: which engine a server runs is not in its replies. Check each value after
# all, write whole scores as an enum, and keep bounds beside their type. Here values are checked
# (`supervision/answers.py`).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-compile torch==2.13.0 transformers==5.23.0 \
    xgrammar==0.2.9 llguidance==1.9.1 outlines_core==0.2.14 jsonschema==4.26.0

cat > "$folder/probe.py" <<'PYTHON'
import json
import re
from collections.abc import Callable
from typing import Any

import llguidance
import xgrammar
from jsonschema import Draft202012Validator
from outlines_core import json_schema

STOP = 256
compiler = xgrammar.GrammarCompiler(
    xgrammar.TokenizerInfo(
        [bytes([byte]) for byte in range(256)] + [b"</s>"], xgrammar.VocabType.RAW, stop_token_ids=[STOP]
    )
)
tokens = llguidance.LLTokenizer("byte")
Holds = Callable[[str], bool]


def by_xgrammar(schema: str) -> Holds:
    compiled = compiler.compile_json_schema(schema)

    def holds(text: str) -> bool:
        matcher = xgrammar.GrammarMatcher(compiled)
        return all(matcher.accept_token(byte) for byte in text.encode()) and matcher.accept_token(STOP)

    return holds


def by_llguidance(schema: str) -> Holds:
    grammar = llguidance.LLMatcher.grammar_from_json_schema(schema)
    if problem := llguidance.LLMatcher.validate_grammar(grammar, tokens):
        raise ValueError(problem)

    def holds(text: str) -> bool:
        matcher = llguidance.LLMatcher(tokens, grammar)
        given = tokens.tokenize_bytes(text.encode())
        return matcher.try_consume_tokens(given) == len(given) and matcher.is_accepting()

    return holds


def by_outlines(schema: str) -> Holds:
    pattern = re.compile(json_schema.build_regex_from_schema(schema))
    return lambda text: pattern.fullmatch(text) is not None


ENGINES = {"xgrammar": by_xgrammar, "llguidance": by_llguidance, "outlines": by_outlines}
NUMBER, INTEGER = {"type": "number"}, {"type": "integer"}
PAIR = {"type": "object", "properties": {"a": INTEGER, "b": INTEGER}, "required": ["a", "b"]}
NESTED = {"type": "object", "properties": {"a": {"$ref": "#/$defs/A", "maximum": 5}}, "required": ["a"]}
# A schema, texts, and for xgrammar and outlines_core what they wrongly let through, a bar, and what they wrongly keep
# out; None: refused as a schema.
CASES: list[tuple[dict[str, Any], list[str], Any, Any]] = [
    ({**NUMBER, "minimum": 0, "maximum": 5}, ["0", "3.7", "5.0", "5.1", "7", "-1"], "", "5.1 7 -1"),
    ({**NUMBER, "exclusiveMinimum": 0, "exclusiveMaximum": 1}, ["0", "0.5", "1"], "", "0 1"),
    ({**NUMBER, "minimum": 0, "maximum": 1}, ["0.123456", "0.1234567"], "| 0.1234567", ""),
    ({**NUMBER, "minimum": 0, "maximum": 5, "multipleOf": 0.5}, ["2.5", "2.3"], "2.3", "2.3"),
    ({**INTEGER, "minimum": 0, "maximum": 5}, ["0", "5", "6", "-1"], "", "6 -1"),
    ({**INTEGER, "multipleOf": 10}, ["20", "15"], "", "15"),
    ({**INTEGER, "minimum": 0.5, "maximum": 5.5}, ["1", "5", "6"], None, "6"),
    ({"allOf": [{**NUMBER, "minimum": 0}, {"maximum": 5}]}, ["3", "7", "-1"], "7 -1", None),
    ({"minimum": 0, "maximum": 5}, ["3", "7"], "7", None),
    ({"enum": [0, 1, 2, 3, 4, 5]}, ["0", "5", "6"], "", ""),
    ({"enum": [1, 2, 3], "maximum": 2}, ["1", "3"], "3", "3"),
    ({**NESTED, "$defs": {"A": {**NUMBER, "minimum": 0}}}, ['{"a": 3}', '{"a": 7}'], '{"a": 7}', '{"a": 7}'),
    ({"type": "array", "items": INTEGER, "minItems": 2, "maxItems": 3}, ["[1]", "[1, 2]", "[1, 2, 3, 4]"], "", ""),
    ({**PAIR, "additionalProperties": False}, ['{"a": 1, "b": 2}', '{"a": 1, "b": 2, "c": 3}', '{"a": 1}'], "", ""),
    (
        {**PAIR, "required": ["a", "b", "c"]},
        ['{"a": 1, "b": 2}', '{"a": 1, "b": 2, "c": 3}'],
        '{"a": 1, "b": 2} | {"a": 1, "b": 2, "c": 3}',
        '{"a": 1, "b": 2} | {"a": 1, "b": 2, "c": 3}',
    ),
    ({"type": "string", "pattern": "joy"}, ['"joy"', '"enjoyed"', '"sad"'], '| "enjoyed"', '| "enjoyed"'),
]


def gaps(engine: str, schema: dict[str, Any], texts: list[str]) -> str | None:
    """Texts that it lets through against JSON Schema, a bar, and those that it keeps out."""
    try:
        holds = ENGINES[engine](json.dumps(schema))
    except (ValueError, RuntimeError):
        return None
    valid = Draft202012Validator(schema).is_valid
    wrong = {text: holds(text) for text in texts if holds(text) != valid(json.loads(text))}
    through = " ".join(text for text, held in wrong.items() if held)
    out = " ".join(text for text, held in wrong.items() if not held)
    return f"{through} | {out}".strip() if out else through


for schema, texts, *expected in CASES:
    print(json.dumps(schema), flush=True)
    seen = {engine: gaps(engine, schema, texts) for engine in ENGINES}
    for engine, wrong in seen.items():
        through, _, out = (wrong or "").partition("|")
        said = [f"lets through {through.strip()}"] * bool(through.strip()) + [f"keeps out {out.strip()}"] * bool(out)
        print(f"    {engine:11}", "refused" if wrong is None else ", ".join(said) or "held", flush=True)
    assert [seen["xgrammar"], seen["outlines"]] == expected and seen["llguidance"] == "", "the behaviour has changed"

exponent, order = '{"type": "number", "minimum": 0, "maximum": 1}', '{"b": 2, "a": 1}'
assert [make(exponent)("1e-1") for make in ENGINES.values()] == [False, False, True], "the behaviour has changed"
assert not any(make(json.dumps(PAIR))(order) for make in ENGINES.values()), "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py"
