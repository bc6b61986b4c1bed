"""The model: SDT's backbone, the regression nets, and the alignment with emotion descriptions."""

from fmerl.model.fmerl import FMERL, Losses, Output

__all__ = ["FMERL", "Losses", "Output"]
