"""Visual features: what a face is, which network reads it, and what an utterance's vector depends on."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.face_weights import seeded
from helpers.repository import REPOSITORY
from numpy.typing import NDArray

from fmerl.errors import InputError
from fmerl.features.encoder import Item
from fmerl.features.visual.densenet import DenseNet
from fmerl.features.visual.encoder import VisualEncoder, VisualSpec
from fmerl.features.visual.faces import face_cropper
from fmerl.synthetic.media.face import Look, draw_empty, draw_face, pose
from fmerl.synthetic.media.files import FRAME_RATE, write_mp4

pytest.importorskip("av")
pytest.importorskip("cv2")

Picture = NDArray[np.uint8]
LOOK = Look.draw(np.random.default_rng(0))


def face(mood: float = 0.0, sway: float = 0.0) -> Picture:
    return draw_face(LOOK, pose(np.full(3, mood), voice=0.3, sway=(sway, 0.0), blinks=False))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "densenet.pt"
    torch.save(seeded(DenseNet()), path)
    return path


@pytest.fixture(scope="module")
def encoder(weights: Path) -> VisualEncoder:
    return VisualSpec(weights=weights, frames=4).build()


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One second each."""
    folder = tmp_path_factory.mktemp("clips")
    wall, places = draw_empty(LOOK), range(FRAME_RATE)
    pictures: dict[str, list[Picture]] = {
        "glad": [face(0.8, 0.01 * place) for place in places],
        "sad": [face(-0.8, 0.01 * place) for place in places],
        "empty": [wall for _ in places],
        "leaving": [face() if place < 3 else wall for place in places],
        "left": [np.hstack([face(0.8), wall]) for _ in places],
    }
    for name, frames in pictures.items():
        write_mp4(folder / f"{name}.mp4", frames, None)
    return {name: folder / f"{name}.mp4" for name in pictures}


def item(path: Path | None, **how: Any) -> Item:
    return Item(utterance_id="u", media=path, **how)


def test_faces_have_vectors_and_others_reasons(encoder: VisualEncoder, clips: dict[str, Path]) -> None:
    names = ("glad", "empty", "leaving", "sad")
    encoded = encoder.encode([item(clips[name]) for name in names] + [item(None)])
    assert encoded.values.shape == (5, 342)
    assert encoded.missing.tolist() == [False, True, False, False, True]
    assert encoded.problems == (
        None,
        "no face in any of 4 frames",
        "a face in 1 of 4 frames only, whose mean this is",
        None,
        "the corpus names no file with a picture",
    )
    assert np.abs(encoded.values[0] - encoded.values[3]).max() > 0.01


def test_vector_is_the_mean_over_frames(encoder: VisualEncoder, clips: dict[str, Path]) -> None:
    quarters = [item(clips["glad"], start=part / 4, end=part / 4 + 0.05) for part in range(4)]
    parts = encoder.encode(quarters).values
    np.testing.assert_allclose(encoder.encode([item(clips["glad"])]).values[0], parts.mean(axis=0), atol=1e-5)
    assert np.ptp(parts, axis=0).max() > 1e-3


def test_rows_do_not_depend_on_the_batch(encoder: VisualEncoder, weights: Path, clips: dict[str, Path]) -> None:
    items = [item(clips[name]) for name in ("glad", "empty", "sad", "leaving", "left")]
    together = encoder.encode(items)
    for row, single in enumerate(items):
        np.testing.assert_allclose(encoder.encode([single]).values[0], together.values[row], atol=1e-5)
    small = VisualSpec(weights=weights, frames=4, batch_size=3).build()
    np.testing.assert_allclose(small.encode(items).values, together.values, atol=1e-5)
    np.testing.assert_array_equal(encoder.encode(items).values, together.values)
    assert encoder.encode([]).values.shape == (0, 342)


def test_half_of_the_picture(encoder: VisualEncoder, clips: dict[str, Path]) -> None:
    encoded = encoder.encode([item(clips["left"], side="left"), item(clips["left"], side="right")])
    assert encoded.missing.tolist() == [False, True]
    assert encoded.problems[1] == "no face in any of 4 frames"


def test_real_clips(weights: Path, shared_data: Path) -> None:
    media = shared_data / "media"
    encoder = VisualSpec(weights=weights, frames=5).build()
    encoded = encoder.encode(
        [
            item(media / "face_noface.mov"),
            item(media / "face_noface.mov", start=4.0),
            item(media / "test.mp4"),
            item(media / "WolfgangLanger_Pexels.mp4", start=5.0, end=6.0),
        ]
    )
    assert encoded.missing.tolist() == [False, True, False, False]
    told = "a face in 2 of 5 frames only, whose mean this is"
    assert encoded.problems == (told, "no face in any of 5 frames", None, None)


def test_largest_face_with_its_margin() -> None:
    crop = face_cropper("haar")
    large = np.kron(face(), np.ones((2, 2, 1), np.uint8))
    picture = np.hstack([large, np.vstack([face(), face()])])
    found = crop(picture)
    assert found is not None
    assert found.shape[0] > 0.6 * large.shape[0]
    alone = crop(face())
    assert alone is not None
    assert 0.6 * 120 < alone.shape[0] <= 120
    assert crop(draw_empty(LOOK)) is None


def test_crops_without_a_detector() -> None:
    picture = np.arange(3 * 4 * 7, dtype=np.uint8).reshape(4, 7, 3)
    square, whole = face_cropper("centre")(picture), face_cropper("none")(picture)
    assert square is not None
    np.testing.assert_array_equal(square, picture[:, 1:5])
    np.testing.assert_array_equal(whole, picture)


def test_empty_pictures_count_without_a_detector(weights: Path, clips: dict[str, Path]) -> None:
    encoded = VisualSpec(weights=weights, faces="none", frames=2).build().encode([item(clips["empty"])])
    assert (encoded.missing.tolist(), encoded.problems) == ([False], (None,))


@pytest.fixture(scope="module")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folders of tiny image encoders drawn at random."""
    from transformers import (
        ConvNextImageProcessor,
        ResNetConfig,
        ResNetModel,
        ViTConfig,
        ViTForImageClassification,
        ViTImageProcessor,
        ViTModel,
    )

    def make(kind: str) -> Path:
        folder = tmp_path_factory.mktemp(kind)
        torch.manual_seed(0)
        if kind == "resnet":
            resnet = ResNetConfig(embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1], layer_type="basic")
            ResNetModel(resnet).save_pretrained(folder)
            ConvNextImageProcessor(size={"shortest_edge": 32}).save_pretrained(folder)
            return folder
        vit = ViTConfig(
            image_size=32,
            patch_size=8,
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
        )
        (ViTModel if kind == "vit" else ViTForImageClassification)(vit).save_pretrained(folder)
        ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
        return folder

    return make


@pytest.mark.parametrize(
    ("kind", "width", "pooling"), [("vit", 16, "pooled"), ("classifier", 16, "mean"), ("resnet", 12, "pooled")]
)
def test_hugging_face_encoders(
    make_model: Callable[[str], Path], clips: dict[str, Path], kind: str, width: int, pooling: str
) -> None:
    from transformers import AutoImageProcessor, AutoModel

    folder = make_model(kind)
    encoder = VisualSpec(encoder=str(folder), faces="none", frames=1).build()
    recipe = encoder.recipe()
    assert recipe == {**recipe, "encoder": str(folder), "pooling": pooling, "faces": "none", "frames": 1}
    encoded = encoder.encode([item(clips["glad"]), item(clips["sad"])])
    assert encoded.values.shape == (2, width)

    from fmerl.features.visual.video import read_frames

    pictures, _ = read_frames(clips["sad"], frames=1)
    pixels = AutoImageProcessor.from_pretrained(folder)(images=pictures, return_tensors="pt")
    with torch.inference_mode():
        output = AutoModel.from_pretrained(folder).eval()(**pixels)
    # A classifier's checkpoint has no pooler, and 16 patches of 8 x 8 pixels follow the class token.
    expected = output.pooler_output.flatten(1) if pooling == "pooled" else output.last_hidden_state[:, 1:].mean(dim=1)
    np.testing.assert_allclose(encoded.values[1], expected[0].numpy(), atol=1e-5)


def test_pictures_that_keep_their_aspect(make_model: Callable[[str], Path]) -> None:
    from transformers import ViTImageProcessor

    folder = make_model("resnet")
    ViTImageProcessor(size={"shortest_edge": 32}, do_center_crop=False).save_pretrained(folder)
    model = VisualSpec(encoder=str(folder)).build()._model
    narrow, wide = np.zeros((64, 64, 3), np.uint8), np.full((2, 64, 3), 200, np.uint8)
    prepared = [model.prepared(picture) for picture in (narrow, wide, narrow)]
    vectors = model.vectors(prepared)
    assert torch.equal(vectors[0], vectors[2])
    torch.testing.assert_close(vectors[1], model.vectors(prepared[1:2])[0])


@pytest.mark.slow
def test_hub_model_comes_from_the_cache_with_its_commit(make_model: Callable[[str], Path], tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "models--someone--tiny"
    shutil.copytree(make_model("vit"), repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    code = (
        "from fmerl.features.visual.encoder import VisualSpec\n"
        "encoder = VisualSpec(encoder='someone/tiny', faces='none').build()\n"
        "print(encoder.recipe()['revision'], encoder.width)"
    )
    environment = {**os.environ, "HF_HUB_CACHE": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == f"{commit} 16"
    assert done.stderr == ""


def test_checkpoints_that_lack_weights_are_refused(make_model: Callable[[str], Path]) -> None:
    from safetensors.torch import load_file, save_file

    folder = make_model("vit")
    state = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in state.items() if "layers.1" not in name and "layer.1" not in name}
    assert len(kept) < len(state)
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="the checkpoint lacks"):
        VisualSpec(encoder=str(folder)).build()


def test_what_is_no_image_encoder(tmp_path: Path) -> None:
    for name in ("no-such-person/no-such-model", str(tmp_path), "package:json"):
        with pytest.raises(InputError, match="no image encoder can be loaded") as caught:
            VisualSpec(encoder=name).build()
        assert "\n" not in str(caught.value)


def test_text_encoders_are_refused(tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel, ViTImageProcessor

    config = BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    BertModel(config).save_pretrained(tmp_path)
    ViTImageProcessor().save_pretrained(tmp_path)
    with pytest.raises(InputError, match="the model reads input_ids, not pixel_values"):
        VisualSpec(encoder=str(tmp_path)).build()


def test_random_weights_are_never_used(weights: Path) -> None:
    with pytest.raises(InputError, match="no weights are given, and none come with this project"):
        VisualSpec().build()
    with pytest.raises(InputError, match="only densenet takes a file of weights"):
        VisualSpec(encoder="someone/vit", weights=weights).build()


def test_recipe_holds_what_decides_the_vectors(encoder: VisualEncoder, weights: Path, tmp_path: Path) -> None:
    recipe = encoder.recipe()
    assert set(recipe["versions"]) == {"av", "cv2", "torch"}
    assert replace(encoder.spec, batch_size=5).build().recipe() == recipe
    torch.save(seeded(DenseNet(), seed=1), tmp_path / "others.pt")
    for changed in ({"frames": 3}, {"faces": "none"}, {"weights": tmp_path / "others.pt"}, {"pixel_sd": 127.5}):
        assert replace(encoder.spec, **changed).build().recipe() != recipe
    assert pickle.loads(pickle.dumps(encoder.spec)) == encoder.spec


@pytest.mark.parametrize("setting", [{"faces": "eyes"}, {"frames": 0}, {"batch_size": 0}, {"pixel_sd": 0.0}])
def test_settings_out_of_range(setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=str(next(iter(setting)))):
        VisualSpec(**setting)


def test_absent_package_names_the_extra(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(InputError, match=r"pip install 'fmerl\[visual\]'"):
        VisualSpec(weights=weights).build()
