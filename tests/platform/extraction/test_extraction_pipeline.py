"""How items are cut into blocks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fmerl_platform.extraction.pipeline import block_sizes


@given(items=st.integers(1, 100_000), largest=st.sampled_from([16, 32, 512]), workers=st.integers(1, 64))
def test_blocks_hold_all_items_and_shrink(items: int, largest: int, workers: int) -> None:
    sizes = list(block_sizes(items, largest, workers))
    assert sum(sizes) == items
    assert sizes == sorted(sizes, reverse=True)
    assert 1 <= sizes[-1] <= sizes[0] <= largest


@given(items=st.integers(1, 100_000), largest=st.sampled_from([16, 32, 512]), workers=st.integers(1, 64))
def test_no_worker_waits_for_more_than_a_large_blocks_sixteenth_or_an_eighth_of_its_share(
    items: int, largest: int, workers: int
) -> None:
    last = list(block_sizes(items, largest, workers))[-1]
    assert last <= max(1, largest / 16)
    assert last <= max(1, -(-items // (8 * workers)))
