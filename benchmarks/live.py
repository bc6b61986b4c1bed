"""A live turn beside the whole conversation again: processor time on one thread, the two in turn, medians over rounds.

The conversation is the longest of synthetic IEMOCAP, 110 turns; models have IEMOCAP's shape at each preset, random
weights and `backbone.attention = past`. Three comparisons, from the inside out:

- `model`: one forward pass over 110 turns, and one over the last turn with the cached keys and values of the others.
- `features at hand`: `Predictor.predict_features` of the conversation, and `LiveConversation.turn` with features.
- `from text`: `Predictor.predict` and `LiveConversation.turn`, which encode the texts; nobody is heard or seen. The
  encoder is the preset's: the offline one (extra `offline`), or one of RoBERTa-large's shape with random weights.

The command fails when rows of the conversation turn by turn differ from those of the whole by more than 1e-5.

    python benchmarks/live.py
    python benchmarks/live.py --presets paper --seeds 5
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fmerl.bundle.live import LiveConversation
from fmerl.bundle.manifest import Manifest, Member
from fmerl.bundle.model import build_bundle
from fmerl.bundle.predictor import Predictor, conversation_data
from fmerl.config.presets import OFFLINE_ENCODER, PRESETS
from fmerl.corpus.dialogue import Utterance
from fmerl.features.store import FeatureTable
from fmerl.features.text.encoder import load_encoder
from fmerl.features.text.utterances import TextSpec, UtteranceEncoder
from fmerl.model import ModelInputs, create_system
from fmerl.model.batch import Batch
from fmerl.model.cache import KeyValueCache
from fmerl.synthetic.corpus import IEMOCAP_SHAPE, generate
from fmerl.training.batching import BatchLoader

TOLERANCE = 1e-5
TARGET = 10
LONG = 20_000.0
"""Milliseconds of whole conversations after which no round is begun."""
ANCHOR_WIDTH = {"laptop": 384, "paper": 1024, "robust": 1024}
CPU = torch.device("cpu")


def make_predictor(preset: str, seeds: int, encoder: UtteranceEncoder) -> Predictor:
    """Models of random weights that attend to the past, with the encoder of their texts."""
    config = PRESETS[preset]("iemocap").with_values({"backbone.attention": "past"})
    classes = IEMOCAP_SHAPE.classes
    widths = {"text": encoder.width, "audio": IEMOCAP_SHAPE.audio.width, "visual": IEMOCAP_SHAPE.visual.width}
    torch.manual_seed(0)
    anchors = torch.randn(len(classes), ANCHOR_WIDTH[preset])
    manifest = Manifest(
        corpus="iemocap",
        classes=classes,
        config=config.flatten(),
        vad_range=IEMOCAP_SHAPE.vad_range,
        n_speakers=2,
        widths=widths,
        train_counts=IEMOCAP_SHAPE.class_counts,
        anchor_texts=classes,
        recipes={"text": encoder.recipe()},
        digests={},
        split_digest="",
        licences={},
        members=tuple(Member(seed=seed, fingerprint="", file="", sha256="") for seed in range(seeds)),
    )
    inputs = ModelInputs(
        widths=widths,
        n_speakers=manifest.n_speakers,
        anchors=anchors,
        vad_range=manifest.vad_range,
        train_counts=manifest.train_counts,
    )
    weights = [create_system(config, inputs).state_dict() for _ in range(seeds)]
    return Predictor(build_bundle(manifest, anchors, weights), device="cpu")


def make_encoder(preset: str, folder: Path) -> UtteranceEncoder:
    """The preset's text encoder; one of RoBERTa-large's shape is written to a folder first."""
    if preset == "laptop":
        return TextSpec(encoder=OFFLINE_ENCODER, pooling="mean").build()
    from transformers import BertConfig, BertModel

    tokenizer, _ = load_encoder(OFFLINE_ENCODER)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=1024,
        num_hidden_layers=24,
        num_attention_heads=16,
        intermediate_size=4096,
    )
    tokenizer.save_pretrained(folder)
    BertModel(config).save_pretrained(folder)
    return TextSpec(encoder=str(folder), pooling="cls").build()


def longest_conversation() -> list[Utterance]:
    dialogues = generate(IEMOCAP_SHAPE).corpus.dialogues
    return list(max(dialogues, key=lambda dialogue: len(dialogue.utterances)).utterances)


class Comparison:
    """The conversation as a whole, and its turns one by one."""

    def __init__(self, whole: Callable[[], Any], turns: Iterator[Callable[[], Any]]) -> None:
        self._whole, self._turns = whole, turns

    def milliseconds(self, rounds: int) -> tuple[float, float]:
        """Medians of the whole and of a turn, from rounds of one whole and two turns each, three if they are long."""
        wholes, turns = list[float](), list[float]()
        while len(wholes) < min(rounds, 3) or (len(wholes) < rounds and sum(wholes) < LONG):
            wholes.append(_milliseconds(self._whole))
            turns += [_milliseconds(next(self._turns)) for _ in range(2)]
        return median(wholes), median(turns)


def _milliseconds(work: Callable[[], Any]) -> float:
    started = time.process_time()
    work()
    return 1e3 * (time.process_time() - started)


def of_model(predictor: Predictor, utterances: Sequence[Utterance], tables: Sequence[FeatureTable]) -> Comparison:
    model, manifest = predictor.bundle.models[0], predictor.bundle.manifest
    loader = BatchLoader(
        conversation_data(utterances, tables, manifest), list(manifest.widths), manifest.cell_config().training, CPU
    )
    (batch,) = loader.in_order()
    before, cache = len(utterances) - 1, KeyValueCache()
    model(_rows(batch, slice(before), cache))
    cache.keep(before)
    last = _rows(batch, slice(before, None), cache)

    def turns() -> Iterator[Callable[[], Any]]:
        while True:
            yield lambda: model(last)

    return Comparison(lambda: model(batch), turns())


def _rows(batch: Batch, rows: slice, cache: KeyValueCache) -> Batch:
    """Some turns of the batch's only dialogue."""
    return replace(
        batch,
        features={name: values[rows] for name, values in batch.features.items()},
        present={name: values[rows] for name, values in batch.present.items()},
        runs=((1, len(batch.rows[rows])),),
        cache=cache,
        **{name: getattr(batch, name)[rows] for name in ("speaker", "position", "label", "vad", "rows")},
    )


def of_conversation(
    predictor: Predictor, utterances: Sequence[Utterance], tables: Sequence[FeatureTable] | None
) -> tuple[Comparison, float]:
    """Both ways of predicting, from features or from texts, and the largest difference of their numbers.

    Turns go on after the last one, so that each is at least as far into the conversation as that.
    """

    def given(row: int) -> dict[str, NDArray[np.float32]] | None:
        return None if tables is None else {table.modality: table.values[row] for table in tables}

    def whole() -> Any:
        if tables is None:
            return predictor.predict(utterances)
        return predictor.predict_features(utterances, tables)

    talk = LiveConversation(predictor)

    def next_turn() -> dict[str, Any]:
        row = talk.turns % len(utterances)
        return talk.turn(utterances[row].speaker, utterances[row].text, features=given(row))

    def turns() -> Iterator[Callable[[], Any]]:
        while True:
            yield next_turn

    live = [next_turn() for _ in utterances]
    return Comparison(whole, turns()), largest_difference(live, whole().to_pylist())


def largest_difference(some: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]) -> float:
    """Largest difference of two tables' numbers; infinite where one names another class."""
    if any(row["predicted"] != other["predicted"] for row, other in zip(some, others, strict=True)):
        return float("inf")
    numbers = [name for name, value in some[0].items() if isinstance(value, float)]
    return max(abs(row[name] - other[name]) for row, other in zip(some, others, strict=True) for name in numbers)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", choices=sorted(ANCHOR_WIDTH), default=["laptop", "paper"])
    parser.add_argument("--rounds", type=int, default=20, metavar="N", help="of one whole and two turns (default 20)")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="models that predict together (default 1)")
    arguments = parser.parse_args()
    utterances, worst = longest_conversation(), 0.0
    ids = tuple(utterance.utterance_id for utterance in utterances)
    print(f"{len(utterances)} turns, {arguments.seeds} seed(s), one thread; milliseconds")
    print(f"{'preset':<8}{'':<18}{'whole':>10}{'turn':>10}{'ratio':>8}{'target':>8}{'difference':>12}")
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder, torch.inference_mode():
        for preset in arguments.presets:
            predictor = make_predictor(preset, arguments.seeds, make_encoder(preset, Path(folder)))
            draw, absent = np.random.default_rng(0), np.zeros(len(ids), dtype=np.bool_)
            tables = [
                FeatureTable(name, ids, draw.normal(size=(len(ids), width)).astype(np.float32), absent, {})
                for name, width in predictor.bundle.manifest.widths.items()
            ]
            at_hand, by_features = of_conversation(predictor, utterances, tables)
            from_text, by_text = of_conversation(predictor, utterances, None)
            worst = max(worst, by_features, by_text)
            for name, comparison, difference in (
                ("model", of_model(predictor, utterances, tables), None),
                ("features at hand", at_hand, by_features),
                ("from text", from_text, by_text),
            ):
                whole, turn = comparison.milliseconds(arguments.rounds)
                met = "met" if whole >= TARGET * turn else "missed"
                told = "" if difference is None else f"{difference:.1e}"
                print(f"{preset:<8}{name:<18}{whole:>10.2f}{turn:>10.2f}{whole / turn:>8.1f}{met:>8}{told:>12}")
    return 0 if worst <= TOLERANCE else 1


if __name__ == "__main__":
    raise SystemExit(main())
