"""FMERL: fine-grained multidimensional emotion representation learning for conversations, in plain PyTorch.

A cell is one training: a configuration, a corpus with its features and scores, and a seed.

>>> from fmerl import PRESETS
>>> config = PRESETS["laptop"]("synthetic-meld").with_values({"training.epochs": 2})
>>> config.training.epochs
2

`train_cell(config, data, anchors, seed)` trains it; `data` is `fmerl.training.assembly.assemble` of `read_corpus`,
`read_features` and `read_labels`, and `anchors` comes from `encode_anchors`.
"""

from typing import TYPE_CHECKING

from fmerl.exports import exports_of
from fmerl.version import __version__

if TYPE_CHECKING:
    from fmerl.bundle.folder import read_bundle
    from fmerl.config import CellConfig
    from fmerl.config.presets import PRESETS
    from fmerl.corpus import read_corpus
    from fmerl.features.store import read_features
    from fmerl.model import FMERL
    from fmerl.supervision.anchors import encode_anchors
    from fmerl.supervision.labels import read_labels
    from fmerl.training.cell import train_cell

_PLACES = {
    "CellConfig": "fmerl.config",
    "PRESETS": "fmerl.config.presets",
    "FMERL": "fmerl.model",
    "train_cell": "fmerl.training.cell",
    "read_bundle": "fmerl.bundle.folder",
    "read_corpus": "fmerl.corpus",
    "read_features": "fmerl.features.store",
    "read_labels": "fmerl.supervision.labels",
    "encode_anchors": "fmerl.supervision.anchors",
}
"""Module of each exported name, imported on first use since PyTorch starts slowly."""

__all__ = [
    "FMERL",
    "PRESETS",
    "CellConfig",
    "__version__",
    "encode_anchors",
    "read_bundle",
    "read_corpus",
    "read_features",
    "read_labels",
    "train_cell",
]


if not TYPE_CHECKING:  # else it would take any name for an export
    __getattr__ = exports_of(__name__, _PLACES)
