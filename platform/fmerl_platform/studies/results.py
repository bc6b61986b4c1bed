"""Results of a study: rows, predictions and a report, read from MLflow alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmerl.errors import InputError
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.ledger.publish import RunSummary, publish
from fmerl_platform.ledger.results import CellRecord, CorpusCells
from fmerl_platform.ledger.runs import StudyRuns, read_results, read_study
from fmerl_platform.report.document import Report
from fmerl_platform.studies import kept
from fmerl_platform.studies.kept import Published
from fmerl_platform.studies.kind import StudyKind
from fmerl_platform.study.cells import CellFailure
from fmerl_platform.study.record import StudyRecord

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class StudyResults:
    """A study's finished cells and their analysis. In a notebook it shows its tables."""

    experiment: Experiment
    record: StudyRecord
    runs: StudyRuns
    kind: StudyKind
    folder: Path
    """Folder of its report, unless another is named."""
    failures: tuple[CellFailure, ...] = ()
    """Cells of this run that ended without a result."""

    @property
    def complete(self) -> bool:
        """True if no cell of this run failed."""
        return not self.failures

    @cached_property
    def corpora(self) -> tuple[CorpusCells, ...]:
        """Finished and missing cells of every corpus."""
        return read_results(self.experiment, self.record)

    @cached_property
    def analysis(self) -> Any:
        """Analysis of the cells by the study's kind; for an ablation, a `CorpusAnalysis` per corpus."""
        return self.kind.analyse(self.record, self.corpora, self.experiment)

    @cached_property
    def summaries(self) -> Sequence[RunSummary]:
        """Summaries per corpus and variant, the same as in MLflow."""
        return self.kind.summaries(self.record, self.analysis)

    def report(self) -> Report:
        """The report; `.save(folder)` writes it."""
        return self.kind.report(self.record, self.analysis)

    def frame(self) -> pd.DataFrame:
        """One row per corpus and variant: scores in [0, 1], effect, interval, p-values and verdict."""
        import pandas as pd

        rows = [
            {
                "corpus": each.corpus,
                "variant": each.variant,
                **each.metrics,
                **{key.removeprefix("fmerl."): value for key, value in each.tags.items()},
            }
            for each in self.summaries
        ]
        return pd.DataFrame(rows)

    def __getitem__(self, variant: str) -> VariantResults:
        """The cells of one variant.

        Raises:
            KeyError: The study has no variant of this name.
        """
        if not any(variant in corpus.variants for corpus in self.corpora):
            known = dict.fromkeys(name for corpus in self.corpora for name in corpus.variants)
            raise KeyError(f"{variant!r} is none of {', '.join(known)}")
        return VariantResults(variant=variant, corpora=self.corpora)

    def of_corpora(self, names: Sequence[str]) -> StudyResults:
        """The same study, restricted to some of its corpora.

        Raises:
            InputError: The study has no corpus of this name.
        """
        known = {corpus.corpus: corpus for corpus in self.record.corpora}
        for name in names:
            if name not in known:
                raise InputError(f"--corpus {name}", "not in this study", f"name one of {', '.join(known)}")
        return replace(self, record=replace(self.record, corpora=tuple(known[name] for name in names)))

    def with_margin(self, margin: float) -> StudyResults:
        """The same study, its variants also judged for equivalence.

        Args:
            margin: Points of weighted F1 that count as no difference.

        Raises:
            InputError: No margin, or a study of a kind that judges no equivalence.
        """
        from fmerl_platform.studies.ablation import Ablation

        if not isinstance(self.kind, Ablation):
            what = f"a study of kind {self.kind.name} judges no equivalence"
            raise InputError(f"--margin {margin:g}", what, "leave it out")
        return replace(self, kind=Ablation(margin=margin), record=replace(self.record, options={"margin": margin}))

    @cached_property
    def published(self) -> Published:
        """The report in `folder`."""
        return self.publish(self.folder)

    def publish(self, folder: Path) -> Published:
        """Write the report to `folder` and to the study's run, aggregates to the variants' runs.

        A report published from the same cells by the same code is left as it is.
        """
        folder = folder.resolve()
        key = kept.key_of(self.experiment, self.record, self.kind.others(self.experiment))
        if (published := kept.read(folder, key)) is not None:
            return published
        report = self.report()
        warnings = report.warnings
        note = self.kind.note(self.record, self.analysis)
        publish(self.experiment, self.runs, self.summaries, note, " ".join(warnings), self.kind.view)
        published = Published(key=key, paths=report.save(folder), tables=report.tables, warnings=warnings)
        self.experiment.client().log_artifacts(self.runs.study, str(folder), "report")
        kept.write(folder, published)
        return published

    def _repr_html_(self) -> str:
        from fmerl_platform.report.render import table_html

        return "".join(map(table_html, self.report().tables))


@dataclass(frozen=True, kw_only=True)
class VariantResults:
    """Cells of one variant."""

    variant: str
    corpora: tuple[CorpusCells, ...] = field(repr=False)

    def cell(self, seed: int, corpus: str | None = None, fold: str | None = None) -> CellRecord:
        """One finished cell.

        Args:
            seed: One of the study's.
            corpus: Name of the corpus; may be left out where the study has one.
            fold: Fold of a study with folds; left out, all folds of the seed are pooled.

        Raises:
            KeyError: There is no such cell, or there are several.
        """
        found = [
            cell
            for cells in self.corpora
            if corpus in (None, cells.corpus)
            for cell in (cells.of_variant(self.variant) if fold is None else cells.cells)
            if cell.variant == self.variant and cell.seed == seed and cell.fold == fold
        ]
        if len(found) != 1:
            where = " or ".join(cells.corpus for cells in self.corpora)
            raise KeyError(f"{len(found)} finished cells of {self.variant!r} have seed {seed}; corpus is {where}")
        return found[0]

    def predictions(self, seed: int, corpus: str | None = None, fold: str | None = None) -> pd.DataFrame:
        """Validation and test rows at the selected epoch: gold, predicted, scores per class, predicted VAD.

        Of a study with folds: every utterance once, tested, and the `fold` that tested it; or one fold's rows.
        """
        return self.cell(seed, corpus, fold).predictions.to_pandas()


def open_study(name: str, storage: Path | str = "runs") -> StudyResults:
    """A study that has run, read from MLflow alone.

    Raises:
        InputError: There is no such study.
    """
    from fmerl_platform.studies import kind_of

    experiment = Experiment.existing(Path(storage), name)
    record, runs = read_study(experiment)
    return StudyResults(
        experiment=experiment, record=record, runs=runs, kind=kind_of(record), folder=Path(storage) / "reports" / name
    )
