"""Encoders to tune, as the user asks for them: variants x seeds on one corpus, and the cells that they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fmerl.card import check_replaceable, recipe_digest
from fmerl.corpus import Corpus
from fmerl.errors import InputError
from fmerl.features.text.encoder import check_encoder, revision_of
from fmerl.files import file_digest
from fmerl.finetuning.config import TuningConfig
from fmerl.finetuning.data import check_targets
from fmerl.finetuning.folder import fold_folder
from fmerl.finetuning.folds import Fold, folds_of
from fmerl.finetuning.procedures import PROCEDURES
from fmerl_platform.study.cells import cell_name
from fmerl_platform.study.fingerprint import tuning_digest
from fmerl_platform.study.record import CellKey, CorpusRecord, StudyRecord


@dataclass(frozen=True, kw_only=True)
class TuningCell(CellKey):
    """One encoder to tune: a corpus, a variant, a seed; for cross-fitting without a fold of train."""

    config: TuningConfig
    recipe: Mapping[str, Any]
    """All that decides its weights."""
    folder: Path
    """Folder that it is left in."""
    left_out: Fold | None = None
    """Part of train that it is not tuned on; such a cell makes features, and no study compares it."""

    @property
    def name(self) -> str:
        name = cell_name(self.corpus, self.variant, self.seed)
        return name if (fold := self.left_out) is None else f"{name} · without fold {fold.number + 1} of {fold.of}"


@dataclass(frozen=True, kw_only=True)
class TuningRequest:
    """Encoders to tune.

    Raises:
        InputError: An encoder, corpus, class, seed or number of folds that cannot be used.
    """

    corpus: Corpus
    source: Path
    """Folder that the corpus was read from."""
    variants: Mapping[str, TuningConfig]
    """Settings to compare by name, the control first; all of one encoder."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    folds: int | None = None
    """Folds of train for cross-fitted features; each makes one more encoder of every variant and seed."""
    unseen: tuple[str, ...] = ()
    """Classes whose labels no encoder sees."""
    study: str = "finetuning"
    output: Path = Path("runs/encoders")
    """Encoders are left in `<output>/<corpus>/<variant>/seed-<seed>/`."""

    def __post_init__(self) -> None:
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise InputError("--seeds", f"not each once in {list(self.seeds)}", "name each once, and at least one")
        if unknown := set(self.unseen) - set(self.corpus.classes):
            what = f"{min(unknown)} is no class of {self.corpus.name}"
            raise InputError("--unseen", what, f"name one of {', '.join(self.corpus.classes)}")
        if len(self.corpus.classes) - len(set(self.unseen)) < 2:
            raise InputError("--unseen", "fewer than two classes are left", "hold fewer out")
        if self.folds is not None:
            if self.folds < 2:
                raise InputError("--folds", f"{self.folds} is too few", "give at least 2")
            folds_of(self.corpus, self.folds)
        check_targets(self.corpus, self.unseen)
        check_encoder(self._first.encoder)

    def check(self) -> str:
        """Load the encoder and read the corpus for each variant; returns a line on what was found.

        Raises:
            InputError: An encoder that cannot be used, an input that does not fit it, or something in a cell's way.
        """
        for cell in (*self.cells, *self.fold_cells):
            check_replaceable(cell.folder)
        said = []
        for name, config in self.variants.items():
            _, system, data, maker = PROCEDURES[config.system].prepare(self.corpus, config, unseen=self.unseen)
            parameters = sum(parameter.numel() for parameter in system.parameters()) / 1e6
            lengths = [len(data.sequences[row].ids) for row in data.train_rows()]
            tokens = f"{sum(lengths) / len(lengths):.1f} tokens on average, at most {max(lengths)}"
            kind = "without padding" if maker.packed else "padded"
            said.append(f"{name}: {parameters:.1f} M parameters, batches {kind}, {tokens}")
        return f"{self._first.encoder}: {'; '.join(said)}"

    @cached_property
    def cells(self) -> tuple[TuningCell, ...]:
        """The study's cells, the control's first."""
        return tuple(self._cell(variant, seed, None) for variant in self.variants for seed in self.seeds)

    @cached_property
    def fold_cells(self) -> tuple[TuningCell, ...]:
        """Further encoders for cross-fitted features."""
        return tuple(
            self._cell(variant, seed, Fold(number=number, of=self.folds or 0))
            for variant in self.variants
            for seed in self.seeds
            for number in range(self.folds or 0)
        )

    @property
    def _first(self) -> TuningConfig:
        return next(iter(self.variants.values()))

    def _cell(self, variant: str, seed: int, fold: Fold | None) -> TuningCell:
        config = self.variants[variant]
        values = config.values()
        recipe: dict[str, Any] = {
            "config": values,
            "encoder": self.revision,
            "corpus": self.corpus_digest,
            "unseen": list(self.unseen),
            "fold": None if fold is None else asdict(fold),
            "seed": seed,
            "code": tuning_digest(config.system),
        }
        # Wherever encoder and synonyms lie, it is their content that counts.
        counted = {**values, "encoder": ""}
        if path := values.get("cled", {}).get("synonyms"):
            recipe["synonyms"] = file_digest(Path(path))
            counted["cled"] = {**values["cled"], "synonyms": ""}
        place = self.output.resolve() / quote(self.corpus.name, safe="") / quote(variant, safe="") / f"seed-{seed}"
        return TuningCell(
            corpus=self.corpus.name,
            variant=variant,
            seed=seed,
            fingerprint=recipe_digest({**recipe, "config": counted}),
            config=config,
            recipe=recipe,
            folder=place if fold is None else fold_folder(place, fold),
            left_out=fold,
        )

    @cached_property
    def revision(self) -> str:
        """Revision of the encoder that is tuned."""
        return revision_of(self._first.encoder)

    @cached_property
    def corpus_digest(self) -> str:
        return self.corpus.digest()

    @property
    def labels_seen(self) -> dict[str, Any]:
        """Labels that the encoders see, for their cards."""
        return {
            "corpus": self.corpus.name,
            "splits": ["train"],
            "classes": [name for name in self.corpus.classes if name not in self.unseen],
            "epoch_selected_on": "validation",
        }

    def record(self, command: str, provenance: Mapping[str, str]) -> StudyRecord:
        """Record of the study."""
        keys: Sequence[CellKey] = [
            CellKey(corpus=cell.corpus, variant=cell.variant, seed=cell.seed, fingerprint=cell.fingerprint)
            for cell in self.cells
        ]
        control = self._first.flatten()
        return StudyRecord(
            study=self.study,
            control=next(iter(self.variants)),
            command=command,
            features=None,
            labels=None,
            scale=1.0,
            corpora=(
                CorpusRecord(
                    corpus=self.corpus.name,
                    source=str(self.source.resolve()),
                    classes=self.corpus.classes,
                    control={**control, "tuning.unseen": list(self.unseen)},
                    changes={
                        name: {path: value for path, value in config.flatten().items() if control.get(path) != value}
                        for name, config in self.variants.items()
                    },
                    cells=tuple(keys),
                    digests={"corpus": self.corpus_digest, "encoder": self.revision},
                    anchors=(),
                ),
            ),
            provenance=dict(provenance),
            kind="ablation",
        )
