"""A variant: its control with declared fields changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fmerl.config import CellConfig


class StudyError(ValueError):
    """A study that cannot show what it claims to."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A small change of the control, and the fields it declares to change."""

    name: str
    change: Callable[[CellConfig], CellConfig]
    declares: tuple[str, ...] = ()
    """Dotted paths of `CellConfig.flatten()`; empty for the control."""
    skip_if_equal: bool = False
    """Skip a corpus on which this variant equals its control, as a value on an axis may."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip() or not callable(self.change):
            raise StudyError(f"a variant needs a name and a change that can be called, not {self.name!r}")
        if isinstance(self.declares, str) or not all(isinstance(path, str) for path in self.declares):
            raise StudyError(f"variant {self.name!r}: declares is a list of field paths, not {self.declares!r}")

    def derive(self, control: CellConfig) -> CellConfig:
        """The control with this change made.

        Raises:
            StudyError: It raises, makes no configuration, changes other fields than it declares, leaves a declared one
                as it was, or gives one a value that the config refuses.
        """
        try:
            config = self.change(control)
            if not isinstance(config, CellConfig):
                raise TypeError(f"its change gives {type(config).__name__}, and no CellConfig")
            changed = set(config.difference(control)) | set(control.difference(config))
        except (Exception, SystemExit) as error:  # the change is the user's own code
            kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
            raise StudyError(f"variant {self.name!r}: {' '.join(f'{kind}{error}'.split())}") from error
        if "system.name" in changed:  # the settings of one system alone come and go with it
            changed = {path for path in changed if path == "system.name" or not path.startswith("system.")}
        if changed != set(self.declares) and (changed or not self.skip_if_equal):
            raise StudyError(
                f"variant {self.name!r} declares {sorted(self.declares)} but changes {sorted(changed)} of its control"
            )
        return config


def by_name(variants: Sequence[Variant]) -> dict[str, Variant]:
    """The variants by their names, in order."""
    return {variant.name: variant for variant in variants}
