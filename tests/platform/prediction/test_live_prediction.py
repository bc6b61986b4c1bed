"""A live conversation from Python, and the model card that says whether there can be one."""

from __future__ import annotations

import pytest
from helpers.text_cells import TextCells, train_text_cells

from fmerl.bundle.folder import read_manifest
from fmerl.errors import InputError
from fmerl_platform import open_conversation, predict
from fmerl_platform.prediction.model_card import _lead

TALK = [("Ana", "what a day !"), ("Ben", "leave me alone"), ("Ana", "oh my god")]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TextCells]:
    """A cell of each attention."""
    return {
        attention: train_text_cells(
            tmp_path_factory.mktemp(attention), seeds=(0,), backbone__attention=attention, training__epochs=1
        )
        for attention in ("full", "past")
    }


def test_a_conversation_is_predicted_turn_by_turn(trained: dict[str, TextCells]) -> None:
    bundle = trained["past"].bundle
    pride = ["pride=Arousal: a day, Valence: what a day, Dominance: my god"]
    talk = open_conversation(bundle, classes=pride)
    found = [talk.turn(speaker, text) for speaker, text in TALK]
    wanted = predict(bundle, [{"speaker": speaker, "text": text} for speaker, text in TALK], classes=pride)
    assert [row["predicted"] for row in found] == wanted["predicted"].tolist()
    assert list(found[0]) == list(wanted)
    for column in ("pride", "joy", "valence", "dominance"):
        assert [row[column] for row in found] == pytest.approx(wanted[column].tolist(), abs=1e-5)


def test_models_that_read_later_turns_are_refused(trained: dict[str, TextCells]) -> None:
    with pytest.raises(InputError, match=r"bundle: .*later turns too; train with --set backbone\.attention=past"):
        open_conversation(trained["full"].bundle)


def test_the_model_card_says_whether_later_turns_are_read(trained: dict[str, TextCells]) -> None:
    said = {attention: _lead(read_manifest(cells.bundle), []) for attention, cells in trained.items()}
    assert "of the whole conversation, later turns too." in said["full"]
    assert "of a turn and those before it, so that it can be used live." in said["past"]
