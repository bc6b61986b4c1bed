"""Encoders made again from their recipes, and recipes that name another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.face_weights import seeded
from helpers.tiny_bert import save_tiny_bert
from helpers.tiny_speech import Family, save_tiny_speech

from fmerl.bundle.licences import encoders_of
from fmerl.bundle.recipes import Places, RecipeSpec, check_same
from fmerl.corpus import Corpus
from fmerl.corpus.conversations import dialogues_of, pieces, turns_of
from fmerl.errors import InputError
from fmerl.features.audio.encoder import AudioSpec
from fmerl.features.audio.speech import SpeechSpec
from fmerl.features.encoder import EncoderSpec, Item
from fmerl.features.text.utterances import TextSpec
from fmerl.features.visual.densenet import DenseNet
from fmerl.features.visual.encoder import VisualSpec


def talk_of(*texts: str) -> Corpus:
    rows = turns_of({"speaker": "A", "text": text} for text in texts)
    (utterances,) = pieces(rows, (1, 5))
    return Corpus(name="talk", classes=(), vad_range=(1, 5), dialogues=dialogues_of(utterances))


def again(spec: EncoderSpec, places: Places | None = None, **changes: Any) -> dict[str, Any]:
    """Recipe of the encoder that is made from a spec's recipe."""
    recipe = {**spec.build().recipe(), "source": "a corpus", **changes}
    return RecipeSpec(modality=spec.modality, recipe=recipe, places=places or Places()).build().recipe()


def test_text_layer_pooling_length_and_context_come_back(tmp_path: Path) -> None:
    save_tiny_bert(tmp_path / "bert", positions=32)
    spec = TextSpec(encoder=str(tmp_path / "bert"), pooling="mean", layer=1, max_length=9, context=2)
    recipe = spec.build().recipe()
    assert again(spec) == recipe
    made = RecipeSpec(modality="text", recipe=recipe, places=Places())
    (item,) = made.items(talk_of("what a day", "leave me alone", "oh my god !"), tmp_path)[2:]
    assert item.context == ("what a day", "leave me alone")
    items = [Item(utterance_id="u", text="oh my god !", context=("what a day", "leave me alone"))]
    np.testing.assert_array_equal(made.build().encode(items).values, spec.build().encode(items).values)


def test_an_opensmile_set_comes_back() -> None:
    spec = AudioSpec(feature_set="eGeMAPSv02", sampling_rate=8000, longest=9.0)
    assert again(spec) == spec.build().recipe()
    with pytest.raises(InputError, match="IS99"):
        again(spec, feature_set="IS99")


def test_a_speech_encoder_comes_back(tmp_path: Path) -> None:
    families: tuple[tuple[str, Family], ...] = (("a", "hubert"), ("b", "wavlm"))
    for name, family in families:
        save_tiny_speech(tmp_path / name, family)
    spec = SpeechSpec(encoder=str(tmp_path / "a"), layers=("1:0.1", "-1:0.3"), pooling="mean+deviation", chunk=5.0)
    recipe = spec.build().recipe()
    assert (recipe["layers"], recipe["sampling_rate"]) == (["1:0.1", "2:0.3"], 16000)
    assert again(spec) == recipe
    moved = (tmp_path / "a").rename(tmp_path / "moved")
    made = RecipeSpec(modality="audio", recipe=recipe, places=Places(audio_encoder=str(moved))).build().recipe()
    assert made == recipe | {"encoder": str(moved)}
    other = RecipeSpec(modality="audio", recipe=recipe, places=Places(audio_encoder=str(tmp_path / "b")))
    with pytest.raises(InputError, match=r"revision is .* give the same one with --audio-encoder"):
        other.build()


def test_faces_frames_pixels_and_weights_come_back(tmp_path: Path) -> None:
    weights, others = tmp_path / "a.pt", tmp_path / "b.pt"
    for seed, path in enumerate((weights, others)):
        torch.save(seeded(DenseNet(), seed), path)
    spec = VisualSpec(weights=weights, faces="centre", frames=5, pixel_mean=120.0, pixel_sd=60.0)
    assert again(spec, Places(visual_weights=weights)) == spec.build().recipe()
    with pytest.raises(InputError, match="no weights are given"):
        again(spec)
    with pytest.raises(InputError, match=r"weights is .* give the same one with --visual-weights"):
        again(spec, Places(visual_weights=others))


def test_joined_encoders_come_back(tmp_path: Path) -> None:
    save_tiny_bert(tmp_path / "bert", positions=32)
    save_tiny_bert(tmp_path / "roberta", positions=32, roberta=True)
    specs = TextSpec(encoder=str(tmp_path / "bert"), context=1), TextSpec(encoder=str(tmp_path / "roberta"), context=2)
    joined = {
        "joined": [["bert", specs[0].build().recipe()], ["roberta", {**specs[1].build().recipe(), "source": "x"}]]
    }
    made = RecipeSpec(modality="text", recipe=joined, places=Places())
    items = made.items(talk_of("what a day", "leave me alone", "oh my god !", "a day"), tmp_path)
    assert [len(item.context) for item in items] == [0, 1, 2, 2]
    expected = [spec.build().encode(items).values for spec in specs]
    np.testing.assert_array_equal(made.build().encode(items).values, np.concatenate(expected, axis=1))
    assert made.uses_gpu
    assert encoders_of({"text": joined}, "anchors") == {
        "text bert": str(tmp_path / "bert"),
        "text roberta": str(tmp_path / "roberta"),
        "anchor": "anchors",
    }
    with pytest.raises(InputError, match=r"--text-encoder: 2 encoders of the text are joined"):
        RecipeSpec(modality="text", recipe=joined, places=Places(text_encoder="x")).build()
    tuned = {"joined": [joined["joined"][0], ["tuned", {"encoder": "y", "tuned": "0", "input": {"context_turns": 1}}]]}
    with pytest.raises(InputError, match=r"text features of the bundle: they join those of a tuned encoder"):
        RecipeSpec(modality="text", recipe=tuned, places=Places()).items(talk_of("a day"), tmp_path)


@pytest.mark.parametrize("modality", ["text", "audio", "visual"])
def test_a_recipe_of_another_origin_is_refused_by_name(modality: str) -> None:
    recipe = {"file": "iemocap_features.pkl", "sha256": "0"}
    with pytest.raises(InputError, match=rf"{modality} features of the bundle: .* \(file iemocap_features.pkl"):
        RecipeSpec(modality=modality, recipe=recipe, places=Places()).build()


def test_other_versions_are_told_and_other_settings_refused(caplog: pytest.LogCaptureFixture) -> None:
    recipe = {"encoder": "x", "layer": 2, "libraries": {"torch": "1"}, "source": "a"}
    with caplog.at_level("INFO"):
        check_same({**recipe, "libraries": {"torch": "2"}, "source": "b"}, recipe, "text", "mend it")
    assert "torch 1 then, 2 now" in caplog.text
    for other in ({**recipe, "layer": 3}, {**recipe, "pooling": "mean"}):
        with pytest.raises(InputError, match="mend it"):
            check_same(other, recipe, "text", "mend it")
