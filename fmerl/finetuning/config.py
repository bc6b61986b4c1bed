"""Settings of the tuning of a text encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Any, Literal

from fmerl.config.parts import DEFAULT_TEXT_ENCODER
from fmerl.config.section import Section, check_positive, with_leaves

InputChoice = Literal["utterance", "name", "past", "both", "mask", "tags", "prompt"]
SystemChoice = Literal["classifier", "compm", "cled", "mplp"]


@dataclass(frozen=True, kw_only=True)
class CoMPMConfig(Section):
    """CoMPM's own settings; defaults are the paper's (Lee and Lee 2022)."""

    memory: Literal["tuned", "frozen", "scratch", "none"] = "tuned"
    """Encoder of the speaker's earlier turns: from the pre-trained weights; the same, not tuned: CoMPM(f); from random
    weights: CoMPM(s); none: CoM."""
    context: bool = True
    """Read the conversation so far; without it, only the speaker's earlier turns are read: PM."""
    projection: bool = True
    """Project the memory before it is added to the context, as in the paper; the released code adds it as it is."""
    gru_layers: int = 2
    """Layers of the GRU over the earlier turns."""
    gru_dropout: float = 0.3
    """Dropout between them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.memory == "none" and not self.context:
            raise ValueError("memory none leaves nothing to read without context")
        if self.gru_layers < 1 or not 0 <= self.gru_dropout < 1:
            raise ValueError("gru_layers must be at least 1, gru_dropout in [0, 1)")


@dataclass(frozen=True, kw_only=True)
class CLEDConfig(Section):
    """CLED's own settings; defaults are the paper's (Kang and Cho 2024)."""

    loss: Literal["cled", "supcon", "ce"] = "cled"
    """Added to the cross-entropy: CLED's contrast, the supervised contrast of Khosla et al. (2020), or nothing."""
    augmentation: Literal["emomix", "dropout", "delete", "swap", "insert", "replace", "none"] = "emomix"
    """Vectors added to a batch for the contrast: states moved towards the next emotions of the dialogue, states under
    another dropout mask, states of the utterance with edited words (`fmerl.finetuning.edits`), or none."""
    edit_share: float = 0.1
    """Share of an utterance's words that are edited."""
    synonyms: str = ""
    """File of groups of synonyms, one a line, separated by commas; `insert` and `replace` need it."""
    temperature: float = 0.05
    """Temperature of the contrast."""
    alpha: float = 0.5
    """Extra push between the decoupled class and any other."""
    threshold: float = 0.3
    """Losses of single vectors that are no larger are left out of CLED's mean."""
    decoupled: str = "neutral"
    """Class that is pushed away more and that no vector is moved towards. The released code takes IEMOCAP's third class
    in alphabetical order instead, `frustrated`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("temperature", self.temperature)
        if not 0 < self.edit_share < 1:
            raise ValueError("edit_share must be between 0 and 1")
        if self.augmentation in ("insert", "replace") and not self.synonyms:
            raise ValueError(f"augmentation {self.augmentation} needs synonyms: give the file with --synonyms")
        if self.alpha < 0 or self.threshold < 0:
            raise ValueError("alpha and threshold must not be negative")


@dataclass(frozen=True, kw_only=True)
class MPLPConfig(Section):
    """MPLP's own settings; defaults are the paper's on MELD (Zhang et al. 2023)."""

    stages: Literal["both", "first"] = "both"
    """`first` ends with the classification by the decoder's prompt, as an ablation."""
    first_epochs: int = 4
    """Epochs of the first stage; `epochs` are those of the second."""
    first_warmup: float = 0.6
    """Share of the first stage's updates in which the rate rises."""
    history: Literal["nearest", "first", "none"] = "nearest"
    """Earlier turns that make the history prompt: the nearest, or the dialogue's first as in the released code; `none`
    leaves the prompt out."""
    history_turns: int = 20
    """Most turns of the history prompt."""
    masked: bool = True
    """Attend to turns alone; the released code also attends to the padding up to `history_turns`."""
    lstm_dropout: float = 0.2
    """Dropout between the layers of the LSTM over the history."""
    neighbours: int = 3
    """Training utterances that make the experience prompt; 0 leaves the prompt out."""
    exclude_itself: bool = True
    """Take no training utterance for its own neighbour, as the released code may."""
    generation_weight: float = 0.3
    """Weight of the paraphrase's loss; 0 leaves it out."""
    paraphrases: tuple[str, ...] = ()
    """Paraphrases in place of those in `fmerl.finetuning.mplp.paraphrases`, each as CLASS=words."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.first_epochs < 1 or self.history_turns < 1 or self.neighbours < 0:
            raise ValueError("first_epochs and history_turns must be at least 1, neighbours not negative")
        if not 0 <= self.first_warmup < 1 or not 0 <= self.lstm_dropout < 1 or self.generation_weight < 0:
            raise ValueError("first_warmup and lstm_dropout must be in [0, 1), generation_weight not negative")
        names = [text.partition("=")[0].strip() for text in self.paraphrases]
        if len(set(names)) < len(names) or not all(text.partition("=")[2].strip() for text in self.paraphrases):
            raise ValueError("paraphrases must be CLASS=words, of each class one")


@dataclass(frozen=True, kw_only=True)
class TuningConfig(Section):
    """Everything that decides a tuned encoder but its data and its seed.

    Defaults are the classifier's; `of_system` gives those of any system's paper.

    >>> TuningConfig(input="both").flatten()["tuning.input"]
    'both'

    Raises:
        ValueError: A value of another type or out of its range.
    """

    encoder: str = DEFAULT_TEXT_ENCODER
    """Hugging Face id, local folder, or `package:MODULE`."""
    system: SystemChoice = "classifier"
    """What is built on the encoder (`fmerl.finetuning.systems`)."""
    compm: CoMPMConfig = field(default_factory=CoMPMConfig)
    cled: CLEDConfig = field(default_factory=CLEDConfig)
    mplp: MPLPConfig = field(default_factory=MPLPConfig)
    input: InputChoice = "utterance"
    """What is read of an utterance (`fmerl.finetuning.inputs`)."""
    context_turns: int = 100
    """Most turns read on either side; what fits into `max_length` decides first."""
    speaker_tokens: int = 0
    """Of the input `tags`: first speakers of a dialogue whose tag is a token of its own; later ones' is plain text."""
    max_length: int = 256
    """Tokens of an input."""
    pooling: Literal["cls", "mean"] = "cls"
    """State that stands for the utterance: the first token's, or the mean over its own tokens; of `mask` the mask's."""
    epochs: int = 5
    patience: int = 0
    """Epochs without a gain on validation, in all, after which tuning ends; 0 never ends it."""
    batch_size: int = 32
    """Utterances of an update, over all workers; of MPLP the most."""
    learning_rate: float = 1e-5
    """Peak rate of the encoder's top layer."""
    head_rate: float = 1e-4
    """Peak rate of all that is not pre-trained."""
    layer_decay: float = 1.0
    """Factor on the rate from each layer to the one below it; 1 gives all layers one rate."""
    weight_decay: float = 0.01
    """AdamW's decay; biases and normalisation weights have none."""
    warmup: float = 0.1
    """Share of the updates in which the rate rises; then it falls to 0, both linearly."""
    warmup_by: Literal["share", "epoch", "utterances"] = "share"
    """Updates in which the rate rises: `warmup` of all; those of the first epoch, as CoMPM's and CLED's papers are read
    here; as many as train has utterances with a target, as in CLED's released code."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    dropout: float = 0.1
    """Dropout of the classifier; the encoder keeps its own."""
    pass_tokens: int = 4096
    """Most tokens of a forward pass: a larger batch goes through in several, with the gradient of one."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """`bfloat16`: matrix products under autocast; weights and optimiser stay float32."""
    workers: int = 1
    """Processes that tune one encoder together (DDP), each on its share of every batch."""
    threads: int = 1
    """CPU threads of each process."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("learning_rate", "head_rate", "clip", "layer_decay"):
            check_positive(name, getattr(self, name))
        for name in ("epochs", "batch_size", "max_length", "pass_tokens", "workers", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("context_turns", "weight_decay", "patience", "speaker_tokens"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative")
        if self.layer_decay > 1 or not 0 <= self.warmup < 1 or not 0 <= self.dropout < 1:
            raise ValueError("layer_decay must be at most 1, warmup and dropout in [0, 1)")
        if (self.input == "prompt") != (self.system == "mplp"):
            raise ValueError(f"input {self.input} is not one of {self.system}'s: mplp reads prompt, and no other does")
        if self.system == "mplp" and (self.layer_decay < 1 or self.patience):
            raise ValueError("mplp has one rate for all layers and no patience: layer_decay must be 1, patience 0")

    @property
    def all_epochs(self) -> int:
        """Epochs of all stages."""
        if self.system != "mplp":
            return self.epochs
        return self.mplp.first_epochs + (self.epochs if self.mplp.stages == "both" else 0)

    @classmethod
    def of_system(cls, system: SystemChoice, **values: Any) -> TuningConfig:
        """A system's settings as in its paper, with fields given by name."""
        return cls(system=system, **{**PAPER[system], **values})

    @classmethod
    def of_values(cls, values: Mapping[str, Any]) -> TuningConfig:
        """The settings that gave `values`."""
        sections = {name: kind(**values[name]) for name, kind in _SECTIONS.items() if name in values}
        return cls(**{**values, **sections})

    def with_values(self, values: Mapping[str, Any]) -> TuningConfig:
        """A copy with fields replaced, by dotted path.

        Raises:
            ValueError: An unknown field, or a value its section refuses.
        """
        copy: TuningConfig = with_leaves(self, values)
        return copy

    def values(self) -> dict[str, Any]:
        """Values by field; of the systems' settings its own system's alone."""
        return {
            name: asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
            for name, value in vars(self).items()
            if name not in _SECTIONS or name == self.system
        }

    def flatten(self) -> dict[str, Any]:
        """The same by dotted field path, tuples as lists: MLflow's params."""
        return {
            f"tuning.{'.'.join(path)}": list(value) if isinstance(value, tuple) else value
            for name, inner in self.values().items()
            for path, value in (
                {(name, key): value for key, value in inner.items()} if isinstance(inner, dict) else {(name,): inner}
            ).items()
        }


_SECTIONS: dict[str, type[Section]] = {"compm": CoMPMConfig, "cled": CLEDConfig, "mplp": MPLPConfig}
_TAGGED: dict[str, Any] = {
    "input": "tags",
    "max_length": 512,
    "epochs": 10,
    "learning_rate": 1e-6,
    "head_rate": 1e-6,
    "warmup_by": "epoch",
    "clip": 10.0,
}
PAPER: dict[SystemChoice, dict[str, Any]] = {
    "classifier": {},
    "compm": {**_TAGGED, "batch_size": 1},
    "cled": {**_TAGGED, "batch_size": 8, "speaker_tokens": 9, "patience": 5},
    "mplp": {
        "input": "prompt",
        "context_turns": 5,
        "max_length": 128,
        "epochs": 1,
        "batch_size": 8,
        "learning_rate": 2e-5,
        "head_rate": 2e-3,
        "warmup": 0.6,
        "dropout": 0.3,
    },
}
"""Settings of each system's paper that are not the classifier's."""
