"""Edits of words as EDA makes them, and tables of synonyms."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmerl.errors import InputError
from fmerl.features.encoder import Item
from fmerl.finetuning.edits import Edit, Editor, read_synonyms

SYNONYMS = {"good": ("great", "fine"), "great": ("good",), "run": ("race",)}
WORDS = st.lists(st.sampled_from(["good", "Good,", "great!", "run", "the", "a", "…", "OK"]), min_size=1, max_size=40)
SEEDS = st.integers(0, 2**31)


def editor(edit: Edit, share: float = 0.1, seed: int = 0) -> Editor:
    return Editor(edit, share, SYNONYMS, random.Random(seed))


@given(words=WORDS, share=st.floats(0.01, 0.99), seed=SEEDS)
def test_deleting_keeps_the_order_and_at_least_one_word(words: list[str], share: float, seed: int) -> None:
    left = editor("delete", share, seed).words(words)
    rest = iter(words)
    assert left
    assert all(word in rest for word in left), "not in their order"


@given(words=WORDS, share=st.floats(0.01, 0.99), seed=SEEDS)
def test_swapping_keeps_every_word(words: list[str], share: float, seed: int) -> None:
    swapped = editor("swap", share, seed).words(words)
    assert Counter(swapped) == Counter(words)
    moved = sum(one != two for one, two in zip(words, swapped, strict=True))
    assert moved <= 2 * max(1, int(share * len(words)))


@given(words=WORDS, share=st.floats(0.01, 0.99), seed=SEEDS)
def test_inserting_adds_synonyms_of_words_that_are_there(words: list[str], share: float, seed: int) -> None:
    longer = editor("insert", share, seed).words(words)
    known = {synonym for word in words for synonym in SYNONYMS.get(word.strip(",!").lower(), ())}
    added = Counter(longer) - Counter(words)
    assert added.total() == len(longer) - len(words) == (max(1, int(share * len(words))) if known else 0)
    assert set(added) <= known


@given(words=WORDS, share=st.floats(0.01, 0.99), seed=SEEDS)
def test_replacing_changes_known_words_alone(words: list[str], share: float, seed: int) -> None:
    other = editor("replace", share, seed).words(words)
    changed = [(one, two) for one, two in zip(words, other, strict=True) if one != two]
    known = sum(word.strip(",!").lower() in SYNONYMS for word in words)
    assert len(changed) == min(known, max(1, int(share * len(words))))
    for one, two in changed:
        assert two.strip(",!").lower() in SYNONYMS[one.strip(",!").lower()]


def test_a_synonym_keeps_the_signs_and_the_capital() -> None:
    assert editor("replace").words(["Run,"]) == ["Race,"]
    assert editor("replace").words(['"run"...']) == ['"race"...']


def test_a_share_of_a_hundred_words_is_edited() -> None:
    words = ["good"] * 100
    assert sum(word != "good" for word in editor("replace", 0.3).words(words)) == 30
    assert 55 <= len(editor("delete", 0.3).words(words)) <= 85


@pytest.mark.parametrize("edit", get_args(Edit))
def test_turns_and_speaker_stay(edit: Edit) -> None:
    item = Item(utterance_id="u", text="<s1> run run good run", context=("<s2> good",), speaker="<s1>")
    found = editor(edit).item(item, "run run good run")
    assert found.text.startswith("<s1> ")
    assert (found.context, found.speaker) == (item.context, item.speaker)
    blank = Item(utterance_id="u", text="", speaker="<s1>")
    assert editor(edit).item(blank, "  ") == blank


@pytest.mark.parametrize("edit", get_args(Edit))
def test_the_same_chance_makes_the_same_edit(edit: Edit) -> None:
    words = ["good", "the", "run", "a", "great!"] * 4
    assert editor(edit, seed=3).words(words) == editor(edit, seed=3).words(words)
    assert len({tuple(editor(edit, seed=seed).words(words)) for seed in range(5)}) > 1


def test_a_word_of_several_groups_has_all_their_words(tmp_path: Path) -> None:
    path = tmp_path / "synonyms"
    path.write_text("Run, race\n\nrun, go , Race\n")
    assert read_synonyms(path) == {"run": ("race", "go", "Race"), "race": ("Run", "run", "go"), "go": ("run", "Race")}


@pytest.mark.parametrize(
    ("text", "said"),
    [("run, race\nalone,\n", "row 2: alone has no synonym"), ("Run, run\n", "row 1"), ("\n", "no group of synonyms")],
)
def test_a_table_without_synonyms_is_refused(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "synonyms"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_synonyms(path)
