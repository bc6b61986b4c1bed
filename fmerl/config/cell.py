"""Everything that decides a cell's numbers but its data and its seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from fmerl.config.parts import KNOWLEDGE, AnchorConfig, BackboneConfig, ContrastiveConfig, RegressionConfig
from fmerl.config.section import leaf_types, with_leaves
from fmerl.config.systems import BIDIRECTIONAL, READ_KNOWLEDGE, SystemConfig
from fmerl.config.training import TrainingConfig


@dataclass(frozen=True, kw_only=True)
class CellConfig:
    """Every choice the method leaves open, typed and checked when it is built.

    >>> CellConfig().with_values({"training.epochs": 3}).training.epochs
    3
    """

    system: SystemConfig = field(default_factory=SystemConfig)
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    regression: RegressionConfig = field(default_factory=RegressionConfig)
    contrastive: ContrastiveConfig = field(default_factory=ContrastiveConfig)
    anchors: AnchorConfig = field(default_factory=AnchorConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        if self.backbone.attention == "past" and self.system.name in BIDIRECTIONAL:
            what = f"backbone.attention cannot be past: {self.system.name} reads a dialogue from its end too"
            raise ValueError(f"{what}; keep it full, or leave that system out")

    @property
    def tables(self) -> tuple[str, ...]:
        """Feature tables that the cell reads: its modalities, and knowledge where its system reads it."""
        knowledge = (KNOWLEDGE,) if self.system.name in READ_KNOWLEDGE else ()
        return (*self.backbone.modalities, *knowledge)

    def flatten(self) -> dict[str, Any]:
        """Values by dotted field path, tuples as lists; of the compared systems' settings the cell's own alone.

        These are MLflow's params and the fingerprint's input.
        """
        return {
            path: list(value) if isinstance(value, tuple) else value for path, value in _leaves(self, "", self.system)
        }

    @classmethod
    def from_flat(cls, values: Mapping[str, Any]) -> CellConfig:
        """The configuration of these values, the others as a new one has them.

        Raises:
            ValueError: An unknown field, or a value its section refuses.
        """
        return cls().with_values(values)

    def with_values(self, values: Mapping[str, Any]) -> CellConfig:
        """A copy with fields replaced, by dotted path.

        Raises:
            ValueError: An unknown field, or a value its section refuses.
        """
        copy: CellConfig = with_leaves(self, values)
        return copy

    def changed(self, **values: Any) -> CellConfig:
        """A copy as by `with_values`, with fields named `section__field`, e.g. `training__epochs=3`."""
        return self.with_values({name.replace("__", "."): value for name, value in values.items()})

    def difference(self, control: CellConfig) -> dict[str, Any]:
        """Fields of this configuration, by path, that differ in the control or that it, as another system, lacks."""
        before = control.flatten()
        return {path: value for path, value in self.flatten().items() if path not in before or before[path] != value}


def field_types() -> dict[str, Any]:
    """Type of every configuration field by dotted path."""
    return dict(leaf_types(CellConfig))


def _leaves(part: Any, prefix: str, system: SystemConfig) -> Iterator[tuple[str, Any]]:
    for item in fields(part):
        value = getattr(part, item.name)
        if part is system and not system.reads(item.name):
            continue
        if is_dataclass(value):
            yield from _leaves(value, f"{prefix}{item.name}.", system)
        else:
            yield f"{prefix}{item.name}", value
