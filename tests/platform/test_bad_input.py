"""Bad input at the command line: one line naming file, row and remedy, exit 2, and nothing trained or written."""

from __future__ import annotations

import json
import runpy
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from helpers.repository import EXPERIMENTS

from fmerl.supervision.descriptions import DEFAULT_DESCRIPTIONS, read_descriptions
from fmerl.supervision.labels import LabelSet, write_labels
from fmerl.synthetic import MELD_SHAPE
from fmerl.synthetic.folder import materialise

SCRIPT = EXPERIMENTS / "ablation_grid.py"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound corpus as CSV, with features and labels: <folder>/corpus, /features, /labels."""
    home = tmp_path_factory.mktemp("sound")
    folder, features = materialise(replace(MELD_SHAPE, scale=0.02), home)
    shutil.move(folder, home / "corpus")
    shutil.move(features, home / "features")
    table = pq.read_table(home / "corpus" / "utterances.parquet")
    pc.write_csv(table, home / "corpus" / "utterances.csv")
    (home / "corpus" / "utterances.parquet").unlink()
    ids = tuple(table["utterance_id"].to_pylist())
    labels = LabelSet(
        utterance_ids=ids,
        vad=np.ones((len(ids), 3), dtype=np.float32),
        errors=(None,) * len(ids),
        vad_range=(0.0, 5.0),
        descriptions=read_descriptions(DEFAULT_DESCRIPTIONS),
        card={"recipe": {"method": "ones"}},
    )
    write_labels(home / "labels", "synthetic-meld", labels)
    return home


def _utterances(change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], None]:
    def spoil(home: Path) -> None:
        path = home / "corpus" / "utterances.csv"
        table = pc.read_csv(path, convert_options=pc.ConvertOptions(strings_can_be_null=False))
        pc.write_csv(change(table), path)

    return spoil


def _with(table: pa.Table, column: str, row: int, value: str) -> pa.Table:
    values = table[column].to_pylist()
    values[row] = value
    return table.set_column(table.schema.get_field_index(column), column, pa.array(values))


def _features(change: Callable[[np.ndarray], np.ndarray], part: int = 0) -> Callable[[Path], None]:
    def spoil(home: Path) -> None:
        path = home / "features" / "synthetic-meld" / "audio" / f"part-{part:05}.parquet"
        table = pq.read_table(path)
        values = change(np.stack(table["feature"].to_numpy()))
        array = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])
        pq.write_table(table.set_column(1, "feature", array), path)

    return spoil


def _not_a_number(values: np.ndarray) -> np.ndarray:
    values[5, 3] = np.nan
    return values


def _narrow_second_part(home: Path) -> None:
    folder = home / "features" / "synthetic-meld" / "audio"
    table = pq.read_table(folder / "part-00000.parquet")
    pq.write_table(table.slice(0, 100), folder / "part-00000.parquet")
    pq.write_table(table.slice(100), folder / "part-00001.parquet")
    _features(lambda values: values[:, :7].copy(), part=1)(home)


def _forget_joy(home: Path) -> None:
    path = home / "labels" / "synthetic-meld" / "descriptions.json"
    path.write_text(json.dumps({key: text for key, text in json.loads(path.read_text()).items() if key != "joy"}))


SPOILT: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "missing column": (_utterances(lambda table: table.drop_columns(["speaker"])), ("utterances.csv", "speaker")),
    "unknown emotion": (
        _utterances(lambda table: _with(table, "emotion", 3, "bliss")),
        ("utterances.csv, row 5", "bliss", "neutral"),
    ),
    "duplicate id": (
        _utterances(lambda table: _with(table, "utterance_id", 3, table["utterance_id"][0].as_py())),
        ("utterances.csv, row 5", "row 2"),
    ),
    "empty split": (
        _utterances(lambda table: table.filter(pa.compute.field("split") != "validation")),
        ("utterances.csv", "validation"),
    ),
    "NaN features": (_features(_not_a_number), ("part-00000.parquet, row 7", "NaN")),
    "wrong width": (_narrow_second_part, ("part-00001.parquet", "7 wide")),
    "a description missing": (_forget_joy, ("descriptions.json", "joy")),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_bad_input_is_one_line_and_exit_2(
    fault: str, sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    spoil, expected = SPOILT[fault]
    home = tmp_path / "home"
    shutil.copytree(sound, home)
    spoil(home)
    code, error = _run(home, monkeypatch, capfd)
    assert code == 2
    assert error.count("\n") == 1, error
    assert all(text in error for text in expected), error
    assert ";" in error, "a remedy follows the fault"
    assert not (home / "runs").exists()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"training.unseen_classes": ["bliss"]}, "training.unseen_classes: bliss cannot be held out of neutral"),
        ({"training.batch_size": 8.5}, "batch_size must be a whole number below 2^31, not 8.5"),
        ({"training.batch_size": True}, "batch_size must be a whole number below 2^31, not True"),
        ({"training.batch_size": 1e300}, "batch_size must be a whole number below 2^31, not 1e+300"),
        ({"training.batch_size": 10**40}, "batch_size must be a whole number"),
        ([], "no JSON object"),
    ],
)
def test_a_bad_configuration_is_one_line_and_exit_2(
    fields: object, expected: str, sound: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = sound / "config.json"
    path.write_bytes(json.dumps(fields).encode("utf-8-sig"))
    code, error = _run(sound, monkeypatch, capfd, "--config", str(path))
    assert code == 2
    assert error.count("\n") == 1, error
    assert expected in error


def test_classes_without_known_descriptions_name_file_and_option(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(sound / "corpus", tmp_path / "corpus")
    for path in (tmp_path / "corpus").iterdir():
        path.write_text(path.read_text().replace("joy", "bliss"))
    arguments = ["--corpus", str(tmp_path / "corpus"), "--features", str(sound / "features"), "--dry-run"]
    code, error = _main([*arguments, "--storage", str(tmp_path / "runs")], monkeypatch, capfd)
    assert code == 2
    assert f"{tmp_path / 'corpus'}: no description of bliss" in error
    assert "give a label set with --labels" in error


def test_classes_that_a_split_lacks_are_said(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(sound, tmp_path, dirs_exist_ok=True)
    rows = pc.read_csv(tmp_path / "corpus" / "utterances.csv").to_pylist()
    missing = "surprise, fear, sadness, disgust, anger"
    for split, kept, said in (
        ("train", {"neutral", "joy"}, f"train has no utterance of {missing}; it cannot be learned"),
        ("train", {"joy"}, "train has joy alone; there is nothing to tell apart"),
        ("validation", {"neutral"}, "validation has neutral alone; the epoch that says it most is selected"),
    ):
        for row in rows:
            if row["split"] == split and row["emotion"] not in kept:
                row["emotion"] = ""
        pc.write_csv(pa.Table.from_pylist(rows), tmp_path / "corpus" / "utterances.csv")
        code, told = _run(tmp_path, monkeypatch, capfd)
        assert code == 0
        assert said in told


def test_sound_input_passes_the_same_way(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    shutil.copytree(sound, home)
    code, _ = _run(home, monkeypatch, capfd)
    assert code == 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--preset", "huge"], "--preset"),
        (["--seeds", "1", "1"], "--seeds"),
        (["--epochs", "0"], "--epochs"),
        (["--corpus", "nowhere"], "nowhere"),
    ],
)
def test_bad_arguments_are_one_line_and_exit_2(
    arguments: list[str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    code, error = _main([*arguments, "--storage", str(tmp_path / "runs")], monkeypatch, capfd)
    assert code == 2
    assert error.count("\n") == 1, error
    assert expected in error


def _run(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *more: str) -> tuple[int, str]:
    arguments = ["--corpus", str(home / "corpus"), "--features", str(home / "features")]
    arguments += ["--labels", str(home / "labels"), "--storage", str(home / "runs"), "--dry-run"]
    return _main([*arguments, *more], monkeypatch, capfd)


def _main(arguments: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *arguments])
    capfd.readouterr()
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    return int(left.value.code or 0), capfd.readouterr().err
