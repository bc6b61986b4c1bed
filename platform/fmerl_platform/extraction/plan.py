"""Plan of a table: its encoder's recipe, an item per utterance, and the items encoded already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fmerl.card import content_digest, read_card, recipe_digest
from fmerl.corpus import Corpus
from fmerl.features.encoder import Encoder, EncoderSpec, Item
from fmerl.features.table_names import table_name
from fmerl_platform.extraction.items import fingerprint, media_digests
from fmerl_platform.extraction.staging import Staged


@dataclass(frozen=True, kw_only=True, eq=False)
class TablePlan:
    """One feature table of a corpus: U utterances, D features."""

    spec: EncoderSpec
    width: int
    """Width D."""
    columns: tuple[str, ...] | None
    """Names of the D features, where they have any."""
    items: Sequence[Item]
    """Items in the corpus's order, [U]."""
    fingerprints: Sequence[bytes]
    """Fingerprints of the items, [U]; items that are encoded alike share one."""
    card: dict[str, Any]
    folder: Path
    """Folder of the table, whose name is the table's."""
    staging: Path
    """Folder of its blocks until it is written."""

    @property
    def modality(self) -> str:
        return self.spec.modality

    @property
    def current(self) -> bool:
        """True if this very table is there already.

        Raises:
            InputError: Something else without a card is there.
        """
        if not self.folder.is_dir():
            return False
        card = read_card(self.folder)
        return (card["recipe_digest"], card.get("supervised_on_labels")) == (
            recipe_digest(self.card["recipe"]),
            self.card["supervised_on_labels"],
        )

    def waiting(self) -> tuple[list[Item], list[bytes]]:
        """Items still to encode, one of each fingerprint, and their fingerprints."""
        staged = Staged(self.staging)
        first = {key: item for key, item in zip(self.fingerprints, self.items, strict=True) if key not in staged}
        return list(first.values()), list(first)


def plan_table(
    spec: EncoderSpec,
    encoder: Encoder,
    items: Sequence[Item],
    supervision: Mapping[str, Any],
    corpus: Corpus,
    features: Path,
    storage: Path,
    name: str = "",
) -> TablePlan:
    """Plan a table.

    Args:
        spec: The encoder as workers build it.
        encoder: The encoder.
        items: What the encoder reads of each utterance, in the corpus's order.
        supervision: Fields of the card that say which labels the encoder has seen: `supervised_on_labels` at least.
        corpus: The corpus.
        features: Root of the feature tables.
        storage: Staged blocks go below it.
        name: Name of the table beside the modality's unnamed one.
    """
    made_by = recipe_digest(encoder.recipe())
    digests = media_digests(items)
    fingerprints = [fingerprint(item, made_by, digests) for item in items]
    rows = [
        [utterance.utterance_id, utterance.split, key.hex()]
        for utterance, key in zip(corpus.utterances(), fingerprints, strict=True)
    ]
    return TablePlan(
        spec=spec,
        width=encoder.width,
        columns=encoder.columns,
        items=items,
        fingerprints=fingerprints,
        card={
            "recipe": {**encoder.recipe(), "source": content_digest(rows)},
            **supervision,
        },
        folder=features / corpus.name / table_name(spec.modality, name),
        staging=(storage / "extraction" / corpus.name / spec.modality / made_by[:16]).resolve(),
    )
