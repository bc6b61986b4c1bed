"""Rows of Table 2 from finished cells. Scores are in [0, 1] here; percent is a matter of print."""

from __future__ import annotations

import math
import statistics as moments
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fmerl.errors import InputError
from fmerl_platform.ledger.results import CellRecord, CorpusCells, labelled_predictions
from fmerl_platform.report.numbers import deviation
from fmerl_platform.statistics import CellPredictions, Comparison, Estimate, Score, compare, estimates, holm
from fmerl_platform.studies.paper_results import PublishedZeroShot, published_zero_shot
from fmerl_platform.studies.zero_shot.language_models import LanguageModels, on_shared_utterances
from fmerl_platform.studies.zero_shot.scores import UNSEEN_ACCURACY, zero_shot_scores
from fmerl_platform.studies.zero_shot.stacking import (
    SeenUnseenCurve,
    margin,
    seen_unseen_curve,
    stacked,
    tuned_constant,
)
from fmerl_platform.study.hold_out import UNSEEN_CLASSES

COMPARED = (UNSEEN_ACCURACY, "weighted_f1")
"""Scores by which rows are compared with the control."""


@dataclass(frozen=True)
class Spread:
    """Mean and deviation over seeds."""

    mean: float
    sd: float
    """Deviation, ddof = 1; NaN for one seed."""


@dataclass(frozen=True)
class ZeroShotRow:
    """Row of Table 2."""

    name: str
    scores: Mapping[str, Estimate]
    """Scores by name in `zero_shot_scores`."""
    n_utterances: int
    n_unseen: int
    """Number of utterances of an unseen class."""
    unseen_dialogues: int
    """Number of dialogues with an unseen utterance."""
    parameters: float
    """Number of parameters; NaN if unknown."""
    against: Mapping[str, Comparison]
    """This row minus the control on shared utterances, by score in `COMPARED`; empty for the control."""
    p_value_holm: float = math.nan
    """P-value of the difference in unseen accuracy, adjusted over all rows."""
    area: Spread | None = None
    """AUSUC; None where scores do not grade every class."""
    uninformed_area: Spread | None = None
    """AUSUC of scores that do not tell unseen utterances from others."""
    lead: Spread | None = None
    """Median over unseen utterances of how far the best seen class lies above the best unseen one."""
    constant: Spread | None = None
    """Constant subtracted from seen classes' scores in the calibrated row."""
    single_run: bool = False
    """True for one run of a language model, compared with every seed of the control."""
    left_out: int = 0
    """The study's test utterances that a language model was not asked about."""
    unanswered: int = 0
    """Answers of a language model, over all its runs, that name no class and so are wrong."""


@dataclass(frozen=True)
class ZeroShotAnalysis:
    """One corpus's rows."""

    results: CorpusCells
    unseen: tuple[str, ...]
    utterances: str
    """`context` or `deleted`: fate of unseen utterances in training."""
    rows: tuple[ZeroShotRow, ...]
    """Rows, the control first, then its calibrated row."""
    pseudo_unseen: str | None
    """Seen class that the constant was tuned on."""
    curves: tuple[SeenUnseenCurve, ...]
    """Curves of the control's seeds, on test."""
    published: Mapping[str, PublishedZeroShot]
    supervised: tuple[str, ...]
    """Modalities whose features may contain the unseen labels."""
    closed_set: tuple[str, ...]
    """Rows that can name no unseen class."""
    refused: tuple[str, ...]
    """Runs of language models that are not shown, each with its reason."""

    @property
    def control(self) -> ZeroShotRow | None:
        return next((row for row in self.rows if row.name == self.results.control), None)

    @property
    def calibrated(self) -> ZeroShotRow | None:
        return next((row for row in self.rows if row.constant is not None), None)


def analyse_zero_shot(
    results: CorpusCells,
    unseen: Sequence[str],
    utterances: str,
    supervised: Sequence[str],
    models: LanguageModels,
    *,
    resamples: int = 10_000,
) -> ZeroShotAnalysis:
    """Make the rows: systems, the control after calibrated stacking, language models.

    Args:
        results: Finished cells of one corpus, those of the pseudo-unseen variant among them.
        unseen: Names of the unseen classes.
        utterances: Fate of their utterances in training.
        supervised: Modalities whose features may contain the unseen labels.
        models: Language models' runs on the corpus.
        resamples: Bootstrap resamples behind intervals and p-values.

    Raises:
        InputError: A prediction names a class that the corpus does not have.
    """
    maker = _RowMaker(results, unseen, resamples)
    stand_in = next((name for name in results.variants if UNSEEN_CLASSES in results.changes[name]), None)
    rows = []
    for variant in results.variants:
        if variant != stand_in and results.of_variant(variant):
            rows.append(maker.of_variant(variant))
        if variant == results.control and stand_in is not None and (row := maker.calibrated(stand_in)) is not None:
            rows.append(row)
    refused = list(models.refused)
    for model, cells in models.cells.items():
        try:
            rows.append(maker.of_model(model, cells))
        except InputError as error:
            refused.append(str(error))
    adjusted = holm([row.against[UNSEEN_ACCURACY].p_value if row.against else math.nan for row in rows])
    return ZeroShotAnalysis(
        results=results,
        unseen=tuple(unseen),
        utterances=utterances,
        rows=tuple(replace(row, p_value_holm=p) for row, p in zip(rows, adjusted, strict=True)),
        pseudo_unseen=None if stand_in is None else results.classes[maker.pseudo_unseen(stand_in)],
        curves=tuple(maker.curve(cell) for cell in results.of_variant(results.control)),
        published=published_zero_shot(results.corpus, unseen),
        supervised=tuple(supervised),
        closed_set=tuple(row.name for row in rows if row.name in results.variants and maker.closed_set(row.name)),
        refused=tuple(refused),
    )


class _RowMaker:
    """Rows of one corpus, all of the same scores and against the same control."""

    def __init__(self, results: CorpusCells, unseen: Sequence[str], resamples: int) -> None:
        self._results, self._resamples = results, resamples
        self._held_out = np.isin(results.classes, list(unseen))
        self._scores: Mapping[str, Score] = zero_shot_scores(
            np.flatnonzero(self._held_out).tolist(), len(self._held_out)
        )

    def of_variant(self, variant: str) -> ZeroShotRow:
        cells = self._results.of_variant(variant)
        control = [] if variant == self._results.control else self._results.predictions_of(self._results.control)
        row = self._row(variant, self._results.predictions_of(variant), control, cells)
        if self.closed_set(variant):
            return row
        return replace(
            row,
            area=_spread(self.curve(cell).area for cell in cells),
            uninformed_area=_spread(self.curve(cell).uninformed_area for cell in cells),
            lead=_spread(self._lead(cell) for cell in cells),
        )

    def calibrated(self, stand_in: str) -> ZeroShotRow | None:
        """Row of the control with each seed's constant, tuned on the cell of the same seed that knew one class less."""
        constants = {cell.seed: self.constant(cell) for cell in self._results.of_variant(stand_in)}
        cells = [cell for cell in self._results.of_variant(self._results.control) if cell.seed in constants]
        if not cells:
            return None
        plain = [labelled_predictions(cell, self._results.classes) for cell in cells]
        lowered = [
            replace(
                before,
                predicted=stacked(score_matrix(cell.labelled_test()), self._held_out, constants[cell.seed]),
            )
            for cell, before in zip(cells, plain, strict=True)
        ]
        row = self._row(f"{self._results.control}, calibrated", lowered, plain, cells)
        return replace(row, constant=_spread(constants[cell.seed] for cell in cells))

    def of_model(self, model: str, cells: Sequence[CellRecord]) -> ZeroShotRow:
        """Row of a language model; a single run is compared with every seed of the control."""
        shared = on_shared_utterances(cells, self._results)
        single = len(cells) == 1
        fixed = [replace(each, predicted=shared.model[0].predicted) for each in shared.control] if single else None
        row = self._row(model, shared.model, shared.control, cells, fixed)
        return replace(row, single_run=single, left_out=shared.left_out, unanswered=shared.unanswered)

    def closed_set(self, variant: str) -> bool:
        return "system.name" in self._results.changes[variant]

    def pseudo_unseen(self, stand_in: str) -> int:
        """Index of the class that the variant holds out beyond the unseen ones."""
        names = self._results.changes[stand_in][UNSEEN_CLASSES]
        (pseudo,) = [i for i in map(self._results.classes.index, names) if not self._held_out[i]]
        return pseudo

    def constant(self, cell: CellRecord) -> float:
        """Constant tuned on validation; `cell` held out a seen class as well."""
        rows = cell.predictions.filter((pc.field("split") == "validation") & pc.field("gold").is_valid())
        gold = _gold(rows, self._results.classes)
        return tuned_constant(score_matrix(rows), gold, self._held_out, self.pseudo_unseen(cell.variant))

    def curve(self, cell: CellRecord) -> SeenUnseenCurve:
        rows = cell.labelled_test()
        return seen_unseen_curve(score_matrix(rows), _gold(rows, self._results.classes), self._held_out)

    def _lead(self, cell: CellRecord) -> float:
        rows = cell.labelled_test()
        of_unseen = self._held_out[_gold(rows, self._results.classes)]
        leads = margin(score_matrix(rows), self._held_out)[of_unseen]
        return float(np.median(leads)) if len(leads) else math.nan

    def _row(
        self,
        name: str,
        predictions: list[CellPredictions],
        control: list[CellPredictions],
        cells: Sequence[CellRecord],
        paired: list[CellPredictions] | None = None,
    ) -> ZeroShotRow:
        n_classes, first = len(self._held_out), predictions[0]
        of_unseen = self._held_out[first.gold]
        parameters = [cell.metrics["parameters"] for cell in cells if "parameters" in cell.metrics]
        return ZeroShotRow(
            name=name,
            scores=estimates(predictions, n_classes, self._scores, resamples=self._resamples),
            n_utterances=len(first.gold),
            n_unseen=int(of_unseen.sum()),
            unseen_dialogues=len(np.unique(first.dialogue[of_unseen])),
            parameters=moments.fmean(parameters) if parameters else math.nan,
            against={
                metric: compare(
                    control,
                    {name: paired or predictions},
                    n_classes,
                    metric=metric,
                    scores=self._scores,
                    resamples=self._resamples,
                )[name]
                for metric in COMPARED
            }
            if control
            else {},
        )


def score_matrix(rows: pa.Table) -> NDArray[np.float32]:
    """Scores of a ledger's rows, [N, C]."""
    column = rows["scores"].combine_chunks()
    values: NDArray[np.float32] = column.flatten().to_numpy()
    return values.reshape(len(rows), -1)


def _gold(rows: pa.Table, classes: Sequence[str]) -> NDArray[np.int64]:
    index = {name: position for position, name in enumerate(classes)}
    return np.array([index[name] for name in rows["gold"].to_pylist()], dtype=np.int64)


def _spread(values: Iterator[float]) -> Spread:
    found = list(values)
    return Spread(moments.fmean(found), deviation(found))
