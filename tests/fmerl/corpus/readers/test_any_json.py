"""Readers of JSON on files of the right shape with anything in them: a corpus, or one line that says what is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fmerl.corpus.readers import read_conversations, read_convokit, read_emorynlp
from fmerl.errors import InputError

WORDS = st.sampled_from(
    ["joy", "Neutral", "", " x", "s01_e02_c01_u001", "train", "<##bin{0}", "nan", "1e999", "\u2028"]
)
PLAIN = st.none() | st.booleans() | st.integers(-2, 10**20) | st.floats() | WORDS
KEYS = st.sampled_from(
    re.findall(
        r"\w+",
        """
        id conversation_id root speaker user text meta timestamp emotion split messages segments role content name turn
        start end video_path valence arousal dominance dialogue_id utterance_id episodes scenes utterances speakers
        transcript
        """,
    )
)
ANYTHING = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=8), max_leaves=25
)
UTTERANCE = st.fixed_dictionaries(
    {},
    optional={
        "id": PLAIN,
        "conversation_id": PLAIN,
        "speaker": ANYTHING,
        "text": ANYTHING,
        "timestamp": ANYTHING,
        "meta": st.dictionaries(KEYS, ANYTHING, max_size=4) | PLAIN,
        "emotion": ANYTHING,
        "utterance_id": PLAIN,
        "speakers": ANYTHING,
        "transcript": ANYTHING,
        "start": ANYTHING,
        "valence": PLAIN,
    },
)
CONTENT = ANYTHING | st.lists(UTTERANCE, max_size=5)


def convokit(folder: Path, content: Any) -> None:
    lines = content if isinstance(content, list) else [content]
    (folder / "utterances.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "conversations.json").write_text(json.dumps(content))
    read_convokit(folder, emotion="emotion", split="split")


def conversations(folder: Path, content: Any) -> None:
    (folder / "a.json").write_text(json.dumps(content))
    read_conversations(folder / "a.json", vad_range=(0, 5))


def emorynlp(folder: Path, content: Any) -> None:
    for name in ("trn", "dev", "tst"):
        whole = {"episodes": [{"scenes": [{"utterances": content}]}]} if isinstance(content, list) else content
        (folder / f"emotion-detection-{name}.json").write_text(json.dumps(whole))
    read_emorynlp(folder)


@pytest.mark.parametrize("read", [convokit, conversations, emorynlp], ids=lambda read: read.__name__)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CONTENT)
def test_anything_else_is_one_line(
    tmp_path_factory: pytest.TempPathFactory, read: Callable[[Path, Any], None], content: Any
) -> None:
    with suppress(InputError):
        read(tmp_path_factory.mktemp("any"), content)
