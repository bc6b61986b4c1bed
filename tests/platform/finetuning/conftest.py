"""A corpus folder and a tiny encoder."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.spoken import spoken_corpus
from helpers.tiny_bert import save_tiny_bert

from fmerl.corpus import write_corpus


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with `corpus/` and `bert/`."""
    place = tmp_path_factory.mktemp("tuning")
    save_tiny_bert(place / "bert", positions=64)
    write_corpus(spoken_corpus(), place / "corpus")
    return place
