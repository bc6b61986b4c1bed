"""Extraction's throughput against one tuned single-process loop of the same encoder, side by side in one run.

The loop encodes all items at once on one thread, sorted by length where that helps. The pipeline does so on some
workers of one thread each, with staging; its start-up, until the first block begins, is told apart. Wanted: the
pipeline's rate is at least .9 of the loop's times the number of workers.

On a machine that others use, wall-clock rates of two moments do not compare. So the same ratio is also taken apart:
`work` is processor time per item in the loop over that in the workers, `busy` the share of the workers' time, from the
first block's beginning to the last one's end, in which they encoded. Their product is the ratio on an idle machine, but
for what two processes take from each other.

With `--memory 10000 100000`, peak memory of driver and workers at these sizes of corpus is measured instead.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch

from fmerl.corpus import Corpus, Dialogue, Utterance, read_corpus
from fmerl.errors import InputError
from fmerl.features.encoder import EncoderSpec, Item
from fmerl.features.text import TextSpec
from fmerl.presets import OFFLINE_ENCODER
from fmerl_platform.extraction.items import fingerprint, items_of
from fmerl_platform.extraction.pipeline import encode_items
from fmerl_platform.extraction.worker import Block
from fmerl_platform.placement import Resources
from fmerl_platform.session import ray_session

WANTED = 0.9
TINY_WIDTH = 512
WORDS = ("what", "a", "day", "leave", "me", "alone", "oh", "my", "god", "!", "and", "then", "she", "left", "him", "?")


def made_up_texts(count: int) -> list[str]:
    """Distinct utterances whose lengths are spread as in conversation: many short ones, few long ones."""
    draw = np.random.default_rng(0)
    lengths = np.clip(draw.geometric(0.1, size=count), 1, 60)
    return [f"{number} {' '.join(draw.choice(WORDS, size=length))}" for number, length in enumerate(lengths)]


def text_items(arguments: argparse.Namespace) -> tuple[EncoderSpec, list[Item]]:
    """The corpus's own texts, or made-up ones."""
    spec = TextSpec(encoder=OFFLINE_ENCODER, pooling="mean", device="cpu")
    if arguments.corpus is None:
        texts = made_up_texts(arguments.texts)
        return spec, [Item(utterance_id=str(number), text=text) for number, text in enumerate(texts)]
    items = items_of(read_corpus(arguments.corpus), arguments.corpus, "text", context=0)
    return spec, list({item.text: item for item in items}.values())[: arguments.texts]


def audio_items(arguments: argparse.Namespace) -> tuple[EncoderSpec, list[Item]]:
    """Clips through openSMILE's IS10."""
    from fmerl.features.audio import AudioSpec

    return AudioSpec(), _clips(arguments.media)


def visual_items(arguments: argparse.Namespace) -> tuple[EncoderSpec, list[Item]]:
    """Clips through face detection and the DenseNet with random weights, which take as long as trained ones."""
    from fmerl.features.densenet import DenseNet
    from fmerl.features.visual import VisualSpec

    weights = arguments.media / "random.pt"
    torch.save(DenseNet().state_dict(), weights)
    return VisualSpec(weights=weights, frames=5, device="cpu"), _clips(arguments.media)


MODALITIES = {"text": text_items, "audio": audio_items, "visual": visual_items}


def make_clips(folder: Path, dialogues: int) -> None:
    """A corpus of raw media drawn by program."""
    from fmerl.corpus.media import MediaSpec, write_media_corpus

    write_media_corpus(MediaSpec(dialogues=dialogues), folder)


def _clips(folder: Path) -> list[Item]:
    paths = sorted(path for pattern in ("*.mp4", "*.mov", "*.avi") for path in folder.rglob(pattern))
    return [Item(utterance_id=str(path), media=path) for path in paths]


def plain_loop(spec: EncoderSpec, items: Sequence[Item]) -> tuple[float, float]:
    """Wall-clock and processor seconds of one process with one thread that encodes them all."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_plain_loop, args=(spec, items, sender))
    process.start()
    sender.close()
    try:
        wall, processor = receiver.recv()
    finally:
        process.join()
    return wall, processor


def _plain_loop(spec: EncoderSpec, items: Sequence[Item], answer: Connection) -> None:
    torch.set_num_threads(1)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    encoder = spec.build()
    encoder.encode(items[:4])
    started, busy = time.perf_counter(), time.process_time()
    encoder.encode(items)
    answer.send((time.perf_counter() - started, time.process_time() - busy))


def pipeline(spec: EncoderSpec, items: Sequence[Item], workers: int) -> tuple[list[Block], float]:
    """Blocks of one run of the pipeline, and seconds until the first one began."""
    fingerprints = [fingerprint(item, "benchmark", {}) for item in items]
    with tempfile.TemporaryDirectory() as staging:
        started = time.time()
        resources = Resources(cells_at_once=workers)
        blocks = list(encode_items(spec, items, fingerprints, Path(staging), resources))
    return blocks, min(block.began for block in blocks) - started


def compare(name: str, spec: EncoderSpec, items: Sequence[Item], workers: int) -> float:
    """Print both sides; returns the pipeline's rate over workers x the loop's."""
    before = plain_loop(spec, items)
    blocks, start_up = pipeline(spec, items, workers)
    after = plain_loop(spec, items)
    wall, processor = ((first + second) / 2 for first, second in zip(before, after, strict=True))
    span = max(block.ended for block in blocks) - min(block.began for block in blocks)
    encoding = sum(block.ended - block.began for block in blocks)
    ratio = wall / (span * workers)
    work = processor / sum(block.processor for block in blocks)
    busy = encoding / (span * workers)
    print(
        f"{name:<7} {len(items):6} items: loop {len(items) / wall:8.1f}/s, pipeline {len(items) / span:8.1f}/s on "
        f"{workers} workers after {start_up:.1f} s of start-up; ratio {ratio:.2f}; "
        f"work {work:.2f} x busy {busy:.2f} = {work * busy:.2f}",
        flush=True,
    )
    return work * busy


def memory(sizes: Sequence[int]) -> int:
    """Peak memory of driver and workers at some sizes of corpus, through the whole text path with a tiny encoder.

    Returns:
        Exit code: 1 if memory follows the features. Every utterance more may take half of its feature's size in the
        driver, which holds texts, ids and digests, and a tenth in a worker.
    """
    seen = []
    for utterances in sizes:
        receiver, sender = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.get_context("spawn").Process(target=measure_memory, args=(utterances, sender))
        process.start()
        sender.close()
        driver, grown, worker = receiver.recv()
        process.join()
        seen.append((utterances, grown, worker))
        print(
            f"{utterances:8,} utterances, {utterances * TINY_WIDTH * 4 / 2**20:5.0f} MiB of features: driver "
            f"{driver:5.0f} MiB at its peak, {grown:4.0f} above what the corpus took; workers {worker:5.0f} MiB",
            flush=True,
        )
    (small, driver_small, worker_small), (large, driver_large, worker_large) = seen[0], seen[-1]
    more = (large - small) * TINY_WIDTH * 4 / 2**20
    return int(driver_large - driver_small > more / 2 or worker_large - worker_small > more / 10)


def measure_memory(utterances: int, answer: Connection) -> None:
    """Extract a synthetic corpus with a tiny encoder in a process of its own, and tell what it took."""
    from rich.console import Console

    import fmerl_platform.extraction.run as run
    from fmerl.corpus import write_corpus

    peaks = [0]

    def watched(*given: object) -> Iterator[Block]:
        for block in encode_items(*given):  # type: ignore[arg-type]
            peaks[0] = max(peaks[0], block.peak)
            yield block

    run.encode_items = watched  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as home, ray_session(0):
        folder = Path(home)
        write_corpus(made_up_corpus(utterances), folder / "corpus")
        spec = TextSpec(encoder=str(tiny_encoder(folder / "model")), device="cpu")
        read_corpus(folder / "corpus")
        corpus_read = _peak()
        request = run.ExtractionRequest(
            corpus=folder / "corpus",
            features=folder / "features",
            specs=[spec],
            storage=folder / "runs",
            resources=Resources(cells_at_once=2),
        )
        run.extract(request, Console(quiet=True))
        peak = _peak()
    answer.send((peak, peak - corpus_read, peaks[0] / 2**20))


def made_up_corpus(utterances: int, turns: int = 10) -> Corpus:
    """Dialogues of ten turns, the last two of them validation and test."""
    texts = made_up_texts(utterances)
    dialogues = []
    for start in range(0, utterances, turns):
        left = utterances - start
        split = "train" if left > 2 * turns else "validation" if left > turns else "test"
        dialogues.append(
            Dialogue(
                dialogue_id=f"d{start}",
                utterances=tuple(
                    Utterance(
                        utterance_id=f"u{start + turn}",
                        dialogue_id=f"d{start}",
                        turn=turn,
                        speaker="s",
                        text=text,
                        emotion="joy" if turn % 2 else "anger",
                        split=split,  # type: ignore[arg-type]
                    )
                    for turn, text in enumerate(texts[start : start + turns])
                ),
            )
        )
    return Corpus(name="made-up", classes=("joy", "anger"), vad_range=(0, 5), dialogues=tuple(dialogues))


def tiny_encoder(folder: Path) -> Path:
    """A BERT of one layer, drawn at random: wide features that cost next to nothing."""
    from transformers import BertConfig, BertModel, BertTokenizer

    vocabulary = {word: index for index, word in enumerate(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS))}
    BertTokenizer(vocab=vocabulary).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=TINY_WIDTH,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        max_position_embeddings=80,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def _peak() -> float:
    """Of this process, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def _media(arguments: argparse.Namespace) -> Iterator[None]:
    """Generated clips where none are given."""
    with tempfile.TemporaryDirectory() as folder:
        if arguments.media is None:
            arguments.media = Path(folder)
            make_clips(arguments.media, arguments.dialogues)
        yield


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modalities", nargs="+", choices=MODALITIES, default=list(MODALITIES))
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="texts (default: made-up ones)")
    parser.add_argument("--texts", type=int, default=8192, help="at most (default: %(default)s)")
    parser.add_argument("--media", type=Path, metavar="DIR", help="folder of clips (default: generated ones)")
    parser.add_argument("--dialogues", type=int, default=40, help="of generated clips (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--memory", nargs="+", type=int, metavar="N", help="measure memory at these sizes instead")
    arguments = parser.parse_args()
    if arguments.memory:
        return memory(arguments.memory)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    ratios = {}
    with _media(arguments), ray_session(0):
        for name in arguments.modalities:
            try:
                spec, items = MODALITIES[name](arguments)
                ratios[name] = compare(name, spec, items, arguments.workers)
            except InputError as absent:
                print(f"{name:<7} skipped: {absent}", flush=True)
    return int(any(ratio < WANTED for ratio in ratios.values()))


if __name__ == "__main__":
    raise SystemExit(main())
