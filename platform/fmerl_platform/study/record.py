"""Record of a study: its plan, inputs and provenance, kept on its MLflow run as `study.json`.

With the runs of its cells this is enough to report on the study again and to train any of its cells again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from fmerl.card import recipe_digest
from fmerl.conditions.condition import parse_conditions
from fmerl.config import CellConfig
from fmerl.errors import InputError
from fmerl.folds.splits import absolute_scheme
from fmerl.supervision.anchors import cosines
from fmerl_platform.study.cells import Cell, CorpusInputs
from fmerl_platform.study.options import InputOptions
from fmerl_platform.study.study import Study


@dataclass(frozen=True)
class AnchorCosines:
    """Similarity of some variants' emotion descriptions under their encoder."""

    variants: tuple[str, ...]
    cosines: tuple[tuple[float, ...], ...]
    """Cosine of every pair of classes in label order, [C, C]."""


@dataclass(frozen=True, kw_only=True)
class CellKey:
    """One cell of a study; a `fmerl_platform.ledger.experiment.Planned`."""

    corpus: str
    variant: str
    seed: int
    fingerprint: str
    fold: str | None = None


@dataclass(frozen=True, kw_only=True)
class CorpusRecord:
    """One corpus of a study."""

    corpus: str
    source: str
    """Corpus as the command named it: a synthetic one or a folder."""
    classes: tuple[str, ...]
    """Names in label order."""
    control: dict[str, Any]
    """The control's `CellConfig.flatten()`."""
    changes: dict[str, dict[str, Any]]
    """Fields in which each variant differs from the control, the control first."""
    cells: tuple[CellKey, ...]
    digests: dict[str, str]
    """Content hashes of corpus, features and scores."""
    anchors: tuple[AnchorCosines, ...]
    supervised: tuple[str, ...] = ()
    """See `CorpusInputs.supervised`."""
    repeats: tuple[str, ...] = ()
    """See `CorpusInputs.repeats`; none in the record of an earlier version."""
    folds: dict[str, str] = field(default_factory=dict)
    """Digest of each fold, by name."""

    def config(self, variant: str) -> CellConfig:
        """The configuration of a variant's cells.

        Raises:
            InputError: A version with other fields recorded it.
        """
        try:
            return CellConfig.from_flat({**self.control, **self.changes[variant]})
        except ValueError as error:
            raise InputError("configuration of the study", str(error), "use the version that ran the study") from error


@dataclass(frozen=True, kw_only=True)
class StudyRecord:
    """A study as its last command asked for it."""

    study: str
    control: str
    command: str
    features: str | None
    labels: str | None
    scale: float
    corpora: tuple[CorpusRecord, ...]
    provenance: dict[str, str]
    kind: str
    """Name of the kind of study, which judges and shows the cells."""
    options: dict[str, Any] = field(default_factory=dict)
    """The kind's own fields."""
    folds: str | None = None
    """Scheme of the folds, as the command gave it."""
    tables: tuple[str, ...] = ()
    """Feature tables by their names, as the command gave them."""
    conditions: tuple[str, ...] = ()
    """Conditions that the command asked for, as `Condition.text`."""

    @classmethod
    def parse(cls, text: str) -> StudyRecord:
        """Parse a record's JSON."""
        raw = json.loads(text)
        if "kind" not in raw:  # written by version 0.1.0, whose only kinds were these two
            zero_shot, llm_study = raw.pop("zero_shot", False), raw.pop("llm_study", None)
            raw |= {"kind": "zero-shot", "options": {"llm_study": llm_study}} if zero_shot else {"kind": "ablation"}
        for corpus in raw["corpora"]:
            for cell in corpus["cells"]:
                cell.setdefault("corpus", corpus["corpus"])
        return TypeAdapter(cls).validate_python(raw)

    def facts(self) -> dict[str, str]:
        """Provenance, command, seeds and data, as short strings by name."""
        seeds = sorted({cell.seed for cell in self.cells})
        return {
            "command": self.command,
            "seeds": " ".join(map(str, seeds)),
            **self.provenance,
            "data": "; ".join(
                f"{corpus.corpus}: {' '.join(f'{name}={digest}' for name, digest in corpus.digests.items())}"
                for corpus in self.corpora
            ),
        }

    @property
    def cells(self) -> tuple[CellKey, ...]:
        """All planned cells."""
        return tuple(cell for corpus in self.corpora for cell in corpus.cells)

    def recipe(self, corpus: CorpusRecord, variant: str) -> str:
        """Hash of all that decides a variant's numbers and its comparison with the control, whatever its name."""
        folds = {"folds": sorted(corpus.folds.values())} if corpus.folds else {}
        return recipe_digest(
            {
                "control": corpus.control,
                "changes": corpus.changes[variant],
                "data": corpus.digests,
                "code": self.provenance["code_digest"],
                **folds,
            }
        )

    def json(self) -> str:
        return json.dumps(asdict(self), indent=2, ensure_ascii=False, allow_nan=False)

    def input_options(self) -> InputOptions:
        """Options that locate the inputs."""
        features, labels = (None if place is None else Path(place) for place in (self.features, self.labels))
        return InputOptions(features=features, labels=labels, scale=self.scale, tables=self.tables)


def record_study(
    study: Study,
    inputs: Sequence[CorpusInputs],
    cells: Sequence[Cell],
    *,
    kind: str,
    kind_options: Mapping[str, Any],
    command: str,
    provenance: Mapping[str, str],
) -> StudyRecord:
    """Record a study that is about to run.

    Args:
        study: The study to run.
        inputs: Inputs of each of its corpora.
        cells: All planned cells, the control's first.
        kind: Name of the kind of study.
        kind_options: The kind's own fields.
        command: The command line.
        provenance: Code, packages, host.
    """
    return StudyRecord(
        study=study.name,
        control=cells[0].variant,
        command=command,
        features=_absolute(study.inputs.features),
        labels=_absolute(study.inputs.labels),
        scale=study.inputs.scale,
        corpora=tuple(
            _record_corpus(source, item, [cell for cell in cells if cell.corpus == item.data.corpus])
            for source, item in zip(study.corpora, inputs, strict=True)
        ),
        provenance=dict(provenance),
        kind=kind,
        options=dict(kind_options),
        folds=None if study.folds is None else absolute_scheme(study.folds),
        tables=study.inputs.tables,
        conditions=tuple(condition.text for condition in parse_conditions(study.conditions)),
    )


def _record_corpus(source: str, inputs: CorpusInputs, cells: Sequence[Cell]) -> CorpusRecord:
    configs = {cell.variant: cell.config for cell in cells}
    return CorpusRecord(
        corpus=inputs.data.corpus,
        source=str(Path(source).resolve()) if Path(source).is_dir() else source,
        classes=inputs.data.classes,
        control=inputs.control.flatten(),
        changes={variant: config.difference(inputs.control) for variant, config in configs.items()},
        cells=tuple(
            CellKey(
                corpus=cell.corpus,
                variant=cell.variant,
                seed=cell.seed,
                fingerprint=cell.fingerprint,
                fold=cell.fold,
            )
            for cell in cells
        ),
        digests=dict(inputs.data.digests),
        anchors=tuple(
            AnchorCosines(
                variants=tuple(variant for variant, config in configs.items() if config.anchors == anchors),
                cosines=tuple(map(tuple, np.round(cosines(vectors), 5).tolist())),
            )
            for anchors, vectors in inputs.anchors.items()
        ),
        supervised=inputs.supervised,
        repeats=inputs.repeats,
        folds={name: fold.digest() for name, fold in inputs.folds.items()},
    )


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.resolve())
