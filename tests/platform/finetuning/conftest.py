"""A corpus folder, a tiny encoder and a tiny encoder-decoder."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.spoken import spoken_corpus
from helpers.tiny_bart import save_tiny_bart
from helpers.tiny_bert import save_tiny_bert

from fmerl.corpus import write_corpus


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with `corpus/`, `bert/` and `bart/`."""
    place = tmp_path_factory.mktemp("tuning")
    save_tiny_bert(place / "bert", positions=64)
    save_tiny_bart(place / "bart", positions=64, dropout=0.1)
    write_corpus(spoken_corpus(), place / "corpus")
    return place
