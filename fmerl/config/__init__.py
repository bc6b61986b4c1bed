"""Every choice the method leaves open, typed and checked when it is built, and named starting points."""

from fmerl.config.cell import (
    DEFAULT_TEXT_ENCODER,
    DIMENSIONS,
    MODALITIES,
    AnchorConfig,
    BackboneConfig,
    CellConfig,
    ContrastiveConfig,
    RegressionConfig,
    SystemConfig,
    SystemName,
    TrainingConfig,
)

__all__ = [
    "DEFAULT_TEXT_ENCODER",
    "DIMENSIONS",
    "MODALITIES",
    "AnchorConfig",
    "BackboneConfig",
    "CellConfig",
    "ContrastiveConfig",
    "RegressionConfig",
    "SystemConfig",
    "SystemName",
    "TrainingConfig",
]
