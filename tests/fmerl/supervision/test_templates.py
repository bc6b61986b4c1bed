"""Files of templates: what they change, and how each fault of them is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fmerl.errors import InputError
from fmerl.supervision.prompts import PromptConfig
from fmerl.supervision.templates import PAPERS, read_templates


def test_a_file_changes_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "short.json").write_text(json.dumps({"score": "{dimension} of {utterance}?", "system": "Be brief."}))
    paper, short = read_templates(["paper", str(tmp_path / "short.json")])
    assert paper == PAPERS
    assert paper.prompts((0, 5)) == PromptConfig()
    prompts = short.prompts((1, 5), "one", ("valence",))
    assert (short.name, short.description, short.classification) == ("short", paper.description, paper.classification)
    assert [message["content"] for message in prompts.score("valence", "Oh!")] == ["Be brief.", "valence of Oh!?"]
    assert (prompts.questions, prompts.scale, prompts.dimensions) == ("one", (1, 5), ("valence",))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{", "no JSON"),
        ("[]", "no object with some of name, score"),
        ("{}", "no object with some of"),
        ('{"scores": "x"}', "no object with some of"),
        ('{"score": 3}', "score is no text"),
        ('{"score": " "}', "score is no text"),
        ('{"score": "rate {utterance}"}', r"score template: \{dimension\} is not in it"),
        ('{"classification": "Name it"}', r"\{classes\} is not in classification"),
        ('{"name": "paper"}', "'paper' cannot be a name"),
        ('{"name": "a/b"}', "'a/b' cannot be a name"),
        ('{"name": ".."}', "cannot be a name"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(InputError, match=what) as caught:
        read_templates([str(path)])
    assert caught.value.where == str(path)


def test_absent_files_and_names_given_twice(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_templates([str(tmp_path / "none.json")])
    with pytest.raises(InputError, match="--prompt: two templates are called paper"):
        read_templates(["paper", "paper"])
