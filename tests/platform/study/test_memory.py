"""The estimate of a cell's memory holds for every system, and is no guess far above."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from fmerl.config import KNOWLEDGE
from fmerl.config.presets import laptop
from fmerl.features.store import FeatureTable
from fmerl.model import SYSTEMS
from fmerl.synthetic.corpus import MELD_SHAPE, generate
from fmerl.training.assembly import assemble
from fmerl.training.batching import BatchLoader
from fmerl.training.dataset import ConversationData
from fmerl.training.loop import build_model
from fmerl_platform.study.memory import gpu_gibibytes

CONTEXT = 0.5


@pytest.fixture(scope="module")
def data() -> ConversationData:
    made = generate(replace(MELD_SHAPE, scale=0.1))
    ids = tuple(utterance.utterance_id for utterance in made.corpus.utterances())
    tables = {**made.features, KNOWLEDGE: made.knowledge}
    return assemble(made.corpus, [FeatureTable(name, ids, *tables[name], {}) for name in tables])


@pytest.mark.parametrize("system", list(SYSTEMS))
def test_estimate_covers_what_a_step_keeps(system: str, data: ConversationData) -> None:
    config = laptop("meld").changed(system__name=system)
    anchors = np.random.default_rng(0).normal(size=(len(data.classes), 384)).astype(np.float32)
    model = build_model(config, data.subset("train"), anchors, 0)
    loader = BatchLoader(data.subset("train"), config.tables, config.training, torch.device("cpu"))
    batch = max(loader.shuffled(torch.Generator().manual_seed(0)), key=lambda batch: len(batch.rows))
    kept: dict[int, int] = {}

    def keep(x: torch.Tensor) -> torch.Tensor:
        kept[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        output = model.train()(batch)
        losses = model.loss(output, batch)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    held = {*(parameter.data_ptr() for parameter in model.parameters())}
    activations = sum(size for place, size in kept.items() if place not in held)
    features = sum(data.features[name].nbytes for name in config.tables)
    needed = CONTEXT + (16 * parameters + activations + features) / 2**30
    assert losses.total.isfinite()
    assert needed <= gpu_gibibytes(config, data)
    if system == "FMERL":
        assert gpu_gibibytes(config, data) - CONTEXT <= 4 * (needed - CONTEXT)
