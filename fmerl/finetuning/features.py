"""Text features from a tuned encoder: the state that its classifier read, of the input that it was tuned on.

With folds, an utterance of train is encoded by the encoder that was tuned without its dialogue's labels. Validation and
test are encoded by the one tuned on all of train, which has not seen their labels either: it is the encoder that new
dialogues would meet. All encoders of a seed start from the same weights and the same classifier, so that their spaces
stay close, though not equal; how close has not been measured.

Shapes: n utterances, D width of the encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fmerl.corpus import Corpus
from fmerl.errors import InputError
from fmerl.features.encoder import Encoded, Item
from fmerl.finetuning.folder import TunedEncoder, read_tuned
from fmerl.finetuning.folds import Fold, folds_of
from fmerl.finetuning.inputs import InputBuilder, TokenSequence, tuning_items
from fmerl.finetuning.model import longest_input, prepare_encoder
from fmerl.finetuning.systems import SYSTEMS


@dataclass(frozen=True, kw_only=True)
class TunedTextSpec:
    """Recipe of text features from a tuned encoder, whose card decides all but the folds."""

    folder: Path
    folds: int | None = None
    """Number of folds it was tuned in; None encodes train, too, by the encoder that was tuned on all of it."""
    pass_tokens: int = 4096
    """Most tokens of a forward pass."""

    @property
    def modality(self) -> str:
        return "text"

    @property
    def uses_gpu(self) -> bool:
        return True

    def tuned(self) -> TunedEncoder:
        """The tuned encoder.

        Raises:
            InputError: See `read_tuned`; or the folder holds no tuned encoder, or one whose state needs more.
        """
        found = read_tuned(self.folder)
        if found is None:
            raise InputError(self.folder, "no encoder that was tuned here", "give a folder of fmerl finetune-text")
        if not SYSTEMS[found.config.system].makes_features:
            what = f"{found.config.system} reads more than its encoder does, so no features are made of it"
            raise InputError(self.folder, what, "give a folder of another system of fmerl finetune-text")
        return found

    def items(self, corpus: Corpus) -> list[Item]:
        """What is read of each utterance, in the corpus's order.

        Raises:
            InputError: Folds of another corpus than the encoder was tuned on.
        """
        tuned = self.tuned()
        config = tuned.config
        folds = None
        if self.folds is not None:
            if tuned.card["recipe"]["corpus"] != corpus.digest():
                what = f"tuned on another corpus than {corpus.name} as it is now, so its folds are other dialogues"
                raise InputError(self.folder, what, "tune it on this corpus, or leave the folds out")
            folds = folds_of(corpus, self.folds)
        return tuning_items(corpus, config.input, config.context_turns, folds)

    def build(self, device: str = "cpu") -> TunedTextEncoder:
        """Load the encoder tuned on all of train onto a device; those of folds are loaded when they are met.

        Raises:
            InputError: A folder that is not there or cannot be read.
        """
        tuned = self.tuned()
        count = self.folds or 0
        folds = [tuned.fold(Fold(number=number, of=count)) for number in range(count)]
        return TunedTextEncoder(tuned, folds, self.pass_tokens, torch.device(device))


def tuned_spec(encoder: str, folds: int | None = None) -> TunedTextSpec | None:
    """Recipe of features from an encoder that was tuned here; None for any other.

    Args:
        encoder: Name of a text encoder.
        folds: See `TunedTextSpec`.

    Raises:
        InputError: See `read_tuned`; or folds of an encoder that was not tuned here.
    """
    if read_tuned(Path(encoder)) is not None:
        return TunedTextSpec(folder=Path(encoder).resolve(), folds=folds)
    if folds is not None:
        what = f"{encoder} was not tuned here"
        raise InputError("--text-folds", what, "give a folder of fmerl finetune-text --folds")
    return None


class TunedTextEncoder:
    """The `Encoder` of text by a tuned encoder.

    Args:
        tuned: Encodes what has no fold.
        folds: Encode their own folds' utterances.
        pass_tokens: Most tokens of a forward pass.
        device: Device to run on.
    """

    modality = "text"
    columns = None

    def __init__(
        self, tuned: TunedEncoder, folds: Sequence[TunedEncoder], pass_tokens: int, device: torch.device
    ) -> None:
        self._tuned, self._folds, self._tokens, self._device = tuned, folds, pass_tokens, device
        self._load = cache(self._loaded)
        tokenizer, model, _ = self._load(None)
        self._length = tuned.config.max_length
        self._builder = InputBuilder(tokenizer, tuned.config, longest_input(tokenizer, model))
        self.width: int = model.config.hidden_size

    def recipe(self) -> dict[str, Any]:
        """Recipe of `fmerl.features.encoder.Encoder`: weights by their digests, wherever they lie."""
        return {
            "encoder": self._tuned.config.encoder,
            "tuned": self._tuned.card["content_digest"],
            "folds": [fold.card["content_digest"] for fold in self._folds],
            "input": {
                name: getattr(self._tuned.config, name) for name in ("input", "context_turns", "max_length", "pooling")
            },
            "libraries": {name: version(name) for name in ("torch", "transformers")},
        }

    def encode(self, items: Sequence[Item]) -> Encoded:
        """Vectors, [n, D]; an utterance without a token of its own is missing, one that is cut a listed problem."""
        sequences = self._builder.sequences(items)
        values = np.zeros((len(items), self.width), dtype=np.float32)
        missing = np.array([not (item.text and each.spoken) for item, each in zip(items, sequences, strict=True)], bool)
        spoken = np.flatnonzero(~missing).tolist()
        for fold in dict.fromkeys(items[row].fold for row in spoken):
            self._encode(values, sequences, [row for row in spoken if items[row].fold == fold], fold)
        problems = tuple(self._problem(item, each) for item, each in zip(items, sequences, strict=True))
        return Encoded(values=values, missing=missing, problems=problems)

    def _encode(
        self, values: NDArray[np.float32], sequences: Sequence[TokenSequence], rows: list[int], fold: int | None
    ) -> None:
        _, model, maker = self._load(fold)
        with torch.inference_mode():
            for batch in maker.passes(sequences, rows):
                values[batch.rows.numpy()] = batch.to(self._device).vectors(model).cpu().numpy()

    def _loaded(self, fold: int | None) -> tuple[Any, Any, Any]:
        tuned = self._tuned if fold is None else self._folds[fold]
        config = replace(tuned.config, encoder=str(tuned.folder), pass_tokens=self._tokens)
        tokenizer, model, maker = prepare_encoder(config)
        return tokenizer, model.to(self._device).eval(), maker

    def _problem(self, item: Item, sequence: TokenSequence) -> str | None:
        if not item.text:
            return "the text is empty"
        if not sequence.spoken:
            return "the text has no token that the model knows"
        return f"the text does not fit into {self._length} tokens and is cut" if sequence.cut else None
