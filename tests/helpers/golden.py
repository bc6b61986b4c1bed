"""Reports kept in git, byte by byte.

`FMERL_REGENERATE_GOLDEN=1 python -m pytest tests/platform/studies -k golden` writes them anew; do that only for a
deliberate change of what a report says, and say in the commit what changed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from fmerl_platform.report.document import ReportPaths


def check_report(paths: ReportPaths, golden: Path) -> None:
    """Compare a written report with the one in `golden`: Markdown and LaTeX by bytes, JSON by value.

    Numbers of the JSON may differ in their last digits, which follow the processor's vector units.
    """
    names = {"table.md": paths.markdown, "table.tex": paths.latex, "results.json": paths.rows}
    written = {name: path.read_text(encoding="utf-8") for name, path in names.items() if path is not None}
    if os.environ.get("FMERL_REGENERATE_GOLDEN"):
        golden.mkdir(parents=True, exist_ok=True)
        for name, text in written.items():
            (golden / name).write_text(text.rstrip("\n") + "\n", encoding="utf-8")
        pytest.skip(f"{golden.name} written anew")
    kept = {name: (golden / name).read_text(encoding="utf-8") for name in written}
    for name in ("table.md", "table.tex"):
        assert written[name].rstrip("\n") == kept[name].rstrip("\n")
    if "results.json" in written:
        _compare(json.loads(written["results.json"]), json.loads(kept["results.json"]), "results")


def _compare(seen: Any, kept: Any, place: str) -> None:
    assert type(seen) is type(kept), place
    if isinstance(seen, dict):
        assert list(seen) == list(kept), place
        for key in seen:
            _compare(seen[key], kept[key], f"{place}.{key}")
    elif isinstance(seen, list):
        assert len(seen) == len(kept), place
        for index, pair in enumerate(zip(seen, kept, strict=True)):
            _compare(*pair, f"{place}[{index}]")
    elif isinstance(seen, float):
        assert seen == pytest.approx(kept, rel=1e-9, abs=1e-12), place
    else:
        assert seen == kept, place
