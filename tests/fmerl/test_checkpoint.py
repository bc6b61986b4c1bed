"""A cell's state on disk: a damaged one is refused by name and costs its epochs, never the cell or its numbers."""

from __future__ import annotations

import hashlib
import io
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pytest
import torch

from fmerl.checkpoint import SHARE, Checkpoint
from fmerl.config import CellConfig
from fmerl.files import replaced_file
from fmerl.training.cell import CellResult, train_cell
from fmerl.training.dataset import ConversationData

MakeData = Callable[..., ConversationData]
Damage = Callable[[bytes], bytes]

DAMAGES: dict[str, Damage] = {
    "empty": lambda _: b"",
    "100 bytes left": lambda whole: whole[:100],
    "5000 bytes left": lambda whole: whole[:5000],
    "half left": lambda whole: whole[: len(whole) // 2],
    "last byte lost": lambda whole: whole[:-1],
    "zeros at the end": lambda whole: whole[:5000] + bytes(len(whole) - 5000),
    "a flipped bit": lambda whole: (
        whole[: len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1]) + whole[len(whole) // 2 + 1 :]
    ),
}


class _Touches:
    """Leaves a file behind where it is unpickled as Python would."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self._mark),)


class _StoppedError(Exception):
    """Stands for a process that died."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints" / "cell.resume"


@pytest.fixture
def trained(tiny: CellConfig, make_data: MakeData, anchors: np.ndarray) -> Callable[..., CellResult]:
    config, data = tiny.changed(training__epochs=3), make_data()

    def train(path: Path | None = None, stop_at: int = 0, told: list[int] | None = None) -> CellResult:
        def on_epoch(epoch: int, _: dict[str, float]) -> None:
            if told is not None:
                told.append(epoch)
            if epoch == stop_at:
                raise _StoppedError

        checkpoint = Checkpoint(path, every_seconds=0.0) if path else None
        return train_cell(config, data, anchors, 0, on_epoch=on_epoch, checkpoint=checkpoint)

    return train


def assert_same(found: CellResult, expected: CellResult) -> None:
    assert found.predictions.equals(expected.predictions)
    assert found.conditions.equals(expected.conditions)
    assert {**found.metrics, "train_seconds": 0.0} == {**expected.metrics, "train_seconds": 0.0}
    for name, value in expected.weights.items():
        assert torch.equal(found.weights[name], value), name


def test_damaged_state_is_named_and_the_cell_trained_afresh(
    trained: Callable[..., CellResult], path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = trained()
    with pytest.raises(_StoppedError):
        trained(path, stop_at=3)
    whole = path.read_bytes()
    assert len(whole) > 10_000
    for name, damage in DAMAGES.items():
        path.write_bytes(damage(whole))
        caplog.clear()
        assert Checkpoint(path).load() is None, name
        assert f"{path} is not used: it is damaged" in caplog.text, name
    path.write_bytes(DAMAGES["5000 bytes left"](whole))
    assert_same(trained(path), expected)

    path.write_bytes(whole)
    caplog.clear()
    assert_same(trained(path), expected)
    assert not caplog.records


def test_what_a_state_holds_is_not_run(path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    body = io.BytesIO()
    torch.save({"chosen": _Touches(tmp_path / "mark")}, body)
    path.parent.mkdir()
    path.write_bytes(hashlib.sha256(body.getvalue()).digest() + body.getvalue())
    assert Checkpoint(path).load() is None
    assert f"{path} is not used: it holds more than numbers" in caplog.text
    assert not (tmp_path / "mark").exists()
    torch.load(io.BytesIO(body.getvalue()), weights_only=False)
    assert (tmp_path / "mark").exists(), "the test's class does nothing"


def test_state_is_on_disk_before_it_takes_the_old_ones_place(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    fsync, rename = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        name = os.readlink(f"/proc/self/fd/{descriptor}")
        events.append(f"sync {'folder' if name == str(path.parent) else 'file'}")
        fsync(descriptor)

    def renamed(self: Path, target: Path) -> Path:
        events.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    Checkpoint(path).save({"epoch": 1})
    assert events == ["sync file", "rename", "sync folder"]
    assert Checkpoint(path).load() == {"epoch": 1}


def test_failed_write_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail() -> None:
        with replaced_file(path) as file:
            file.write(b"ne")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert {found.name: found.read_bytes() for found in tmp_path.iterdir()} == {"file": b"old"}


def test_finished_cell_leaves_nothing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    checkpoint = Checkpoint(path)
    assert checkpoint.load() is None
    checkpoint.save({"epoch": 1})
    (path.parent / f".{path.name}.torn").write_bytes(b"of a writer that was killed")
    checkpoint.discard()
    assert not list(path.parent.iterdir())
    assert not caplog.records


@dataclass
class _Clock:
    """Time that passes only where a test lets it."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def write_seconds(monkeypatch: pytest.MonkeyPatch) -> Callable[[_Clock, float], list[float]]:
    """Let each write take a time; the times taken, as they grow."""
    save = torch.save

    def take(clock: _Clock, seconds: float) -> list[float]:
        taken: list[float] = []

        def slowly(state: object, file: IO[bytes]) -> None:
            save(state, file)
            clock.now += seconds
            taken.append(seconds)

        monkeypatch.setattr(torch, "save", slowly)
        return taken

    return take


STATE = {"model": torch.zeros(1_000_000), "optimizer": [{"step": 1, "average": torch.zeros(1_000_000)}]}
AT_ONCE = 0.001
"""Seconds of a write at 8 GB/s."""


@pytest.mark.parametrize(("write", "epoch", "every"), [(AT_ONCE, 0.5, 30.0), (0.04, 0.5, 1.0), (0.04, 7.0, 0.1)])
def test_writes_take_a_share_of_the_time(
    path: Path, write_seconds: Callable[[_Clock, float], list[float]], write: float, epoch: float, every: float
) -> None:
    clock = _Clock()
    taken, checkpoint = write_seconds(clock, write), Checkpoint(path, every, clock)
    for _ in range(400):
        clock.now += epoch
        if checkpoint.due():
            checkpoint.save(STATE)
        assert sum(taken) <= SHARE * clock.now
    # As often as is allowed: once in `every`, in an epoch, and in the time that affords a write.
    assert len(taken) == pytest.approx(clock.now / max(every, epoch, write / SHARE), rel=0.3)


def test_slow_storage_is_known_after_its_first_write(
    path: Path, write_seconds: Callable[[_Clock, float], list[float]]
) -> None:
    clock = _Clock()
    taken, checkpoint = write_seconds(clock, 10.0), Checkpoint(path, 30.0, clock)
    clock.now = 30.0
    checkpoint.save(STATE)
    clock.now = 20 / SHARE - 1.0
    checkpoint.save(STATE)
    assert taken == [10.0]
    assert not checkpoint.due()
    clock.now += 2.0
    assert checkpoint.due()
    checkpoint.save(STATE)
    assert taken == [10.0, 10.0]


def test_every_epoch_is_kept_if_asked_for(path: Path, write_seconds: Callable[[_Clock, float], list[float]]) -> None:
    clock = _Clock()
    taken, checkpoint = write_seconds(clock, 10.0), Checkpoint(path, 0.0, clock)
    for _ in range(3):
        assert checkpoint.due()
        checkpoint.save(STATE)
    assert len(taken) == 3
