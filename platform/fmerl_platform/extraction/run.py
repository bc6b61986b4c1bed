"""Feature tables from start to end: corpus -> items -> Ray Data -> staged blocks -> table with its card."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fmerl.bundle.recipes import RecipeSpec
from fmerl.card import check_replaceable
from fmerl.corpus import Corpus, read_corpus
from fmerl.features.encoder import EncoderSpec, Item
from fmerl.features.items import items_of
from fmerl.features.table_names import table_name
from fmerl.features.text.utterances import TextSpec
from fmerl.finetuning.features import TunedTextSpec
from fmerl.finetuning.folder import read_tuned
from fmerl_platform.extraction.pipeline import encode_items
from fmerl_platform.extraction.plan import TablePlan, plan_table
from fmerl_platform.extraction.table import write_table
from fmerl_platform.running.lock import exclusive
from fmerl_platform.running.options import Resources
from fmerl_platform.running.progress import Counting, uncounted
from fmerl_platform.running.session import ray_session


@dataclass(frozen=True, kw_only=True)
class ExtractionRequest:
    """Features to extract, and where to keep them."""

    corpus: Path
    """A corpus folder."""
    features: Path
    """Root of the feature tables."""
    specs: Sequence[EncoderSpec]
    """Encoder of each modality."""
    table: str = ""
    """Name of the tables, beside the modalities' unnamed ones."""
    storage: Path = Path("runs")
    """Folder whose `extraction/` keeps encoded blocks until their table is written."""
    resources: Resources = field(default_factory=Resources)
    """Resources of a worker, and the most workers, as asked for."""
    media_roots: Sequence[Path] = ()
    """Folders beside the corpus's own that may hold its media."""
    given: Mapping[str, Sequence[Item]] = field(default_factory=dict)
    """Items by modality, in the corpus's order, of what the corpus itself does not hold."""
    supervised_on_labels: bool = False
    """Stated on the cards of encoders that were fine-tuned on this corpus's emotions elsewhere: zero-shot results on
    their features leak the unseen class. Encoders that were tuned here say it themselves."""

    def plans(self, corpus: Corpus) -> list[TablePlan]:
        """Plan of every table.

        Raises:
            InputError: An encoder that cannot be built, media outside the folders that may hold them, or something in
                a table's way.
        """
        for spec in self.specs:
            check_replaceable(self.features / corpus.name / table_name(spec.modality, self.table))
        # All of them before the first plan, which reads every media file.
        ready = [(spec, spec.build(), self._items(spec, corpus), self._supervision(spec)) for spec in self.specs]
        return [plan_table(*each, corpus, self.features, self.storage, self.table) for each in ready]

    def _items(self, spec: EncoderSpec, corpus: Corpus) -> list[Item]:
        """What an encoder reads of each utterance."""
        if spec.modality in self.given:
            return list(self.given[spec.modality])
        if isinstance(spec, TunedTextSpec):
            return spec.items(corpus)
        if isinstance(spec, RecipeSpec):
            return spec.items(corpus, self.corpus, self.media_roots)
        context = spec.context if isinstance(spec, TextSpec) else 0
        return list(items_of(corpus, self.corpus, spec.modality, context, self.media_roots))

    def _supervision(self, spec: EncoderSpec) -> dict[str, Any]:
        """Fields of a table's card: a tuned encoder's card says which labels it has seen, whatever the user says."""
        tuned = spec.tuned() if isinstance(spec, TunedTextSpec) else None
        if isinstance(spec, TextSpec):
            tuned = read_tuned(Path(spec.encoder))
        if tuned is None:
            return {"supervised_on_labels": self.supervised_on_labels}
        return {"supervised_on_labels": True, "labels_seen": tuned.labels_seen}


@dataclass(frozen=True, kw_only=True)
class Extracted:
    """A finished table."""

    plan: TablePlan
    encoded: int
    """Items that this run encoded."""
    seconds: float


def extract(request: ExtractionRequest, counting: Counting = uncounted) -> list[Extracted]:
    """Encode missing items and write missing tables.

    Ray is started only if something is left to encode.

    Args:
        request: Features to extract.
        counting: Shows progress.

    Raises:
        InputError: Before anything is encoded.
        ExtractionError: A worker cannot build its encoder, or the encoder raised; what was encoded is kept.
    """
    return extract_corpus(read_corpus(request.corpus), request, counting)


def extract_corpus(corpus: Corpus, request: ExtractionRequest, counting: Counting = uncounted) -> list[Extracted]:
    """As `extract`, for a corpus that was read or made; media paths start at `request.corpus`."""
    home = request.storage / "extraction" / corpus.name
    home.mkdir(parents=True, exist_ok=True)
    with exclusive(home / ".lock", "features of this corpus are being extracted already", "wait for the other run"):
        plans = request.plans(corpus)
        with ExitStack() as sessions:
            return [_extract(plan, corpus, request, sessions, counting) for plan in plans]


def _extract(
    plan: TablePlan, corpus: Corpus, request: ExtractionRequest, sessions: ExitStack, counting: Counting
) -> Extracted:
    started = time.monotonic()
    if plan.current:
        return Extracted(plan=plan, encoded=0, seconds=0.0)
    plan.staging.mkdir(parents=True, exist_ok=True)
    items, fingerprints = plan.waiting()
    if items:
        done = len(set(plan.fingerprints)) - len(items)
        with counting(f"{plan.modality} items", len(items) + done, done, "problems") as progress:
            sessions.enter_context(ray_session())
            for block in encode_items(plan.spec, items, fingerprints, plan.staging, request.resources):
                progress.ended(block.items, block.problems)
    write_table(plan, corpus, request.features)
    shutil.rmtree(plan.staging)
    return Extracted(plan=plan, encoded=len(items), seconds=time.monotonic() - started)
