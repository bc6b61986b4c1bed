"""Time, peak memory and share of the machine's matrix-product rate of training and evaluation, beside plain SDT.

Sides are measured in turn, A B A B, on the same dialogues from the same weights; each ratio is the median over
rounds. One thread is timed by its own processor time, so that its ratios hold on a busy machine too; several threads
by the wall clock. Peak memory is that of a fresh process per side. The ratios are compared with
those stored in `ratios.json`: one that lost more than a fifth makes the command fail.

    python benchmarks/training.py --settings meld-paper --rounds 3
    python benchmarks/training.py --beside plain public --reference SDT        # a clone of SDT's public code
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from plain_sdt import PaddedBatch, PlainBackbone
from public_sdt import PublicSDT
from useful_work import counted_flops, gemm_rate, useful_flops

from fmerl.config import CellConfig
from fmerl.config.presets import PRESETS
from fmerl.features.store import FeatureTable
from fmerl.model import FMERL
from fmerl.model.batch import Batch
from fmerl.synthetic.corpus import IEMOCAP_SHAPE, MELD_SHAPE, generate
from fmerl.training.assembly import assemble
from fmerl.training.batching import BatchLoader
from fmerl.training.dataset import ConversationData
from fmerl.training.loop import build_model, deterministic

STORED = Path(__file__).with_name("ratios.json")
LOST = 0.8
"""A ratio below this share of the stored one is a regression."""
OTHERS = ("plain", "public", "bfloat16")
PACKED = ("packed", "bfloat16")
"""Sides that are this project's model: as it is, and under autocast."""
WARM_UP = 3
"""Rounds that are not counted: Adam's state, memory's first touch, which is slow on virtual machines."""
ANCHOR_WIDTH = {"paper": 1024, "laptop": 384}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A corpus's shape at a preset, and how many of its batches one measurement takes."""

    shape: str
    preset: str
    batches: int

    def data(self) -> ConversationData:
        spec = {"iemocap": IEMOCAP_SHAPE, "meld": MELD_SHAPE}[self.shape]
        made = generate(spec)
        ids = tuple(utterance.utterance_id for utterance in made.corpus.utterances())
        tables = [FeatureTable(name, ids, *made.features[name], {}) for name in made.features]
        return replace(assemble(made.corpus, tables), n_speakers=spec.max_speakers)

    def config(self) -> CellConfig:
        return PRESETS[self.preset](self.shape)


SETTINGS = {
    "iemocap-paper": Setting(shape="iemocap", preset="paper", batches=1),
    "meld-paper": Setting(shape="meld", preset="paper", batches=1),
    "iemocap-laptop": Setting(shape="iemocap", preset="laptop", batches=13),
    "meld-laptop": Setting(shape="meld", preset="laptop", batches=16),
}


class Bench:
    """One setting's data and sides.

    Args:
        setting: What to measure.
        sides: Names out of packed, plain, public.
        reference: Folder of SDT's public code, for the side public.
    """

    def __init__(self, setting: Setting, sides: tuple[str, ...], reference: Path | None) -> None:
        data, config = setting.data(), setting.config()
        train, cpu = data.subset("train"), torch.device("cpu")
        anchors = np.random.default_rng(0).normal(size=(len(data.classes), ANCHOR_WIDTH[setting.preset]))
        self.config, self.batches = config, setting.batches
        self.train_loader, self.evaluation_loader = (
            BatchLoader(data.subset(split), config.tables, config.training, cpu) for split in ("train", "validation")
        )
        self.models: dict[str, torch.nn.Module] = {}
        for side in sides:  # each its own weights, so that a side alone takes no other's memory
            model = build_model(config, train, anchors.astype(np.float32), seed=0)
            if side in ("plain", "public"):
                speakers = model.backbone.speaker.num_embeddings - 1
                self.pad = partial(PaddedBatch.of, standardize=model.backbone.standardize, speakers=speakers)
                model.backbone = PlainBackbone(model.backbone)  # type: ignore[assignment]
            if side == "public":
                assert reference is not None
                model = PublicSDT(reference, model.backbone, len(data.classes), config.backbone.dropout)
            self.models[side] = model
        self.optimizers = {
            name: torch.optim.Adam(
                model.parameters(),
                lr=config.training.learning_rate,
                weight_decay=config.training.weight_decay,
                fused=name in PACKED,
            )
            for name, model in self.models.items()
        }

    @property
    def packed(self) -> FMERL:
        return self.models["packed"]

    def train_batches(self) -> Iterator[Batch]:
        """The same batches at every call."""
        return islice(self.train_loader.shuffled(torch.Generator().manual_seed(0)), self.batches)

    def given(self, side: str, batch: Batch) -> Batch | PaddedBatch:
        return batch if side in PACKED else self.pad(batch)

    def train(self, side: str) -> None:
        model, optimizer = self.models[side].train(), self.optimizers[side]
        for batch in self.train_batches():
            given = self.given(side, batch)
            with precision(side):
                loss = model.loss(model(given), given)
            optimizer.zero_grad(set_to_none=True)
            (loss if side == "public" else loss.total).backward()
            optimizer.step()

    def evaluate(self, side: str) -> None:
        """Validation as each does it: packed by length, the others in batches of training's size and any order; SDT's
        public code keeps the graph."""
        model = self.models[side].eval()
        if side in PACKED:
            batches = self.evaluation_loader.in_order()
        else:
            batches = self.evaluation_loader.shuffled(torch.Generator().manual_seed(0))
        with nullcontext() if side == "public" else torch.inference_mode(), precision(side):
            for batch in batches:
                model(self.given(side, batch))

    def check(self) -> None:
        """Sides agree in evaluation, and the formula of useful work agrees with PyTorch's count, or nothing is said."""
        batch = next(self.train_batches())
        for model in self.models.values():
            model.eval()
        with torch.no_grad():
            ours = self.packed.backbone(batch)
            for name in {"plain", "public"} & set(self.models):
                model, padded = self.models[name], self.given(name, batch)
                theirs = model.fused(padded) if isinstance(model, PublicSDT) else model.backbone(padded)
                difference = (ours - theirs[padded.real.flatten()]).abs().max().item()
                assert difference <= 1e-4 * ours.abs().max().item(), f"{name} differs by {difference}"
        formula, counted = useful_flops(self.packed, batch, True), counted_flops(self.packed, batch)
        assert abs(formula / counted - 1) < 1e-3, f"{formula:.4g} operations by formula, {counted:.4g} counted"

    def padding(self) -> float:
        """Share of rows that are padding when these batches are padded."""
        real = [sum(d * t for d, t in batch.runs) for batch in self.train_batches()]
        rows = [sum(d for d, _ in batch.runs) * batch.runs[-1][1] for batch in self.train_batches()]
        return 1 - sum(real) / sum(rows)


def precision(side: str) -> torch.autocast:
    """Of a side's forward pass."""
    return torch.autocast("cpu", torch.bfloat16, enabled=side == "bfloat16")


def seconds(action: Callable[[], None], clock: Callable[[], float]) -> float:
    started = clock()
    action()
    return clock() - started


def measure(name: str, sides: tuple[str, ...], rounds: int, reference: Path | None, threads: int) -> dict[str, float]:
    """Print one setting's table; returns its ratios."""
    peaks = {side: peak_memory(name, side, reference, threads) for side in sides}  # first: all sides at once are large
    bench = Bench(SETTINGS[name], sides, reference)
    bench.check()
    train_flops = sum(useful_flops(bench.packed, batch, True) for batch in bench.train_batches())
    evaluation_flops = sum(useful_flops(bench.packed, batch, False) for batch in bench.evaluation_loader.in_order())
    for side in sides:
        for _ in range(WARM_UP):
            bench.train(side)
        bench.evaluate(side)
    train: dict[str, list[float]] = {side: [] for side in sides}
    evaluation: dict[str, list[float]] = {side: [] for side in sides}
    rates, clock = [], time.process_time if threads == 1 else time.perf_counter
    for _ in range(rounds):
        before = gemm_rate(clock)
        for side in sides:
            train[side].append(seconds(lambda side=side: bench.train(side), clock))
            evaluation[side].append(seconds(lambda side=side: bench.evaluate(side), clock))
        rates.append((before + gemm_rate(clock)) / 2)
    utterances = sum(len(batch.rows) for batch in bench.train_batches())
    print(f"\n{name}: {bench.batches} batches, {utterances} utterances, {bench.padding():.0%} padding if padded")
    print(f"matrix products: {statistics.median(rates) / 1e9:.0f} GFLOP/s; a step's: {train_flops / 1e12:.3f} TFLOP")
    columns = ("train s", "of GEMM", "x packed", "eval s", "of GEMM", "x packed", "peak GiB")
    print(f"{'side':8}" + "".join(f"{column:>9}" for column in columns))
    ratios = {}
    for side in sides:
        fraction, slower = _fraction(train[side], rates, train_flops), _ratio(train[side], train["packed"])
        fraction_eval = _fraction(evaluation[side], rates, evaluation_flops)
        slower_eval = _ratio(evaluation[side], evaluation["packed"])
        print(
            f"{side:8}{statistics.median(train[side]):9.2f}{fraction:9.0%}{slower:9.2f}"
            f"{statistics.median(evaluation[side]):9.2f}{fraction_eval:9.0%}{slower_eval:9.2f}{peaks[side]:9.2f}"
        )
        if side == "packed":
            ratios |= {"train_of_gemm": fraction, "evaluation_of_gemm": fraction_eval}
        elif side == "plain":
            ratios |= {"train_speedup": slower, "evaluation_speedup": slower_eval}
            ratios |= {"memory_saving": peaks["plain"] / peaks["packed"]}
    return {key: round(value, 3) for key, value in ratios.items()}


def _ratio(times: list[float], other: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(times, other, strict=True))


def _fraction(times: list[float], rates: list[float], flops: float) -> float:
    return statistics.median(flops / t / rate for t, rate in zip(times, rates, strict=True))


def peak_memory(name: str, side: str, reference: Path | None, threads: int) -> float:
    """Peak of a fresh process that trains one side until it is warm, in GiB."""
    command = [sys.executable, __file__, "--settings", name, "--memory-of", side, "--threads", str(threads)]
    command += ["--reference", str(reference)] if reference else []
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS), help="default: all")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: %(default)s)")
    parser.add_argument("--reference", type=Path, help="folder of SDT's public code, for the side public")
    parser.add_argument("--store", action="store_true", help="write the ratios as those to compare with")
    parser.add_argument(
        "--beside", nargs="+", choices=OTHERS, default=["plain"], help="sides beside packed (default: plain)"
    )
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if "public" in arguments.beside and arguments.reference is None:
        parser.error("the side public needs --reference")
    sides = ("packed", *arguments.beside)
    with deterministic(arguments.threads):
        if arguments.memory_of:
            bench = Bench(SETTINGS[arguments.settings[0]], (arguments.memory_of,), arguments.reference)
            for _ in range(WARM_UP):
                bench.train(arguments.memory_of)
            # Not ru_maxrss: a child inherits its parent's.
            peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
            print(int(peak.split()[1]) / 2**20)
            return 0
        print(f"PyTorch {torch.__version__}, {arguments.threads} threads, float32")
        found = {
            f"{name} on {arguments.threads}": measure(
                name, sides, arguments.rounds, arguments.reference, arguments.threads
            )
            for name in arguments.settings
        }
    stored = json.loads(STORED.read_text()) if STORED.exists() else {}
    if arguments.store:
        STORED.write_text(json.dumps(dict(sorted({**stored, **found}.items())), indent=2) + "\n")
        return 0
    lost = [
        f"{name} {key}: {value} after {stored[name][key]}"
        for name, ratios in found.items()
        for key, value in ratios.items()
        if value < LOST * stored.get(name, {}).get(key, 0)
    ]
    print("\n" + ("\n".join(["regressed", *lost]) if lost else "no ratio lost a fifth of the stored one"))
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
