"""Choice of a cell's model, and settings of the systems that FMERL is compared with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from fmerl.config.section import Section, check_positive

SystemName = Literal[
    "FMERL", "majority", "MLP", "BiGRU", "DialogueRNN", "SDT", "SACL-LSTM", "EACL", "SSLCL", "MultiEMO"
]
SETTINGS: dict[str, SystemName] = {
    "sdt": "SDT",
    "sacl": "SACL-LSTM",
    "eacl": "EACL",
    "sslcl": "SSLCL",
    "multiemo": "MultiEMO",
}
"""System that reads each settings field of `SystemConfig`; no other cell's fingerprint has them."""
BIDIRECTIONAL: frozenset[SystemName] = frozenset({"BiGRU", "DialogueRNN", "SACL-LSTM", "MultiEMO"})
"""Systems whose recurrent layers run over a dialogue from its end too, so that every turn sees the later ones."""


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
class SystemConfig(Section):
    """Choice of a cell's model, with every system's own settings.

    Defaults are of each system's paper or published code on IEMOCAP; `fmerl.config.presets` sets what differs on MELD.
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

    def reads(self, name: str) -> bool:
        """True if the chosen system reads this field of the section."""
        if name == "class_weights":
            return self.name != "FMERL"
        return SETTINGS.get(name, self.name) == self.name
