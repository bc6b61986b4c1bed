"""`fmerl llm-baselines`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from fmerl_platform.cli.asking_options import Amount, AskingOptions, Count, Natural
from fmerl_platform.cli.console import EXIT_FAILED, EXIT_OK, console, results, say, show
from fmerl_platform.cli.options import FLAT, OutputFolder

if TYPE_CHECKING:
    from fmerl.corpus import Corpus


@dataclass(frozen=True, kw_only=True)
class LLMBaselineOptions:
    """Options of language-model baselines."""

    corpus: str
    """Corpus folder, or name of a synthetic corpus."""
    config: Path | None = None
    """JSON file of models; the paper's three unless given."""
    model: tuple[str, ...] = ()
    """Only these models of the file, or others as the endpoint calls them; all of the file unless given."""
    prompt: tuple[str, ...] = ("paper",)
    """JSON files of templates, or paper for the default; models are asked by each, and compared with the first."""
    unseen: tuple[str, ...] | None = None
    """Classes without examples; the corpus's unseen_class unless given, none if no class is named."""
    limit: Count | None = None
    """At most so many test utterances, in whole dialogues."""
    shots: Natural = 3
    """Examples of each seen class."""
    context: Natural = 5
    """Turns shown before an utterance."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Seeds that draw the examples."""
    decoding: Literal["auto", "schema", "text"] = "auto"
    """Form in which an answer is asked for; auto takes what the endpoint can do."""
    temperature: Amount = 0.0
    """Temperature of the models."""
    asking: Annotated[AskingOptions, FLAT] = field(default_factory=AskingOptions)
    study: str = "llm-baselines"
    """Name of the MLflow experiment."""
    storage: OutputFolder = Path("runs")
    """Folder of everything that is written."""
    dry_run: bool = False
    """Show calls, tokens and cost, ask nothing."""


def llm_baselines(*, options: Annotated[LLMBaselineOptions, FLAT]) -> int:
    """Ask language models for the emotion of each test utterance over an OpenAI-compatible endpoint (Table 2).

    Few-shot for seen classes, zero-shot for unseen ones. The endpoint is the one of OPENAI_BASE_URL and OPENAI_API_KEY,
    or a model's own in the file of models. Every answer is journaled: rerunning the same command asks only what is
    left. --llm-study of zero-shot shows the rows beside FMERL's.
    """
    from fmerl.supervision.templates import read_templates
    from fmerl_platform.cli.progress import RateProgress
    from fmerl_platform.cli.ready import check_ready
    from fmerl_platform.llm_baselines.models import chosen_models, read_models, under_templates
    from fmerl_platform.llm_baselines.request import BaselineRequest
    from fmerl_platform.llm_baselines.run import run_baselines
    from fmerl_platform.llm_baselines.summary import comparison_table, estimates, summary_table
    from fmerl_platform.study.study import check_corpus_name, check_study_name

    check_study_name(options.study)
    check_corpus_name(options.corpus)
    check_ready(dry_run=options.dry_run)
    corpus = _corpus(options.corpus)
    known = options.config or Path(str(files("fmerl_platform.llm_baselines") / "models.json"))
    request = BaselineRequest(
        corpus=corpus,
        models=under_templates(chosen_models(options.model, read_models(known)), read_templates(options.prompt)),
        unseen=_unseen(options, corpus),
        shots=options.shots,
        context=options.context,
        seeds=options.seeds,
        decoding=options.decoding,
        temperature=options.temperature,
        limit=options.limit,
        study=options.study,
        storage=options.storage,
        **options.asking.fields(),
    )
    if options.dry_run:
        options.asking.tell_refusals(model.base_url for model in request.models)
        for model, estimate in estimates(request).items():
            for line in estimate.lines():
                say(f"{model}: {line}", to=results)
        return EXIT_OK
    done = run_baselines(request, partial(RateProgress, console))
    show([summary_table(done, request)])
    if (compared := comparison_table(done, request)) is not None:
        show([compared])
    for name, reason in done.failures.items():
        say(f"not finished: {name}: {reason}", "red", results)
    say(f"compare  mlflow ui --backend-store-uri {done.tracking_uri}", to=results)
    return EXIT_FAILED if done.failures else EXIT_OK


def _corpus(name: str) -> Corpus:
    from fmerl.corpus import read_corpus
    from fmerl.synthetic import SHAPES, generate

    return generate(SHAPES[name]).corpus if name in SHAPES else read_corpus(Path(name))


def _unseen(options: LLMBaselineOptions, corpus: Corpus) -> tuple[str, ...]:
    from fmerl_platform.study.hold_out import HoldOut

    if options.unseen == () or (options.unseen is None and corpus.unseen_class is None):
        return ()
    return HoldOut(classes=options.unseen or ()).of(corpus)
