"""`fmerl label`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from fmerl.config import DIMENSIONS
from fmerl_platform.cli.asking_options import Amount, AskingOptions, Count, Natural
from fmerl_platform.cli.console import EXIT_FAILED, EXIT_OK, console, results, say, show
from fmerl_platform.cli.options import FLAT, OutputFolder

if TYPE_CHECKING:
    from fmerl_platform.labelling.request import LabelRequest
    from fmerl_platform.labelling.run import Labelled


@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """Options of a label set."""

    corpus: Path
    """Corpus folder, or EmoBank's emobank.csv."""
    labels: OutputFolder
    """Label sets are written below this folder."""
    model: str
    """Model as the endpoint calls it."""
    splits: tuple[Literal["train", "validation", "test"], ...] = ("train", "validation")
    """Splits to label."""
    limit: Count | None = None
    """Label a sample of so many utterances."""
    decoding: Literal["auto", "text", "schema", "logprobs"] = "auto"
    """Form in which an answer is asked for; auto takes what the endpoint can do."""
    temperature: Amount = 0.0
    """Temperature of the model."""
    questions: Literal["three", "one"] = "three"
    """One question for each dimension, as in the paper, or one for all of them."""
    samples: Count = 1
    """Answers to every question about an utterance; their mean is the score, their spread stands beside it."""
    prompt: tuple[str, ...] = ("paper",)
    """JSON files of templates, or paper for the default ones; several label into a folder of their own each."""
    score_template: str | None = None
    """Query for a score in place of the templates'."""
    joint_template: str | None = None
    """Query for all scores at once in place of the templates'."""
    description_template: str | None = None
    """Query for a description in place of the templates'."""
    system: str | None = None
    """System message in place of the templates'."""
    scale: tuple[float, float] | None = None
    """Lowest and highest score; the corpus's vad_range unless given."""
    dimensions: tuple[Literal["valence", "arousal", "dominance"], ...] = ("valence", "arousal", "dominance")
    """Dimensions to score."""
    descriptions: Path | None = None
    """Reviewed descriptions in place of drafts."""
    retest: Natural = 50
    """Utterances that are asked twice."""
    asking: Annotated[AskingOptions, FLAT] = field(default_factory=AskingOptions)
    max_error_share: Amount = 0.01
    """Exit with 1 above this share of utterances without scores."""
    storage: OutputFolder = Path("runs")
    """Folder of the journal."""
    dry_run: bool = False
    """Show calls, tokens and cost, ask nothing."""


def label(*, options: Annotated[LabelOptions, FLAT]) -> int:
    """Label a corpus through an OpenAI-compatible endpoint: VAD scores and emotion descriptions (Eq. 1 and 4).

    The endpoint is the one of OPENAI_BASE_URL and OPENAI_API_KEY. Every answer is journaled before it is used:
    rerunning the same command, whatever ended the last one, repeats only requests that were in flight.
    """
    from fmerl_platform.cli.ready import check_ready
    from fmerl_platform.labelling.cost import estimate
    from fmerl_platform.labelling.summary import agreement_table

    check_ready(dry_run=options.dry_run)
    requests = _requests(options)
    if (objection := next(iter(requests.values())).grid_objection()) is not None:
        say(f"for judging only, a grid refuses it: {objection}")
    if options.dry_run:
        options.asking.tell_refusals()
        for name, request in requests.items():
            for line in estimate(request).lines():
                say(f"{name}: {line}" if len(requests) > 1 else line, to=results)
        return EXIT_OK
    found = {name: _label(request, name if len(requests) > 1 else None) for name, request in requests.items()}
    if len(requests) > 1:
        show([agreement_table({name: done for name, done in found.items() if done is not None})])
    complete = all(done is not None and done.complete(options.max_error_share) for done in found.values())
    return EXIT_OK if complete else EXIT_FAILED


def _requests(options: LabelOptions) -> dict[str, LabelRequest]:
    """A request for each of the templates, by their name."""
    from fmerl.corpus import SPLITS
    from fmerl.supervision.templates import read_templates
    from fmerl_platform.labelling.plan import read_source
    from fmerl_platform.labelling.request import LabelRequest

    corpus = read_source(options.corpus)
    given = {
        "score": options.score_template,
        "joint": options.joint_template,
        "description": options.description_template,
        "system": options.system,
    }
    changes = {field: text for field, text in given.items() if text is not None}
    dimensions = tuple(name for name in DIMENSIONS if name in options.dimensions)
    several = len(options.prompt) > 1
    return {
        templates.name: LabelRequest(
            corpus=corpus,
            labels=options.labels / templates.name if several else options.labels,
            templates=templates.name if several else None,
            model=options.model,
            prompts=replace(templates, **changes).prompts(
                options.scale or corpus.vad_range, options.questions, dimensions
            ),
            decoding=options.decoding,
            temperature=options.temperature,
            splits=tuple(split for split in SPLITS if split in options.splits),
            limit=options.limit,
            descriptions=options.descriptions,
            samples=options.samples,
            retest=options.retest,
            **options.asking.fields(),
            max_error_share=options.max_error_share,
            storage=options.storage,
        )
        for templates in read_templates(options.prompt)
    }


def _label(request: LabelRequest, title: str | None) -> Labelled | None:
    """Make one label set and tell how it went; None if the endpoint cannot be asked."""
    from fmerl_platform.asking.endpoint import RequestFailedError
    from fmerl_platform.cli.progress import RateProgress
    from fmerl_platform.labelling.run import label_corpus
    from fmerl_platform.labelling.summary import next_lines, problem_lines, summary_lines

    if title is not None:
        say(f"templates {title}", "bold", results)
    try:
        done = label_corpus(request, partial(RateProgress, console))
    except RequestFailedError as failure:
        say(f"the endpoint cannot be asked: {failure}", "red")
        return None
    for lines, style in ((summary_lines(done, request), ""), (problem_lines(done, request), "red")):
        for line in lines:
            say(line, style, results)
    for line in next_lines(done):
        say(line, to=results)
    return done
