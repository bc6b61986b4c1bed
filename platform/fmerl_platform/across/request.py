"""Corpora that are tested by each other's models: what was asked for, checked before anything is trained."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from pathlib import Path

from fmerl.bundle.recipes import check_same
from fmerl.corpus.class_maps import read_class_map
from fmerl.errors import InputError
from fmerl_platform.studies.ablation import Ablation
from fmerl_platform.studies.plan import StudyPlan, plan_study
from fmerl_platform.study.cells import CorpusInputs
from fmerl_platform.study.study import Study

ClassNames = Mapping[str, str]
"""Name under which a corpus's class is compared, by the corpus's own; classes that it lacks are not compared."""

_CLASSES = "--classes"


@dataclass(frozen=True, kw_only=True)
class AcrossPlan:
    """A study of one system on several corpora whose features and classes were compared."""

    plan: StudyPlan
    names: Mapping[str, ClassNames]
    """Class names to compare, by corpus."""

    def inputs(self, corpus: str) -> CorpusInputs:
        return next(item for item in self.plan.inputs if item.data.corpus == corpus)

    def describe(self) -> Iterator[str]:
        """A line per pair of different corpora: the classes that meet."""
        for train, test in permutations(self.corpora, 2):
            classes = self.meeting(train, test)
            alone = "" if len(classes) > 1 else "; valence, arousal and dominance alone are compared"
            yield f"{train} on {test}: {len(classes)} classes meet ({', '.join(classes) or 'none'}){alone}"

    @property
    def corpora(self) -> tuple[str, ...]:
        return tuple(self.names)

    def meeting(self, train: str, test: str) -> tuple[str, ...]:
        """Compared classes that both corpora have, in the order of the tested one."""
        learned = set(self.names[train].values())
        return tuple(name for name in dict.fromkeys(self.names[test].values()) if name in learned)


def plan_across(study: Study, classes: Sequence[str], storage: Path) -> AcrossPlan:
    """Read and check all inputs of a study whose one variant is trained on each corpus.

    Args:
        study: Two corpora or more, one variant, no folds.
        classes: `CORPUS:OLD=NEW` each: names under which classes are compared; an empty NEW compares none.
        storage: Folder of synthetic corpora.

    Raises:
        InputError: Fewer than two corpora, features that were not made alike, or a class map that fits no corpus.
    """
    if len(study.corpora) < 2:
        raise InputError("--corpus", "one corpus has no other to be tested on", "give two or more")
    plan = plan_study(study, Ablation(), storage)
    for one, other in combinations(plan.inputs, 2):
        _check_features(one, other)
    return AcrossPlan(plan=plan, names=_names(plan.inputs, classes))


def _check_features(one: CorpusInputs, other: CorpusInputs) -> None:
    """Refuse corpora whose features are not of the same encoders, as their cards say."""
    here, there = (item.control.backbone.modalities for item in (one, other))
    where = f"features of {one.data.corpus} and {other.data.corpus}"
    if here != there:
        what = f"a model that reads {'+'.join(here)} cannot read {'+'.join(there)}"
        raise InputError(where, what, "name modalities that all corpora have with --modalities")
    for modality in here:
        remedy = "extract both with the same encoder and settings: of the same width is not enough"
        check_same(other.recipes[modality], one.recipes[modality], f"{modality} {where}", remedy)
        widths = [item.data.features[modality].shape[1] for item in (one, other)]
        if widths[0] != widths[1]:
            raise InputError(f"{modality} {where}", f"they are {widths[0]} and {widths[1]} wide", remedy)


def _names(inputs: Sequence[CorpusInputs], given: Sequence[str]) -> dict[str, ClassNames]:
    pairs: dict[str, list[str]] = defaultdict(list)
    for text in given:
        corpus, colon, pair = text.partition(":")
        if not colon or corpus not in {item.data.corpus for item in inputs}:
            listed = ", ".join(item.data.corpus for item in inputs)
            what = f"{text!r} names none of {listed}"
            raise InputError(_CLASSES, what, f"write CORPUS:OLD=NEW, as in {inputs[0].data.corpus}:joy=happy")
        pairs[corpus].append(pair)
    names: dict[str, ClassNames] = {}
    for item in inputs:
        corpus, classes = item.data.corpus, item.data.classes
        class_map = read_class_map(pairs[corpus], classes, _CLASSES) if corpus in pairs else {}
        unknown = [name for name in class_map if name not in classes]
        if unknown:
            what = f"{corpus} has no class {unknown[0]}"
            raise InputError(_CLASSES, what, f"its classes are {', '.join(classes)}")
        compared = {name: class_map.get(name, name) for name in classes}
        names[corpus] = {old: new for old, new in compared.items() if new is not None}
    return names
