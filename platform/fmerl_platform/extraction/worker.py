"""The Ray Data actor that holds an encoder and stages what it makes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pyarrow as pa
import torch

from fmerl.features.encoder import EncoderSpec
from fmerl_platform.extraction.items import unpack
from fmerl_platform.extraction.staging import stage


class ExtractionWorker:
    """Encodes blocks of packed items to disk.

    Args:
        spec: Of the encoder, which is built here.
        staging: Folder of the staged blocks.
        threads: Of this process, for arithmetic.
    """

    def __init__(self, spec: EncoderSpec, staging: Path, threads: int) -> None:
        torch.set_num_threads(threads)
        if threads == 1:
            os.environ["TOKENIZERS_PARALLELISM"] = "false"
        self._encoder, self._staging = spec.build(), staging

    def __call__(self, block: pa.Table) -> pa.Table:
        """Encode a block; what comes back is one row that counts it, and when it was encoded (seconds since 1970)."""
        began = time.time()
        items, fingerprints = unpack(block)
        encoded = self._encoder.encode(items)
        stage(self._staging, fingerprints, encoded)
        problems = sum(problem is not None for problem in encoded.problems)
        return pa.table({"items": [len(items)], "problems": [problems], "began": [began], "ended": [time.time()]})
