"""A search as a user defines it, and its inputs, read and checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from fmerl.config import CellConfig
from fmerl.errors import InputError
from fmerl_platform.report.table import Table, columns
from fmerl_platform.studies.search.objectives import (
    UNSEEN_ACCURACY,
    WEIGHTED_F1,
    Objective,
    ObjectiveName,
    objective_of,
)
from fmerl_platform.studies.search.samplers import create_sampler
from fmerl_platform.studies.search.space import SearchSpace, search_space, with_paper_weights
from fmerl_platform.studies.search.stopping import FEWEST_SEEDS, Pruning
from fmerl_platform.study.cells import CorpusInputs
from fmerl_platform.study.hold_out import HoldOut
from fmerl_platform.study.inputs import open_corpus, read_inputs
from fmerl_platform.study.options import InputOptions
from fmerl_platform.study.paper import PAPER
from fmerl_platform.study.study import Study, check_study_name


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search for loss weights as a user defines it."""

    name: str = "search"
    """Name of its MLflow experiment."""
    corpus: str = "synthetic-iemocap"
    trials: int = 40
    """Trials in all, earlier ones counted."""
    seeds: tuple[int, ...] = (0,)
    """Seeds that every trial trains."""
    evaluation_seeds: tuple[int, ...] = (100, 101, 102, 103, 104)
    """Seeds of the comparison at the end; none of `seeds`."""
    also: tuple[str, ...] = ()
    """Fields searched besides the loss weights."""
    sampler: str = "tpe"
    """Name of the sampler (`fmerl_platform.studies.search.samplers`)."""
    objectives: tuple[ObjectiveName, ...] = (WEIGHTED_F1,)
    unseen: tuple[str, ...] = ()
    """Classes that no training for unseen accuracy learns; the corpus's unseen class unless given."""
    pruning: Pruning = "asha"
    patience: int | None = None
    """Trials in a row without a new best after which the search ends; None runs all."""
    inputs: InputOptions = field(default_factory=InputOptions)

    def __post_init__(self) -> None:
        check_study_name(self.name)
        if self.trials < 1:
            raise InputError("--trials", f"{self.trials} is no number of trials", "give at least 1")
        if self.patience is not None and self.patience < 1:
            raise InputError("--patience", f"{self.patience} is no number of trials", "give at least 1")
        several = len(self.objectives) > 1
        if not self.objectives or len(set(self.objectives)) < len(self.objectives):
            raise InputError("--objective", "none is named, or one twice", "name each once")
        if self.unseen and UNSEEN_ACCURACY not in self.objectives:
            raise InputError("--unseen", "no objective asks for unseen classes", f"add --objective {UNSEEN_ACCURACY}")
        if several and self.sampler == "cmaes":
            raise InputError("--sampler cmaes", "it knows one objective", "take tpe, gp or random")
        if self.pruning == "wilcoxon" and several:
            raise InputError("--pruning wilcoxon", "it knows one objective", "name one, or leave it out")
        if self.pruning == "wilcoxon" and len(self.seeds) < FEWEST_SEEDS:
            what = f"its test spares no seed of {len(self.seeds)}"
            raise InputError("--pruning wilcoxon", what, f"give at least {FEWEST_SEEDS} --search-seeds")
        both = sorted(set(self.seeds) & set(self.evaluation_seeds))
        if both:
            raise InputError("--evaluation-seeds", f"{both} stand in --search-seeds too", "compare on fresh seeds")

    @property
    def stops(self) -> Pruning:
        """Rule that ends single trials; none where there are several objectives, none of which says enough."""
        return self.pruning if len(self.objectives) == 1 else "none"

    @property
    def models_at_once(self) -> int:
        """Models that a trial trains side by side."""
        return len(self.objectives) * (1 if self.stops == "wilcoxon" else len(self.seeds))


@dataclass(frozen=True, kw_only=True)
class SearchPlan:
    """A search whose inputs were read and checked."""

    search: Search
    inputs: CorpusInputs
    space: SearchSpace
    objectives: tuple[Objective, ...]
    paper: CellConfig
    """The control with the paper's weights, where the search starts."""

    @property
    def steps(self) -> int:
        """Reports that Optuna keeps of a trial that is not stopped; it keeps none of several objectives."""
        if len(self.objectives) > 1:
            return 0
        return len(self.search.seeds) if self.search.stops == "wilcoxon" else self.inputs.control.training.epochs

    @cached_property
    def starts(self) -> dict[str, dict[str, float]]:
        """Points to try first, by name."""
        starts = {"paper": self.space.values_of(self.paper)}
        if self.paper != self.inputs.control:
            starts["given"] = self.space.values_of(self.inputs.control)
        return starts


def plan_search(search: Search, storage: Path) -> SearchPlan:
    """Read and check the inputs.

    Raises:
        InputError: Any fault of the inputs, a control outside the search space, or an objective that is not to be had.
    """
    create_sampler(search.sampler, 0)  # refuses one that is not there
    study = Study(search.name, corpora=(search.corpus,), variants=PAPER[:1], inputs=search.inputs)
    corpus, features = open_corpus(search.corpus, search.inputs, storage)
    unseen = HoldOut(classes=search.unseen).of(corpus) if UNSEEN_ACCURACY in search.objectives else ()
    inputs = read_inputs(study, storage, search.corpus, corpus, features)
    plan = SearchPlan(
        search=search,
        inputs=inputs,
        space=search_space(inputs.control, search.also),
        objectives=tuple(objective_of(name, inputs.data, unseen) for name in search.objectives),
        paper=with_paper_weights(inputs.control),
    )
    _ = plan.starts  # refuses a start outside the space
    return plan


def plan_table(plan: SearchPlan) -> Table:
    """A row per searched field, and the most trainings."""
    search, control = plan.search, plan.inputs.control
    trainings = search.trials * len(search.seeds) * len(search.objectives)
    trials = f"{search.trials} trials of {len(search.seeds)} seeds x at most {control.training.epochs} epochs"
    cells = f"{len(search.evaluation_seeds)} cells of the paper's weights and of each that is best"
    flat = control.flatten()
    return Table(
        name="search",
        caption=f"{trials}: at most {trainings} trainings; then {cells}",
        columns=columns("field", "from", "to", "scale", "start"),
        rows=tuple(
            (
                path,
                f"{item.low:g}",
                f"{item.high:g}",
                ("logarithmic" if item.log else "linear") + (f", by {item.step}" if item.step else ""),
                f"{flat[path]:g}",
            )
            for path, item in plan.space.ranges.items()
        ),
        notes=(f"Maximised: {' and '.join(each.text for each in plan.objectives)}, on the validation split.",),
    )
