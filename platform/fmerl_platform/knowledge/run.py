"""A table of knowledge from start to end: plan -> journal -> endpoint -> sentences with a card -> feature table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fmerl.card import content_digest, replaced_folder, write_card
from fmerl.config import KNOWLEDGE, RELATIONS
from fmerl.features.encoder import Item
from fmerl.features.text.knowledge import KnowledgeSpec
from fmerl.supervision.answers import Mode
from fmerl_platform.asking.asker import Answered
from fmerl_platform.asking.decoding import ask_decoding
from fmerl_platform.asking.journal import JournalReader, only_run
from fmerl_platform.asking.plan import ask_plan
from fmerl_platform.asking.prices import Tokens
from fmerl_platform.asking.worker import WorkerConfig
from fmerl_platform.extraction.run import Extracted, ExtractionRequest, extract_corpus
from fmerl_platform.knowledge.request import CANDIDATES, KnowledgeRequest
from fmerl_platform.running.progress import Counting, uncounted

SENTENCES = "sentences.parquet"
_SILENT = "the text is empty"


@dataclass(frozen=True, kw_only=True)
class AskedKnowledge:
    """A finished table of knowledge."""

    sentences: Path
    """Folder of the sentences."""
    table: Extracted
    mode: Mode
    errors: Mapping[str, str]
    """Reason by id of each utterance that has a text and no answer."""
    asked: int
    """Utterances that have a text."""
    tokens: Tokens
    """Tokens of all runs."""
    cost: float
    """Cost of all runs."""

    @property
    def error_share(self) -> float:
        return len(self.errors) / self.asked


def ask_knowledge(request: KnowledgeRequest, counting: Counting = uncounted) -> AskedKnowledge:
    """Ask the calls not answered yet, write the sentences, and encode them into the corpus's table of knowledge.

    Args:
        request: Knowledge to ask for.
        counting: Shows progress.

    Raises:
        InputError: Before anything is asked.
        RequestFailedError: The endpoint cannot be asked for its decoding.
        ExtractionError: The encoder cannot be built, or raised.
    """
    config = request.workers_for(request.model, request.journal)
    request.text.build()  # a fault of the encoder is found before anything is paid
    with only_run(request.journal, "this corpus's knowledge is being asked for already"):
        mode = _mode(request, config)
        plan = request.plan(mode)
        outcomes = ask_plan(plan, config, request.limits, request.pool, counting, batches=request.batches)
        found, journal = plan.by_utterance(outcomes), JournalReader(request.journal)
        tokens, cost = plan.tokens(journal), plan.cost(journal, config.price)
        sentences = _write(request, found, mode, config.endpoint.base_url)
    return AskedKnowledge(
        sentences=sentences,
        table=_encode(request, found, mode, counting),
        mode=mode,
        errors={name: outcome.error for name, outcome in found.items() if outcome.error is not None},
        asked=len(found),
        tokens=tokens,
        cost=cost,
    )


def _mode(request: KnowledgeRequest, config: WorkerConfig) -> Mode:
    if request.decoding != "auto":
        return request.decoding
    return ask_decoding(CANDIDATES, request.first_call, config, request.limits)


def _said(outcome: Answered | None) -> tuple[str, ...]:
    """Sentences in the order of the relations; none without an answer."""
    value = None if outcome is None else outcome.value
    return tuple(str(value[name]) for name in RELATIONS) if isinstance(value, dict) else ()


def _write(request: KnowledgeRequest, found: Mapping[str, Answered], mode: Mode, base_url: str) -> Path:
    ids = [utterance.utterance_id for utterance in request.corpus.utterances()]
    rows = [_said(found.get(name)) for name in ids]
    errors = [found[name].error if name in found else _SILENT for name in ids]
    columns = {
        relation: pa.array([row[number] if row else None for row in rows], pa.string())
        for number, relation in enumerate(RELATIONS)
    }
    table = pa.table({"utterance_id": pa.array(ids, pa.string()), **columns, "error": pa.array(errors, pa.string())})
    folder = request.knowledge / request.corpus.name
    card = {
        "kind": "sentences",
        "recipe": {**request.origin(mode), "corpus": request.corpus.digest(), "endpoint": base_url},
        "content_digest": content_digest([[name, list(row)] for name, row in zip(ids, rows, strict=True)]),
        "rows": {"utterances": len(ids), "answered": sum(map(bool, rows))},
    }
    with replaced_folder(folder) as fresh:
        pq.write_table(table, fresh / SENTENCES)
        write_card(fresh, card)
    return folder


def _encode(request: KnowledgeRequest, found: Mapping[str, Answered], mode: Mode, counting: Counting) -> Extracted:
    ids = (utterance.utterance_id for utterance in request.corpus.utterances())
    items = [Item(utterance_id=name, context=_said(found.get(name))) for name in ids]
    extraction = ExtractionRequest(
        corpus=request.folder,
        features=request.features,
        specs=[KnowledgeSpec(text=request.text, sentences=request.origin(mode))],
        storage=request.storage,
        resources=request.resources,
        given={KNOWLEDGE: items},
    )
    [table] = extract_corpus(request.corpus, extraction, counting)
    return table
