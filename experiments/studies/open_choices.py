"""The paper's rate and batch, and what it leaves open: which choice lets them learn?

`fmerl ablation --preset paper --study-file experiments/studies/open_choices.py`, or the same with `fmerl meld-text`.
The control is the paper's values; every variant changes what the paper does not say (docs/method.md), never its rate
or batch.
"""

from __future__ import annotations

from typing import Any

from fmerl_platform import Variant


def choice(name: str, **fields: Any) -> Variant:
    """A variant that sets fields, written `section__field`, of the control."""
    declares = tuple(field.replace("__", ".") for field in fields)
    return Variant(name=name, change=lambda control: control.changed(**fields), declares=declares)


SHARP: dict[str, Any] = {"contrastive__temperature": 0.07}
CENTRED: dict[str, Any] = {"contrastive__center_anchors": True}
SCALED: dict[str, Any] = {"backbone__standardize": ("text", "audio", "visual")}
BY_UTTERANCES: dict[str, Any] = {"training__batch_unit": "utterances"}

VARIANTS = [
    Variant(name="paper as written", change=lambda control: control),
    choice("batch of utterances", **BY_UTTERANCES),
    choice("temperature .07", **SHARP),
    choice("centred anchors", **CENTRED),
    choice("scaled features", **SCALED),
    choice("no names in descriptions", anchors__include_name=False),
    choice("candidates of the batch", contrastive__candidates="in_batch"),
    choice("negatives of the batch", contrastive__negatives="in_batch"),
    choice("sums over the batch", contrastive__reduction="sum"),
    choice("four times the epochs", training__epochs=200),
    choice("temperature and centred", **SHARP, **CENTRED),
    choice("utterances, temperature, centred", **BY_UTTERANCES, **SHARP, **CENTRED),
    choice("utterances, temperature, centred, scaled", **BY_UTTERANCES, **SHARP, **CENTRED, **SCALED),
]
