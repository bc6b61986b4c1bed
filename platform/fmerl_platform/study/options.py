"""Sources of a study's inputs and changes to its control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fmerl.config import CellConfig
from fmerl.config.presets import PRESETS
from fmerl.errors import InputError
from fmerl.features.table_names import parse_tables
from fmerl.user_text import read_json
from fmerl_platform.study.fields import with_fields

Preset = Literal["laptop", "paper", "robust"]
Modality = Literal["text", "audio", "visual"]


@dataclass(frozen=True, kw_only=True)
class InputOptions:
    """Sources of a study's inputs and changes to its control."""

    features: Path | None = None
    """Feature tables of the corpus folders."""
    labels: Path | None = None
    """Label sets, in place of the corpora's own scores."""
    preset: Preset = "laptop"
    """Configuration that the control starts from."""
    config: Path | None = None
    """JSON of configuration fields in place of the preset's, such as a search's best.json."""
    set: tuple[str, ...] = ()
    """FIELD=VALUE: configuration fields, over preset, --config and all other options, as in training.batch_size=8
    hidden=64 modalities=text+audio."""
    epochs: int | None = None
    """Epochs in place of the preset's."""
    modalities: tuple[Modality, ...] | None = None
    """Modalities to read; all that have a feature table unless given."""
    tables: tuple[str, ...] = ()
    """MODALITY=NAME or MODALITY=NAME+NAME: feature tables by the names that extract --table gave them, side by side; a
    modality's own name is its table without a name. As in text=roberta+bert audio=audio+wavlm."""
    emotion_encoder: str | None = None
    """Encoder of the emotion descriptions in place of the preset's: a Hugging Face id, a folder or package:MODULE."""
    scale: float = 1.0
    """Size of the synthetic corpora; 1 is their true size."""
    workers_per_cell: int = 1
    """Processes that train one cell together by DDP."""

    def __post_init__(self) -> None:
        if self.workers_per_cell < 1:
            raise InputError("--workers-per-cell", "less than 1", "give at least 1")
        if self.epochs is not None and self.epochs < 1:
            raise InputError("--epochs", f"{self.epochs} is no number of epochs", "give at least 1")
        if not 0 < self.scale < float("inf"):
            raise InputError("--scale", f"{self.scale} is no size", "give a number above 0")
        if self.modalities is not None and len(set(self.modalities)) != len(self.modalities):
            raise InputError("--modalities", f"one stands twice in {' '.join(self.modalities)}", "name each once")
        parse_tables(self.tables)


def control_config(corpus: str, modalities: Sequence[str], options: InputOptions) -> CellConfig:
    """The preset for a corpus of this name with the command line's few changes; InputError where one is none."""
    changes = {
        "backbone.modalities": tuple(modalities),
        "training.workers": options.workers_per_cell,
        "training.epochs": options.epochs,
        "anchors.encoder": options.emotion_encoder,
    }
    given = {path: value for path, value in changes.items() if value is not None}
    control = _changed(PRESETS[options.preset](corpus), given, "arguments", "see --help")
    if options.config is not None:
        remedy = 'give a JSON object of fields, such as {"contrastive.negative_weight": 0.3}'
        fields = read_json(options.config, remedy)
        if not isinstance(fields, dict):
            raise InputError(options.config, "no JSON object", remedy)
        control = _changed(control, fields, options.config, remedy)
    return with_fields(control, options.set)


def _changed(control: CellConfig, fields: Mapping[str, Any], where: str | Path, remedy: str) -> CellConfig:
    try:
        return control.with_values(fields)
    except ValueError as error:
        raise InputError(where, str(error), remedy) from None


def check_margin(margin: float | None) -> None:
    """Refuse a margin of equivalence, in points of weighted F1, that is none; None judges no equivalence."""
    if margin is not None and not 0 < margin < 100:
        raise InputError("--margin", f"{margin:g} is no margin", "give points of weighted F1 above 0, such as 1")
