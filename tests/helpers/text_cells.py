"""A small corpus of texts, a tiny encoder, and cells trained on them: enough to export and to predict with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from fmerl.bundle.calibration import fit_temperature
from fmerl.bundle.folder import write_bundle
from fmerl.bundle.manifest import describe
from fmerl.bundle.predictions import seen_validation
from fmerl.config import CellConfig
from fmerl.corpus import SPLITS, Corpus, Dialogue, Utterance
from fmerl.features.items import items_of
from fmerl.features.store import FeatureTable
from fmerl.features.text.utterances import TextSpec
from fmerl.supervision.anchors import encode_anchors
from fmerl.training.assembly import assemble
from fmerl.training.cell import CellResult, train_cell
from fmerl.training.dataset import ConversationData
from helpers.tiny_bert import WORDS, save_tiny_bert

CLASSES = ("joy", "anger", "fear")
DESCRIPTIONS = {
    "joy": "Arousal: what a day, Valence: oh my, Dominance: a day",
    "anger": "Arousal: leave me alone, Valence: leave, Dominance: me",
    "fear": "Arousal: oh my god, Valence: alone, Dominance: god",
}
_OF_CLASS = {"joy": ("what", "a", "day", "!"), "anger": ("leave", "me", "alone"), "fear": ("oh", "my", "god")}


def text_corpus(dialogues: int = 24, turns: int = 4) -> Corpus:
    """Texts of a few words; three in four are words of the emotion's own."""
    draw = np.random.default_rng(3)
    made = []
    for number in range(dialogues):
        split = SPLITS[2 if number % 4 == 3 else 1 if number % 4 == 2 else 0]
        utterances = []
        for turn in range(turns + number % 2):
            emotion = CLASSES[int(draw.integers(3))]
            known = [_OF_CLASS[emotion] if draw.random() < 0.75 else WORDS for _ in range(draw.integers(1, 6))]
            words = [str(draw.choice(each)) for each in known]
            level = 1.0 + 2 * CLASSES.index(emotion)
            utterances.append(
                Utterance(
                    utterance_id=f"d{number}u{turn}",
                    dialogue_id=f"d{number}",
                    turn=turn,
                    speaker=f"speaker {turn % (2 + number % 2)}",
                    text=" ".join(words),
                    emotion=None if draw.random() < 0.1 else emotion,
                    split=split,
                    valence=level,
                    arousal=level,
                    dominance=5.0,
                )
            )
        made.append(Dialogue(dialogue_id=f"d{number}", utterances=tuple(utterances)))
    return Corpus(name="words", classes=CLASSES, vad_range=(1.0, 5.0), dialogues=tuple(made))


@dataclass(frozen=True)
class TextCells:
    """Cells of one variant, trained on `text_corpus`, and the bundle that holds them."""

    corpus: Corpus
    data: ConversationData
    config: CellConfig
    results: tuple[CellResult, ...]
    encoder: Path
    bundle: Path


def tiny_config(encoder: Path, **changes: object) -> CellConfig:
    """A configuration that trains in a moment."""
    config = CellConfig().changed(
        anchors__encoder=str(encoder),
        backbone__modalities=("text",),
        backbone__standardize=("text",),
        backbone__hidden=16,
        backbone__heads=2,
        backbone__dropout=0.1,
        contrastive__temperature=0.1,
        contrastive__center_anchors=True,
        training__learning_rate=3e-3,
        training__epochs=3,
        training__batch_size=4,
    )
    return config.changed(**changes)


def train_text_cells(
    folder: Path, seeds: Sequence[int] = (0, 1), context: int = 1, sound: bool = False, **changes: object
) -> TextCells:
    """Train cells and write their bundle to `folder/bundle`.

    Args:
        folder: Gets the encoder and the bundle.
        seeds: Seed of each cell.
        context: Earlier turns that the encoder reads.
        sound: Train on random acoustic features too, of a recipe that nothing here can follow.
        changes: Fields of the configuration.
    """
    encoder = folder / "encoder"
    save_tiny_bert(encoder, positions=32)
    modalities = ("text", "audio") if sound else ("text",)
    corpus, config = text_corpus(), tiny_config(encoder, backbone__modalities=modalities, **changes)
    spec = TextSpec(encoder=str(encoder), pooling="mean", context=context)
    made = spec.build()
    encoded = made.encode(list(items_of(corpus, folder, "text", context)))
    ids = tuple(utterance.utterance_id for utterance in corpus.utterances())
    table = FeatureTable("text", ids, encoded.values, encoded.missing, {"recipe": made.recipe()})
    noise = np.random.default_rng(0).normal(size=(len(ids), 3)).astype(np.float32)
    present = np.zeros(len(ids), dtype=np.bool_)
    tables = [table, FeatureTable("audio", ids, noise, present, {"recipe": {"file": "x.pkl"}})]
    data = assemble(corpus, tables[: len(modalities)])
    (anchors,) = encode_anchors(CLASSES, DESCRIPTIONS, [config.anchors]).values()
    results = tuple(train_cell(config, data, anchors, seed, device=torch.device("cpu")) for seed in seeds)
    manifest = describe(
        config, data, DESCRIPTIONS, {each.modality: each.card["recipe"] for each in tables}, {"code": "MIT"}
    )
    temperature = fit_temperature(*seen_validation(manifest, [result.predictions for result in results]))
    weights = {(seed, f"cell {seed}"): result.weights for seed, result in zip(seeds, results, strict=True)}
    place = folder / "bundle"
    write_bundle(place, replace(manifest, temperature=temperature), torch.tensor(anchors), weights)
    return TextCells(corpus, data, config, results, encoder, place)
