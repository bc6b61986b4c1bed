"""The paper's ablation (Table 3): the control and six variants, each one declared change."""

from __future__ import annotations

from fmerl.config import DIMENSIONS, CellConfig
from fmerl_platform.study.cells import Variant

CONTROL = "FMERL"


def _without_dimension(dimension: str) -> Variant:
    def change(config: CellConfig) -> CellConfig:
        kept = tuple(name for name in config.regression.dimensions if name != dimension)
        return config.changed(regression__dimensions=kept)

    return Variant(name=f"w/o {dimension.capitalize()}", change=change, declares=("regression.dimensions",))


PAPER_VARIANTS: dict[str, Variant] = {
    variant.name: variant
    for variant in (
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
}
"""By name, in the paper's order."""
