"""Bundles: the trained models again, from a folder alone; anything else is refused in one line."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.repository import REPOSITORY
from helpers.text_cells import TextCells, train_text_cells
from safetensors.torch import load_file, save_file

from fmerl.bundle.calibration import probabilities
from fmerl.bundle.folder import joined, read_bundle, write_bundle
from fmerl.bundle.predictor import Predictor
from fmerl.bundle.recipes import Places
from fmerl.card import CARD, recipe_digest
from fmerl.corpus.dialogue import Utterance
from fmerl.errors import InputError

CPU = torch.device("cpu")


def of_test(cells: TextCells) -> list[Utterance]:
    return [utterance for utterance in cells.corpus.utterances() if utterance.split == "test"]


def ledger_scores(cells: TextCells, seed: int) -> np.ndarray:
    rows = [row for row in cells.results[seed].predictions.to_pylist() if row["split"] == "test"]
    return np.array([row["scores"] for row in rows], dtype=np.float32)


def test_the_models_of_a_bundle_score_as_the_cells_did(cells: TextCells) -> None:
    before = torch.get_rng_state()
    bundle = read_bundle(cells.bundle)
    assert torch.equal(before, torch.get_rng_state())
    found = bundle.predict(cells.data.subset("test"), CPU)
    for seed in (0, 1):
        np.testing.assert_allclose(found.scores[seed], ledger_scores(cells, seed), atol=1e-5)
    own = probabilities(found.scores, bundle.manifest.temperature)
    np.testing.assert_allclose(found.probabilities, own.mean(axis=0))
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(found.agreement, (own.argmax(2) == found.predicted).mean(0))
    chosen = own[:, np.arange(own.shape[1]), found.predicted]
    np.testing.assert_allclose(found.spread, np.abs(chosen[0] - chosen[1]) / np.sqrt(2), atol=1e-12)
    vad = [[row[name] for name in ("valence", "arousal", "dominance")] for row in _test_rows(cells, 0)]
    other = [[row[name] for name in ("valence", "arousal", "dominance")] for row in _test_rows(cells, 1)]
    np.testing.assert_allclose(found.vad, (np.array(vad) + np.array(other)) / 2, atol=1e-5)


def _test_rows(cells: TextCells, seed: int) -> list[dict[str, float]]:
    return [row for row in cells.results[seed].predictions.to_pylist() if row["split"] == "test"]


def test_texts_alone_give_the_same_rows_in_the_order_of_the_input(cells: TextCells) -> None:
    bundle, utterances = read_bundle(cells.bundle), of_test(cells)
    shuffled = [utterances[row] for row in np.random.default_rng(1).permutation(len(utterances))]
    rows = Predictor(bundle, device="cpu").predict(shuffled)
    assert rows["utterance_id"].to_pylist() == [utterance.utterance_id for utterance in shuffled]
    assert rows["text"].to_pylist() == [utterance.text for utterance in shuffled]
    found = bundle.predict(cells.data.subset("test"), CPU)
    by_id = dict(zip(cells.data.subset("test").utterance_id, found.probabilities, strict=True))
    given = np.stack([rows[name].to_numpy() for name in bundle.classes], axis=1)
    np.testing.assert_allclose(given, [by_id[utterance.utterance_id] for utterance in shuffled], atol=1e-5)


def test_it_loads_without_ray_mlflow_or_the_engine(cells: TextCells) -> None:
    code = f"""
import sys
from fmerl import read_bundle
from fmerl.bundle.predictor import Predictor, predict_records
rows = predict_records(Predictor(read_bundle({str(cells.bundle)!r})), [{{"speaker": "A", "text": "what a day !"}}])
print(rows["predicted"][0], *({{"ray", "mlflow", "optuna", "fmerl_platform"}} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 1
    assert done.stdout.split()[0] in cells.corpus.classes


def test_a_modality_that_no_turn_has_is_missing(tmp_path: Path, cells: TextCells) -> None:
    empty = [Utterance(utterance_id="u", dialogue_id="d", turn=0, speaker="A", text=" ", emotion=None, split="test")]
    (row,) = Predictor(read_bundle(cells.bundle), device="cpu").predict(empty).to_pylist()
    assert row["missing"] == "text"
    heard = train_text_cells(tmp_path, seeds=(0,), sound=True, training__epochs=1)
    predictor = Predictor(read_bundle(heard.bundle), device="cpu")
    rows = predictor.predict(of_test(heard))
    assert set(rows["missing"].to_pylist()) == {"audio"}
    assert predictor.loaded == ("text",)
    with pytest.raises(InputError, match="audio features of the bundle"):
        predictor.predict([replace(each, audio_path="a.wav") for each in of_test(heard)])


def test_seeds_are_joined_and_other_data_are_not(cells: TextCells, tmp_path: Path) -> None:
    bundle = read_bundle(cells.bundle)
    manifest, weights = joined([bundle])
    assert [seed for seed, _ in weights] == [0, 1]
    write_bundle(tmp_path / "again", manifest, bundle.anchors, weights, {"README.md": "# card"})
    again = read_bundle(tmp_path / "again").predict(cells.data.subset("test"), CPU)
    np.testing.assert_array_equal(again.scores, bundle.predict(cells.data.subset("test"), CPU).scores)
    with pytest.raises(InputError, match="seed 0 stands twice"):
        joined([bundle, bundle])
    other = train_text_cells(tmp_path, seeds=(2,), training__epochs=1)
    with pytest.raises(InputError, match="seed 2 is of another configuration"):
        joined([bundle, read_bundle(other.bundle)])


def _change_byte(folder: Path) -> None:
    path = folder / "seed-1.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def _pickle(folder: Path) -> None:
    (folder / "seed-0.safetensors").write_bytes(pickle.dumps({"weights": 1}))
    _rewrite(folder, lambda recipe: None)


def _other_anchors(folder: Path) -> None:
    save_file({"anchors": load_file(folder / "anchors.safetensors")["anchors"] + 1}, folder / "anchors.safetensors")


def _rewrite(folder: Path, change: Callable[[dict], None], consistent: bool = True) -> None:
    """A card changed as by someone who knows its digests."""
    from fmerl.card import content_digest
    from fmerl.files import file_digest

    card = json.loads((folder / CARD).read_text())
    change(card["recipe"])
    for member in card["recipe"]["members"]:
        if (path := folder / member["file"]).is_file():
            member["sha256"] = file_digest(path)
    card["recipe_digest"] = recipe_digest(card["recipe"])
    digests = [member["sha256"] for member in card["recipe"]["members"]]
    card["content_digest"] = content_digest([file_digest(folder / "anchors.safetensors"), *digests])
    (folder / CARD).write_text(json.dumps(card))


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (shutil.rmtree, "no bundle"),
    "no card": (lambda folder: (folder / CARD).unlink(), "no bundle"),
    "a card of features": (
        lambda folder: (folder / CARD).write_text((folder / CARD).read_text().replace('"bundle"', '"features"')),
        "the card is of features",
    ),
    "a changed recipe": (
        lambda folder: (folder / CARD).write_text((folder / CARD).read_text().replace('"fear"', '"envy"')),
        "the recipe is not the one",
    ),
    "a changed byte": (_change_byte, "seed-1.safetensors: the content is not what the card was written for"),
    "other anchors": (_other_anchors, "anchors.safetensors: the content"),
    "no weights": (lambda folder: (folder / "seed-0.safetensors").unlink(), "seed-0.safetensors: no such file"),
    "a pickle": (_pickle, "its files do not fit its configuration"),
    "another format": (lambda folder: _rewrite(folder, lambda recipe: recipe.update(format=9)), "its format is 9"),
    "another width": (
        lambda folder: _rewrite(folder, lambda recipe: recipe["config"].update({"backbone.hidden": 32})),
        "its files do not fit its configuration",
    ),
    "an unknown field": (
        lambda folder: _rewrite(folder, lambda recipe: recipe["config"].update({"backbone.depth": 3})),
        "no such field: backbone.depth",
    ),
    "no classes": (lambda folder: _rewrite(folder, lambda recipe: recipe.pop("classes")), "the card cannot be read"),
    "a way out": (
        lambda folder: _rewrite(folder, lambda recipe: recipe["members"][0].update(file="../x.safetensors")),
        "is no file of this folder",
    ),
    "no model": (lambda folder: _rewrite(folder, lambda recipe: recipe.update(members=[])), "it holds no model"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_bundle_is_refused_in_one_line(fault: str, cells: TextCells, tmp_path: Path) -> None:
    damage, said = FAULTS[fault]
    folder = tmp_path / "bundle"
    shutil.copytree(cells.bundle, folder)
    damage(folder)
    with pytest.raises(InputError, match=said) as refused:
        read_bundle(folder)
    assert "\n" not in str(refused.value)


def test_a_recipe_that_cannot_be_followed_is_refused_by_name(cells: TextCells, tmp_path: Path) -> None:
    utterances = of_test(cells)
    folder = tmp_path / "bundle"
    shutil.copytree(cells.bundle, folder)
    _rewrite(folder, lambda recipe: recipe["recipes"].update(text={"generator": "fmerl.synthetic.corpus"}))
    with pytest.raises(InputError, match="text features of the bundle: they were not made by an encoder"):
        Predictor(read_bundle(folder)).predict(utterances)
    bundle = read_bundle(cells.bundle)
    with pytest.raises(InputError, match="no text encoder can be loaded"):
        Predictor(bundle, Places(text_encoder=str(tmp_path / "nowhere"))).predict(utterances)
    other = tmp_path / "other"
    shutil.copytree(cells.encoder, other)
    settings = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**settings, "layer_norm_eps": 0.5}))
    with pytest.raises(InputError, match=r"revision is .* give the same one with --text-encoder"):
        Predictor(bundle, Places(text_encoder=str(other))).predict(utterances)
    moved = tmp_path / "moved"
    shutil.copytree(cells.encoder, moved)
    rows = Predictor(bundle, Places(text_encoder=str(moved)), device="cpu").predict(utterances)
    assert rows == Predictor(bundle, device="cpu").predict(utterances)
