"""Maps of classes: renamed, merged, or left out as targets when a corpus is imported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fmerl.corpus.checks import is_identifier
from fmerl.corpus.dialogue import Corpus
from fmerl.errors import InputError
from fmerl.user_text import read_json

ClassMap = Mapping[str, str | None]
"""New name of a class by its old one; None makes its utterances context. Classes that it does not name stay."""

_IEMOCAP_CODES: ClassMap = {
    "neu": "neutral",
    "hap": "happy",
    "ang": "angry",
    "exc": "excited",
    "fru": "frustrated",
    **dict.fromkeys(("sur", "fea", "dis", "oth", "xxx")),
}

PROTOCOLS: Mapping[str, ClassMap] = {
    "iemocap-6": _IEMOCAP_CODES,
    "iemocap-4": {
        **_IEMOCAP_CODES,
        **dict.fromkeys(("exc", "excited"), "happy"),
        **dict.fromkeys(("fru", "frustrated")),
    },
}
"""Maps of IEMOCAP's classes, which take its own codes and the names of its reader, those that a corpus has.

iemocap-6: happy, sad, neutral, angry, excited and frustrated, which are the reader's own classes (Majumder et al. 2019,
DialogueRNN). iemocap-4: happy with excited, sad, neutral and angry, 5,531 targets of the majority labels (1,636, 1,084,
1,708 and 1,103), as in speech emotion recognition (Yang et al. 2021, SUPERB, and others).
"""

_FORM = 'give a protocol, OLD=NEW pairs, or a JSON file of {"old": "new"}; an empty NEW, or null, makes it context'


def read_class_map(given: Sequence[str], classes: Sequence[str], option: str = "--classes") -> ClassMap:
    """The map that a user gives: a protocol's name, a JSON file, or pairs such as `excited=happy` and `frustrated=`.

    Args:
        given: What stands behind the option.
        classes: Those of the corpus; a protocol's other names do not count.
        option: Its name, for errors.

    Raises:
        InputError: None of these, a class named twice, or a name with white space around it.
    """
    if len(given) == 1 and given[0] in PROTOCOLS:
        return {old: new for old, new in PROTOCOLS[given[0]].items() if old in classes}
    if len(given) == 1 and given[0].endswith(".json"):
        found = read_json(Path(given[0]), _FORM)
        where: str | Path = Path(given[0])
        if not isinstance(found, dict):
            raise InputError(where, "no JSON object", _FORM)
        pairs = [(old, new or None) for old, new in found.items()]
    else:
        where = option
        pairs = []
        for pair in given:
            old, mark, new = pair.rpartition("=")
            if not mark:
                raise InputError(option, f"{pair!r} is neither a pair nor one of {', '.join(PROTOCOLS)}", _FORM)
            pairs.append((old, new or None))
    if not pairs:
        raise InputError(where, "it names no class", _FORM)
    for name in (name for pair in pairs for name in pair):
        if name is not None and not is_identifier(name):
            raise InputError(where, f"{name!r} is no name of a class", "give names without white space around them")
    if len(dict(pairs)) < len(pairs):
        twice = next(name for name, count in Counter(old for old, _ in pairs).items() if count > 1)
        raise InputError(where, f"class {twice} is mapped twice", "keep one of its pairs")
    return dict(pairs)


def with_classes(corpus: Corpus, class_map: ClassMap, where: str = "--classes") -> Corpus:
    """The corpus with its classes mapped, in the order in which each new one first stands among the old.

    The unseen class keeps its part if it is renamed alone; one that is merged or left out leaves the corpus without.

    Raises:
        InputError: A class that the corpus lacks, a map that changes nothing, or one that leaves fewer than two.
    """
    listed = ", ".join(corpus.classes)
    for name in class_map:
        if name not in corpus.classes:
            raise InputError(where, f"{corpus.name} has no class {name}", f"its classes are {listed}")
    full = {name: class_map.get(name, name) for name in corpus.classes}
    if all(old == new for old, new in full.items()):
        raise InputError(where, f"it changes none of {corpus.name}'s classes ({listed})", "leave it out")
    classes = tuple(dict.fromkeys(name for name in full.values() if name is not None))
    if len(classes) < 2:
        left = ", ".join(classes) or "none"
        raise InputError(where, f"it leaves {left} of {corpus.name}'s classes", "keep at least two apart")
    dialogues = tuple(
        replace(
            dialogue,
            utterances=tuple(
                item if item.emotion is None else replace(item, emotion=full[item.emotion])
                for item in dialogue.utterances
            ),
        )
        for dialogue in corpus.dialogues
    )
    unseen = full[corpus.unseen_class] if corpus.unseen_class is not None else None
    return replace(
        corpus,
        classes=classes,
        dialogues=dialogues,
        unseen_class=unseen if list(full.values()).count(unseen) == 1 else None,
        class_map=_followed(corpus.class_map, full),
    )


def told_class_map(class_map: ClassMap) -> str:
    """The map in words, such as `happy from happy and excited; frustrated without target`; empty for none."""
    merged: dict[str | None, list[str]] = {}
    for old, new in class_map.items():
        merged.setdefault(new, []).append(old)
    parts = [f"{new} from {' and '.join(olds)}" for new, olds in merged.items() if new is not None and olds != [new]]
    return "; ".join([*parts, *(f"{old} without target" for old in merged.get(None, ()))])


def _followed(first: ClassMap, second: ClassMap) -> ClassMap:
    """Where each class of the release ends that was mapped by `first`, if at all, and then by `second`."""
    kept = {old: second[new] if new is not None else None for old, new in first.items()}
    return kept | {old: new for old, new in second.items() if old not in first.values()}
