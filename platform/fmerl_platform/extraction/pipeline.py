"""Encoding through Ray Data: blocks of items go to actors, each with an encoder; counts come back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import ray
from ray.data import ActorPoolStrategy, DataContext
from ray.exceptions import RayError

from fmerl.config import KNOWLEDGE
from fmerl.features.encoder import EncoderSpec, Item
from fmerl_platform.extraction.items import pack
from fmerl_platform.extraction.placement import place_workers
from fmerl_platform.extraction.staging import forget_begun
from fmerl_platform.extraction.worker import Block, ExtractionWorker
from fmerl_platform.running.nodes import nodes_at_hand, nodes_of_cluster
from fmerl_platform.running.options import Resources

_LARGEST_BLOCK = {"text": 512, "audio": 32, "visual": 16, KNOWLEDGE: 64}
"""Most items in a block, by modality: blocks under way when a run is killed are encoded again."""
_SMALLEST_SHARE = 16
"""Factor by which the last blocks are smaller; few items make half as many blocks for each worker."""
_BLOCKS_LEFT = 4
"""Blocks left for each worker at any time, if all were as large as the next: no worker then idles long at the end."""
_BLOCKS_SORTED = 16
"""Largest number of items sorted by length together; sorting all would scatter a part over all files."""


class ExtractionError(RuntimeError):
    """Extraction ended early; what was encoded is kept."""


def encode_items(
    spec: EncoderSpec,
    items: Sequence[Item],
    fingerprints: Sequence[bytes],
    staging: Path,
    resources: Resources,
) -> Iterator[Block]:
    """Encode items into `staging`, yielding blocks as they are done; Ray is connected.

    Args:
        spec: The encoder; each worker builds its own.
        items: Items to encode, at least one.
        fingerprints: Fingerprints of the items.
        staging: An absolute path that all nodes reach.
        resources: Resources of a worker, and the most workers, as asked for.

    Raises:
        InputError: No node holds a worker.
        ExtractionError: A worker cannot build its encoder, or the encoder raised.
    """
    placement = place_workers(spec, resources, nodes_of_cluster())
    at_hand, workers = sum(map(placement.workers_on, nodes_at_hand())), placement.at_once
    largest = _LARGEST_BLOCK[spec.modality]
    order = iter(_like_lengths_together(items, _BLOCKS_SORTED * largest))
    blocks = [
        pack([items[row] for row in rows], [fingerprints[row] for row in rows])
        for rows in (list(islice(order, size)) for size in block_sizes(len(items), largest, workers))
    ]
    forget_begun(staging)
    context = DataContext.get_current()
    shown, context.enable_progress_bars = context.enable_progress_bars, False
    try:
        done = ray.data.from_arrow(blocks).map_batches(
            ExtractionWorker,
            batch_size=None,
            batch_format="pyarrow",
            fn_constructor_args=(spec, staging, max(1, int(placement.cpus))),
            num_cpus=placement.cpus,
            num_gpus=placement.gpus,
            compute=ActorPoolStrategy(
                min_size=max(1, min(workers, at_hand)), max_size=workers, max_tasks_in_flight_per_actor=2
            ),
        )
        for row in done.iter_rows():
            yield Block(**row)
    except RayError as error:
        raise ExtractionError(str(error)) from error
    finally:
        context.enable_progress_bars = shown


def block_sizes(items: int, largest: int, workers: int) -> Iterator[int]:
    """Sizes of the blocks: large first, smaller towards the end, so that all workers end together."""
    smallest = math.ceil(min(largest, 2 * items / workers) / _SMALLEST_SHARE)
    while items:
        size = min(items, largest, max(smallest, math.ceil(items / (workers * _BLOCKS_LEFT))))
        yield size
        items -= size


def _like_lengths_together(items: Sequence[Item], window: int) -> list[int]:
    """Order of rows, longest texts first within each window: a batch is as slow as its longest text."""
    return [
        row
        for start in range(0, len(items), window)
        for row in sorted(range(start, min(start + window, len(items))), key=lambda row: -len(items[row].text))
    ]
