"""Choice of a cell's model, and settings of the systems that FMERL is compared with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from fmerl.config.section import Section, check_positive

SystemName = Literal[
    "FMERL",
    "majority",
    "MLP",
    "BiGRU",
    "DialogueRNN",
    "SDT",
    "SACL-LSTM",
    "EACL",
    "SSLCL",
    "MultiEMO",
    "COSMIC",
    "CKCL",
    "belief-desire graph",
]
SETTINGS: dict[str, frozenset[SystemName]] = {
    "sdt": frozenset({"SDT"}),
    "sacl": frozenset({"SACL-LSTM"}),
    "eacl": frozenset({"EACL"}),
    "sslcl": frozenset({"SSLCL"}),
    "multiemo": frozenset({"MultiEMO"}),
    "cosmic": frozenset({"COSMIC", "CKCL"}),
    "ckcl": frozenset({"CKCL"}),
    "belief_desire": frozenset({"belief-desire graph"}),
}
"""Systems that read each settings field of `SystemConfig`; no other cell's fingerprint has them."""
READ_KNOWLEDGE: frozenset[SystemName] = frozenset({"COSMIC", "CKCL", "belief-desire graph"})
"""Systems that read the table of knowledge beside the modalities."""
BIDIRECTIONAL: frozenset[SystemName] = READ_KNOWLEDGE | {"BiGRU", "DialogueRNN", "SACL-LSTM", "MultiEMO"}
"""Systems that read a dialogue from its end too, or all turns of a speaker at once, so that turns see later ones."""


@dataclass(frozen=True, kw_only=True)
class SDTConfig(Section):
    """SDT's own settings."""

    temperature: float = 1.0
    """Temperature of the self-distillation; 8 on MELD."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("temperature", self.temperature)


@dataclass(frozen=True, kw_only=True)
class SACLConfig(Section):
    """SACL-LSTM's own settings."""

    temperature: float = 0.1
    """Temperature of the contrastive losses; 1 on MELD."""
    weight: float = 0.05
    """Weight of the contrastive loss over clean representations; .1 on MELD (SACL's scripts)."""
    adversarial_weight: float = 0.5
    """Weight of the contrastive loss over perturbed representations; .05 on MELD."""
    radius: float = 0.4
    """Euclidean length of the perturbation of one utterance. SACL's scripts spread one of length 5 over a whole batch,
    which is .4 for each of 160 utterances."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("temperature", self.temperature)


@dataclass(frozen=True, kw_only=True)
class EACLConfig(Section):
    """EACL's own settings; its script has these three values on every corpus."""

    temperature: float = 0.1
    """Temperature of the contrastive loss."""
    cross_entropy_weight: float = 0.1
    """Weight of the cross-entropy."""
    angle_weight: float = 0.1
    """Weight of the angle between anchors."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("temperature", self.temperature)


@dataclass(frozen=True, kw_only=True)
class SSLCLConfig(Section):
    """SSLCL's own settings."""

    correlation_weight: float = 0.1
    """Weight of Soft-HGR between utterances and their labels; our choice, the paper's is not printed per corpus."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.correlation_weight < 0:
            raise ValueError("correlation_weight must not be negative")


@dataclass(frozen=True, kw_only=True)
class MultiEMOConfig(Section):
    """MultiEMO's own settings."""

    layers: int = 6
    """Cross-attention layers per modality."""
    temperature: float = 0.8
    """Temperature of the focal contrastive loss."""
    focus: float = 2.0
    """Exponent of the focal contrastive loss on how hard a pair is."""
    sample_weight: float = 0.8
    """Exponent on how rare a class is."""
    contrastive_weight: float = 0.4
    """Weight of the focal contrastive loss."""
    correlation_weight: float = 0.3
    """Weight of Soft-HGR; the cross-entropy has what these two weights leave of 1."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("temperature", self.temperature)
        if self.layers < 1:
            raise ValueError(f"layers must be at least 1, not {self.layers}")
        if self.contrastive_weight + self.correlation_weight >= 1:
            raise ValueError("the two weights must leave some of 1 for the cross-entropy")


@dataclass(frozen=True, kw_only=True)
class COSMICConfig(Section):
    """COSMIC's own settings, which CKCL shares; the published width of an utterance, `backbone.hidden`, is 100."""

    state: int = 150
    """Width of the conversation's state and of a party's external, internal and intent states."""
    emotion: int = 450
    """Width of the emotion state, per direction."""
    context: Literal["simple", "general2"] = "simple"
    """Attention to earlier states of the conversation: one score per state (MELD), or the tanh of its product with the
    utterance (IEMOCAP)."""
    matching: bool = False
    """Attend from each turn to all emotion states of the dialogue (IEMOCAP)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.state, self.emotion) < 1:
            raise ValueError("state and emotion must be at least 1")


@dataclass(frozen=True, kw_only=True)
class CKCLConfig(Section):
    """CKCL's own settings, of its script for MELD."""

    temperature: float = 0.07
    """Temperature of the contrastive losses."""
    emotion_weight: float = 0.2
    """Weight of the contrast by emotion; .1 on IEMOCAP."""
    context_weight: float = 0.1
    """Weight of the contrast by whether the context changes the prediction; .9 on IEMOCAP."""
    knowledge_weight: float = 0.3
    """Weight of the contrast by whether knowledge changes it; .2 on IEMOCAP."""
    contrasted: Literal["log_probabilities", "hidden"] = "log_probabilities"
    """Vectors that are contrasted by the changes of the prediction; `hidden` on IEMOCAP. By emotion it is always the
    log-probabilities."""
    trained_pass: Literal["whole", "bare"] = "whole"
    """Pass that is trained and predicts. `bare` is what the released script for MELD does: it has neither context nor
    knowledge, so that the two passes it is compared with know more than it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("temperature", self.temperature)
        if min(self.emotion_weight, self.context_weight, self.knowledge_weight) < 0:
            raise ValueError("contrast weights must not be negative")


@dataclass(frozen=True, kw_only=True)
class BeliefDesireConfig(Section):
    """Settings of the belief-desire graph; all are our choice, since no code of Xu et al. (2024) is published."""

    layers: int = 2
    """Layers of relational attention."""
    window: int = 5
    """Earlier turns that a turn attends to."""
    belief: bool = True
    """Have a belief node per utterance."""
    desire: bool = True
    """Have a desire node per utterance."""
    speaker: bool = True
    """Have a node per speaker of a dialogue; without belief and desire nothing reaches it, and it is left out."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.layers, self.window) < 1:
            raise ValueError("layers and window must be at least 1")


@dataclass(frozen=True, kw_only=True)
class SystemConfig(Section):
    """Choice of a cell's model, with every system's own settings.

    Defaults are of each system's paper or published code on IEMOCAP, COSMIC's and CKCL's on MELD;
    `fmerl.config.presets` sets what differs on the other one.
    Width, heads, dropout and optimisation are every system's own sections, `backbone` and `training`: FMERL's.
    """

    name: SystemName = "FMERL"
    class_weights: Literal["none", "inverse_frequency"] = "none"
    """Weights of the compared systems' cross-entropy by the training split's class frequencies (on IEMOCAP, as in
    SDT's, DialogueRNN's and SACL-LSTM's code); FMERL has its own switch."""
    sdt: SDTConfig = field(default_factory=SDTConfig)
    sacl: SACLConfig = field(default_factory=SACLConfig)
    eacl: EACLConfig = field(default_factory=EACLConfig)
    sslcl: SSLCLConfig = field(default_factory=SSLCLConfig)
    multiemo: MultiEMOConfig = field(default_factory=MultiEMOConfig)
    cosmic: COSMICConfig = field(default_factory=COSMICConfig)
    ckcl: CKCLConfig = field(default_factory=CKCLConfig)
    belief_desire: BeliefDesireConfig = field(default_factory=BeliefDesireConfig)

    def reads(self, name: str) -> bool:
        """True if the chosen system reads this field of the section."""
        if name == "class_weights":
            return self.name != "FMERL"
        return name not in SETTINGS or self.name in SETTINGS[name]
