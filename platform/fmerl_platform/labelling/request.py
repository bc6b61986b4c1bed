"""Request of a label set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fmerl.card import check_replaceable
from fmerl.config import DIMENSIONS
from fmerl.corpus import Corpus, Split
from fmerl.errors import InputError
from fmerl.supervision.answers import Mode
from fmerl.supervision.descriptions import check_described, read_descriptions
from fmerl.supervision.prompts import PromptConfig
from fmerl_platform.asking.prices import Price
from fmerl_platform.asking.question import Decoding, DecodingChoice, Questions
from fmerl_platform.asking.request import PaidRequest
from fmerl_platform.labelling.plan import Plan, select


@dataclass(frozen=True, kw_only=True)
class LabelRequest(PaidRequest):
    """Label set to make, its settings and limits."""

    corpus: Corpus
    labels: Path
    """Folder of label sets."""
    model: str
    prompts: PromptConfig
    templates: str | None = None
    """Name of the prompts' templates where several are labelled with, each to a folder of its own."""
    decoding: DecodingChoice = "auto"
    temperature: float = 0.0
    splits: tuple[Split, ...] = ("train", "validation")
    limit: int | None = None
    """Most utterances; None labels all."""
    descriptions: Path | None = None
    """Reviewed descriptions; None lets the model draft them."""
    samples: int = 1
    """Answers to every question about an utterance; their mean is the score."""
    retest: int = 50
    """Utterances that are asked twice."""
    max_error_share: float = 0.01
    storage: Path = Path("runs")

    def __post_init__(self) -> None:
        if not any(utterance.text.strip() for utterance in select(self.corpus, self.splits, self.limit)):
            what = f"no text in {', '.join(self.splits)} of {self.corpus.name}"
            raise InputError("--splits", what, "label other splits")
        if self.samples > 1 and not self.temperature:
            what = f"{self.samples} answers at temperature 0 would be the same one"
            raise InputError("--samples", what, "give a --temperature above 0, such as 0.7")
        check_replaceable(self.labels / self.corpus.name)
        super().__post_init__()

    @property
    def home(self) -> Path:
        """Folder of the journal and the draft of descriptions."""
        return self.storage / "labelling" / self.corpus.name

    @property
    def journal(self) -> Path:
        return (self.home / "journal").resolve()

    @property
    def draft_file(self) -> Path:
        """The model's descriptions, to review."""
        return self.home / ("descriptions.json" if self.templates is None else f"descriptions-{self.templates}.json")

    def price(self) -> Price:
        """Price of the model's tokens; nothing without a table."""
        return self.price_of(self.model)

    def reviewed(self) -> dict[str, str] | None:
        """Reviewed descriptions, of every class."""
        if self.descriptions is None:
            return None
        descriptions = read_descriptions(self.descriptions)
        check_described(self.corpus.classes, descriptions, self.descriptions)
        return descriptions

    def grid_objection(self) -> str | None:
        """Reason why a grid would refuse the label set, known before it is paid for."""
        (low, high), (lowest, highest) = self.prompts.scale, self.corpus.vad_range
        if low < lowest or high > highest:
            return f"the scale leaves the corpus's vad_range, {lowest:g} to {highest:g}"
        absent = [name for name in DIMENSIONS if name not in self.prompts.dimensions]
        return f"{', '.join(absent)} will have no scores" if absent else None

    def questions(self, mode: Mode) -> Questions:
        decoding = Decoding(mode=mode, temperature=self.temperature)
        return Questions(model=self.model, prompts=self.prompts, decoding=decoding)

    def plan(self, mode: Mode) -> Plan:
        """All calls of the label set."""
        emotions = () if self.descriptions is not None else self.corpus.classes
        utterances = select(self.corpus, self.splits, self.limit)
        return Plan.of(utterances, self.questions(mode), emotions, self.retest, self.samples)
