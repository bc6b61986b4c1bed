"""Tuning beside `transformers.Trainer`: the same encoder, classifier, batches, order, optimiser and seed.

Each way has a process of its own, one after the other. Dropout is off, since its masks are drawn over tokens, of which
the ways have different numbers; then every update's loss must be the same. `grouped` is Trainer with batches of like
length, another order, and so compared by time alone. Processor time of one thread is what is compared: it does not
depend on who else uses the machine. Memory is what training adds to the process before its first update.

    pip install 'fmerl[offline,benchmarks]'
    python benchmarks/finetuning.py --meld FOLDER --updates 312        # an epoch of MELD's utterances
    python benchmarks/finetuning.py --meld FOLDER --input past --updates 60
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fmerl.config.presets import OFFLINE_ENCODER
from fmerl.corpus import Corpus
from fmerl.corpus.readers import read_meld
from fmerl.extras import optional_module
from fmerl.finetuning.config import TuningConfig
from fmerl.finetuning.data import TuningData, tuning_data
from fmerl.finetuning.model import TunedClassifier, longest_input, parameter_groups, prepare_encoder
from fmerl.finetuning.packing import PassMaker
from fmerl.finetuning.steps import Tuner
from fmerl.synthetic import SHAPES, generate
from fmerl.training.distributed import ALONE

WAYS = ("ours", "trainer", "grouped")


@dataclass(frozen=True)
class Setting:
    """Everything that the ways share."""

    config: TuningConfig
    tokenizer: Any
    model: TunedClassifier
    maker: PassMaker
    data: TuningData

    def tuner(self) -> Tuner:
        return Tuner(self.model, self.data, self.config, self.maker, 0, torch.device("cpu"), ALONE)


def prepare(options: argparse.Namespace) -> Setting:
    corpus = read_meld(options.meld)[0] if options.meld else generate(SHAPES["synthetic-meld"]).corpus
    config = TuningConfig(
        encoder=options.encoder, input=options.input, epochs=1, batch_size=options.batch_size, dropout=0.0,
        max_length=options.max_length, learning_rate=5e-5, head_rate=5e-5,
    )  # fmt: skip
    tokenizer, encoder, maker = prepare_encoder(config)
    torch.manual_seed(0)
    model = TunedClassifier(encoder, len(corpus.classes), 0.0)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name in ("dropout_prob", "attention_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
    cut = first_utterances(corpus, options.updates * options.batch_size)
    data = tuning_data(cut, config, tokenizer, longest_input(tokenizer, encoder))
    return Setting(config, tokenizer, model, maker, data)


def first_utterances(corpus: Corpus, count: int) -> Corpus:
    """As many training dialogues as hold at least so many labelled utterances."""
    kept, held = [], 0
    for dialogue in corpus.dialogues:
        if dialogue.split == "train" and held < count:
            kept.append(dialogue)
            held += sum(each.emotion is not None for each in dialogue.utterances)
    return replace(corpus, dialogues=tuple(kept))


def ours(setting: Setting) -> Callable[[], list[float]]:
    tuner = setting.tuner()
    batches = tuner.batches(1)
    return lambda: [tuner.update(number, rows) / len(rows) for number, rows in enumerate(batches)]


class Padded(nn.Module):
    """The classifier as Trainer calls it; keeps the loss of every batch."""

    def __init__(self, model: TunedClassifier) -> None:
        super().__init__()
        self.model = model
        self.losses: list[Tensor] = []

    def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> dict[str, Tensor]:
        states = self.model.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        logits = self.model.head(states[:, 0])
        loss = nn.functional.cross_entropy(logits, labels)
        self.losses.append(loss.detach())
        return {"loss": loss, "logits": logits}


def trainer(setting: Setting, grouped: bool) -> Callable[[], list[float]]:
    from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

    optional_module("accelerate", "benchmarks")

    rows = [row for batch in setting.tuner().batches(1) for row in batch.tolist()]
    setting.model.encoder.set_attn_implementation("sdpa")
    padded = Padded(setting.model)
    dataset = [
        {
            "input_ids": setting.data.sequences[row].ids,
            "attention_mask": [1] * len(setting.data.sequences[row].ids),
            "labels": int(setting.data.learned[row]),
        }
        for row in rows
    ]
    config = setting.config
    updates = -(-len(rows) // config.batch_size)
    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        per_device_train_batch_size=config.batch_size,
        num_train_epochs=1,
        train_sampling_strategy="group_by_length" if grouped else "sequential",
        warmup_steps=-(-updates // 10),
        max_grad_norm=config.clip,
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )
    optimizer = torch.optim.AdamW(parameter_groups(setting.model, config), fused=True)
    run = Trainer(
        model=padded,
        args=arguments,
        train_dataset=dataset,
        data_collator=DataCollatorWithPadding(setting.tokenizer),
        processing_class=setting.tokenizer,
        optimizers=(optimizer, None),
    )

    def train() -> list[float]:
        run.train()
        return torch.stack(padded.losses).tolist()

    return train


def measure(options: argparse.Namespace) -> None:
    """One way in this process; prints its result as JSON."""
    torch.set_num_threads(1)
    setting = prepare(options)
    train = ours(setting) if options.way == "ours" else trainer(setting, options.way == "grouped")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    processor, clock = time.process_time(), time.perf_counter()
    losses = train()
    print(
        json.dumps(
            {
                "losses": losses,
                "processor": time.process_time() - processor,
                "clock": time.perf_counter() - clock,
                "peak": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024,
                "added": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
                "packed": setting.maker.packed,
            }
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meld", type=Path, help="folder of MELD's CSVs; made-up texts unless given")
    parser.add_argument("--encoder", default=OFFLINE_ENCODER)
    parser.add_argument("--input", choices=("utterance", "name", "past", "both"), default="utterance")
    parser.add_argument("--updates", type=int, default=40)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        measure(options)
        return
    found = {}
    for way in WAYS:
        command = [sys.executable, __file__, *sys.argv[1:], "--way", way]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found[way] = json.loads(done.stdout.splitlines()[-1])
        each = found[way]
        times = f"{each['processor']:.1f} s of processor time, {each['clock']:.1f} s by the clock"
        memory = f"peak {each['peak']:.0f} MiB, {each['added']:.0f} MiB of it added by training"
        print(f"{way:8} {len(each['losses'])} updates: {times}; {memory}", flush=True)
    ours, trainer = found["ours"], found["trainer"]
    difference = max(abs(a - b) for a, b in zip(ours["losses"], trainer["losses"], strict=True))
    print(f"largest difference of an update's loss from Trainer's: {difference:.1e}")
    for way in WAYS[1:]:
        times, memory = found[way]["processor"] / ours["processor"], ours["peak"] / found[way]["peak"]
        print(f"{way} takes {times:.2f} times as long; peak memory here is {memory:.2f} of its")


if __name__ == "__main__":
    main()
