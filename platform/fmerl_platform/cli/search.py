"""`fmerl search`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from fmerl_platform.cli.console import EXIT_FAILED, EXIT_OK, console, results, say, show
from fmerl_platform.cli.options import FLAT, OutputFolder
from fmerl_platform.running.options import Auto, Resources
from fmerl_platform.study.options import InputOptions
from fmerl_platform.study.study import check_corpus, check_study_name


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """Options of a search."""

    corpus: str = "synthetic-iemocap"
    """Corpus folder, or name of a synthetic corpus."""
    trials: int = 40
    """Trials in all, earlier ones counted."""
    search_seeds: tuple[int, ...] = (0,)
    """Seeds that every trial trains."""
    evaluation_seeds: tuple[int, ...] = (100, 101, 102, 103, 104)
    """Fresh seeds of the comparison at the end."""
    also: tuple[Literal["learning_rate", "dropout", "temperature", "hidden", "batch_size", "hidden_layers"], ...] = ()
    """Fields to search besides the weights."""
    objective: tuple[Literal["weighted-f1", "unseen-accuracy"], ...] = ("weighted-f1",)
    """Validation scores to maximise, each by trainings of its own; with both the search gives their Pareto front."""
    unseen: tuple[str, ...] = ()
    """Classes that unseen-accuracy never learns, as in a zero-shot study; the corpus's unseen_class unless given. A
    seen class stands in for them while it searches."""
    pruning: Literal["asha", "wilcoxon", "none"] = "asha"
    """End of hopeless trials of one objective: asha after some epochs, wilcoxon after some of --search-seeds, which
    then run one after the other."""
    sampler: str = "tpe"
    """tpe, gp, cmaes, random, or the name of a sampler of OptunaHub, which is downloaded and run."""
    patience: int | None = None
    """End the search after so many trials in a row without a new best."""
    inputs: Annotated[InputOptions, FLAT] = field(default_factory=InputOptions)
    study: str = "search"
    """Name of the MLflow experiment."""
    storage: OutputFolder = Path("runs")
    """Folder of everything that is written."""
    cpus_per_trial: float | Auto = "auto"
    """CPUs of a trial; auto: beside GPUs its share of the node's, else 1."""
    gpus_per_trial: float | Auto = "auto"
    """GPUs of a trial; fractions share a GPU; auto: the share that its memory needs, where there are GPUs or may be."""
    trials_at_once: int | Auto = "auto"
    """Trials at once; auto: as many as the nodes hold that there are, or that a growing cluster may have."""
    dry_run: bool = False
    """Check all inputs and show the ranges, train nothing."""


def search(*, options: Annotated[SearchOptions, FLAT] = SearchOptions()) -> int:
    """Search the loss weights on Ray Tune with Optuna, and compare the best with the paper's on fresh seeds.

    The objective is validation weighted F1 unless --objective says otherwise; no trial is given test data. Rerunning
    the same command resumes, whatever ended the last one; a larger --trials goes on from there. The best configuration
    is STORAGE/search/STUDY/best.json, which --config of other commands takes; with two objectives there is a
    trial-N.json for each on their front.
    """
    from fmerl_platform.cli.placement import placement_table
    from fmerl_platform.cli.progress import RunProgress
    from fmerl_platform.cli.ready import check_ready

    check_study_name(options.study)
    check_corpus(options.corpus, options.inputs.features)
    check_ready(dry_run=options.dry_run)
    from fmerl_platform.running.nodes import nodes_to_expect
    from fmerl_platform.studies.search.placement import place_trials
    from fmerl_platform.studies.search.plan import Search, plan_search, plan_table
    from fmerl_platform.studies.search.run import run_search

    resources = Resources(
        cpus_per_cell=options.cpus_per_trial,
        gpus_per_cell=options.gpus_per_trial,
        cells_at_once=options.trials_at_once,
    )
    asked = Search(
        name=options.study,
        corpus=options.corpus,
        trials=options.trials,
        seeds=options.search_seeds,
        evaluation_seeds=options.evaluation_seeds,
        also=options.also,
        objectives=options.objective,
        unseen=options.unseen,
        pruning=options.pruning,
        sampler=options.sampler,
        patience=options.patience,
        inputs=options.inputs,
    )
    plan = plan_search(asked, options.storage)
    if options.dry_run:
        placement = place_trials(plan.inputs, asked.models_at_once, resources, nodes_to_expect())
        show([plan_table(plan), placement_table(placement, options.trials, "trial")])
        return EXIT_OK
    found = run_search(plan, storage=options.storage, resources=resources, progress=partial(RunProgress, console))
    report = found.report()
    show(report.tables)
    for section in report.sections:
        say(section.finding, to=results)
    for warning in report.warnings:
        say(warning, "bold yellow", results)
    say(f"page     {found.paths.html}", to=results)
    for path in found.configs:
        say(f"config   {path}  (fmerl ablation --config)", to=results)
    say(f"trials   optuna-dashboard sqlite:///{found.database}", to=results)
    return EXIT_OK if found.complete else EXIT_FAILED
