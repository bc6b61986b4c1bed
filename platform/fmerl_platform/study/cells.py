"""Corpus x variant x seed, and fold where there are folds: the cells of a study, each known by its fingerprint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fmerl.conditions.condition import Condition, masks_of
from fmerl.config import AnchorConfig, CellConfig
from fmerl.folds.data import fold_data, fold_digests
from fmerl.folds.splits import Fold
from fmerl.training.dataset import ConversationData
from fmerl_platform.study.fingerprint import fingerprint
from fmerl_platform.study.variant import StudyError, Variant


@dataclass(frozen=True, kw_only=True)
class CorpusInputs:
    """One corpus of a study, ready to train on."""

    data: ConversationData
    control: CellConfig
    """Configuration of the control: the preset with the first variant's change."""
    anchors: Mapping[AnchorConfig, NDArray[np.float32]]
    """Encoded descriptions in label order, [C, E], for every `AnchorConfig` of the study's variants."""
    descriptions: Mapping[str, str] = field(default_factory=dict)
    """Emotion to description."""
    recipes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Recipe of each modality's features, from their cards."""
    supervised: tuple[str, ...] = ()
    """Modalities whose card does not rule out that their encoder was trained on the corpus's labels, unseen classes'
    among them."""
    repeats: tuple[str, ...] = ()
    """Ids of test utterances whose very text is in train: in the train of the fold that tests them, where there are
    folds."""
    folds: Mapping[str, Fold] = field(default_factory=dict)
    """Folds by name, each tested by cells of its own; with none, cells have the corpus's splits."""

    def data_of(self, fold: str | None) -> ConversationData:
        """Data of a fold's cells; None is the corpus's own splits."""
        return self.data if fold is None else fold_data(self.data, self.folds[fold])

    @property
    def shared_bytes(self) -> int:
        """Size of the features, which all cells share."""
        return sum(values.nbytes for values in self.data.features.values())


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One training: a corpus, a variant, a seed, and a fold where the study has folds."""

    corpus: str
    variant: str
    seed: int
    config: CellConfig
    fingerprint: str
    fold: str | None = None
    conditions: tuple[Condition, ...] = ()
    """Conditions that the trained model is tested under. They decide none of its numbers, so no fingerprint holds them.
    """

    @property
    def name(self) -> str:
        return cell_name(self.corpus, self.variant, self.seed, self.fold)

    def facts(self, inputs: CorpusInputs) -> dict[str, Any]:
        """All that `fmerl.bundle.cell.write_cell_bundle` needs besides what training left."""
        return {
            "config": self.config,
            "data": inputs.data_of(self.fold),
            "anchors": inputs.anchors[self.config.anchors],
            "descriptions": inputs.descriptions,
            "recipes": inputs.recipes,
            "seed": self.seed,
            "fingerprint": self.fingerprint,
        }


def cell_name(corpus: str, variant: str, seed: int, fold: str | None = None) -> str:
    """Readable name of a cell."""
    return f"{corpus} · {variant} · seed {seed}" + (f" · fold {fold}" if fold is not None else "")


class NamedCell(Protocol):
    """A cell as a failure names it: of a study, or an encoder that is tuned."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class CellFailure:
    """A cell that ended without a result."""

    cell: NamedCell
    error: str


def plan_cells(
    corpora: Sequence[CorpusInputs],
    variants: Sequence[Variant],
    seeds: Sequence[int],
    more: Callable[[CorpusInputs], Sequence[Variant]] = lambda inputs: (),
    conditions: Sequence[Condition] = (),
) -> list[Cell]:
    """List every corpus x variant x seed x fold, the control first.

    Args:
        corpora: Inputs of each corpus.
        variants: Variants of every corpus, control first.
        seeds: Seeds of every variant.
        more: Further variants of one corpus, by its content.
        conditions: Conditions of every cell, besides a mask of each modality of a model that reads several.

    Raises:
        StudyError: No or double seeds, variants or corpora, a variant that is not what it declares, or two variants
            with the same configuration.
    """
    for kind, names in (
        ("seed", list(seeds)),
        ("variant", [variant.name for variant in variants]),
        ("corpus", [inputs.data.corpus for inputs in corpora]),
    ):
        if not names or len(set(names)) != len(names):
            raise StudyError(f"a study needs each {kind} once and at least one, not {names}")
    cells = []
    for inputs in corpora:
        parts: dict[str | None, ConversationData] = {None: inputs.data}
        if inputs.folds:
            parts = {
                name: replace(inputs.data, digests=fold_digests(inputs.data.digests, fold))
                for name, fold in inputs.folds.items()
            }
        for variant in (*variants, *more(inputs)):
            config = inputs.control if variant is variants[0] else variant.derive(inputs.control)
            if variant.skip_if_equal and config == inputs.control:
                continue
            anchors = inputs.anchors[config.anchors]
            tested = tuple(dict.fromkeys((*masks_of(config.backbone.modalities), *conditions)))
            cells += [
                Cell(
                    corpus=inputs.data.corpus,
                    variant=variant.name,
                    seed=seed,
                    config=config,
                    fingerprint=fingerprint(config, data, anchors, seed),
                    fold=fold,
                    conditions=tested,
                )
                for seed in seeds
                for fold, data in parts.items()
            ]
    owner: dict[str, Cell] = {}
    for cell in cells:
        twin = owner.setdefault(cell.fingerprint, cell)
        if twin is not cell:
            raise StudyError(f"variants {twin.variant!r} and {cell.variant!r} are the same on {cell.corpus}")
    return cells
