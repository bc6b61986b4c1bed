"""Language-model baselines as the user asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from fmerl.card import recipe_digest
from fmerl.corpus import Corpus, Dialogue, Utterance
from fmerl.errors import InputError
from fmerl.supervision.answers import Mode
from fmerl.supervision.classification import PROMPT_VERSION, Shown, classification_messages, draw_examples, shown
from fmerl_platform.asking.forms import ClassForm
from fmerl_platform.asking.journal import Entry, JournalReader, cost_of
from fmerl_platform.asking.plan import UtterancePlan
from fmerl_platform.asking.prices import Price
from fmerl_platform.asking.question import Call, Decoding
from fmerl_platform.asking.request import PaidRequest
from fmerl_platform.asking.worker import WorkerConfig
from fmerl_platform.llm_baselines.models import LanguageModel
from fmerl_platform.llm_baselines.plan import SeedRun, asked_dialogues, labelled
from fmerl_platform.study.fingerprint import code_digest

CANDIDATES: tuple[Mode, ...] = ("schema",)
"""Decodings that `auto` tries before it takes text."""


@dataclass(frozen=True, kw_only=True)
class BaselineRequest(PaidRequest):
    """Models to ask, utterances to ask about, and limits."""

    corpus: Corpus
    models: tuple[LanguageModel, ...]
    unseen: tuple[str, ...] = ()
    """Classes that no example is given of; all classes are candidates."""
    shots: int = 3
    """Examples of each seen class."""
    context: int = 5
    """Earlier turns that are shown with an utterance."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Seeds; each draws its own examples and, above temperature 0, its own answers."""
    decoding: Literal["auto", "schema", "text"] = "auto"
    temperature: float = 0.0
    limit: int | None = None
    """Most test utterances, in whole dialogues; None asks about all."""
    study: str = "llm-baselines"
    storage: Path = Path("runs")

    def __post_init__(self) -> None:
        if not self.dialogues:
            raise InputError(self.corpus.name, "no test utterance has a class", "take a corpus with a labelled test")
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise InputError("--seeds", f"not each once in {list(self.seeds)}", "name each once, and at least one")
        if len(self.seeds) > 1 and not self.shots and not self.temperature:
            what = "without examples and at temperature 0 every seed asks the same"
            raise InputError("--seeds", what, "give one seed, or --shots, or --temperature")
        super().__post_init__()

    @property
    def journal(self) -> Path:
        return (self.storage / "llm-baselines" / self.corpus.name / "journal").resolve()

    @cached_property
    def dialogues(self) -> list[Dialogue]:
        """Dialogues to ask about."""
        return asked_dialogues(self.corpus, self.limit)

    @cached_property
    def utterances(self) -> tuple[Utterance, ...]:
        """Utterances to ask about, in the corpus's order."""
        return tuple(utterance for dialogue in self.dialogues for utterance in labelled(dialogue))

    @property
    def first_mode(self) -> Mode:
        """The decoding that is tried first."""
        return CANDIDATES[0] if self.decoding == "auto" else self.decoding

    def price(self, model: LanguageModel) -> Price:
        """Price of the model's tokens; nothing without a table."""
        return self.price_of(model.id)

    def worker_config(self, model: LanguageModel) -> WorkerConfig:
        """Settings by which the model is asked.

        Raises:
            InputError: An address, key or price table that cannot be used.
        """
        return self.workers_for(model.id, self.journal, model.base_url)

    def runs(self) -> list[SeedRun]:
        """Runs of every model and seed."""
        return [self._run(model, seed) for model in self.models for seed in self.seeds]

    def plan(self, model: LanguageModel, seed: int, mode: Mode) -> UtterancePlan:
        """The model's calls with a seed, in a decoding."""
        classes, templates = self.corpus.classes, model.templates
        examples = draw_examples(self.corpus, self.unseen, self.shots, self.context, seed)
        decoding, form = Decoding(mode=mode, temperature=self.temperature), ClassForm(mode=mode, classes=classes)
        wanted = {utterance.utterance_id for utterance in self.utterances}

        def call(item: Shown) -> Call:
            messages = classification_messages(classes, examples, item, templates.classification, templates.system)
            return Call.of(item.utterance.text, messages, form, model=model.id, decoding=decoding, repeat=seed)

        turns = (item for dialogue in self.dialogues for item in shown(dialogue, self.context))
        return UtterancePlan(
            asked={item.utterance.utterance_id: call(item) for item in turns if item.utterance.utterance_id in wanted}
        )

    def first_call(self, model: LanguageModel) -> Callable[[Mode], Call]:
        """Maker of the call that finds out the endpoint's decoding, one of those that are asked anyway."""
        return lambda mode: next(iter(self.plan(model, self.seeds[0], mode).asked.values()))

    def spent(self, journal: JournalReader) -> float:
        """Cost of these models and seeds so far, in all decodings."""

        def entries(keys: set[str]) -> Iterator[Entry]:
            return (entry for key in keys for entry in journal.entries.get(key, ()))

        return sum(cost_of(entries(self._keys[model.name]), self.price(model)) for model in self.models)

    def settings(self) -> dict[str, Any]:
        """Settings for MLflow, by name."""
        return {
            "shots": self.shots,
            "context": self.context,
            "decoding": self.decoding,
            "temperature": self.temperature,
            "answers": self.retries.answers,
            "limit": self.limit,
            "unseen": ",".join(self.unseen),
            "prompt_version": PROMPT_VERSION,
            "corpus_digest": self._digest,
            "code_digest": code_digest(),
        }

    def _run(self, model: LanguageModel, seed: int) -> SeedRun:
        # From the calls in the decoding tried first: the fingerprint must be known before the endpoint's decoding is.
        calls = self.plan(model, seed, self.first_mode).calls
        recipe = {
            "calls": sorted(calls),
            "decoding": self.decoding,
            "answers": self.retries.answers,
            "unseen": list(self.unseen),
            "seed": seed,
            "corpus": self._digest,
            "code": code_digest(),
        }
        return SeedRun(corpus=self.corpus.name, model=model, seed=seed, fingerprint=recipe_digest(recipe))

    @cached_property
    def _digest(self) -> str:
        return self.corpus.digest()

    @cached_property
    def _keys(self) -> dict[str, set[str]]:
        """Keys of all calls in all decodings, by model."""
        modes: tuple[Mode, ...] = (*CANDIDATES, "text")
        return {
            model.name: {key for seed in self.seeds for mode in modes for key in self.plan(model, seed, mode).calls}
            for model in self.models
        }
