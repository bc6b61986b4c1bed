"""The same cell trained by 1, 2 and 4 processes: losses of every epoch side by side, and how far they lie apart.

Without dropout, whose masks each rank draws for itself. Processes talk by Gloo, as workers of a cell without GPUs do.
Ends with 1 when a loss differs by more than 1e-5 or a validation score at all.

    python benchmarks/ddp_parity.py --workers 1 2 4
"""

from __future__ import annotations

import argparse
import socket
import sys
import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from fmerl.training.cell import train_cell
from fmerl.training.distributed import Ranks
from fmerl_platform.study.cells import CorpusInputs
from fmerl_platform.study.inputs import load_inputs
from fmerl_platform.study.options import InputOptions
from fmerl_platform.study.paper import PAPER
from fmerl_platform.study.study import Study

TOLERANCE = 1e-5
LOSSES = ("train_loss", "train_mse_loss", "train_contrastive_loss", "train_negative_loss")
SCORE = "validation_weighted_f1"
History = list[dict[str, float]]


def train(rank: int, size: int, port: int, inputs: CorpusInputs, path: Path) -> None:
    """One rank; the first leaves every epoch's metrics in `path`."""
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=size)
    history: History = []
    train_cell(
        inputs.control,
        inputs.data,
        inputs.anchors[inputs.control.anchors],
        seed=0,
        on_epoch=lambda _, metrics: history.append(metrics),
        ranks=Ranks(rank, size),
    )
    if rank == 0:
        torch.save(history, path)
    dist.destroy_process_group()


def trained(size: int, inputs: CorpusInputs, folder: Path) -> History:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = folder / f"{size}.pt"
    mp.spawn(train, (size, port, inputs, path), nprocs=size)
    history: History = torch.load(path)
    return history


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2, 4], help="the first is compared with")
    parser.add_argument("--epochs", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--scale", type=float, default=0.1, help="of the synthetic corpus (default: %(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.json").write_text('{"backbone.dropout": 0.0}')
        options = InputOptions(scale=arguments.scale, epochs=arguments.epochs, config=folder / "config.json")
        study = Study("parity", corpora=["synthetic-meld"], variants=PAPER[:1], inputs=options)
        (inputs,) = load_inputs(study, folder)
        found = {size: trained(size, inputs, folder) for size in arguments.workers}
    print("epoch " + " ".join(f"{f'{size} workers':>12}" for size in found) + "  (training loss)")
    for epoch, row in enumerate(zip(*found.values(), strict=True), start=1):
        print(f"{epoch:5} " + " ".join(f"{metrics['train_loss']:12.7f}" for metrics in row))
    first, same = arguments.workers[0], True
    for size, history in found.items():
        pairs = list(zip(history, found[first], strict=True))
        apart = max(abs(mine[loss] - theirs[loss]) for mine, theirs in pairs for loss in LOSSES)
        scores = all(mine[SCORE] == theirs[SCORE] for mine, theirs in pairs)
        same &= apart <= TOLERANCE and scores
        agree = "the same" if scores else "NOT the same"
        print(f"{size} workers: losses within {apart:.1e} of {first}'s, validation scores {agree}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
