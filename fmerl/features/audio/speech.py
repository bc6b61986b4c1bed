"""Acoustic features by a speech encoder: the mean over an utterance's frames, and their deviation, is one vector.

Sound at the encoder's rate -> its normalisation -> pieces of at most `chunk` seconds -> frozen network -> layers ->
pooling over the frames of all pieces.

Shapes: n utterances, S samples, T frames, D width of a vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fmerl.errors import InputError
from fmerl.extras import optional_module
from fmerl.features.audio.framing import Piece
from fmerl.features.audio.hub_sounds import HuggingFaceSounds
from fmerl.features.audio.layers import parse_layers
from fmerl.features.audio.sound import read_sound
from fmerl.features.encoder import Encoded, Item
from fmerl.features.media import MediaError
from fmerl.features.statistics import StatisticsFit

SoundPooling = Literal["mean", "mean+deviation"]

_HELD = 4
"""Batches of pieces that are held, at most, until others of their length come."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SpeechSpec:
    """Recipe of a speech encoder's features.

    Example:
        >>> spec = SpeechSpec(encoder="facebook/wav2vec2-base", layers=("all",), pooling="mean+deviation")
    """

    encoder: str
    """Hugging Face id or folder of a speech encoder."""
    layers: tuple[str, ...] = ("-1",)
    """Layers whose mean is taken, LAYER or LAYER:WEIGHT; 0 is what enters the first one, -1 the output; or `all`."""
    pooling: SoundPooling = "mean"
    """Mean over an utterance's frames, or that and their deviation, which doubles the width."""
    chunk: float = 30.0
    """Most seconds that the network reads at once; longer sound is cut into pieces of equal length."""
    longest: float = 300.0
    """Most seconds of an utterance that are read."""
    batch_size: int = 4
    """Most pieces of one length per forward pass."""

    def __post_init__(self) -> None:
        parse_layers(self.layers)
        if self.pooling not in get_args(SoundPooling):
            raise ValueError(f"audio pooling must be one of {', '.join(get_args(SoundPooling))}, not {self.pooling!r}")
        if not self.chunk >= 1:
            raise ValueError(f"chunk must be at least 1 s, not {self.chunk}")
        if not self.longest > 0:
            raise ValueError(f"longest must be positive, not {self.longest}")
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {self.batch_size}")

    @property
    def modality(self) -> str:
        return "audio"

    @property
    def uses_gpu(self) -> bool:
        return True

    def build(self, device: str = "cpu") -> SpeechEncoder:
        """Load the network onto a device.

        Raises:
            InputError: No such speech encoder, a layer that it lacks, a chunk that is too long for it, or no PyAV.
        """
        return SpeechEncoder(self, device)


class SpeechEncoder:
    """A frozen speech encoder; an utterance without sound, or with too little for a frame, is missing, with the reason.

    Pieces share a forward pass only where they are equally long, so that a row does not depend on the others.
    """

    modality = "audio"
    columns = None

    def __init__(self, spec: SpeechSpec, device: str) -> None:
        self.spec = spec
        self._av = optional_module("av", "audio")
        self._network = HuggingFaceSounds(spec.encoder, parse_layers(spec.layers), torch.device(device))
        self._chunk = round(spec.chunk * self._network.rate)
        longest = self._network.longest
        if longest is not None and self._chunk > longest:
            seconds = f"{longest / self._network.rate:g}"
            raise InputError(
                spec.encoder, f"it reads {seconds} s at once, not {spec.chunk:g}", f"chunk it by {seconds}"
            )
        self._parts = 1 if spec.pooling == "mean" else 2
        self.width: int = self._parts * self._network.width

    def recipe(self) -> dict[str, Any]:
        """Network with its revision, layers, rate, pooling, seconds that are read, and versions of the libraries."""
        network = self._network.recipe()
        versions = {"av": self._av.__version__, **network.pop("versions")}
        read = {"pooling": self.spec.pooling, "chunk": self.spec.chunk, "longest": self.spec.longest}
        return {**network, **read, "channels": "mean", "versions": versions}

    def encode(self, items: Sequence[Item]) -> Encoded:
        """Pooled vectors of n utterances, [n, D]."""
        fits = [StatisticsFit(self._network.width) for _ in items]
        missing, problems = np.zeros(len(items), dtype=np.bool_), list[str | None]()
        waiting: dict[torch.Size, list[tuple[int, int, Tensor]]] = {}
        for row, item in enumerate(items):
            try:
                sound, pieces, problem = self._sound(item)
            except MediaError as error:
                missing[row] = True
                problems.append(str(error))
                continue
            problems.append(problem)
            for piece, inputs in zip(pieces, self._network.inputs(sound, pieces), strict=True):
                waiting.setdefault(inputs.shape, []).append((row, piece.frames, inputs))
                if len(waiting[inputs.shape]) == self.spec.batch_size:
                    self._add(waiting.pop(inputs.shape), fits)
            if sum(map(len, waiting.values())) > _HELD * self.spec.batch_size:
                self._add_all(waiting, fits)
        self._add_all(waiting, fits)
        values = np.stack([self._pooled(fit) for fit in fits]) if items else np.zeros((0, self.width), np.float32)
        bad = ~np.isfinite(values).all(axis=1)
        for row in np.flatnonzero(bad).tolist():
            problems[row] = "the network gives values that are not finite"
        values[bad] = 0
        return Encoded(values, bad | missing, tuple(problems))

    def _sound(self, item: Item) -> tuple[NDArray[np.float32], list[Piece], str | None]:
        """Samples [S] between -1 and 1, their pieces, and their oddities."""
        network = self._network
        sound, odd = read_sound(
            item.media, sampling_rate=network.rate, start=item.start, end=item.end, longest=self.spec.longest
        )
        if not network.framing.frames(len(sound)):
            raise MediaError(f"{len(sound) / network.rate:.3f} s of sound are too short for {self.spec.encoder}")
        return sound.astype(np.float32) / np.float32(2**15), network.framing.pieces(len(sound), self._chunk), odd

    def _add_all(self, waiting: dict[torch.Size, list[tuple[int, int, Tensor]]], fits: Sequence[StatisticsFit]) -> None:
        while waiting:
            self._add(waiting.popitem()[1], fits)

    def _add(self, batch: Sequence[tuple[int, int, Tensor]], fits: Sequence[StatisticsFit]) -> None:
        frames = self._network.frames([inputs for _, _, inputs in batch]).numpy()
        for (row, own, _), found in zip(batch, frames, strict=True):
            fits[row].add(found[:own])

    def _pooled(self, fit: StatisticsFit) -> NDArray[np.float32]:
        found = fit.statistics()
        return np.concatenate([found.mean, found.deviation][: self._parts]).astype(np.float32)
