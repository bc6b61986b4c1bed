"""Anchors are encoded once and kept by all that decides them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fmerl.config import AnchorConfig
from fmerl.config.presets import OFFLINE_ENCODER
from fmerl.errors import InputError
from fmerl.supervision import anchors as module
from fmerl.supervision.anchors import encode_anchors

CLASSES = ("joy", "fear")
TEXTS = {
    "joy": "Arousal: high, Valence: very high, Dominance: high",
    "fear": "Arousal: high, Valence: low, Dominance: very low",
}
CONFIG = AnchorConfig(encoder=OFFLINE_ENCODER, pooling="mean")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the anchors of `CONFIG`."""
    folder = tmp_path_factory.mktemp("anchors")
    encode_anchors(CLASSES, TEXTS, [CONFIG], folder)
    return folder


def no_encoder(*arguments: object, **options: object) -> None:
    raise AssertionError("an encoder is loaded")


def test_kept_anchors_are_those_that_were_encoded(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = encode_anchors(CLASSES, TEXTS, [CONFIG])
    monkeypatch.setattr(module, "TextEncoder", no_encoder)
    again = encode_anchors(CLASSES, TEXTS, [CONFIG], kept)
    assert np.array_equal(again[CONFIG], fresh[CONFIG])
    assert again[CONFIG].dtype == fresh[CONFIG].dtype


@pytest.mark.parametrize(
    ("texts", "config"),
    [
        ({**TEXTS, "joy": "Arousal: low, Valence: high, Dominance: high"}, CONFIG),
        (TEXTS, replace(CONFIG, pooling="cls")),
    ],
    ids=["another text", "another pooling"],
)
def test_others_are_encoded(
    kept: Path, monkeypatch: pytest.MonkeyPatch, texts: dict[str, str], config: AnchorConfig
) -> None:
    monkeypatch.setattr(module, "TextEncoder", no_encoder)
    with pytest.raises(AssertionError, match="loaded"):
        encode_anchors(CLASSES, texts, [config], kept)


def test_another_revision_of_the_encoder_is_another_file(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "revision_of", lambda name: "another")
    monkeypatch.setattr(module, "TextEncoder", no_encoder)
    with pytest.raises(AssertionError, match="loaded"):
        encode_anchors(CLASSES, TEXTS, [CONFIG], kept)


def test_damaged_files_are_encoded_again(kept: Path, tmp_path: Path) -> None:
    (file,) = kept.iterdir()
    (tmp_path / file.name).write_bytes(file.read_bytes()[:50])
    found = encode_anchors(CLASSES, TEXTS, [CONFIG], tmp_path)
    assert np.array_equal(found[CONFIG], np.load(file))
    assert np.array_equal(np.load(tmp_path / file.name), found[CONFIG])


def test_an_encoder_that_is_not_here_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no-such-module"):
        encode_anchors(CLASSES, TEXTS, [replace(CONFIG, encoder="package:no-such-module")], tmp_path)
