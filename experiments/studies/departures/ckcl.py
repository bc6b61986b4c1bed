"""CKCL as its paper reads, and the pass that its released script for MELD trains: without context and knowledge.

`make departures` runs it (docs/systems.md). A corpus needs its table of knowledge (`fmerl ask-knowledge`); the
synthetic ones bring a made-up one.
"""

from __future__ import annotations

from fmerl_platform import SYSTEMS, Variant
from fmerl_platform.study.variant import by_name

VARIANTS = [
    by_name(SYSTEMS)["CKCL (LLM knowledge)"],
    Variant(
        name="CKCL, trained without context and knowledge",
        change=lambda control: control.changed(system__ckcl__trained_pass="bare"),
        declares=("system.ckcl.trained_pass",),
    ),
]
