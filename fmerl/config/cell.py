"""Every choice the method leaves open, typed and checked when it is built.

A cell is trained from one `CellConfig`. Fields follow section and equation numbers of the paper;
a field's first value is the default, the others are its switches.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal, get_args, get_type_hints

MODALITIES = ("text", "audio", "visual")
DIMENSIONS = ("valence", "arousal", "dominance")
DEFAULT_TEXT_ENCODER = "FacebookAI/roberta-large"
"""The paper's encoder of utterances and of emotion descriptions."""


def _check_choices(config: Any) -> None:
    """Raise ValueError for a field whose value is none of its Literal's choices."""
    for name, hint in get_type_hints(type(config)).items():
        choices = get_args(hint) if getattr(hint, "__origin__", None) is Literal else ()
        if choices and getattr(config, name) not in choices:
            raise ValueError(f"{name} must be one of {', '.join(map(str, choices))}, not {getattr(config, name)!r}")


def _check_subset(name: str, values: tuple[str, ...], allowed: tuple[str, ...]) -> None:
    if len(set(values)) != len(values) or not set(values) <= set(allowed):
        raise ValueError(f"{name} must be distinct and among {', '.join(allowed)}, not {values!r}")


@dataclass(frozen=True, kw_only=True)
class BackboneConfig:
    """SDT's intra- and inter-modal transformers (Ma et al. 2023)."""

    modalities: tuple[str, ...] = MODALITIES
    """Any non-empty subset of text, audio, visual."""
    hidden: int = 1024
    """Width D of every stream and of the fused representation."""
    heads: int = 8
    """Attention heads; must divide `hidden`."""
    dropout: float = 0.5
    """Share of activations dropped in training, in [0, 1)."""
    unimodal_gate: Literal["learned", "identity"] = "learned"
    """`identity` is what SDT's code does on MELD: sigmoid(x) * x, no weights."""
    standardize: tuple[str, ...] = ("audio",)
    """Modalities scaled to zero mean and unit variance by the training split's statistics."""

    def __post_init__(self) -> None:
        _check_choices(self)
        _check_subset("modalities", self.modalities, MODALITIES)
        _check_subset("standardize", self.standardize, MODALITIES)
        if not self.modalities:
            raise ValueError("modalities must not be empty")
        if self.hidden < 1 or self.heads < 1 or self.hidden % self.heads or self.hidden % 2:
            raise ValueError(f"heads ({self.heads}) must divide hidden ({self.hidden}), which must be even")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), not {self.dropout}")


@dataclass(frozen=True, kw_only=True)
class RegressionConfig:
    """The valence, arousal and dominance nets (Eq. 2 and 3)."""

    dimensions: tuple[str, ...] = DIMENSIONS
    """Dimensions that have a net; empty is `w/o Multitask Regression`."""
    hidden_layers: int = 2
    """Hidden ReLU layers per net; 1 gives the paper's 83 M parameters."""
    target: Literal["unit", "literal", "scaled_sigmoid", "linear"] = "unit"
    """`unit`: sigmoid against scores scaled to [0, 1] by the label range and clipped. `literal`: sigmoid
    against raw scores. `scaled_sigmoid`: sigmoid stretched to the range, raw scores. `linear`: no sigmoid."""
    reduction: Literal["sum", "mean"] = "sum"
    """How the dimensions' mean squared errors are joined (Eq. 3)."""
    valence_weight: float = 1.0
    arousal_weight: float = 1.0
    dominance_weight: float = 1.0

    def __post_init__(self) -> None:
        _check_choices(self)
        _check_subset("dimensions", self.dimensions, DIMENSIONS)
        if self.hidden_layers < 0:
            raise ValueError(f"hidden_layers must be at least 0, not {self.hidden_layers}")
        if min(self.valence_weight, self.arousal_weight, self.dominance_weight) < 0:
            raise ValueError("regression weights must not be negative")


@dataclass(frozen=True, kw_only=True)
class ContrastiveConfig:
    """Alignment with the emotion descriptions (Eq. 5 to 9)."""

    candidates: Literal["unique", "in_batch", "multi_positive"] = "unique"
    """What Eq. 5's softmax runs over: each class once; one anchor per utterance of the batch, read
    literally; the same with every same-class anchor counted as a positive."""
    temperature: float = 1.0
    """Cosines are divided by it in Eq. 5; the paper has none, which is 1."""
    learn_temperature: bool = False
    """Start at `temperature` and learn it (as its logarithm)."""
    center_anchors: bool = False
    """Subtract the seen classes' mean anchor from every anchor."""
    reduction: Literal["mean", "sum"] = "mean"
    """Over the batch's utterances in Eq. 5; the paper writes a sum."""
    negatives: Literal["classes", "classes_per_utterance", "in_batch"] = "classes"
    """Eq. 6's n_ij: the other classes' anchors, averaged over N(C - 1) or divided by N only; or the
    anchors of the batch's other-class utterances, averaged."""
    negative_weight: float = 0.5
    """lambda_neg; 0 is `w/o Triple-loss`."""
    triple_weight: float = 1.0
    """lambda_tri."""
    class_weights: Literal["none", "inverse_frequency"] = "none"
    """Weights of the utterances in Eq. 5 by the training split's class frequencies (SDT's on IEMOCAP)."""

    def __post_init__(self) -> None:
        _check_choices(self)
        if self.temperature <= 0:
            raise ValueError(f"temperature must be positive, not {self.temperature}")
        if min(self.negative_weight, self.triple_weight) < 0:
            raise ValueError("loss weights must not be negative")


@dataclass(frozen=True, kw_only=True)
class AnchorConfig:
    """What the frozen emotion encoder E_e reads and how it is pooled (Eq. 4)."""

    encoder: str = DEFAULT_TEXT_ENCODER
    """Hugging Face id, local folder, or `package:MODULE` for a model shipped in a Python package."""
    pooling: Literal["mean", "cls"] = "mean"
    """Over the description's tokens of the last layer."""
    description: Literal["fine_grained", "label"] = "fine_grained"
    """`label` is `w/o Fine-grained Enhancement`: the bare class name."""
    include_name: bool = True
    """Put the class name before its description."""
    dimensions: tuple[str, ...] = DIMENSIONS
    """Dimensions kept in the description."""

    def __post_init__(self) -> None:
        _check_choices(self)
        _check_subset("dimensions", self.dimensions, DIMENSIONS)
        if not self.dimensions and not self.include_name and self.description == "fine_grained":
            raise ValueError("a description without name and dimensions is empty")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Optimisation and the choice of the reported epoch."""

    learning_rate: float = 1e-4
    """Of Adam."""
    weight_decay: float = 1e-5
    """Adam's L2 penalty (SDT)."""
    epochs: int = 150
    batch_size: int = 16
    """Counted in `batch_unit`."""
    batch_unit: Literal["dialogues", "utterances"] = "dialogues"
    """`utterances` fills a batch with whole dialogues until it holds at least `batch_size` utterances."""
    selection: Literal["validation", "last"] = "validation"
    """The reported epoch: first best validation weighted F1, or the last."""
    train_on_validation: bool = False
    """Train on validation as well; then only `selection = last` is honest and allowed."""
    unseen_classes: tuple[str, ...] = ()
    """Zero-shot: classes whose labels and scores never reach training or selection."""
    unseen_utterances: Literal["context", "deleted"] = "context"
    """Whether their utterances stay in the dialogue as context."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """`bfloat16`: matrix products of forward and loss under autocast; weights and optimiser stay float32."""
    compile: bool = False
    """torch.compile the model in training; needs a C++ compiler on CPU."""
    workers: int = 1
    """Processes that train one cell together (DDP), each on its share of every batch. Losses are those of one process,
    dropout masks are not."""
    threads: int = 1
    """CPU threads of each process; part of the fingerprint because the order of sums depends on it."""

    def __post_init__(self) -> None:
        _check_choices(self)
        if not 0 < self.learning_rate < math.inf or not 0 <= self.weight_decay < math.inf:
            raise ValueError("learning_rate must be positive and weight_decay not negative, both finite")
        if min(self.epochs, self.batch_size, self.workers, self.threads) < 1:
            raise ValueError("epochs, batch_size, workers and threads must be at least 1")
        if self.train_on_validation and self.selection != "last":
            raise ValueError("train_on_validation needs selection = last: validation can no longer select")


SystemName = Literal[
    "FMERL", "majority", "MLP", "BiGRU", "DialogueRNN", "SDT", "SACL-LSTM", "EACL", "SSLCL", "MultiEMO"
]


@dataclass(frozen=True, kw_only=True)
class SystemConfig:
    """Which model a cell trains, and what only the systems that FMERL is compared with have.

    Defaults are of each system's paper or published code on IEMOCAP; `fmerl.config.presets` sets what differs on MELD.
    Width, heads, dropout and optimisation are every system's own sections, `backbone` and `training`: FMERL's.
    """

    name: SystemName = "FMERL"
    class_weights: Literal["none", "inverse_frequency"] = "none"
    """Weights of the compared systems' cross-entropy by the training split's class frequencies (on IEMOCAP, as in
    SDT's, DialogueRNN's and SACL-LSTM's code); FMERL has its own switch."""
    sdt_temperature: float = 1.0
    """Of SDT's self-distillation; 8 on MELD."""
    sacl_temperature: float = 0.1
    """Of SACL-LSTM's contrastive losses; 1 on MELD."""
    sacl_weight: float = 0.05
    """Of the contrastive loss over clean representations; .1 on MELD (SACL's scripts)."""
    sacl_adversarial_weight: float = 0.5
    """Of the one over perturbed representations; .05 on MELD."""
    sacl_radius: float = 0.4
    """Euclidean length of the perturbation of one utterance. SACL's scripts spread one of length 5 over a whole batch,
    which is .4 for each of 160 utterances."""
    eacl_temperature: float = 0.1
    eacl_cross_entropy_weight: float = 0.1
    eacl_angle_weight: float = 0.1
    """EACL's script has these three on every corpus."""
    sslcl_correlation_weight: float = 0.1
    """Of Soft-HGR between utterances and their labels; our choice, the paper's is not printed per corpus."""
    multiemo_layers: int = 6
    """Cross-attention layers per modality."""
    multiemo_temperature: float = 0.8
    multiemo_focus: float = 2.0
    """Exponent of the focal contrastive loss on how hard a pair is."""
    multiemo_sample_weight: float = 0.8
    """Exponent on how rare a class is."""
    multiemo_contrastive_weight: float = 0.4
    multiemo_correlation_weight: float = 0.3
    """The cross-entropy has what these two leave of 1."""

    def __post_init__(self) -> None:
        _check_choices(self)
        for name in ("sdt_temperature", "sacl_temperature", "eacl_temperature", "multiemo_temperature"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}")
        if self.multiemo_layers < 1:
            raise ValueError(f"multiemo_layers must be at least 1, not {self.multiemo_layers}")
        if self.multiemo_contrastive_weight + self.multiemo_correlation_weight >= 1:
            raise ValueError("multiemo's two weights must leave some of 1 for the cross-entropy")


@dataclass(frozen=True, kw_only=True)
class CellConfig:
    """All that decides a cell's numbers but its data and its seed."""

    system: SystemConfig = field(default_factory=SystemConfig)
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    regression: RegressionConfig = field(default_factory=RegressionConfig)
    contrastive: ContrastiveConfig = field(default_factory=ContrastiveConfig)
    anchors: AnchorConfig = field(default_factory=AnchorConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def flatten(self) -> dict[str, Any]:
        """Dotted field paths to values, tuples as lists: MLflow's params and the fingerprint's input."""
        flat: dict[str, Any] = {}
        for section in fields(self):
            part = getattr(self, section.name)
            for item in fields(part):
                value = getattr(part, item.name)
                flat[f"{section.name}.{item.name}"] = list(value) if isinstance(value, tuple) else value
        return flat

    def changed(self, **changes: Any) -> CellConfig:
        """A copy with fields replaced, named `section__field`, e.g. `training__epochs=3`.

        Raises:
            ValueError: An unknown field, or a value its section refuses.
        """
        sections: dict[str, dict[str, Any]] = {}
        for path, value in changes.items():
            section, _, name = path.partition("__")
            part = getattr(self, section, None)
            if not is_dataclass(part) or name not in {item.name for item in fields(part)}:
                raise ValueError(f"no such field: {path.replace('__', '.')}")
            sections.setdefault(section, {})[name] = value
        return replace(self, **{name: replace(getattr(self, name), **part) for name, part in sections.items()})
