"""`fmerl label`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from fmerl.config import DIMENSIONS
from fmerl_platform.cli.asking_options import Amount, AskingOptions, Count, Natural
from fmerl_platform.cli.console import EXIT_FAILED, EXIT_OK, console, results, say
from fmerl_platform.cli.options import FLAT, OutputFolder


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
    score_template: str | None = None
    """Query for a score in place of the paper's."""
    description_template: str | None = None
    """Query for a description in place of the paper's."""
    system: str | None = None
    """System message."""
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
    from fmerl.corpus import SPLITS
    from fmerl.supervision.prompts import DESCRIPTION_TEMPLATE, SCORE_TEMPLATE, PromptConfig
    from fmerl_platform.asking.endpoint import RequestFailedError
    from fmerl_platform.cli.progress import RateProgress
    from fmerl_platform.cli.ready import check_ready
    from fmerl_platform.labelling.cost import estimate
    from fmerl_platform.labelling.plan import read_source
    from fmerl_platform.labelling.request import LabelRequest
    from fmerl_platform.labelling.run import label_corpus
    from fmerl_platform.labelling.summary import next_lines, problem_lines, summary_lines

    check_ready(dry_run=options.dry_run)
    corpus = read_source(options.corpus)
    request = LabelRequest(
        corpus=corpus,
        labels=options.labels,
        model=options.model,
        prompts=PromptConfig(
            score_template=options.score_template or SCORE_TEMPLATE,
            description_template=options.description_template or DESCRIPTION_TEMPLATE,
            system=options.system,
            scale=options.scale or corpus.vad_range,
            dimensions=tuple(name for name in DIMENSIONS if name in options.dimensions),
        ),
        decoding=options.decoding,
        temperature=options.temperature,
        splits=tuple(split for split in SPLITS if split in options.splits),
        limit=options.limit,
        descriptions=options.descriptions,
        retest=options.retest,
        **options.asking.fields(),
        max_error_share=options.max_error_share,
        storage=options.storage,
    )
    if (objection := request.grid_objection()) is not None:
        say(f"for judging only, a grid refuses it: {objection}")
    if options.dry_run:
        for line in estimate(request).lines():
            say(line, to=results)
        return EXIT_OK
    try:
        done = label_corpus(request, partial(RateProgress, console))
    except RequestFailedError as failure:
        say(f"the endpoint cannot be asked: {failure}", "red")
        return EXIT_FAILED
    for lines, style in ((summary_lines(done, request), ""), (problem_lines(done, request), "red")):
        for line in lines:
            say(line, style, results)
    for line in next_lines(done):
        say(line, to=results)
    return EXIT_OK if done.complete(request.max_error_share) else EXIT_FAILED
