"""Speech encoders: vectors of made-up checkpoints of each family, in batches and in pieces, and what is refused."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.tiny_bert import save_tiny_bert
from helpers.tiny_speech import FAMILIES, LAYERS, WIDTH, Family, save_tiny_speech
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fmerl.errors import InputError
from fmerl.features.audio.framing import Framing
from fmerl.features.audio.layers import layers_of, named_layers, parse_layers
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
    return voice((0.7, 1.3, 0.7, 5.0)[number], number).astype(np.float32) / np.float32(2**15)


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


def test_sounds_of_many_lengths_are_not_held_for_long(checkpoints: dict[Family, Path], tmp_path: Path) -> None:
    items = []
    for number in range(12):
        write_wav(tmp_path / f"{number}.wav", voice(0.1 + 0.02 * number, number))
        items.append(Item(utterance_id=str(number), media=tmp_path / f"{number}.wav"))
    encoder = spec_of(checkpoints["hubert"], batch_size=2).build()
    alone = [encoder.encode([item]).values[0] for item in items]
    held, add_all = [], encoder._add_all

    def counted(waiting: dict[Any, list[Any]], fits: Any) -> None:
        held.append(sum(map(len, waiting.values())))
        add_all(waiting, fits)

    encoder._add_all = counted  # type: ignore[method-assign]
    np.testing.assert_allclose(encoder.encode(items).values, alone, atol=1e-5)
    assert held == [9, 3]


FRAMINGS = st.sampled_from([Framing(320, 400), Framing(320, 1), Framing(3, 7), Framing(5, 5)])


@given(framing=FRAMINGS, samples=st.integers(0, 5_000), longest=st.integers(400, 2_000))
def test_frames_of_pieces_are_those_of_the_whole(framing: Framing, samples: int, longest: int) -> None:
    pieces = framing.pieces(samples, longest)
    assert sum(piece.frames for piece in pieces) == framing.frames(samples)
    first = 0
    for piece in pieces:
        assert 0 <= piece.stop - piece.start <= longest
        assert piece.stop <= samples
        assert piece.frames == framing.frames(piece.stop - piece.start)
        assert piece.start == first * framing.stride
        first += piece.frames
    counts = [piece.frames for piece in pieces]
    assert max(counts) - min(counts) <= 1


def test_convolutions_over_pieces_are_those_over_the_whole(checkpoints: dict[Family, Path]) -> None:
    from transformers import AutoModel

    network = AutoModel.from_pretrained(checkpoints["wav2vec2-stable"]).eval().feature_extractor
    sound = torch.from_numpy(voice(5.0).astype(np.float32) / 2**15)
    framing = Framing.of_convolutions([10, 3, 3, 3, 3, 2, 2], [5, 2, 2, 2, 2, 2, 2])
    assert framing == Framing(320, 400)
    with torch.inference_mode():
        whole = network(sound[None])[0]
        parts = [network(sound[None, piece.start : piece.stop])[0] for piece in framing.pieces(len(sound), 2 * RATE)]
    assert len(parts) == 3
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_sound_in_pieces_is_pooled_over_all_its_frames(
    family: Family, checkpoints: dict[Family, Path], sounds: list[Item]
) -> None:
    """Mean and deviation of a sound in three pieces are those of the pieces' frames, each piece read by itself."""
    folder = checkpoints[family]
    found = spec_of(folder, pooling="mean+deviation", chunk=2.0).build().encode(sounds[3:]).values[0]
    framing, sound = Framing(320, 1 if family == "whisper" else 400), samples(sounds[3])
    if family not in ("whisper", "wavlm"):  # the others are normalised, over the whole sound
        sound = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)
    frames = torch.cat(
        [_last_layer(folder, sound[piece.start : piece.stop]) for piece in framing.pieces(80_000, 32_000)]
    )
    assert len(frames) == framing.frames(80_000)
    expected = torch.cat([frames.mean(dim=0), frames.std(dim=0, correction=0)]).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def _last_layer(folder: Path, sound: NDArray[np.float32]) -> torch.Tensor:
    """Frames [T, D] of a piece that is normalised already."""
    if folder.name == "whisper":
        return reference(folder, sound)[-1]
    from transformers import AutoModel

    with torch.inference_mode():
        output = AutoModel.from_pretrained(folder).eval()(torch.from_numpy(sound)[None])
    frames: torch.Tensor = output.last_hidden_state[0].double()
    return frames


def test_a_checkpoint_with_a_head_of_its_own_is_its_encoder(
    checkpoints: dict[Family, Path], sounds: list[Item]
) -> None:
    own, plain = (spec_of(checkpoints[name]).build() for name in ("dimensional", "wav2vec2-stable"))
    np.testing.assert_array_equal(own.encode(sounds[:1]).values, plain.encode(sounds[:1]).values)
    assert own.recipe()["revision"] != plain.recipe()["revision"]


def test_no_sound_has_a_reason(checkpoints: dict[Family, Path], tmp_path: Path, sounds: list[Item]) -> None:
    write_wav(tmp_path / "silent.wav", np.zeros(RATE, np.int16))
    write_wav(tmp_path / "short.wav", voice(0.02))
    paths = [tmp_path / "silent.wav", tmp_path / "short.wav", tmp_path / "absent.wav", sounds[0].media, None]
    items = [Item(utterance_id=str(row), media=path) for row, path in enumerate(paths)]
    encoder = spec_of(checkpoints["wavlm"]).build()
    encoded = encoder.encode(items)
    assert encoded.missing.tolist() == [True, True, True, False, True]
    assert encoded.problems[0] == "the 1.00 s of sound are silent"
    assert str(encoded.problems[1]).startswith("0.020 s of sound are too short for ")
    np.testing.assert_array_equal(encoded.values[3], encoder.encode(sounds[:1]).values[0])
    assert encoder.encode([]).values.shape == (0, WIDTH)


def test_a_network_that_breaks_gives_a_missing_row(checkpoints: dict[Family, Path], sounds: list[Item]) -> None:
    encoder = spec_of(checkpoints["hubert"]).build()
    whole = encoder._network.frames
    encoder._network.frames = lambda inputs: whole(inputs) * torch.nan  # type: ignore[method-assign]
    encoded = encoder.encode(sounds[:1])
    assert encoded.problems == ("the network gives values that are not finite",)
    assert encoded.missing.all()


def test_recipe_holds_what_decides_the_vectors(checkpoints: dict[Family, Path]) -> None:
    spec = spec_of(checkpoints["wav2vec2"], layers=("-1", "1:2"))
    recipe = spec.build().recipe()
    assert recipe["layers"] == [str(LAYERS), "1:2.0"]
    assert recipe == {**recipe, "sampling_rate": 16000, "pooling": "mean", "chunk": 30.0, "longest": 300.0}
    assert len(recipe["revision"]) == 64
    assert set(recipe["versions"]) == {"av", "torch", "transformers"}
    assert pickle.loads(pickle.dumps(spec)) == spec


@given(weights=st.dictionaries(st.integers(0, 12), st.floats(1e-6, 1e6), min_size=1))
def test_layers_come_back_from_their_names(weights: dict[int, float]) -> None:
    layers = tuple(weights.items())
    assert parse_layers(named_layers(layers)) == layers
    assert layers_of(layers, 12) == layers


@pytest.mark.parametrize("names", [(), ("",), ("all", "1"), ("1:0",), ("1:nan",), ("1:-2",), ("1.5",), ("1:2:3",)])
def test_what_names_no_layer_is_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"audio layers must"):
        SpeechSpec(encoder="any", layers=names)


def test_layers_that_a_network_lacks_are_refused(checkpoints: dict[Family, Path]) -> None:
    for names, what in ((("3",), "there is no layer 3"), (("2", "-1"), "a layer stands twice")):
        with pytest.raises(InputError, match=rf"{what}.*-1 or 0 to 2"):
            spec_of(checkpoints["whisper"], layers=names).build()


def test_whisper_reads_no_more_than_it_can(checkpoints: dict[Family, Path]) -> None:
    with pytest.raises(InputError, match=r"it reads 30 s at once, not 31"):
        spec_of(checkpoints["whisper"], chunk=31.0).build()


def test_what_is_no_speech_encoder_is_refused_in_one_line(tmp_path: Path, checkpoints: dict[Family, Path]) -> None:
    from transformers import GPT2Config, GPT2Model, Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    save_tiny_bert(tmp_path / "text", positions=32)
    sizes: dict[str, Any] = {
        "n_embd": 16,
        "n_layer": 1,
        "n_head": 2,
        "vocab_size": 20,
        "bos_token_id": 0,
        "eos_token_id": 0,
    }
    GPT2Model(GPT2Config(**sizes)).save_pretrained(tmp_path / "decoder")
    for name in ("decoder", "adapter", "broken"):
        Wav2Vec2FeatureExtractor().save_pretrained(tmp_path / name)
    config = Wav2Vec2Config.from_pretrained(checkpoints["wav2vec2"], add_adapter=True, output_hidden_size=16)
    Wav2Vec2Model(config).save_pretrained(tmp_path / "adapter")
    network = Wav2Vec2Model.from_pretrained(checkpoints["wav2vec2"])
    weights = {name: value for name, value in network.state_dict().items() if not name.startswith("encoder.layers.1.")}
    network.save_pretrained(tmp_path / "broken", state_dict=weights)
    said = {
        "text": r"no speech encoder can be loaded \(.*preprocessor_config",
        "decoder": r"gpt2 with Wav2Vec2FeatureExtractor is none that is known here",
        "adapter": r"an adapter behind its layers",
        "broken": r"the checkpoint lacks 16 weights, the first is encoder\.layers\.1\.",
        "absent": r"no speech encoder can be loaded",
    }
    for name, words in said.items():
        with pytest.raises(InputError, match=words) as refused:
            spec_of(tmp_path / name).build()
        assert "\n" not in str(refused.value)
