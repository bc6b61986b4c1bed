"""Language models: a JSON file that names them, and those of it that a run asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fmerl.errors import InputError
from fmerl.supervision.templates import PAPER, PAPERS, Templates
from fmerl.user_text import read_json

_FORM = '{"models": [{"name": "<in tables>", "id": "<as the endpoint calls it>"}]}'
_OPTIONAL: dict[str, Any] = {"parameters_millions": (int, float), "base_url": str}


@dataclass(frozen=True, kw_only=True)
class LanguageModel:
    """One model, its endpoint, and the templates by which it is asked."""

    name: str
    """Name in tables and tags."""
    id: str
    """Name at the endpoint."""
    parameters: float | None = None
    """Number of parameters; None where it is not known."""
    base_url: str | None = None
    """Address of its endpoint; None takes `OPENAI_BASE_URL`."""
    templates: Templates = PAPERS
    """Its `classification` and `system` are sent."""
    control: str = ""
    """Name of the same model under the first templates, with which it is compared; empty for that model itself."""

    def __post_init__(self) -> None:
        for text in (self.name, self.id):
            if not text.strip() or "'" in text:
                raise InputError(f"model {text!r}", "an empty name, or a quote in it", "name it otherwise")


def read_models(path: Path) -> tuple[LanguageModel, ...]:
    """The models of a file, in its order.

    Raises:
        InputError: It is no such file, or two models share a name.
    """
    content = read_json(path, f"write {_FORM}")
    entries = content.get("models") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise InputError(path, "no list of models", f"write {_FORM}")
    models = tuple(_model(path, number, entry) for number, entry in enumerate(entries, start=1))
    names = [model.name for model in models]
    for name in names:
        if names.count(name) > 1:
            raise InputError(path, f"two models are called {name}", "name each once")
    return models


def chosen_models(names: Sequence[str], known: Sequence[LanguageModel]) -> tuple[LanguageModel, ...]:
    """All known models, or those of these names; an unknown name is passed to the endpoint as it is."""
    by_name = {model.name: model for model in known}
    if len(set(names)) != len(names):
        raise InputError("--model", f"a model stands twice in {', '.join(names)}", "name each once")
    return tuple(by_name.get(name) or LanguageModel(name=name, id=name) for name in names) if names else tuple(known)


def under_templates(models: Sequence[LanguageModel], templates: Sequence[Templates]) -> tuple[LanguageModel, ...]:
    """Each model under each of the templates, to compare with the first; under the paper's it keeps its name."""

    def named(model: LanguageModel, each: Templates) -> str:
        return model.name if each.name == PAPER else f"{model.name} · {each.name}"

    return tuple(
        replace(
            model,
            name=named(model, each),
            templates=each,
            control="" if each is templates[0] else named(model, templates[0]),
        )
        for model in models
        for each in templates
    )


def _model(path: Path, number: int, entry: Any) -> LanguageModel:
    where, allowed = f"model {number}", {"name": str, "id": str, **_OPTIONAL}
    if not isinstance(entry, dict) or not {"name", "id"} <= entry.keys() <= allowed.keys():
        what = f"{where} has not the fields name and id, with at most {' and '.join(_OPTIONAL)} beside"
        raise InputError(path, what, f"write {_FORM}")
    for field, value in entry.items():
        if not isinstance(value, allowed[field]) or isinstance(value, bool):
            raise InputError(path, f"{where}: {field} cannot be {value!r}", f"write {_FORM}")
    millions = entry.get("parameters_millions")
    if millions is not None and not 0 < millions < float("inf"):
        raise InputError(path, f"{where}: parameters_millions is {millions}", "give a number above 0, or leave it out")
    return LanguageModel(
        name=entry["name"],
        id=entry["id"],
        parameters=None if millions is None else 1e6 * millions,
        base_url=entry.get("base_url"),
    )
