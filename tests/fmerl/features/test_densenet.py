"""The 342-d DenseNet: its size, its weight files, and the same outputs as torchvision's where that is installed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from helpers.face_weights import seeded
from safetensors.torch import save_file
from torch import Tensor

from fmerl.errors import InputError
from fmerl.features.visual.densenet import WIDTH, DenseNet, load_densenet


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    return seeded(DenseNet())


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand((5, 3, 64, 64), generator=torch.Generator().manual_seed(1))


def test_parameters_and_width(images: Tensor) -> None:
    network = DenseNet().eval()
    assert sum(parameter.numel() for parameter in network.parameters()) == 768_660
    assert network(images).shape == (5, WIDTH) == (5, 342)


def test_copied_weights_give_the_outputs_of_torchvision(images: Tensor, tmp_path: Path) -> None:
    torchvision = pytest.importorskip("torchvision")
    reference = torchvision.models.DenseNet(growth_rate=12, block_config=(16, 16, 16), num_init_features=24)
    reference.load_state_dict(seeded(reference))
    torch.save(reference.state_dict(), tmp_path / "weights.pt")
    own, reference = load_densenet(tmp_path / "weights.pt"), reference.eval()
    assert sum(p.numel() for p in reference.features.parameters()) == sum(p.numel() for p in own.parameters())
    with torch.inference_mode():
        expected = torch.nn.functional.adaptive_avg_pool2d(reference.features(images).relu(), 1).flatten(1)
        difference = (own(images) - expected).abs().max().item()
    print(f"largest difference {difference:.2e} where values reach {expected.max():.2f}")
    assert expected.std() > 0.1
    assert difference < 1e-5


def test_weight_files_of_either_kind_and_shape(weights: dict[str, Tensor], images: Tensor, tmp_path: Path) -> None:
    bare, wrapped = tmp_path / "bare.safetensors", tmp_path / "wrapped.pt"
    save_file(weights, bare)
    old = {f"module.{name}": tensor for name, tensor in weights.items() if "num_batches" not in name}
    torch.save({"epoch": 7, "state_dict": {**old, "module.classifier.weight": torch.ones(8, WIDTH)}}, wrapped)
    with torch.inference_mode():
        assert torch.equal(load_densenet(bare)(images), load_densenet(wrapped)(images))


def test_grey_stem_comes_from_the_file(tmp_path: Path) -> None:
    torch.save(seeded(DenseNet(1)), tmp_path / "grey.pt")
    assert load_densenet(tmp_path / "grey.pt")(torch.rand(2, 1, 64, 64)).shape == (2, WIDTH)


def test_other_weights_are_refused(weights: dict[str, Tensor], tmp_path: Path) -> None:
    stem, norm = "features.conv0.weight", "features.norm5.bias"
    spoiled = {
        "lacks features.norm5.bias": {name: tensor for name, tensor in weights.items() if name != norm},
        "has an unknown features.extra": {**weights, "features.extra": torch.ones(2)},
        r"of shape \(3,\), not \(342,\)": {**weights, norm: torch.ones(3)},
        "not finite": {**weights, norm: weights[norm] / 0},
        r"of shape \(24, 3, 3, 3\)": {**weights, stem: torch.ones(24, 3, 3, 3)},
        "lacks features.conv0.weight and": {},
        "holds no state_dict": [1, 2],
    }
    for what, content in spoiled.items():
        torch.save(content, tmp_path / "weights.pt")
        with pytest.raises(InputError, match=what) as caught:
            load_densenet(tmp_path / "weights.pt")
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no such file"):
        load_densenet(tmp_path / "absent.pt")
    for name in ("weights.pt", "weights.safetensors"):
        (tmp_path / name).write_bytes(b"not weights at all")
        with pytest.raises(InputError, match="cannot be read as tensors"):
            load_densenet(tmp_path / name)


class _Hostile:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.mark,))


def test_weight_files_cannot_run_code(tmp_path: Path) -> None:
    torch.save({"features.conv0.weight": _Hostile(tmp_path / "mark")}, tmp_path / "weights.pt")
    with pytest.raises(InputError, match="tensors and nothing else"):
        load_densenet(tmp_path / "weights.pt")
    assert not (tmp_path / "mark").exists()
