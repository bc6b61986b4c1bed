"""Request of a table of knowledge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from fmerl.card import check_replaceable
from fmerl.config import KNOWLEDGE, RELATIONS
from fmerl.corpus import Corpus
from fmerl.errors import InputError
from fmerl.features.text.encoder import check_encoder
from fmerl.features.text.utterances import TextSpec
from fmerl.finetuning.folder import read_tuned
from fmerl.supervision.answers import Mode
from fmerl.supervision.classification import Shown, shown
from fmerl.supervision.knowledge import PROMPT_VERSION, knowledge_messages
from fmerl_platform.asking.cost import CostEstimate, left_to_ask
from fmerl_platform.asking.decoding import known_decoding
from fmerl_platform.asking.forms import SentencesForm
from fmerl_platform.asking.journal import JournalReader
from fmerl_platform.asking.plan import UtterancePlan
from fmerl_platform.asking.question import Call, Decoding
from fmerl_platform.asking.request import PaidRequest
from fmerl_platform.running.options import Resources

CANDIDATES: tuple[Mode, ...] = ("schema",)
"""Decodings that `auto` tries before it takes text."""


@dataclass(frozen=True, kw_only=True)
class KnowledgeRequest(PaidRequest):
    """Knowledge to ask for, the encoder of its sentences, and where both go."""

    corpus: Corpus
    folder: Path
    """The corpus's folder."""
    knowledge: Path
    """Folder of sentences."""
    features: Path
    """Root of the feature tables."""
    model: str
    text: TextSpec = field(default_factory=TextSpec)
    """Encoder of a sentence."""
    context: int = 0
    """Earlier turns that are shown with an utterance; by default none, as COMET is shown none."""
    decoding: Literal["auto", "schema", "text"] = "auto"
    temperature: float = 0.0
    resources: Resources = field(default_factory=Resources)
    """Of the workers that encode."""
    max_error_share: float = 0.01
    storage: Path = Path("runs")

    def __post_init__(self) -> None:
        if not self.spoken:
            raise InputError(self.corpus.name, "no utterance has a text", "ask about a corpus with texts")
        if read_tuned(Path(self.text.encoder)) is not None:
            what = "it was tuned on a corpus's emotions, and knowledge is to hold no label"
            raise InputError(self.text.encoder, what, "give a frozen encoder")
        check_encoder(self.text.encoder)
        for folder in (self.knowledge / self.corpus.name, self.features / self.corpus.name / KNOWLEDGE):
            check_replaceable(folder)
        super().__post_init__()

    @property
    def journal(self) -> Path:
        return (self.storage / "knowledge" / self.corpus.name / "journal").resolve()

    @cached_property
    def spoken(self) -> list[Shown]:
        """Utterances that have a text, with their context."""
        turns = (item for dialogue in self.corpus.dialogues for item in shown(dialogue, self.context))
        return [item for item in turns if item.utterance.text.strip()]

    def plan(self, mode: Mode) -> UtterancePlan:
        """One call for each utterance that has a text; those that are asked alike share theirs."""
        return UtterancePlan(asked={item.utterance.utterance_id: self._call(item, mode) for item in self.spoken})

    @property
    def first_call(self) -> Callable[[Mode], Call]:
        """Maker of the call that finds out the endpoint's decoding, one of those that are made anyway."""
        return lambda mode: self._call(self.spoken[0], mode)

    def _call(self, item: Shown, mode: Mode) -> Call:
        form = SentencesForm(mode=mode, names=RELATIONS)
        decoding = Decoding(mode=mode, temperature=self.temperature)
        return Call.of(item.utterance.text, knowledge_messages(item), form, model=self.model, decoding=decoding)

    def origin(self, mode: Mode) -> Mapping[str, Any]:
        """What decides the sentences, for the cards."""
        return {
            "method": "a language model is asked about every utterance, one question for all relations",
            "model": self.model,
            "prompt_version": PROMPT_VERSION,
            "context": self.context,
            "decoding": mode,
            "temperature": self.temperature,
        }

    def estimate(self) -> CostEstimate:
        """Calls, tokens and cost left; with decoding `auto` and an endpoint never asked, the schema's."""
        journal = JournalReader(self.journal)
        mode: Mode = "schema" if self.decoding == "auto" else self.decoding
        if self.decoding == "auto":
            mode = known_decoding(CANDIDATES, self.first_call, journal) or mode
        price, answers = self.price_of(self.model), self.retries.answers
        return left_to_ask(self.plan(mode), len(self.spoken), journal, price, answers)
