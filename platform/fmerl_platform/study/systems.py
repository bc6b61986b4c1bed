"""The systems of the paper's Table 1 as variants of FMERL: another model on the same features, batches and budget."""

from __future__ import annotations

from fmerl.config import CellConfig, SystemName
from fmerl.model import SYSTEMS
from fmerl_platform.study.cells import Variant
from fmerl_platform.study.paper import CONTROL, PAPER_VARIANTS


def _system(name: SystemName) -> Variant:
    def change(config: CellConfig) -> CellConfig:
        return config.changed(system__name=name)

    return Variant(name=name, change=change, declares=("system.name",))


def _with_bare_names() -> Variant:
    """EACL's anchors are encoded class names."""

    def change(config: CellConfig) -> CellConfig:
        return config.changed(system__name="EACL", anchors__description="label")

    return Variant(name="EACL", change=change, declares=("system.name", "anchors.description"))


SYSTEM_VARIANTS: dict[str, Variant] = {
    CONTROL: PAPER_VARIANTS[CONTROL],
    **{name: _with_bare_names() if name == "EACL" else _system(name) for name in SYSTEMS if name != CONTROL},
}
"""By name, FMERL, which is what they are compared with, first."""
