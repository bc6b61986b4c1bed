"""A live conversation from Python, and the model card that says whether there can be one."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.text_cells import TextCells, train_text_cells

from fmerl.bundle.folder import read_manifest
from fmerl.errors import InputError
from fmerl_platform import open_conversation, predict
from fmerl_platform.prediction.model_card import _lead

TALK = [("Ana", "what a day !"), ("Ben", "leave me alone"), ("Ana", "oh my god")]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> TextCells:
    home = tmp_path_factory.mktemp("cells")
    return train_text_cells(home, seeds=(0,), backbone__attention="past", training__epochs=1)


def test_a_conversation_is_predicted_turn_by_turn(cells: TextCells) -> None:
    pride = ["pride=Arousal: a day, Valence: what a day, Dominance: my god"]
    talk = open_conversation(cells.bundle, classes=pride)
    found = [talk.turn(speaker, text) for speaker, text in TALK]
    records = [{"speaker": speaker, "text": text} for speaker, text in TALK]
    wanted = predict(cells.bundle, records, classes=pride)
    assert [row["predicted"] for row in found] == wanted["predicted"].tolist()
    assert list(found[0]) == list(wanted)
    assert [row["pride"] for row in found] == pytest.approx(wanted["pride"].tolist(), abs=1e-5)
    assert [row["valence"] for row in found] == pytest.approx(wanted["valence"].tolist(), abs=1e-5)


def test_other_models_are_refused(bundle: Path) -> None:
    with pytest.raises(InputError, match=r"bundle: .*later turns too; train with --set backbone\.attention=past"):
        open_conversation(bundle)


def test_the_model_card_says_whether_later_turns_are_read(cells: TextCells, bundle: Path) -> None:
    assert "later turns too" in (bundle / "README.md").read_text(encoding="utf-8")
    lead = _lead(read_manifest(cells.bundle), [])
    assert "later turns" not in lead
    assert "a turn and those before it" in lead
