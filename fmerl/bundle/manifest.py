"""Contents of a bundle but its tensors: configuration, classes, anchors' texts, recipes, origin.

It is the recipe on the bundle's card. Shapes: C classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from fmerl.card import content_digest
from fmerl.config import CellConfig
from fmerl.corpus.dialogue import SPLITS
from fmerl.supervision.descriptions import anchor_texts
from fmerl.training.dataset import ConversationData

FORMAT = 1
"""Version of the folder's layout."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """The model of one seed."""

    seed: int
    fingerprint: str
    """Fingerprint of the cell that trained it."""
    file: str
    """File of its weights."""
    sha256: str
    """Digest of that file."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """All of a bundle that is no tensor."""

    corpus: str
    """Name of the corpus that it was trained on."""
    classes: tuple[str, ...]
    """Classes in label order, C of them."""
    config: dict[str, Any]
    """The resolved configuration, `CellConfig.flatten()`."""
    vad_range: tuple[float, float]
    """Range of valence, arousal and dominance."""
    n_speakers: int
    """Embedded speakers per dialogue; any further one shares a null embedding."""
    widths: dict[str, int]
    """Feature width of each modality that is read."""
    train_counts: tuple[int, ...]
    """Training utterances per class, [C]; a class of 0 was held out."""
    anchor_texts: tuple[str, ...]
    """Texts of the anchors, [C]."""
    recipes: dict[str, dict[str, Any]]
    """Recipe of the features of each modality, from their cards."""
    digests: dict[str, str]
    """Content hashes of corpus, features and scores."""
    split_digest: str
    """Hash of every utterance's id and split."""
    licences: dict[str, str]
    """Licence of each part, as far as it is known."""
    members: tuple[Member, ...] = ()
    """Models, one for each seed."""
    temperature: float = 1.0
    """Divisor of the scores in the softmax, fitted on the validation split."""
    format: int = FORMAT
    study: dict[str, str] = field(default_factory=dict)
    """Study, variant, code and packages that it comes from, as far as they are known."""

    def cell_config(self) -> CellConfig:
        """The configuration.

        Raises:
            ValueError: A field or value that this version does not know.
        """
        return CellConfig.from_flat(self.config)

    def as_json(self) -> dict[str, Any]:
        """Plain values, as on the card."""
        values: dict[str, Any] = TypeAdapter(Manifest).dump_python(self, mode="json")
        return values

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Manifest:
        """The manifest of a card's recipe.

        Raises:
            pydantic.ValidationError: Fields that are absent or of another type.
        """
        return TypeAdapter(cls).validate_python(values)

    def origin(self) -> dict[str, Any]:
        """All that models must share to stand in one bundle."""
        values = asdict(self)
        own = ("members", "temperature", "study", "licences")
        return {name: value for name, value in values.items() if name not in own}


def describe(
    config: CellConfig,
    data: ConversationData,
    descriptions: Mapping[str, str],
    recipes: Mapping[str, Mapping[str, Any]],
    licences: Mapping[str, str],
) -> Manifest:
    """The manifest of a cell's training, without its models.

    Args:
        config: The cell's configuration.
        data: The data that it was trained on, all splits.
        descriptions: Emotion to description.
        recipes: Recipe of each modality's features.
        licences: Licence of each part.
    """
    train = data.subset("train").without_classes(config.training.unseen_classes, config.training.unseen_utterances)
    counts = np.bincount(train.label[train.label >= 0], minlength=len(data.classes))
    splits = np.repeat(np.array(SPLITS)[data.split], np.diff(data.offsets))
    tables = config.tables
    used = {"corpus", "vad", *(f"features.{table}" for table in tables)}
    return Manifest(
        corpus=data.corpus,
        classes=data.classes,
        config=config.flatten(),
        vad_range=data.vad_range,
        n_speakers=data.n_speakers,
        widths=data.widths(tables),
        train_counts=tuple(counts.tolist()),
        anchor_texts=tuple(anchor_texts(data.classes, descriptions, config.anchors)),
        recipes={table: dict(recipes.get(table, {})) for table in tables},
        digests={name: digest for name, digest in data.digests.items() if name in used},
        split_digest=content_digest([data.utterance_id.tolist(), splits.tolist()]),
        licences=dict(licences),
    )
