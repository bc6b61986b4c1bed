"""The Ray Data actor that holds an encoder and stages what it makes."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from fmerl.features.encoder import Encoded, EncoderSpec, Item
from fmerl_platform.extraction.items import unpack
from fmerl_platform.extraction.staging import begin, end, stage
from fmerl_platform.running.nodes import given_device

_DEATHS = 2
"""Deaths of the process on a block before its items are encoded one by one, and on an item before it is given up."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """A block that is encoded and staged."""

    items: int
    problems: int
    began: float
    """Seconds since 1970."""
    ended: float


class ExtractionWorker:
    """Encodes blocks of packed items to disk.

    Ray starts a process that died again and repeats its block. An item that kills the process each time, as a media
    file that crashes its decoder does, would so be repeated for ever: it is found, and listed as a problem.

    Args:
        spec: The encoder, which is built here.
        staging: Folder of the staged blocks.
        threads: Threads of this process, for arithmetic.
    """

    def __init__(self, spec: EncoderSpec, staging: Path, threads: int) -> None:
        torch.set_num_threads(threads)
        if threads == 1:
            os.environ["TOKENIZERS_PARALLELISM"] = "false"
        self._encoder, self._staging = spec.build(str(given_device())), staging

    def __call__(self, block: pa.Table) -> pa.Table:
        """Encode and stage a block; returns one row with the fields of `Block`."""
        began = time.time()
        items, fingerprints = unpack(block)
        if begin(self._staging, fingerprints) <= _DEATHS:
            encoded = self._encoder.encode(items)
        else:
            encoded = _joined([self._alone(item, key) for item, key in zip(items, fingerprints, strict=True)])
        stage(self._staging, fingerprints, encoded)
        end(self._staging, fingerprints)
        problems = sum(problem is not None for problem in encoded.problems)
        counts = Block(items=len(items), problems=problems, began=began, ended=time.time())
        return pa.Table.from_pylist([asdict(counts)])

    def _alone(self, item: Item, fingerprint: bytes) -> Encoded:
        if begin(self._staging, [fingerprint]) <= _DEATHS:
            encoded = self._encoder.encode([item])
            end(self._staging, [fingerprint])
            return encoded
        return Encoded(
            values=np.zeros((1, self._encoder.width), dtype=np.float32),
            missing=np.ones(1, dtype=np.bool_),
            problems=(f"the encoder's process died {_DEATHS} times on it",),
        )


def _joined(parts: Sequence[Encoded]) -> Encoded:
    return Encoded(
        values=np.concatenate([part.values for part in parts]),
        missing=np.concatenate([part.missing for part in parts]),
        problems=tuple(problem for part in parts for problem in part.problems),
    )
