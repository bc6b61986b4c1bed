"""Variants that a command line names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from fmerl.errors import InputError
from fmerl_platform.cli.options import ONE_EACH
from fmerl_platform.study.paper import CONTROL, NEED_KNOWLEDGE, PAPER, SYSTEMS
from fmerl_platform.study.variant import Variant, by_name

ALL = "all"
OTHERS = [variant.name for variant in PAPER if variant.name != CONTROL]
OTHER_SYSTEMS = [variant.name for variant in SYSTEMS if variant.name != CONTROL]


@dataclass(frozen=True, kw_only=True)
class VariantOptions:
    """Options that name control and variants."""

    system: Annotated[str, Parameter(choices=list(by_name(SYSTEMS)))] = CONTROL
    """The control."""
    variants: Annotated[tuple[str, ...], Parameter(choices=[ALL, CONTROL, *OTHERS], show_default=False)] = ()
    """The control always runs. All, or none where --axis or --study-file gives others or the control is another
    system, unless given."""
    axis: Annotated[tuple[str, ...], ONE_EACH, Parameter(show_default=False)] = ()
    """FIELD=V1,V2: a variant for each value of a configuration field, as in training.batch_size=8,16 or
    modalities=text,text+audio; modalities alone for all sets. May be given again for other fields."""
    study_file: Path | None = None
    """Python file that defines VARIANTS, the control first."""

    def chosen(self) -> tuple[Variant, ...]:
        """Variants chosen: the control (the study file's or a system), then the paper's, then the axes'.

        Raises:
            InputError: Options that exclude each other, or a study file or axis that cannot be used.
        """
        from fmerl_platform.cli.axes import axis_variants
        from fmerl_platform.cli.study_file import read_study_file

        other_system = self.system != CONTROL
        if other_system and self.variants:
            raise InputError("--variants", f"they change FMERL, and {self.system} is the control", "give --axis")
        if other_system and self.study_file:
            raise InputError("--study-file", "it defines the control itself", "leave --system out")
        own = read_study_file(self.study_file) if self.study_file else (by_name(SYSTEMS)[self.system],)
        others_given = self.axis or self.study_file or other_system
        paper = among(PAPER, self.variants or (() if others_given else (ALL,)))
        return (*own, *paper, *(variant for axis in self.axis for variant in axis_variants(axis)))


def among(variants: Sequence[Variant], names: Sequence[str]) -> tuple[Variant, ...]:
    """Variants named, or all but those that need knowledge, without the control."""
    chosen = {variant.name for variant in variants if ALL in names} - NEED_KNOWLEDGE | set(names)
    return tuple(variant for variant in variants if variant.name != CONTROL and variant.name in chosen)
