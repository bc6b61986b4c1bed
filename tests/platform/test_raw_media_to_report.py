"""The whole way, by the scripts as a user calls them: raw media, features, an LLM's labels, a grid, its report."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from helpers.face_weights import seeded
from helpers.labelling_endpoint import FakeEndpoint
from helpers.repository import EXPERIMENTS

from fmerl.config.presets import OFFLINE_ENCODER
from fmerl.corpus import read_corpus
from fmerl.features.store import read_features
from fmerl.features.visual.densenet import DenseNet

PLANTED = 4
"""Utterances that `make_media_corpus.py --faults` spoils."""

pytestmark = pytest.mark.slow


@pytest.fixture
def endpoint() -> Iterator[FakeEndpoint]:
    served = FakeEndpoint()
    yield served
    served.stop()


@pytest.mark.parametrize("layout", ["clips", "dialogues"])
def test_raw_media_to_report(tmp_path: Path, endpoint: FakeEndpoint, layout: str) -> None:
    corpus, features, labels, runs = (tmp_path / name for name in ("corpus", "features", "labels", "runs"))
    weights = tmp_path / "faces.pt"
    torch.save(seeded(DenseNet()), weights)

    def script(name: str, *arguments: object) -> str:
        command = [sys.executable, str(EXPERIMENTS / f"{name}.py"), *map(str, arguments)]
        served = {"OPENAI_BASE_URL": endpoint.url, "OPENAI_API_KEY": "key", "COLUMNS": "150"}
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env={**os.environ, **served})
        assert done.returncode == 0, done.stderr
        return done.stdout

    script("make_media_corpus", "--output", corpus, "--layout", layout, "--faults")
    text = ["--text-encoder", OFFLINE_ENCODER, "--text-pooling", "mean", "--text-context", 2]
    extraction = ["--corpus", corpus, "--features", features, "--storage", runs, "--modalities"]
    extraction += ["text", "audio", "visual", *text, "--visual-weights", weights]
    script("extract_features", *extraction)
    script("label_corpus", "--corpus", corpus, "--labels", labels, "--model", "judge", "--storage", runs)
    grid = ["--corpus", corpus, "--features", features, "--labels", labels, "--storage", runs, "--study", "raw"]
    said = script("ablation_grid", *grid, "--variants", "w/o Valence", "--seeds", 0, 1, "--epochs", 8)

    ids = [utterance.utterance_id for utterance in read_corpus(corpus).utterances()]
    planted = {row["what"].split(":")[0] for row in csv.DictReader((corpus / "problems.csv").open())}
    told: set[str] = set()
    for modality, width in (("text", 384), ("audio", 1582), ("visual", 342)):
        folder = features / "synthetic-media" / modality
        table = read_features(features, "synthetic-media", modality, ids)
        assert table.values.shape == (len(ids), width)
        rows = list(csv.DictReader((folder / "problems.csv").open()))
        missing = {ids[row] for row in table.missing.nonzero()[0]}
        assert missing <= {row["utterance_id"] for row in rows}
        told |= missing
        assert json.loads((folder / "card.json").read_text())["supervised_on_labels"] is False
    assert told == planted
    assert len(planted) == PLANTED
    asked = len(endpoint.requests)

    assert "w/o Valence" in said
    report = runs / "reports" / "raw" / "report.html"
    assert "synthetic-media" in report.read_text(encoding="utf-8")
    for name in ("table.md", "table.tex", "results.json"):
        assert report.with_name(name).stat().st_size, name

    shutil.rmtree(report.parent)
    script("extract_features", *extraction)
    script("label_corpus", "--corpus", corpus, "--labels", labels, "--model", "judge", "--storage", runs)
    assert "w/o Valence" in script("report", "--storage", runs, "--study", "raw")
    assert "synthetic-media" in report.read_text(encoding="utf-8")
    assert len(endpoint.requests) == asked, "the second time nothing is asked again"
