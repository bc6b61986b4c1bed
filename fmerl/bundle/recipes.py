"""Encoders from their recipes: the features of new utterances are made as the card of a feature table says.

A recipe names what was read by its content: its revision, digest and settings. Where that lies on this machine is a
`Places`, and a place whose content is another is refused.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fmerl.corpus import Corpus
from fmerl.errors import InputError
from fmerl.features.encoder import JOINED, Encoder, EncoderSpec, Item, parts_of
from fmerl.features.items import items_of
from fmerl.features.joined import JoinedSpec

_log = logging.getLogger(__name__)
_GIVE_TABLES = "give tables made alike with --features"
_LIBRARIES = ("libraries", "versions")
_NOT_COMPARED = {"encoder", "source", "folds", *_LIBRARIES}
_TEXT = ("encoder", "layer", "pooling", "max_length", "context")
_OPENSMILE = ("feature_set", "level", "sampling_rate")
_SPEECH = ("encoder", "layers", "pooling", "chunk", "longest")
_VISUAL = ("encoder", "faces", "frames")


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where encoders lie on this machine; None is where the recipe says."""

    text_encoder: str | None = None
    """Encoder of the text: a Hugging Face id, a folder or package:MODULE."""
    audio_set: str | None = None
    """Configuration file of openSMILE."""
    audio_encoder: str | None = None
    """Speech encoder: a Hugging Face id or a folder."""
    visual_encoder: str | None = None
    """Image encoder: a Hugging Face id or a folder."""
    visual_weights: Path | None = None
    """Weights of the densenet."""


@dataclass(frozen=True, kw_only=True)
class RecipeSpec:
    """An encoder that makes features as a recipe says."""

    modality: str
    recipe: Mapping[str, Any]
    places: Places

    def items(self, corpus: Corpus, folder: Path, media_roots: Sequence[Path] = ()) -> list[Item]:
        """What the encoder reads of each utterance, in the corpus's order.

        Args:
            corpus: The corpus.
            folder: Folder where media paths start.
            media_roots: Folders beside it that may hold media.
        """
        spec = self._spec()
        parts = self._parts() if self._joined else []
        if len(parts) == 1:
            return parts[0].items(corpus, folder, media_roots)
        if any(part._tuned for part in parts):
            what = "they join those of a tuned encoder with others, which read other turns"
            raise InputError(f"{self.modality} features of the bundle", what, _GIVE_TABLES)
        if self._tuned:
            return spec.items(corpus)  # type: ignore[attr-defined]
        return list(items_of(corpus, folder, self.modality, self.context, media_roots))

    @property
    def uses_gpu(self) -> bool:
        """True if a GPU makes the encoder faster."""
        return self._spec().uses_gpu

    @property
    def context(self) -> int:
        """Most earlier turns that the encoder reads with an utterance."""
        if self._joined:
            return max(part.context for part in self._parts())
        return int(self.recipe["input"]["context_turns"] if self._tuned else self.recipe.get("context", 0))

    def build(self, device: str = "cpu") -> Encoder:
        """Load the encoder onto a device.

        Raises:
            InputError: A recipe of another origin than an encoder, an encoder that is not there, or one that is not
                the recipe's. Other versions of libraries are only logged.
        """
        encoder = self._spec().build(device)
        if self._joined:
            return encoder  # each of its parts was compared
        made = encoder.recipe()
        where = f"{self.modality} encoder {made['encoder']}"
        check_same(made, self.recipe, where, f"give the same one with {self._option()}")
        return encoder

    def _spec(self) -> EncoderSpec:
        """The encoder's own spec; modules of other modalities are not imported, since their extras may be absent."""
        recipe, places = self.recipe, self.places
        if self._joined:
            return JoinedSpec(names=tuple(name for name, _ in parts_of(recipe)), specs=tuple(self._parts()))
        if self._tuned:
            from fmerl.finetuning.features import TunedTextSpec

            if places.text_encoder is None:
                what = f"it was tuned from {recipe['encoder']}, and the recipe knows its content alone"
                raise InputError("text encoder", what, "give its folder with --text-encoder")
            return TunedTextSpec(folder=Path(places.text_encoder))
        if self.modality == "text" and self._has(_TEXT):
            from fmerl.features.text.utterances import TextSpec

            settings = {name: recipe[name] for name in _TEXT} | {"encoder": places.text_encoder or recipe["encoder"]}
            return TextSpec(**settings)
        if self.modality == "audio" and self._has(_OPENSMILE):
            from fmerl.features.audio.encoder import AudioSpec

            settings = {name: recipe[name] for name in (*_OPENSMILE, "longest") if name in recipe}
            return AudioSpec(**settings | {"feature_set": places.audio_set or recipe["feature_set"]})
        if self.modality == "audio" and self._has(_SPEECH):
            from fmerl.features.audio.speech import SpeechSpec

            settings = {name: recipe[name] for name in _SPEECH} | {"layers": tuple(recipe["layers"])}
            return SpeechSpec(**settings | {"encoder": places.audio_encoder or recipe["encoder"]})
        if self.modality == "visual" and self._has(_VISUAL):
            from fmerl.features.visual.encoder import VisualSpec

            settings = {name: recipe[name] for name in _VISUAL} | {"weights": places.visual_weights}
            if "pixels" in recipe:
                _, settings["pixel_mean"], settings["pixel_sd"] = recipe["pixels"]
            elif places.visual_encoder is not None:
                settings["encoder"] = places.visual_encoder
            return VisualSpec(**settings)
        origin = ", ".join(f"{name} {value}" for name, value in recipe.items() if isinstance(value, str)) or "nothing"
        what = f"they were not made by an encoder that can be run again ({origin})"
        raise InputError(f"{self.modality} features of the bundle", what, _GIVE_TABLES)

    @property
    def _joined(self) -> bool:
        return JOINED in self.recipe

    def _parts(self) -> list[RecipeSpec]:
        """Recipes that are joined.

        Raises:
            InputError: A place that may be of more than one of them.
        """
        parts = [replace(self, recipe=recipe) for _, recipe in parts_of(self.recipe)]
        for option, count in Counter(part._option() for part in parts).items():
            if count > 1 and getattr(self.places, option.removeprefix("--").replace("-", "_")) is not None:
                what = f"{count} encoders of the {self.modality} are joined, and it could be any of them"
                raise InputError(option, what, "leave it out, with each where its recipe says")
        return parts

    @property
    def _tuned(self) -> bool:
        """True for a text encoder of `fmerl.finetuning`; new conversations meet the one tuned on all of train."""
        return self.modality == "text" and "tuned" in self.recipe

    def _has(self, names: tuple[str, ...]) -> bool:
        return all(name in self.recipe for name in names)

    def _option(self) -> str:
        if self.modality == "visual":
            return "--visual-weights" if "pixels" in self.recipe else "--visual-encoder"
        if self.modality == "audio":
            return "--audio-set" if "feature_set" in self.recipe else "--audio-encoder"
        return "--text-encoder"


def check_same(made: Mapping[str, Any], wanted: Mapping[str, Any], where: str, remedy: str) -> None:
    """Refuse a recipe that makes other vectors than the wanted one; other versions of libraries are only logged.

    Raises:
        InputError: Names `where`, the field that differs and the `remedy`.
    """
    for name in sorted({*made, *wanted} - _NOT_COMPARED):
        if made.get(name) != wanted.get(name):
            what = f"{name} is {made.get(name)!r} here and {wanted.get(name)!r} in the recipe"
            raise InputError(where, what, remedy)
    for name in _LIBRARIES:
        before, now = wanted.get(name, {}), made.get(name, {})
        changed = [f"{key} {before[key]} then, {now.get(key)} now" for key in before if now.get(key) != before[key]]
        if changed:
            _log.info("%s: %s", where, "; ".join(changed))
