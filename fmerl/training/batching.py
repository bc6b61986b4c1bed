"""Batches of whole dialogues, packed: no row is padding.

Shapes: B dialogues and N utterances of one batch, D_m width of modality m.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from fmerl.config import TrainingConfig
from fmerl.model.batch import Batch
from fmerl.training.dataset import ConversationData


class BatchLoader:
    """Batches of whole dialogues from data held on one device.

    Args:
        data: Data to load.
        tables: Modalities to load, and knowledge.
        config: Gives `batch_size` and `batch_unit` of training.
        device: Device of the tensors.
    """

    def __init__(
        self,
        data: ConversationData,
        tables: Sequence[str],
        config: TrainingConfig,
        device: torch.device,
    ) -> None:
        self._offsets, self._config = data.offsets, config
        with warnings.catch_warnings():
            # Arrays shared by Ray are read-only, and nothing here writes to them.
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            self.features = {name: torch.from_numpy(data.features[name]).to(device) for name in tables}
            self.missing = {name: torch.from_numpy(data.missing[name]).to(device) for name in tables}
            self._speaker, self._label, self._vad = (
                torch.from_numpy(array).to(device) for array in (data.speaker, data.label, data.vad)
            )
        self._device = device

    def shuffled(self, generator: torch.Generator) -> Iterator[Batch]:
        """One epoch of training batches in an order drawn from `generator`."""
        order = torch.randperm(len(self._offsets) - 1, generator=generator).numpy()
        by_dialogue = self._config.batch_unit == "dialogues"
        sizes = np.ones_like(order) if by_dialogue else np.diff(self._offsets)[order]
        yield from self._filled(order, sizes, self._config.batch_size)

    def in_order(self, utterances: int = 1024) -> Iterator[Batch]:
        """Every dialogue once, of similar lengths together: for evaluation.

        Args:
            utterances: Size at which a batch is full; larger than in training.
        """
        lengths = np.diff(self._offsets)
        order = np.argsort(lengths, kind="stable")
        yield from self._filled(order, lengths[order], utterances)

    def _filled(self, order: NDArray[np.int64], sizes: NDArray[np.int64], full: int) -> Iterator[Batch]:
        """Dialogues in `order`, a new batch whenever the sizes of the last one have reached `full`."""
        starts, held = [], full
        for place, size in enumerate(sizes.tolist()):
            if held >= full:
                starts.append(place)
                held = 0
            held += size
        for dialogues in np.split(order, starts[1:]):
            yield self._batch(dialogues)

    def _batch(self, dialogues: NDArray[np.int64]) -> Batch:
        lengths = np.diff(self._offsets)[dialogues]
        by_length = np.argsort(lengths, kind="stable")
        dialogues, lengths = dialogues[by_length], lengths[by_length]
        position = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        rows = torch.from_numpy(np.repeat(self._offsets[dialogues], lengths) + position).to(self._device)
        turns, counts = np.unique(lengths, return_counts=True)
        return Batch(
            features={name: values[rows] for name, values in self.features.items()},
            present={name: (~values[rows]).float().unsqueeze(1) for name, values in self.missing.items()},
            speaker=self._speaker[rows],
            position=torch.from_numpy(position).to(self._device),
            label=self._label[rows],
            vad=self._vad[rows],
            runs=tuple(zip(counts.tolist(), turns.tolist(), strict=True)),
            rows=rows,
        )
