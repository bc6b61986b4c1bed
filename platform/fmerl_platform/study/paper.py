"""The paper's studies as variants of FMERL: its ablation (Table 3) and the systems of its comparison (Table 1)."""

from __future__ import annotations

from typing import get_args

from fmerl.config import DIMENSIONS, CellConfig, SystemName
from fmerl.config.systems import READ_KNOWLEDGE
from fmerl_platform.study.variant import Variant

CONTROL = "FMERL"
SYSTEM_NAMES: tuple[SystemName, ...] = get_args(SystemName)
_TOLD: dict[SystemName, str] = {
    "COSMIC": "COSMIC (LLM knowledge)",
    "CKCL": "CKCL (LLM knowledge)",
    "belief-desire graph": "belief-desire graph (ours, after Xu et al.)",
}
"""Names of systems that are not quite the published ones, as tables tell them."""


def _without_dimension(dimension: str) -> Variant:
    def change(config: CellConfig) -> CellConfig:
        kept = tuple(name for name in config.regression.dimensions if name != dimension)
        return config.changed(regression__dimensions=kept)

    return Variant(name=f"w/o {dimension.capitalize()}", change=change, declares=("regression.dimensions",))


PAPER: tuple[Variant, ...] = (
    Variant(name=CONTROL, change=lambda config: config),
    Variant(
        name="w/o Triple-loss",
        change=lambda config: config.changed(contrastive__negative_weight=0.0),
        declares=("contrastive.negative_weight",),
    ),
    Variant(
        name="w/o Fine-grained Enhancement",
        change=lambda config: config.changed(anchors__description="label"),
        declares=("anchors.description",),
    ),
    *(_without_dimension(dimension) for dimension in reversed(DIMENSIONS)),
    Variant(
        name="w/o Multitask Regression",
        change=lambda config: config.changed(regression__dimensions=()),
        declares=("regression.dimensions",),
    ),
)
"""The control and the six variants of Table 3, in the paper's order."""


def _system(name: SystemName) -> Variant:
    def change(config: CellConfig) -> CellConfig:
        return config.changed(system__name=name)

    return Variant(name=_TOLD.get(name, name), change=change, declares=("system.name",))


def _with_bare_names() -> Variant:
    """EACL, whose anchors are encoded class names."""

    def change(config: CellConfig) -> CellConfig:
        return config.changed(system__name="EACL", anchors__description="label")

    return Variant(name="EACL", change=change, declares=("system.name", "anchors.description"))


SYSTEMS: tuple[Variant, ...] = (
    PAPER[0],
    *(_with_bare_names() if name == "EACL" else _system(name) for name in SYSTEM_NAMES if name != CONTROL),
)
"""FMERL, which the others are compared with, and the systems of Table 1: another model on the same features, batches
and budget."""
NEED_KNOWLEDGE: frozenset[str] = frozenset(_TOLD[name] for name in READ_KNOWLEDGE)
"""Those of them that read a table of knowledge, which a corpus's own features lack."""
