"""`fmerl ask-knowledge`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from fmerl.config import DEFAULT_TEXT_ENCODER
from fmerl_platform.cli.asking_options import Amount, AskingOptions, Natural
from fmerl_platform.cli.console import EXIT_FAILED, EXIT_OK, console, results, say
from fmerl_platform.cli.options import FLAT, OutputFolder

if TYPE_CHECKING:
    from fmerl_platform.knowledge.request import KnowledgeRequest
    from fmerl_platform.knowledge.run import AskedKnowledge


@dataclass(frozen=True, kw_only=True)
class AskKnowledgeOptions:
    """Options of a table of knowledge."""

    corpus: Path
    """Corpus folder."""
    knowledge: OutputFolder
    """Sentences are written below this folder."""
    features: OutputFolder
    """The feature table is written below this folder, beside the corpus's others."""
    model: str
    """Model as the endpoint calls it."""
    text_encoder: str = DEFAULT_TEXT_ENCODER
    """Frozen encoder of the sentences: Hugging Face id, folder or package:MODULE."""
    text_pooling: Literal["cls", "mean"] = "cls"
    """Which vector of its last layer stands for a sentence."""
    context: Natural = 0
    """Earlier turns shown with an utterance; without any, utterances of the same text are asked about once."""
    decoding: Literal["auto", "schema", "text"] = "auto"
    """Form in which an answer is asked for; auto takes what the endpoint can do."""
    temperature: Amount = 0.0
    """Temperature of the model."""
    asking: Annotated[AskingOptions, FLAT] = field(default_factory=AskingOptions)
    max_error_share: Amount = 0.01
    """Exit with 1 above this share of utterances without an answer, whose knowledge is missing."""
    storage: OutputFolder = Path("runs")
    """Folder of the journal and of unfinished work."""
    dry_run: bool = False
    """Show calls, tokens and cost, ask nothing."""


def ask_knowledge(*, options: Annotated[AskKnowledgeOptions, FLAT]) -> int:
    """Ask a language model what each utterance tells of its speaker and the others, and encode the answers.

    One request for each utterance gives seven sentences: ATOMIC's xIntent, xEffect, xReact, oEffect and oReact, belief
    and desire. COSMIC, CKCL and the belief-desire graph read the feature table that this leaves. The endpoint is the
    one of OPENAI_BASE_URL and OPENAI_API_KEY. Every answer is journaled before it is used: rerunning the same command,
    whatever ended the last one, repeats only requests that were in flight.
    """
    from fmerl_platform.asking.endpoint import RequestFailedError
    from fmerl_platform.cli.progress import RateProgress
    from fmerl_platform.cli.ready import check_ray
    from fmerl_platform.extraction.pipeline import ExtractionError
    from fmerl_platform.knowledge import run

    check_ray()
    request = _request(options)
    if options.dry_run:
        options.asking.tell_refusals()
        for line in request.estimate().lines():
            say(line, to=results)
        return EXIT_OK
    try:
        done = run.ask_knowledge(request, partial(RateProgress, console))
    except RequestFailedError as failure:
        say(f"the endpoint cannot be asked: {failure}", "red")
        return EXIT_FAILED
    except ExtractionError as error:
        say(f"encoding ended early: {error}", "red")
        return EXIT_FAILED
    _tell(done, request)
    return EXIT_OK if done.error_share <= options.max_error_share else EXIT_FAILED


def _request(options: AskKnowledgeOptions) -> KnowledgeRequest:
    from fmerl.corpus import read_corpus
    from fmerl.features.text.utterances import TextSpec
    from fmerl_platform.cli.extract import absolute
    from fmerl_platform.knowledge.request import KnowledgeRequest

    return KnowledgeRequest(
        corpus=read_corpus(options.corpus),
        folder=options.corpus,
        knowledge=options.knowledge,
        features=options.features,
        model=options.model,
        text=TextSpec(encoder=absolute(options.text_encoder), pooling=options.text_pooling),
        context=options.context,
        decoding=options.decoding,
        temperature=options.temperature,
        max_error_share=options.max_error_share,
        storage=options.storage,
        **options.asking.fields(),
    )


def _tell(done: AskedKnowledge, request: KnowledgeRequest) -> None:
    what = f"{done.asked:,} utterances asked about, {len(done.errors):,} without an answer (decoding {done.mode})"
    say(f"{request.corpus.name}: {what}", to=results)
    for reason, count in Counter(done.errors.values()).most_common():
        say(f"  {count:,} × {reason}", to=results)
    currency = request.price_of(request.model).currency
    spent = f"; spent {done.cost:,.4f} {currency}" if currency else ""
    say(f"{done.tokens.prompt:,} + {done.tokens.completion:,} tokens in all runs{spent}", to=results)
    if done.error_share > request.max_error_share:
        what = f"{done.error_share:.1%} have no answer, more than --max-error-share {request.max_error_share:.1%}"
        say(f"{what}; the same command asks again for those whose requests failed", "red", results)
    say(f"sentences  {done.sentences}", to=results)
    say(f"features   {done.table.plan.folder}", to=results)
