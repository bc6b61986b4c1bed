"""Parts of a configuration that follow the paper: backbone, regression nets, contrastive loss, anchors.

Fields follow section and equation numbers of the paper; a field's first value is the default, the others are its
switches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fmerl.config.section import Section, check_positive, check_subset

MODALITIES = ("text", "audio", "visual")
DIMENSIONS = ("valence", "arousal", "dominance")
KNOWLEDGE = "knowledge"
"""Feature table of what a language model says about each utterance: its relations' vectors side by side, [U, R E]."""
RELATIONS = ("xIntent", "xEffect", "xReact", "oEffect", "oReact", "belief", "desire")
"""The R relations of knowledge, in the table's order: ATOMIC's of the speaker (x) and of the others (o), then what the
speaker holds to be the case and what the speaker wants."""
DEFAULT_TEXT_ENCODER = "FacebookAI/roberta-large"
"""The paper's encoder of utterances and of emotion descriptions."""


@dataclass(frozen=True, kw_only=True)
class BackboneConfig(Section):
    """SDT's intra- and inter-modal transformers (Ma et al. 2023)."""

    modalities: tuple[str, ...] = MODALITIES
    """Any non-empty subset of text, audio, visual."""
    hidden: int = 1024
    """Width D of every stream and of the fused representation."""
    heads: int = 8
    """Attention heads; must divide `hidden`."""
    attention: Literal["full", "past"] = "full"
    """Turns that a turn attends to: its whole dialogue, or itself and the turns before it, as when it is spoken."""
    dropout: float = 0.5
    """Share of activations dropped in training, in [0, 1)."""
    unimodal_gate: Literal["learned", "identity"] = "learned"
    """`identity` is what SDT's code does on MELD: sigmoid(x) * x, no weights."""
    standardize: tuple[str, ...] = ("audio",)
    """Modalities scaled to zero mean and unit variance by the training split's statistics."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_subset("modalities", self.modalities, MODALITIES)
        check_subset("standardize", self.standardize, MODALITIES)
        if not self.modalities:
            raise ValueError("modalities must not be empty")
        if self.hidden < 1 or self.heads < 1 or self.hidden % self.heads or self.hidden % 2:
            raise ValueError(f"heads ({self.heads}) must divide hidden ({self.hidden}), which must be even")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), not {self.dropout}")


@dataclass(frozen=True, kw_only=True)
class RegressionConfig(Section):
    """The valence, arousal and dominance nets (Eq. 2 and 3)."""

    dimensions: tuple[str, ...] = DIMENSIONS
    """Dimensions that have a net; empty is `w/o Multitask Regression`."""
    hidden_layers: int = 2
    """Hidden ReLU layers per net; 1 gives the paper's 83 M parameters."""
    target: Literal["unit", "literal", "scaled_sigmoid", "linear"] = "unit"
    """`unit`: sigmoid against scores scaled to [0, 1] by the label range and clipped. `literal`: sigmoid
    against raw scores. `scaled_sigmoid`: sigmoid stretched to the range, raw scores. `linear`: no sigmoid."""
    reduction: Literal["sum", "mean"] = "sum"
    """Reduction over the dimensions' mean squared errors (Eq. 3)."""
    valence_weight: float = 1.0
    arousal_weight: float = 1.0
    dominance_weight: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_subset("dimensions", self.dimensions, DIMENSIONS)
        if self.hidden_layers < 0:
            raise ValueError(f"hidden_layers must be at least 0, not {self.hidden_layers}")
        if min(self.valence_weight, self.arousal_weight, self.dominance_weight) < 0:
            raise ValueError("regression weights must not be negative")


@dataclass(frozen=True, kw_only=True)
class ContrastiveConfig(Section):
    """Alignment with the emotion descriptions (Eq. 5 to 9)."""

    candidates: Literal["unique", "in_batch", "multi_positive"] = "unique"
    """Candidates of Eq. 5's softmax: each class once; one anchor per utterance of the batch, read
    literally; the same with every same-class anchor counted as a positive."""
    temperature: float = 1.0
    """Divisor of the cosines in Eq. 5; the paper has none, which is 1."""
    learn_temperature: bool = False
    """Start at `temperature` and learn it (as its logarithm)."""
    center_anchors: bool = False
    """Subtract the seen classes' mean anchor from every anchor."""
    reduction: Literal["mean", "sum"] = "mean"
    """Reduction over the batch's utterances in Eq. 5; the paper writes a sum."""
    negatives: Literal["classes", "classes_per_utterance", "in_batch"] = "classes"
    """Eq. 7's n_ij: the other classes' anchors, averaged over N(C - 1) or divided by N only; or the
    anchors of the batch's other-class utterances, averaged."""
    negative_weight: float = 0.5
    """lambda_neg; 0 is `w/o Triple-loss`."""
    triple_weight: float = 1.0
    """lambda_tri."""
    class_weights: Literal["none", "inverse_frequency"] = "none"
    """Weights of the utterances in Eq. 5 by the training split's class frequencies (SDT's on IEMOCAP)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("temperature", self.temperature)
        if min(self.negative_weight, self.triple_weight) < 0:
            raise ValueError("loss weights must not be negative")


@dataclass(frozen=True, kw_only=True)
class AnchorConfig(Section):
    """Input of the frozen emotion encoder E_e, and its pooling (Eq. 4)."""

    encoder: str = DEFAULT_TEXT_ENCODER
    """Hugging Face id, local folder, or `package:MODULE` for a model shipped in a Python package."""
    pooling: Literal["mean", "cls"] = "mean"
    """Pooling of the last layer over the description's tokens."""
    description: Literal["fine_grained", "label"] = "fine_grained"
    """`label` is `w/o Fine-grained Enhancement`: the bare class name."""
    include_name: bool = True
    """Put the class name before its description."""
    dimensions: tuple[str, ...] = DIMENSIONS
    """Dimensions kept in the description."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_subset("dimensions", self.dimensions, DIMENSIONS)
        if not self.dimensions and not self.include_name and self.description == "fine_grained":
            raise ValueError("a description without name and dimensions is empty")
