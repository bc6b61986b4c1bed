"""A tuned encoder on disk: what `AutoModel` and `AutoTokenizer` read, the classifier, and a card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fmerl.card import read_card, replaced_folder, write_card
from fmerl.errors import InputError
from fmerl.features.hub import quiet_transformers, revision
from fmerl.finetuning.config import TuningConfig
from fmerl.finetuning.folds import Fold
from fmerl.finetuning.result import TunedResult

HEAD = "classifier.safetensors"
"""Weights of all else that was tuned, by their names in the system, beside the encoder's."""
_KIND = "text-encoder"
_AGAIN = "tune it again with fmerl finetune-text"


@dataclass(frozen=True, kw_only=True)
class TunedEncoder:
    """A tuned encoder's folder with its card."""

    folder: Path
    card: dict[str, Any]

    @property
    def config(self) -> TuningConfig:
        """The settings it was tuned with.

        Raises:
            InputError: Settings that this version does not know.
        """
        try:
            return TuningConfig.of_values(self.card["recipe"]["config"])
        except (TypeError, ValueError, KeyError) as error:
            raise InputError(self.folder, f"the card's settings cannot be read ({error})", _AGAIN) from error

    @property
    def labels_seen(self) -> dict[str, Any]:
        """Corpus, splits and classes whose labels it was tuned on."""
        seen: dict[str, Any] = self.card["labels_seen"]
        return seen

    def fold(self, fold: Fold) -> TunedEncoder:
        """The same encoder, tuned without a fold.

        Raises:
            InputError: It is not there, or was tuned otherwise.
        """
        place = fold_folder(self.folder, fold)
        remedy = f"tune it with fmerl finetune-text --folds {fold.of}"
        if not place.is_dir():
            raise InputError(place, "there is no encoder tuned without this fold", remedy)
        found = read_tuned(place)
        if found is None or found.card["recipe"] != {**self.card["recipe"], "fold": asdict(fold)}:
            raise InputError(place, f"it was not tuned as {self.folder.name} was", remedy)
        return found


def fold_folder(folder: Path, fold: Fold) -> Path:
    """Folder of the encoder that was tuned without a fold, beside the one tuned on all of train."""
    return folder.with_name(f"{folder.name}-fold-{fold.number + 1}-of-{fold.of}")


def write_tuned(folder: Path, result: TunedResult, fields: Mapping[str, Any]) -> None:
    """Write a tuned encoder in one step.

    Args:
        folder: Where; an encoder that is there is replaced.
        result: From `fmerl.finetuning.cell.finetune`.
        fields: `recipe`, `labels_seen` and free fields of the card.
    """
    from safetensors.torch import save_file

    with replaced_folder(folder) as fresh, quiet_transformers():
        result.system.encoder.save_pretrained(fresh)
        result.tokenizer.save_pretrained(fresh)
        weights = result.system.state_dict()
        save_file({name: weights[name] for name in weights if not name.startswith("encoder.")}, fresh / HEAD)
        card = {"supervised_on_labels": True, "scores": result.metrics, **fields}
        write_card(fresh, {**card, "kind": _KIND, "content_digest": revision(str(fresh))})


def read_tuned(folder: Path) -> TunedEncoder | None:
    """The tuned encoder in a folder; None for anything that was not tuned here.

    Raises:
        InputError: It was tuned here, but its card is not there, not valid, or of other weights.
    """
    if not (folder / HEAD).is_file():
        return None
    card = read_card(folder)
    if card["kind"] != _KIND or not isinstance(card.get("labels_seen"), dict):
        raise InputError(folder, "its card does not say which labels the encoder has seen", _AGAIN)
    if revision(str(folder)) != card["content_digest"]:
        raise InputError(folder, "its files are not those that the card was written for", _AGAIN)
    return TunedEncoder(folder=folder, card=card)


def is_tuned(folder: Path, fingerprint: str) -> bool:
    """True if the folder holds the encoder of this fingerprint."""
    try:
        found = read_tuned(folder)
    except InputError:
        return False
    return found is not None and found.card.get("fingerprint") == fingerprint
