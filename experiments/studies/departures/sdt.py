"""SDT as its paper reads, and the gate that its released code fixes on MELD.

`make departures` runs it (docs/systems.md). The other departure of that code, the epoch picked on the test set, is no
variant: every cell measures it, as its test oracle. Preset `paper` has the fixed gate on MELD already and needs
`--set unimodal_gate=learned`.
"""

from __future__ import annotations

from fmerl_platform import SYSTEMS, Variant
from fmerl_platform.study.variant import by_name

VARIANTS = [
    by_name(SYSTEMS)["SDT"],
    Variant(
        name="SDT, unimodal gate fixed",
        change=lambda control: control.changed(backbone__unimodal_gate="identity"),
        declares=("backbone.unimodal_gate",),
    ),
]
