"""A small search whose inputs are read once."""

from __future__ import annotations

import pytest

from fmerl_platform.studies.search.plan import Search, SearchPlan, plan_search
from fmerl_platform.study.options import InputOptions


@pytest.fixture(scope="session")
def plan(tmp_path_factory: pytest.TempPathFactory) -> SearchPlan:
    """Of both objectives, on the smallest corpus that has all classes in train and validation."""
    asked = Search(
        corpus="synthetic-meld",
        objectives=("weighted-f1", "unseen-accuracy"),
        seeds=(3, 4),
        inputs=InputOptions(scale=0.05, epochs=2),
    )
    return plan_search(asked, tmp_path_factory.mktemp("search"))
