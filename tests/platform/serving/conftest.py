"""A bundle of text models, and the service's routes in this process with its models behind them."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.serving import service_of
from helpers.text_cells import TextCells, train_text_cells

from fmerl.bundle.folder import read_bundle
from fmerl.bundle.predictor import Predictor
from fmerl_platform.serving.service import Service


@pytest.fixture(scope="session")
def cells(tmp_path_factory: pytest.TempPathFactory) -> TextCells:
    """Two seeds, trained for a moment."""
    return train_text_cells(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="session")
def bundle(cells: TextCells) -> Path:
    return cells.bundle


@pytest.fixture(scope="session")
def predictor(bundle: Path) -> Predictor:
    return Predictor(read_bundle(bundle), device="cpu")


@pytest.fixture
def service(predictor: Predictor) -> Service:
    """The models behind the routes, with no Ray between them."""
    return service_of(predictor)
