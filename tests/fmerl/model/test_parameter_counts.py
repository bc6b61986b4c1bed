"""Sizes the literature prints, reproduced from our modules.

SDT has 79,687,704 parameters on IEMOCAP and 78,386,204 on MELD (counted on its published code, frozen gates
included), FMERL 83 M (its Table 2). Each of SDT's nine encoders holds one LayerNorm before attention which its code
skips in a first layer, and all its layers are first ones: 9 x 2 x 1024 parameters that no gradient ever reaches.
Our backbone leaves them out on purpose.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fmerl.config import CellConfig
from fmerl.model import FMERL, ModelInputs, create_system

H = 1024
UNUSED_NORMS = 9 * 2 * H
IEMOCAP = {"text": 1024, "audio": 1582, "visual": 342}
MELD = {"text": 1024, "audio": 300, "visual": 342}


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def fmerl(**changes: object) -> FMERL:
    with torch.device("meta"):
        return FMERL(
            CellConfig().changed(**changes),
            ModelInputs(
                widths=IEMOCAP,
                n_speakers=2,
                anchors=torch.empty(6, H),
                vad_range=(1.0, 5.0),
                train_counts=[1] * 6,
            ),
        )


@pytest.mark.parametrize(
    ("widths", "speakers", "classes", "published"), [(IEMOCAP, 2, 6, 79_687_704), (MELD, 9, 7, 78_386_204)]
)
def test_sdt_is_as_large_as_its_code(widths: dict[str, int], speakers: int, classes: int, published: int) -> None:
    with torch.device("meta"):
        sdt = create_system(
            CellConfig().changed(system__name="SDT"),
            ModelInputs(
                widths=widths,
                n_speakers=speakers,
                anchors=torch.empty(classes, H),
                vad_range=(0.0, 5.0),
                train_counts=[1] * classes,
            ),
        )
    assert count(sdt) + UNUSED_NORMS == published


@pytest.mark.parametrize(("hidden_layers", "expected", "millions"), [(1, 82_814_979, 82.82), (2, 85_963_779, 85.96)])
def test_fmerl_is_as_large_as_the_paper_says(hidden_layers: int, expected: int, millions: float) -> None:
    total = count(fmerl(regression__hidden_layers=hidden_layers)) + UNUSED_NORMS
    assert total == expected
    assert total / 1e6 == pytest.approx(millions, abs=0.006)


def test_the_identity_gate_has_no_parameters() -> None:
    difference = count(fmerl()) - count(fmerl(backbone__unimodal_gate="identity"))
    assert difference == 9 * H * H


def test_one_modality_keeps_one_encoder() -> None:
    # Projection, embedding, q/k/v/o, norm, feed-forward, gate: nothing to reduce or to weigh.
    encoder = 4 * (H * H + H) + 2 * H + 2 * (H * H + H) + H * H
    assert count(fmerl(backbone__modalities=("text",)).backbone) == H * H + 3 * H + encoder


def test_anchors_of_another_width_cost_one_linear() -> None:
    model = fmerl(contrastive__learn_temperature=True)
    assert count(model.alignment) == 1
    with torch.device("meta"):
        narrow = FMERL(
            CellConfig(),
            ModelInputs(
                widths=IEMOCAP,
                n_speakers=2,
                anchors=torch.empty(6, 384),
                vad_range=(1.0, 5.0),
                train_counts=[1] * 6,
            ),
        )
    assert count(narrow.alignment) == H * 384 + 384
