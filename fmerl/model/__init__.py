"""The model: SDT's backbone, the regression nets, and the alignment with emotion descriptions."""

from fmerl.config import CellConfig
from fmerl.model.fmerl import FMERL, Output
from fmerl.model.system import Losses, ModelInputs, System

__all__ = ["FMERL", "Losses", "ModelInputs", "Output", "System", "create_system"]


def create_system(config: CellConfig, inputs: ModelInputs) -> System:
    """The model that a configuration names."""
    return FMERL(config, inputs)
