"""What a study's record gives back."""

from __future__ import annotations

from typing import Any

import pytest

from fmerl.config import CellConfig
from fmerl.errors import InputError
from fmerl_platform.study.record import CorpusRecord


def record(**control: Any) -> CorpusRecord:
    return CorpusRecord(
        corpus="talk",
        source="talk",
        classes=("joy", "anger"),
        control={**CellConfig().flatten(), **control},
        changes={"FMERL": {}, "short": {"training.epochs": 3}},
        cells=(),
        digests={},
        anchors=(),
    )


def test_configuration_of_a_variant() -> None:
    assert record().config("FMERL") == CellConfig()
    assert record().config("short").training.epochs == 3


def test_fields_of_another_version_are_told() -> None:
    with pytest.raises(InputError, match=r"no such field: training\.compile; use the version that ran the study"):
        record(**{"training.compile": False}).config("FMERL")
