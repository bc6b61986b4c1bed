"""Feature tables from start to end: corpus -> items -> Ray Data -> staged blocks -> table with its card."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from fmerl.corpus import Corpus, read_corpus
from fmerl.features.encoder import EncoderSpec
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
    storage: Path = Path("runs")
    """Folder whose `extraction/` keeps encoded blocks until their table is written."""
    resources: Resources = field(default_factory=Resources)
    """Resources of a worker, and the most workers, as asked for."""
    supervised_on_labels: bool = False
    """Stated on the cards of encoders that were fine-tuned on this corpus's emotions: zero-shot results on their
    features leak the unseen class."""

    def plans(self, corpus: Corpus) -> list[TablePlan]:
        """Plan of every table.

        Raises:
            InputError: An encoder that cannot be built.
        """
        return [
            plan_table(
                spec,
                corpus,
                self.corpus,
                self.features,
                self.storage,
                context=getattr(spec, "context", 0),  # encoders of other modalities than text read none
                supervised_on_labels=self.supervised_on_labels,
            )
            for spec in self.specs
        ]


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
            sessions.enter_context(ray_session(0))
            for block in encode_items(plan.spec, items, fingerprints, plan.staging, request.resources):
                progress.ended(block.items, block.problems)
    write_table(plan, corpus, request.features)
    shutil.rmtree(plan.staging)
    return Extracted(plan=plan, encoded=len(items), seconds=time.monotonic() - started)
