"""What changes a cell's fingerprint, and what leaves it as it is."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

import fmerl
from fmerl.config import CellConfig, SystemConfig, SystemName
from fmerl.config.systems import SDTConfig
from fmerl.model import SYSTEMS
from fmerl_platform.study import fingerprint as module

Digests = dict[SystemName, str]


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of `fmerl` that may be edited, hashed in place of the imported one."""
    copy = tmp_path / "fmerl"
    shutil.copytree(Path(fmerl.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(module, "files", lambda package: copy)
    module.system_digest.cache_clear()
    yield copy
    module.system_digest.cache_clear()


def digests() -> Digests:
    module.system_digest.cache_clear()
    return {name: module.system_digest(name) for name in SYSTEMS}


def edited(path: Path, change: Callable[[str], str]) -> Digests:
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    return digests()


@pytest.mark.parametrize(
    "path",
    [
        "corpus/readers/meld.py",
        "synthetic/media/face.py",
        "features/store.py",
        "supervision/labels.py",
        "config/parts.py",
    ],
)
def test_code_that_makes_data_or_configs_leaves_every_fingerprint(sources: Path, path: str) -> None:
    before = digests()
    assert edited(sources / path, lambda text: text + "# a remark\n") == before


@pytest.mark.parametrize("path", ["model/layers.py", "training/loop.py", "model/backbone.py"])
def test_a_line_of_the_method_changes_every_fingerprint(sources: Path, path: str) -> None:
    before = digests()
    after = edited(sources / path, lambda text: text + "X = 1\n")
    assert all(after[name] != before[name] for name in SYSTEMS)


@pytest.mark.parametrize(
    ("path", "readers"),
    [
        ("model/baselines/sacl.py", {"SACL-LSTM"}),
        ("model/baselines/dialogue_rnn.py", {"DialogueRNN", "MultiEMO"}),
        ("model/fmerl.py", {"FMERL"}),
    ],
)
def test_a_line_of_one_system_leaves_the_others(sources: Path, path: str, readers: set[str]) -> None:
    before = digests()
    after = edited(sources / path, lambda text: text + "X = 1\n")
    assert {name for name in SYSTEMS if after[name] != before[name]} == readers


def test_one_more_baseline_leaves_every_finished_cell(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = digests()
    (sources / "model/baselines/another.py").write_text("class Another: ...\n", encoding="utf-8")
    another = type("Another", (), {"__module__": "fmerl.model.baselines.another"})
    monkeypatch.setitem(SYSTEMS, "Another", another)  # type: ignore[misc]
    after = edited(sources / "model/__init__.py", lambda text: text + "SYSTEMS['Another'] = Another\n")
    assert {name: digest for name, digest in after.items() if name in before} == before
    assert len(set(after.values())) == len(before) + 1


def test_a_setting_counts_for_the_system_that_reads_it() -> None:
    fmerl_cell, sdt = CellConfig(), CellConfig().changed(system__name="SDT")
    assert fmerl_cell.flatten() == fmerl_cell.changed(system__sdt__temperature=8.0).flatten()
    assert sdt.flatten() != sdt.changed(system__sdt__temperature=8.0).flatten()
    assert sdt.flatten() == sdt.changed(system__sacl__radius=1.0).flatten()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32("nan"), True, "fast"])
def test_a_number_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="learning_rate must be a finite number"):
        CellConfig().changed(training__learning_rate=value)


def test_a_new_setting_of_one_system_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name: CellConfig().changed(system__name=name).flatten() for name in SYSTEMS}

    @dataclass(frozen=True, kw_only=True)
    class WithOneMore(SDTConfig):
        teacher: float = 1.0

    config = SystemConfig(sdt=WithOneMore())
    after = {name: CellConfig(system=replace(config, name=name)).flatten() for name in SYSTEMS}
    assert {name for name in SYSTEMS if after[name] != before[name]} == {"SDT"}
