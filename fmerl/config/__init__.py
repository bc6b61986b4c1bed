"""Every choice the method leaves open, typed and checked when it is built, and named starting points."""

from fmerl.config.cell import CellConfig, field_types
from fmerl.config.parts import (
    DEFAULT_TEXT_ENCODER,
    DIMENSIONS,
    KNOWLEDGE,
    MODALITIES,
    RELATIONS,
    AnchorConfig,
    BackboneConfig,
    ContrastiveConfig,
    RegressionConfig,
)
from fmerl.config.systems import SystemConfig, SystemName
from fmerl.config.training import TrainingConfig

__all__ = [
    "DEFAULT_TEXT_ENCODER",
    "DIMENSIONS",
    "KNOWLEDGE",
    "MODALITIES",
    "RELATIONS",
    "AnchorConfig",
    "BackboneConfig",
    "CellConfig",
    "ContrastiveConfig",
    "RegressionConfig",
    "SystemConfig",
    "SystemName",
    "TrainingConfig",
    "field_types",
]
