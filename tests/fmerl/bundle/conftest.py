"""Trained cells and their bundle, once for all tests."""

from __future__ import annotations

import pytest
from helpers.text_cells import TextCells, train_text_cells


@pytest.fixture(scope="session")
def cells(tmp_path_factory: pytest.TempPathFactory) -> TextCells:
    """Two seeds of FMERL."""
    return train_text_cells(tmp_path_factory.mktemp("cells"))
