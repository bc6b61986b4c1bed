"""The corpus of made-up raw media: valid, repeatable, and its emotions can be heard and seen."""

from __future__ import annotations

import csv
import hashlib
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.face_weights import seeded

from fmerl.corpus import Corpus, Utterance, media_file, read_corpus
from fmerl.errors import InputError
from fmerl.features.encoder import Encoded, Item
from fmerl.features.visual.densenet import DenseNet
from fmerl.synthetic.media import MediaSpec, write_media_corpus
from fmerl.synthetic.media.faults import MEANING, Fault
from fmerl.synthetic.media.spec import Layout
from fmerl.synthetic.media.speech import SAMPLING_RATE, Voice, loudness, speak
from fmerl.synthetic.media.words import sentence

pytest.importorskip("av")

SMALL = MediaSpec(dialogues=8, faults=True)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest corpus, with a clip per utterance and all faults."""
    folder = tmp_path_factory.mktemp("clips")
    write_media_corpus(SMALL, folder)
    return folder


@pytest.fixture(scope="module")
def dialogues(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a video per dialogue."""
    folder = tmp_path_factory.mktemp("dialogues")
    write_media_corpus(MediaSpec(dialogues=8, layout="dialogues"), folder)
    return folder


def audio_item(folder: Path, utterance: Utterance) -> Item:
    assert utterance.audio_path is not None
    return Item(utterance_id=utterance.utterance_id, media=media_file(folder, utterance.audio_path))


def video_item(folder: Path, utterance: Utterance) -> Item:
    assert utterance.video_path is not None
    return Item(
        utterance_id=utterance.utterance_id,
        media=media_file(folder, utterance.video_path),
        start=utterance.video_start,
        end=utterance.video_end,
        side=utterance.video_side,
    )


def planted(folder: Path) -> dict[str, str]:
    """Meaning of a fault to the id of the utterance that has it."""
    with (folder / "problems.csv").open() as file:
        return {what: name for row in csv.DictReader(file) for name, what in [row["what"].split(": ", 1)]}


def test_folder_is_a_corpus_with_media(clips: Path) -> None:
    corpus = read_corpus(clips)
    utterances = list(corpus.utterances())
    assert len(corpus.dialogues) == 8
    assert len(utterances) == 48
    assert {utterance.emotion for utterance in utterances} == set(corpus.classes)
    missing = planted(clips)[MEANING["missing"]]
    for utterance in utterances:
        assert utterance.audio_path == utterance.video_path == f"clips/{utterance.utterance_id}.mp4"
        assert media_file(clips, utterance.audio_path).is_file() == (utterance.utterance_id != missing)
        assert utterance.text.endswith(".")


def test_faults_show_up_as_missing_features(clips: Path, tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    from fmerl.features.audio.sound import read_sound
    from fmerl.features.media import MediaError
    from fmerl.features.visual.encoder import VisualSpec

    where = planted(clips)
    assert set(where) == set(MEANING.values())
    utterances = {utterance.utterance_id: utterance for utterance in read_corpus(clips).utterances()}
    reasons: dict[Fault, str] = {"missing": "no such file", "mute": "no sound track", "corrupt": "no media file"}
    for fault, reason in reasons.items():
        item = audio_item(clips, utterances[where[MEANING[fault]]])
        with pytest.raises(MediaError, match=reason):
            read_sound(item.media, sampling_rate=SAMPLING_RATE)
    torch.save(seeded(DenseNet()), tmp_path / "weights.pt")
    items = [video_item(clips, utterances[where[MEANING[fault]]]) for fault in ("faceless", "mute", "corrupt")]
    encoded = VisualSpec(weights=tmp_path / "weights.pt", frames=2).build().encode(items)
    assert encoded.missing.tolist() == [True, False, True]
    assert encoded.problems[0] == "no face in any of 2 frames"


def test_dialogues_hold_the_same_speech(clips: Path, dialogues: Path) -> None:
    """The layout leaves texts, emotions and speech alone; the video's own sound lies within its spans."""
    from fmerl.features.audio.sound import read_sound

    one, other = read_corpus(clips), read_corpus(dialogues)
    for apart, together in zip(one.utterances(), other.utterances(), strict=True):
        assert (apart.text, apart.emotion, apart.valence) == (together.text, together.emotion, together.valence)
        assert together.video_side in ("left", "right")
    utterances = list(other.dialogues[0].utterances)
    assert all(one.video_end == next_one.video_start for one, next_one in itertools.pairwise(utterances))
    last = utterances[-1]
    wav, _ = read_sound(audio_item(dialogues, last).media, sampling_rate=SAMPLING_RATE)
    item = video_item(dialogues, last)
    track, odd = read_sound(item.media, sampling_rate=SAMPLING_RATE, start=item.start, end=item.end)
    assert odd is None
    size = min(len(wav), len(track))
    assert np.corrcoef(wav[:size], track[:size])[0, 1] > 0.9


def test_the_speaker_is_on_their_side(dialogues: Path) -> None:
    """The mouth of who speaks opens and closes: how much of their half is dark varies, the listener's does not."""
    from fmerl.features.visual.video import read_frames

    right, turns = 0, 0
    for utterance in read_corpus(dialogues).utterances():
        item = video_item(dialogues, utterance)
        opening = {}
        for side in ("left", "right"):
            pictures, _ = read_frames(item.media, frames=12, start=item.start, end=item.end, side=side)
            mouths = np.array([picture[85:115, 55:105, 0] < 75 for picture in pictures])
            opening[side] = mouths.sum(axis=(1, 2)).std()
        right += max(opening, key=opening.__getitem__) == item.side
        turns += 1
    assert right / turns > 0.9


def test_speech_follows_vad() -> None:
    rng, voice = np.random.default_rng(0), Voice(pitch=150, tract=1.0)
    text = "Well, the letter is plain."
    calm, excited = (speak(text, voice, np.array([0, arousal, 0.0]), rng) for arousal in (-0.8, 0.8))
    assert len(excited) < len(calm)
    assert excited.astype(float).std() > 1.5 * calm.astype(float).std()

    def bright_share(sound: np.ndarray) -> float:
        """Of the power, above 1 kHz."""
        power = np.abs(np.fft.rfft(sound.astype(float))) ** 2
        return float(power[round(1000 * len(sound) / SAMPLING_RATE) :].sum() / power.sum())

    assert bright_share(excited) > 1.5 * bright_share(calm)
    levels = loudness(calm, np.array([0.0, 0.5, len(calm) / SAMPLING_RATE]))
    assert levels[1] > 10 * levels[0]


def test_words_follow_vad() -> None:
    rng = np.random.default_rng(0)
    glad = [sentence(np.array([0.8, 0.5, 0.4]), rng).split()[-1] for _ in range(40)]
    sad = [sentence(np.array([-0.7, -0.3, -0.4]), rng).split()[-1] for _ in range(40)]
    assert len({"wonderful.", "funny.", "thrilling.", "amazing.", "lovely."}.intersection(glad)) >= 3
    assert len({"gloomy.", "lonely.", "hopeless."}.intersection(sad)) >= 2
    assert not set(glad) & set(sad)


def test_settings_out_of_range() -> None:
    for settings in ({"dialogues": 7}, {"layout": "films"}, {"seed": -1}):
        with pytest.raises(ValueError, match=next(iter(settings))):
            MediaSpec(**settings)


def test_other_corpora_are_left_alone(tmp_path: Path) -> None:
    header = '{"name": "mine", "classes": ["a", "b"], "vad_range": [0, 5]}'
    (tmp_path / "corpus.json").write_text(header)
    with pytest.raises(InputError, match="this is the corpus 'mine', not synthetic-media; choose another folder"):
        write_media_corpus(SMALL, tmp_path)
    assert (tmp_path / "corpus.json").read_text() == header
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "utterances.csv").touch()
    with pytest.raises(InputError, match=r"utterances\.csv is there"):
        write_media_corpus(SMALL, tmp_path / "own")


def digests(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@pytest.mark.slow
def test_same_spec_same_bytes(clips: Path, tmp_path: Path) -> None:
    write_media_corpus(SMALL, tmp_path / "again")
    assert digests(tmp_path / "again") == digests(clips)
    write_media_corpus(MediaSpec(dialogues=8, faults=True, seed=1), tmp_path / "other")
    assert digests(tmp_path / "other") != digests(clips)


def accuracy(corpus: Corpus, encoded: Encoded) -> tuple[float, float]:
    """Of logistic regression fitted on train, on validation and test together; and of their most frequent class."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    utterances = list(corpus.utterances())
    emotion = np.array([utterance.emotion for utterance in utterances])
    train = np.array([utterance.split == "train" for utterance in utterances])
    fit, held_out = train & ~encoded.missing, ~train & ~encoded.missing
    model: Any = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    model.fit(encoded.values[fit], emotion[fit])
    frequent = max((emotion[held_out] == name).mean() for name in corpus.classes)
    return model.score(encoded.values[held_out], emotion[held_out]), frequent


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["clips", "dialogues"])
def test_emotions_can_be_heard_and_seen(layout: Layout, tmp_path: Path) -> None:
    """From each modality alone, with a network that nobody trained on faces."""
    pytest.importorskip("opensmile")
    pytest.importorskip("cv2")
    from fmerl.features.audio.encoder import AudioSpec
    from fmerl.features.visual.encoder import VisualSpec

    corpus = write_media_corpus(MediaSpec(layout=layout), tmp_path)
    torch.save(seeded(DenseNet()), tmp_path / "weights.pt")
    encoders: list[tuple[Any, Callable[[Path, Utterance], Item]]] = [
        (AudioSpec().build(), audio_item),
        (VisualSpec(weights=tmp_path / "weights.pt", frames=4).build(), video_item),
    ]
    for encoder, as_item in encoders:
        encoded = encoder.encode([as_item(tmp_path, utterance) for utterance in corpus.utterances()])
        found, frequent = accuracy(corpus, encoded)
        print(f"{layout}, {encoder.modality}: accuracy {found:.3f}, most frequent class {frequent:.3f}")
        assert encoded.missing.mean() < 0.02
        assert found > frequent + 0.15
