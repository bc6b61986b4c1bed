"""CLED (Kang and Cho 2024): an encoder tuned by cross-entropy and a contrast that knows which emotions follow which.

L = CE + L_con, over the batch and vectors that are made from it. By EmoMix, each state h of class c makes one vector of
label i for every class i but the decoupled one: T[c, i] h + (1 - T[c, i]) μ_i, where T[c, i] is the share of c's turns
in train whose dialogue goes on with i, and μ_i the mean state of class i when the epoch began.

The contrast compares all utterances of a batch, those of every rank: `compares` says so, and the update gathers them.

Shapes: n utterances of a batch, m vectors of the contrast, V views, D width, C classes.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from fmerl.errors import InputError
from fmerl.finetuning.config import CLEDConfig, TuningConfig
from fmerl.finetuning.data import TuningData
from fmerl.finetuning.edits import Edit, EditedPass, Editor, read_synonyms
from fmerl.finetuning.inputs import TokenSequence
from fmerl.finetuning.packing import Pass, PassMaker
from fmerl.finetuning.system import Encode, Output, TunedSystem
from fmerl.model.baselines.losses import supervised_contrastive


class CLED(TunedSystem):
    """Encoder and a linear layer.

    Args:
        encoder: A Hugging Face encoder.
        transitions: T, [C, C].
        decoupled: Index of the decoupled class; None for none.
        learned: Classes that train has, in label order, [C].
        settings: CLED's own.
        edited: Inputs with edited words, [U], for augmentations of that kind.
    """

    transitions: Tensor
    centroids: Tensor
    """Mean state of each class when the epoch began, [C, D]; part of the state that a resumed epoch starts from."""

    def __init__(
        self,
        encoder: Any,
        transitions: NDArray[np.float32],
        decoupled: int | None,
        learned: NDArray[np.bool_],
        settings: CLEDConfig,
        edited: Sequence[TokenSequence] | None = None,
    ) -> None:
        super().__init__()
        self._edited = edited
        self.encoder, self._settings, self._decoupled = encoder, settings, decoupled
        self.head = nn.Linear(encoder.config.hidden_size, len(transitions))
        self._targets = [index for index, known in enumerate(learned) if known and index != decoupled]
        self.register_buffer("transitions", torch.from_numpy(transitions))
        self.register_buffer("centroids", torch.zeros(len(transitions), encoder.config.hidden_size))

    @classmethod
    def create(cls, encoder: Any, config: TuningConfig, data: TuningData) -> CLED:
        settings = config.cled
        if settings.decoupled not in (*data.classes, "none"):
            what = f"{settings.decoupled} is no class"
            raise InputError("cled.decoupled", what, f"name one of {', '.join(data.classes)}, or none")
        decoupled = None if settings.decoupled == "none" else data.classes.index(settings.decoupled)
        counts = np.bincount(data.learned[data.train_rows()], minlength=len(data.classes))
        return cls(encoder, transitions_of(data), decoupled, counts > 0, settings, _edited(data, settings))

    @property
    def compares(self) -> bool:
        return self._settings.loss != "ce"

    def passes(self, maker: PassMaker, data: TuningData, rows: Sequence[int]) -> Iterator[Pass | EditedPass]:
        """Forward passes over these rows; in training the edited tokens count, too."""
        inputs = self._edited if self.training else None
        if inputs is None:
            yield from maker.passes(data.sequences, rows)
            return
        for batch in maker.passes(data.sequences, rows, {row: len(inputs[row].ids) for row in rows}):
            yield EditedPass.of(batch, maker.whole(inputs, batch.rows.tolist()))

    def forward(self, batch: Pass | EditedPass) -> Output:
        """Outputs in the order of the pass's rows; in training two views, of another dropout mask or edited words."""
        if isinstance(batch, EditedPass):
            views = batch.views(self.encoder)
        else:
            twice = self.training and self.compares and self._settings.augmentation == "dropout"
            views = [batch.vectors(self.encoder) for _ in range(1 + twice)]
        states = torch.stack(views, dim=1)
        return Output(self.head(states[:, 0]), states)

    def loss(self, output: Output, label: Tensor) -> Tensor:
        entropy = F.cross_entropy(output.logits, label, reduction="sum")
        if not self.compares:
            return entropy
        vectors, labels = self.augmented(output.states, label)
        settings = self._settings
        if settings.loss == "supcon":
            return entropy + len(label) * supervised_contrastive(vectors, labels, settings.temperature)
        contrast = decoupled_contrast(
            vectors, labels, self._decoupled, settings.alpha, settings.temperature, settings.threshold
        )
        return entropy + len(label) * contrast

    def augmented(self, states: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors [m, D] of the contrast and their labels [m], from states [n, V, D] and labels [n]."""
        vectors, labels = states.flatten(0, 1), label.repeat_interleave(states.shape[1])
        if self._settings.augmentation != "emomix" or not self._targets:
            return vectors, labels
        share = self.transitions[label][:, self._targets].unsqueeze(2)
        mixed = share * states[:, :1] + (1 - share) * self.centroids[self._targets]
        targets = torch.tensor(self._targets, device=label.device).repeat(len(label))
        return torch.cat([vectors, mixed.flatten(0, 1)]), torch.cat([labels, targets])

    def begin_epoch(self, encode: Encode, data: TuningData) -> None:
        """Set the centroids."""
        if not self.compares or self._settings.augmentation != "emomix":
            return
        rows = data.train_rows()
        states, label = encode(rows), torch.from_numpy(data.learned[rows])
        for index in label.unique().tolist():
            self.centroids[index] = states[label == index].mean(0).to(self.centroids.device)


def _edited(data: TuningData, settings: CLEDConfig) -> Sequence[TokenSequence] | None:
    """Inputs with edited words, [U], drawn from the global generator; None for other augmentations."""
    if settings.loss == "ce" or settings.augmentation not in get_args(Edit):
        return None
    kind = cast(Edit, settings.augmentation)
    synonyms = read_synonyms(Path(settings.synonyms)) if kind in ("insert", "replace") else {}
    editor = Editor(kind, settings.edit_share, synonyms, random.Random(int(torch.randint(2**31, ()))))
    pairs = zip(data.items, data.utterances, strict=True)
    return data.builder.sequences([editor.item(item, each.text) for item, each in pairs])


def transitions_of(data: TuningData) -> NDArray[np.float32]:
    """Share T[c, i] of class c's turns in train that a turn of class i follows, [C, C]; 0 where none follows."""
    counts = np.zeros((len(data.classes), len(data.classes)), dtype=np.float32)
    np.add.at(counts, tuple(data.next_turns().T), 1)
    return counts / counts.sum(1, keepdims=True).clip(min=1)


def decoupled_contrast(
    vectors: Tensor, label: Tensor, decoupled: int | None, alpha: float, temperature: float, threshold: float
) -> Tensor:
    """CLED's contrast of vectors [m, D] with labels [m].

    With s_ij = ((1 + cos) / 2) / temperature, P_i the sum of e^s over the others of i's class and N_i over all other
    classes, those pairs times 1 + alpha of which one is of the decoupled class: the mean of
    -log(P_i / ((P_i + N_i) · |others of i's class|)) over all i with such others whose loss exceeds the threshold; 0 if
    there is none.
    """
    unit = F.normalize(vectors, dim=1)
    other = ~torch.eye(len(label), dtype=torch.bool, device=label.device)
    positive = (label.unsqueeze(1) == label) & other
    rows = positive.any(1)
    similarity, positive, other = (1 + unit[rows] @ unit.T) / 2 / temperature, positive[rows], other[rows]
    aside = label == (-1 if decoupled is None else decoupled)
    pushed = (aside.unsqueeze(1) ^ aside)[rows]
    near = similarity.masked_fill(~positive, -math.inf).logsumexp(1)
    every = (similarity + math.log1p(alpha) * pushed).masked_fill(~other, -math.inf).logsumexp(1)
    losses = every - near + positive.sum(1).log()
    hard = losses[losses > threshold]
    return hard.mean() if len(hard) else 0 * vectors.sum()
