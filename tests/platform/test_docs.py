"""Documentation names what there is: pages, headings, configuration fields."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from helpers.repository import REPOSITORY

from fmerl.config import CellConfig
from fmerl.config.cell import field_types
from fmerl.config.section import leaf_types
from fmerl.finetuning.config import TuningConfig

PAGES = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("[!.]*/README.md"), *REPOSITORY.glob("docs/**/*.md")])
SECTIONS = (*vars(CellConfig()), "compm", "cled", "mplp")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://|mailto:)([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, heading = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), re.M)
            assert heading in {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}, target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_configuration_fields_exist(page: Path) -> None:
    if page.name == "CHANGELOG.md":  # which names fields that are gone
        return
    known = {**field_types(), **dict(leaf_types(TuningConfig))}
    for section, name in re.findall(
        rf"`({'|'.join(SECTIONS)})\.(?!py`|safetensors`)(\w+)[`=]", page.read_text(encoding="utf-8")
    ):
        assert f"{section}.{name}" in known or any(path.startswith(f"{section}.{name}.") for path in known), name
