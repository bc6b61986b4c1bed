"""Prediction of conversations by a bundle: features by its recipes, and a table with a row for each utterance.

Shapes: U utterances, C classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from fmerl.bundle.manifest import Manifest
from fmerl.bundle.model import Bundle, JointPredictions
from fmerl.bundle.recipes import Places, RecipeSpec
from fmerl.config import DIMENSIONS
from fmerl.corpus.conversations import dialogues_of, pieces, turns_of
from fmerl.corpus.dialogue import SPLITS, Corpus, Utterance
from fmerl.errors import InputError
from fmerl.features.encoder import Encoder
from fmerl.features.store import FeatureTable
from fmerl.training.dataset import CONTEXT_ONLY, ConversationData

_COLUMNS = {
    *("utterance_id", "dialogue_id", "turn", "speaker", "text", "predicted", "missing", "seed", "seed_agreement"),
    *("seed_sd", "emotion", "split", *DIMENSIONS),
}
"""Columns of predictions and of corpora that are no class's."""


class Predictor:
    """A bundle with its encoders, loaded when they are first needed.

    Args:
        bundle: The models.
        places: Where encoders lie on this machine.
        device: Device of models and encoders; None for a GPU when there is one.

    Example:
        >>> from fmerl.corpus.conversations import pieces, turns_of
        >>> predictor = Predictor(read_bundle("bundle"))  # doctest: +SKIP
        >>> rows = turns_of([{"speaker": "A", "text": "We won!"}, {"speaker": "B", "text": "No way."}])
        >>> for utterances in pieces(rows, (1.0, 5.0)):  # doctest: +SKIP
        ...     predictor.predict(utterances).to_pylist()
    """

    def __init__(self, bundle: Bundle, places: Places | None = None, device: str | None = None) -> None:
        self.bundle = bundle
        self.specs = tuple(
            RecipeSpec(
                modality=modality,
                recipe=bundle.manifest.recipes.get(modality, {}),
                places=places or Places(),
            )
            for modality in bundle.modalities
        )
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._encoders: dict[str, Encoder] = {}

    def load(self, utterances: Sequence[Utterance]) -> None:
        """Load the encoders that these utterances need.

        Raises:
            InputError: See `RecipeSpec.build`.
        """
        for spec in self.specs:
            if is_given(spec.modality, utterances):
                self._encoder(spec)

    @property
    def loaded(self) -> tuple[str, ...]:
        """Modalities whose encoders are loaded."""
        return tuple(self._encoders)

    def of(self, bundle: Bundle) -> Predictor:
        """A predictor of another bundle that reads the same features, with the encoders of this one."""
        other = copy(self)
        other.bundle = bundle
        return other

    def predict(
        self, utterances: Sequence[Utterance], folder: Path = Path(), media_roots: Sequence[Path] = ()
    ) -> pa.Table:
        """One row per utterance, in their order; their features are made here.

        Args:
            utterances: Whole dialogues.
            folder: Folder where media paths start.
            media_roots: Folders beside it that may hold media.
        """
        return self.predict_features(utterances, self.features(utterances, folder, media_roots))

    def features(
        self, utterances: Sequence[Utterance], folder: Path = Path(), media_roots: Sequence[Path] = (), first: int = 0
    ) -> list[FeatureTable]:
        """Features by the recipes, one table per modality, rows in the order of `corpus_of(utterances).utterances()`.

        Args:
            utterances: Whole dialogues.
            folder: Folder where media paths start.
            media_roots: Folders beside it that may hold media.
            first: Row of the first utterance that is encoded; those before it are only read with others.

        Raises:
            InputError: See `RecipeSpec.build`; or media that lie elsewhere.
        """
        corpus = corpus_of(utterances, self.bundle.manifest)
        wanted = list(corpus.utterances())[first:]
        self.load(wanted)  # one that is not there is missed before another has worked
        return [self._encoded(spec, corpus, wanted, (folder, *media_roots)) for spec in self.specs]

    def _encoded(
        self, spec: RecipeSpec, corpus: Corpus, wanted: Sequence[Utterance], folders: Sequence[Path]
    ) -> FeatureTable:
        """Features of the corpus's last utterances, those that are wanted."""
        ids = tuple(utterance.utterance_id for utterance in wanted)
        if not is_given(spec.modality, wanted):
            return absent_table(spec.modality, ids, self.bundle.manifest.widths[spec.modality])
        items = spec.items(corpus, folders[0], folders[1:])
        encoded = self._encoder(spec).encode(items[-len(ids) :])
        return FeatureTable(spec.modality, ids, encoded.values, encoded.missing, {})

    def _encoder(self, spec: RecipeSpec) -> Encoder:
        if spec.modality not in self._encoders:
            self._encoders[spec.modality] = spec.build(self.device)
        return self._encoders[spec.modality]

    def predict_features(self, utterances: Sequence[Utterance], features: Sequence[FeatureTable]) -> pa.Table:
        """One row per utterance, in their order.

        Args:
            utterances: Whole dialogues.
            features: One table per modality, rows in the order of `corpus_of(utterances).utterances()`.
        """
        data = conversation_data(utterances, features, self.bundle.manifest)
        found = self.bundle.predict(data, torch.device(self.device))
        in_order = [utterance for dialogue in dialogues_of(utterances) for utterance in dialogue.utterances]
        row_of = {utterance.utterance_id: row for row, utterance in enumerate(in_order)}
        order = np.array([row_of[utterance.utterance_id] for utterance in utterances], dtype=np.int64)
        missing = {table.modality: table.missing for table in features}
        return prediction_rows(self.bundle, in_order, missing, found).take(order)


def prediction_rows(
    bundle: Bundle, utterances: Sequence[Utterance], missing: Mapping[str, NDArray[np.bool_]], found: JointPredictions
) -> pa.Table:
    """One row per utterance.

    Args:
        bundle: The models.
        utterances: U utterances.
        missing: Missing flags by modality, [U].
        found: Predictions of them.
    """
    names = bundle.classes
    absent = zip(*(missing[name].tolist() for name in bundle.modalities), strict=True)
    lacking = [" ".join(name for name, gone in zip(bundle.modalities, row, strict=True) if gone) for row in absent]
    return pa.table(
        {
            "utterance_id": pa.array([each.utterance_id for each in utterances], pa.string()),
            "dialogue_id": pa.array([each.dialogue_id for each in utterances], pa.string()),
            "turn": pa.array([each.turn for each in utterances], pa.int64()),
            "speaker": pa.array([each.speaker for each in utterances], pa.string()),
            "text": pa.array([each.text for each in utterances], pa.string()),
            "predicted": pa.array([names[index] for index in found.predicted], pa.string()),
            **{probability_column(name): found.probabilities[:, column] for column, name in enumerate(names)},
            **{name: pa.array(found.vad[:, column], from_pandas=True) for column, name in enumerate(DIMENSIONS)},
            "missing": pa.array(lacking, pa.string()),
            "seed_agreement": found.agreement,
            "seed_sd": pa.array(found.spread, from_pandas=True),
        }
    )


def predict_records(predictor: Predictor, records: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Predictions of plain records, such as `{"speaker": "A", "text": "Hi"}`, in their order.

    Raises:
        InputError: A record that is no turn, or an encoder that cannot be loaded.
    """
    found = [predictor.predict(each) for each in pieces(turns_of(records), predictor.bundle.manifest.vad_range)]
    if not found:
        raise InputError("conversation", "it has no turn", "give at least one")
    return pa.concat_tables(found)


def is_given(modality: str, utterances: Iterable[Utterance]) -> bool:
    """True if any utterance names what an encoder of the modality reads."""
    if modality == "text":
        return True
    return any(each.video_path or (modality == "audio" and each.audio_path) for each in utterances)


def absent_table(modality: str, ids: Sequence[str], width: int) -> FeatureTable:
    """A modality that no utterance has."""
    values = np.zeros((len(ids), width), dtype=np.float32)
    return FeatureTable(modality, tuple(ids), values, np.ones(len(ids), dtype=np.bool_), {})


def probability_column(name: str) -> str:
    """Column of a class's probability: the class's own name, as for `fmerl score`, unless another column has it."""
    return f"probability of {name}" if name in _COLUMNS else name


def corpus_of(utterances: Sequence[Utterance], manifest: Manifest) -> Corpus:
    """Utterances as a corpus with the bundle's classes."""
    return Corpus(
        name="conversations",
        classes=manifest.classes,
        vad_range=manifest.vad_range,
        dialogues=dialogues_of(utterances),
    )


def conversation_data(
    utterances: Sequence[Utterance], features: Sequence[FeatureTable], manifest: Manifest
) -> ConversationData:
    """Conversations without labels and scores, as a model reads them.

    Args:
        utterances: Whole dialogues.
        features: One table per modality, rows in the order of `corpus_of(utterances).utterances()`.
        manifest: The bundle's.
    """
    dialogues = dialogues_of(utterances)
    in_order = [utterance for dialogue in dialogues for utterance in dialogue.utterances]
    lengths = [len(dialogue.utterances) for dialogue in dialogues]
    return ConversationData(
        corpus=manifest.corpus,
        classes=manifest.classes,
        vad_range=manifest.vad_range,
        n_speakers=manifest.n_speakers,
        utterance_id=np.array([utterance.utterance_id for utterance in in_order]),
        dialogue_id=np.array([utterance.dialogue_id for utterance in in_order]),
        turn=np.array([utterance.turn for utterance in in_order]),
        speaker_name=np.array([utterance.speaker for utterance in in_order]),
        speaker=np.array([index for dialogue in dialogues for index in dialogue.speaker_indices()]),
        label=np.full(len(in_order), CONTEXT_ONLY, dtype=np.int64),
        vad=np.full((len(in_order), len(DIMENSIONS)), np.nan, dtype=np.float32),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        split=np.full(len(dialogues), len(SPLITS) - 1, dtype=np.int8),
        features={table.modality: table.values for table in features},
        missing={table.modality: table.missing for table in features},
        digests={},
    )
