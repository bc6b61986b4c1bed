"""A conversation while it goes on: each turn is predicted when it is spoken, from itself and the turns before it.

Keys and values of earlier turns are kept, so a turn costs one turn and not the whole conversation again. Models that
attend to later turns would say something else of a turn once the next one came, and are refused.

Shapes: D_m width of modality m.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from fmerl.bundle.predictor import Predictor, prediction_rows
from fmerl.config import DIMENSIONS
from fmerl.corpus.conversations import MEDIA_COLUMNS, pieces, turns_of
from fmerl.corpus.dialogue import Utterance
from fmerl.errors import InputError
from fmerl.features.encoder import reads_later_turns
from fmerl.model.batch import Batch
from fmerl.model.cache import KeyValueCache
from fmerl.training.dataset import CONTEXT_ONLY
from fmerl.training.evaluation import arranged, predict_batches

_CONVERSATION = Path("conversation")
Vector = NDArray[np.float32]


class LiveConversation:
    """One conversation, turn by turn; the rows are those that the predictor gives of the whole of it.

    Args:
        predictor: A bundle of models with `backbone.attention = past`, and its encoders. Many conversations may share
            it; a conversation is for one thread.
        longest: Most turns. Each takes 8 M² D bytes of memory for every seed (M modalities, D the backbone's width),
            and up to twice that.
        folder: Folder where media paths start.
        media_roots: Folders beside it that may hold media.

    Raises:
        InputError: Models or encoders that read later turns.

    Example:
        >>> from fmerl import read_bundle
        >>> talk = LiveConversation(Predictor(read_bundle("bundle")))  # doctest: +SKIP
        >>> talk.turn("Ana", "I got the job!")["predicted"]  # doctest: +SKIP
        'joy'
    """

    def __init__(
        self, predictor: Predictor, *, longest: int = 2_000, folder: Path = Path(), media_roots: Sequence[Path] = ()
    ) -> None:
        bundle = predictor.bundle
        if bundle.manifest.cell_config().backbone.attention != "past":
            what = "its models attend to later turns too"
            raise InputError("bundle", what, "train with --set backbone.attention=past, and export that")
        for modality, recipe in bundle.manifest.recipes.items():
            if reads_later_turns(recipe):
                what = "their encoder reads later turns too"
                raise InputError(f"{modality} features of the bundle", what, "tune it with --input past")
        self.longest = longest
        self._predictor, self._media = predictor, (folder, media_roots)
        self._models = [model.to(predictor.device) for model in bundle.models]
        self._caches = [KeyValueCache() for _ in self._models]
        self._turns = 0
        self._speakers: dict[str, int] = {}
        self._read_again = max((spec.context for spec in predictor.specs), default=0)
        self._recent: list[Utterance] = []

    @property
    def turns(self) -> int:
        """Turns so far."""
        return self._turns

    def turn(
        self, speaker: str, text: str, *, features: Mapping[str, ArrayLike] | None = None, **media: Any
    ) -> dict[str, Any]:
        """Predict the next turn: the columns of `fmerl predict` by name. A turn that is refused was not spoken.

        Args:
            speaker: Name of the speaker.
            text: The turn's text.
            features: Vectors by modality, [D_m] each, in place of those that the bundle's encoders make; a modality
                that is not among them is missing.
            media: `audio_path`, `video_path`, `video_start`, `video_end` and `video_side` of the turn.

        Raises:
            InputError: A turn that cannot be read, features of another shape, or more turns than `longest`.
        """
        if self._turns >= self.longest:
            what = f"it has {self._turns} turns, the most that are kept"
            raise InputError(_CONVERSATION, what, "begin another one, or allow more with longest")
        utterance = self._utterance({**media, "speaker": speaker, "text": text})
        recent = [*self._recent, utterance]
        vectors = self._encoded(recent) if features is None else self._given(features)
        index = self._speakers.get(utterance.speaker, len(self._speakers))
        batch = self._batch(vectors, index)
        found = [
            arranged(predict_batches(model, [replace(batch, cache=cache)]))
            for model, cache in zip(self._models, self._caches, strict=True)
        ]
        bundle, missing = self._predictor.bundle, {name: np.array([each is None]) for name, each in vectors.items()}
        (row,) = prediction_rows(bundle, [utterance], missing, bundle.joint(found)).to_pylist()
        # Only now, so that a turn that failed half-way leaves the conversation as it was.
        for cache in self._caches:
            cache.keep(1)
        self._turns += 1
        self._speakers[utterance.speaker] = index
        self._recent = recent[len(recent) - self._read_again :]
        return dict(row)

    def _utterance(self, record: Mapping[str, Any]) -> Utterance:
        unknown = sorted({*record} - {"speaker", "text", *MEDIA_COLUMNS})
        number = self._turns + 1
        if unknown:
            what = f"a turn has no {', '.join(unknown)}"
            raise InputError(_CONVERSATION, what, f"give {', '.join(MEDIA_COLUMNS)}", row=number)
        rows = turns_of([{**record, "turn": number}], _CONVERSATION, number)
        ((utterance,),) = pieces(rows, self._predictor.bundle.manifest.vad_range)
        return utterance

    def _encoded(self, recent: Sequence[Utterance]) -> dict[str, Vector | None]:
        """Features of the last one of some turns by modality, [D_m] each; None where it is missing."""
        tables = self._predictor.features(recent, *self._media, first=len(recent) - 1)
        return {table.modality: None if table.missing[0] else table.values[0] for table in tables}

    def _given(self, features: Mapping[str, ArrayLike]) -> dict[str, Vector | None]:
        """Features of the turn that are at hand, as `_encoded`."""
        widths, number = self._predictor.bundle.manifest.widths, self._turns + 1
        if unread := sorted({*features} - {*widths}):
            what = f"the models read no {', '.join(unread)}"
            raise InputError("features", what, f"give {' and '.join(widths)}", row=number)
        vectors: dict[str, Vector | None] = dict.fromkeys(widths)
        for modality, given in features.items():
            try:
                vector = np.asarray(given, dtype=np.float32)
            except (TypeError, ValueError):
                vector = np.empty(0, dtype=np.float32)
            if vector.shape != (widths[modality],) or not np.isfinite(vector).all():
                remedy = f"give a vector of {widths[modality]} finite numbers"
                raise InputError(f"{modality} features", "they are none that the models read", remedy, row=number)
            vectors[modality] = vector
        return vectors

    def _batch(self, vectors: Mapping[str, Vector | None], speaker: int) -> Batch:
        """The turn as models read it, from its features and the index of its speaker."""
        device, widths = self._predictor.device, self._predictor.bundle.manifest.widths
        return Batch(
            features={
                name: torch.zeros(1, widths[name], device=device)
                if vector is None
                else torch.tensor(vector[None], device=device)
                for name, vector in vectors.items()
            },
            present={
                name: torch.full((1, 1), float(each is not None), device=device) for name, each in vectors.items()
            },
            speaker=torch.tensor([speaker], device=device),
            position=torch.tensor([self._turns], device=device),
            label=torch.tensor([CONTEXT_ONLY], device=device),
            vad=torch.full((1, len(DIMENSIONS)), float("nan"), device=device),
            runs=((1, 1),),
            rows=torch.tensor([0], device=device),
        )
