"""Encoders to tune, as the user asks for them: inputs x seeds on one corpus, and the cells that they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fmerl.card import recipe_digest
from fmerl.corpus import Corpus
from fmerl.errors import InputError
from fmerl.features.text.encoder import revision_of
from fmerl.finetuning.config import InputChoice, TuningConfig
from fmerl.finetuning.data import check_targets, tuning_data
from fmerl.finetuning.folder import fold_folder
from fmerl.finetuning.folds import Fold, folds_of
from fmerl.finetuning.model import longest_input, prepare_encoder
from fmerl_platform.study.cells import cell_name
from fmerl_platform.study.fingerprint import tuning_digest
from fmerl_platform.study.record import CellKey, CorpusRecord, StudyRecord


@dataclass(frozen=True, kw_only=True)
class TuningCell(CellKey):
    """One encoder to tune: a corpus, an input, a seed; for cross-fitting without a fold of train."""

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
        InputError: An encoder, corpus, class, input, seed or number of folds that cannot be used.
    """

    corpus: Corpus
    source: Path
    """Folder that the corpus was read from."""
    config: TuningConfig
    """Settings of all cells but for their input."""
    inputs: tuple[InputChoice, ...] = ("utterance",)
    """Inputs to compare, the control first."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    folds: int | None = None
    """Folds of train for cross-fitted features; each makes one more encoder of every input and seed."""
    unseen: tuple[str, ...] = ()
    """Classes whose labels no encoder sees."""
    study: str = "finetuning"
    output: Path = Path("runs/encoders")
    """Encoders are left in `<output>/<corpus>/<input>/seed-<seed>/`."""

    def __post_init__(self) -> None:
        for option, values in (("--input", self.inputs), ("--seeds", self.seeds)):
            if not values or len(set(values)) != len(values):
                raise InputError(option, f"not each once in {list(values)}", "name each once, and at least one")
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

    def check(self) -> str:
        """Load the encoder and read the corpus once; returns a line on what was found.

        Raises:
            InputError: An encoder that cannot be used, or an input that does not fit it.
        """
        tokenizer, model, maker = prepare_encoder(self.config)
        longest = longest_input(tokenizer, model)
        said = []
        for choice in self.inputs:
            data = tuning_data(self.corpus, replace(self.config, input=choice), tokenizer, longest)
            lengths = [len(data.sequences[row].ids) for row in data.train_rows()]
            said.append(f"{choice}: {sum(lengths) / len(lengths):.1f} tokens on average, at most {max(lengths)}")
        kind = "without padding" if maker.packed else "padded"
        parameters = sum(parameter.numel() for parameter in model.parameters()) / 1e6
        return f"{self.config.encoder}: {parameters:.1f} M parameters, batches {kind}; {'; '.join(said)}"

    @cached_property
    def cells(self) -> tuple[TuningCell, ...]:
        """The study's cells, the control's first."""
        return tuple(self._cell(choice, seed, None) for choice in self.inputs for seed in self.seeds)

    @cached_property
    def fold_cells(self) -> tuple[TuningCell, ...]:
        """Further encoders for cross-fitted features."""
        return tuple(
            self._cell(choice, seed, Fold(number=number, of=self.folds or 0))
            for choice in self.inputs
            for seed in self.seeds
            for number in range(self.folds or 0)
        )

    def _cell(self, choice: InputChoice, seed: int, fold: Fold | None) -> TuningCell:
        config = replace(self.config, input=choice)
        recipe = {
            "config": asdict(config),
            "encoder": self.revision,
            "corpus": self.corpus_digest,
            "unseen": list(self.unseen),
            "fold": None if fold is None else asdict(fold),
            "seed": seed,
            "code": tuning_digest(),
        }
        place = self.output.resolve() / quote(self.corpus.name, safe="") / choice / f"seed-{seed}"
        # Wherever the encoder lies, it is its content that counts.
        counted = {**recipe, "config": {**asdict(config), "encoder": ""}}
        return TuningCell(
            corpus=self.corpus.name,
            variant=choice,
            seed=seed,
            fingerprint=recipe_digest(counted),
            config=config,
            recipe=recipe,
            folder=place if fold is None else fold_folder(place, fold),
            left_out=fold,
        )

    @cached_property
    def revision(self) -> str:
        """Revision of the encoder that is tuned."""
        return revision_of(self.config.encoder)

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
        """Record of the study: its variants are the inputs."""
        keys: Sequence[CellKey] = [
            CellKey(corpus=cell.corpus, variant=cell.variant, seed=cell.seed, fingerprint=cell.fingerprint)
            for cell in self.cells
        ]
        control = replace(self.config, input=self.inputs[0]).flatten()
        return StudyRecord(
            study=self.study,
            control=self.inputs[0],
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
                        choice: {} if choice == self.inputs[0] else {"tuning.input": choice} for choice in self.inputs
                    },
                    cells=tuple(keys),
                    digests={"corpus": self.corpus_digest, "encoder": self.revision},
                    anchors=(),
                ),
            ),
            provenance=dict(provenance),
            kind="ablation",
        )
