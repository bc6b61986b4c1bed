"""Speech encoders: vectors of made-up checkpoints of each family, alone, in batches and in pieces, and what is refused."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.tiny_bert import save_tiny_bert
from helpers.tiny_speech import FAMILIES, LAYERS, WIDTH, Family, save_tiny_speech
from numpy.typing import NDArray

from fmerl.errors import InputError
from fmerl.features.audio.speech import SpeechSpec
from fmerl.features.encoder import Item
from fmerl.synthetic.media.files import write_wav

pytest.importorskip("av")

RATE = 16000


def voice(seconds: float, seed: int = 0) -> NDArray[np.int16]:
    """A buzz of gliding pitch and loudness, with noise."""
    times = np.arange(round(seconds * RATE)) / RATE
    draw = np.random.default_rng(seed)
    pitch = 100 + 80 * draw.random() + 40 * np.sin(2 * np.pi * draw.random() * times)
    buzz = sum(np.sin(2 * np.pi * k * np.cumsum(pitch) / RATE) / k for k in range(1, 12))
    loud = 0.6 + 0.4 * np.sin(2 * np.pi * 3 * times)
    return (4000 * loud * buzz + 100 * draw.standard_normal(len(times))).astype(np.int16)


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[Family, Path]:
    root = tmp_path_factory.mktemp("speech")
    for family in FAMILIES:
        save_tiny_speech(root / family, family)
    return {family: root / family for family in FAMILIES}


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    """Sounds of four lengths, two of which are equal; the last is longer than a chunk of 2 s."""
    root = tmp_path_factory.mktemp("sounds")
    items = []
    for number, seconds in enumerate((0.7, 1.3, 0.7, 5.0)):
        write_wav(root / f"{number}.wav", voice(seconds, number))
        items.append(Item(utterance_id=str(number), media=root / f"{number}.wav"))
    return items


def spec_of(folder: Path, **changes: Any) -> SpeechSpec:
    return SpeechSpec(encoder=str(folder), **changes)


def samples(item: Item) -> NDArray[np.float32]:
    number = int(item.utterance_id)
    return voice((0.7, 1.3, 0.7, 5.0)[number], number).astype(np.float32) / 2**15


def reference(folder: Path, sound: NDArray[np.float32]) -> list[torch.Tensor]:
    """All layers of one sound by Transformers alone, [T, D] each, the last one as the network puts it out."""
    from transformers import AutoFeatureExtractor, AutoModel

    extractor, network = AutoFeatureExtractor.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    inputs = extractor(sound, sampling_rate=RATE, return_tensors="pt")
    if folder.name == "whisper":
        network = network.get_encoder()
    with torch.inference_mode():
        output = network(**inputs, output_hidden_states=True)
    frames = -(-len(sound) // 320) if folder.name == "whisper" else output.last_hidden_state.shape[1]
    return [state[0, :frames].double() for state in (*output.hidden_states[:-1], output.last_hidden_state)]


@pytest.mark.parametrize("family", FAMILIES)
def test_vectors_are_those_of_transformers_on_one_sound(
    family: Family, checkpoints: dict[Family, Path], sounds: list[Item]
) -> None:
    folder = checkpoints[family]
    layers = reference(folder, samples(sounds[1]))
    encoder = spec_of(folder, layers=("1:3", "-1"), pooling="mean+deviation").build()
    frames = 0.75 * layers[1] + 0.25 * layers[2]
    expected = torch.cat([frames.mean(dim=0), frames.std(dim=0, correction=0)]).numpy()
    found = encoder.encode(sounds[1:2])
    assert encoder.width == 2 * WIDTH
    np.testing.assert_allclose(found.values[0], expected, atol=1e-5)
    averaged = spec_of(folder, layers=("all",)).build().encode(sounds[1:2]).values[0]
    np.testing.assert_allclose(averaged, torch.stack(layers).mean(dim=(0, 1)).numpy(), atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_gives_what_single_sounds_give(
    family: Family, checkpoints: dict[Family, Path], sounds: list[Item]
) -> None:
    encoder = spec_of(checkpoints[family], pooling="mean+deviation", chunk=2.0).build()
    together = encoder.encode(sounds)
    alone = [encoder.encode([item]).values[0] for item in sounds]
    assert not together.missing.any()
    np.testing.assert_allclose(together.values, alone, atol=1e-5)
    single = spec_of(checkpoints[family], pooling="mean+deviation", chunk=2.0, batch_size=1).build()
    np.testing.assert_allclose(single.encode(sounds[::-1]).values[::-1], together.values, atol=1e-5)
