"""Inputs of a study, checked before anything is trained: corpora, feature tables, label sets, anchors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fmerl.card import read_card
from fmerl.conditions.condition import parse_conditions
from fmerl.config import KNOWLEDGE, MODALITIES, RELATIONS, CellConfig
from fmerl.corpus import Corpus, read_corpus
from fmerl.corpus.inspection import repeats_of_train
from fmerl.errors import InputError
from fmerl.features.encoder import reads_later_turns
from fmerl.features.joined import read_joined
from fmerl.features.store import FeatureTable
from fmerl.features.table_names import parse_tables
from fmerl.folds.data import check_folds
from fmerl.folds.splits import folds_of, repeats_in_folds
from fmerl.supervision.anchors import encode_anchors
from fmerl.supervision.emotion_levels import default_descriptions
from fmerl.supervision.labels import read_labels_of
from fmerl.synthetic import SHAPES
from fmerl.synthetic.folder import materialise
from fmerl.training.assembly import assemble
from fmerl_platform.study.cells import CorpusInputs
from fmerl_platform.study.options import InputOptions, control_config
from fmerl_platform.study.study import Study, check_corpus


def load_inputs(study: Study, storage: Path) -> list[CorpusInputs]:
    """Read and check every corpus, synthetic ones written to `storage`; InputError for any fault of them."""
    found = [(name, *open_corpus(name, study.inputs, storage)) for name in study.corpora]
    if study.hold_out is not None:
        study.hold_out.check(corpus.name for _, corpus, _ in found)
    return [read_inputs(study, storage, *each) for each in found]


def read_inputs(study: Study, storage: Path, name: str, corpus: Corpus, features: Path) -> CorpusInputs:
    """Read and check all else that a study reads of a corpus (`open_corpus`); InputError for any fault of it."""
    configs = configs_of(study, corpus, _tables_found(features, corpus, study.inputs))
    kept = storage / "anchors" if storage.is_dir() else None  # a dry run makes no storage
    return join_inputs(name, corpus, features, configs, study.inputs, study.folds, kept)


def configs_of(study: Study, corpus: Corpus, modalities: Sequence[str]) -> list[CellConfig]:
    """Configurations of a corpus's cells, the control's first, checked against what the study asks of the corpus.

    Args:
        study: The study.
        corpus: One of its corpora.
        modalities: Modalities that have features.

    Raises:
        InputError, StudyError: A configuration, variant, class held out or condition that the corpus does not take.
    """
    preset = control_config(corpus.name, modalities, study.inputs)
    if study.hold_out is not None:
        preset = study.hold_out.of_config(preset, corpus)
    control = study.variants[0].derive(preset)
    configs = [control, *(variant.derive(control) for variant in study.variants[1:])]
    for config in configs:
        _check_unseen(config, corpus)
    for condition in parse_conditions(study.conditions):
        # A modality that no cell reads would change nothing.
        for modality in condition.modalities:
            if not any(modality in config.tables for config in configs):
                what = f"no cell of {corpus.name} reads {modality}"
                raise InputError(f"--conditions {condition.text}", what, "leave it out, or extract the features")
    return configs


def open_corpus(name: str, options: InputOptions, storage: Path) -> tuple[Corpus, Path]:
    """A corpus and the folder of its feature tables; InputError where either is not there or not sound."""
    if name in SHAPES:
        folder, features = materialise(replace(SHAPES[name], scale=options.scale), storage)
        return read_corpus(folder), features
    check_corpus(name, options.features)
    assert options.features is not None
    return read_corpus(Path(name)), options.features


def join_inputs(
    name: str,
    corpus: Corpus,
    features: Path,
    configs: Sequence[CellConfig],
    options: InputOptions,
    folds: str | None = None,
    anchors_kept: Path | None = None,
) -> CorpusInputs:
    """Read all inputs of these configurations, the control's first.

    Args:
        name: The corpus as the study names it.
        corpus: The corpus.
        features: Folder of its feature tables.
        configs: Configurations of all cells.
        options: Where everything else is.
        folds: Scheme of `fmerl.folds.splits.folds_of`; None keeps the corpus's splits.
        anchors_kept: Folder where encoded anchors are kept; None keeps none.

    Raises:
        InputError: Any fault of feature tables, label set, anchors or folds.
    """
    used = {table for config in configs for table in config.tables}
    ids = [utterance.utterance_id for utterance in corpus.utterances()]
    for config in configs:
        _check_knowledge(config, features / corpus.name / KNOWLEDGE)
    # A synthetic corpus brings its own scores; a label set is for the corpora it was made from.
    labels = read_labels_of(options.labels, corpus) if options.labels and name not in SHAPES else None
    anchors = dict.fromkeys(config.anchors for config in configs)
    described = any(config.description != "label" for config in anchors)
    descriptions = labels.descriptions if labels else default_descriptions(corpus.classes, name) if described else {}
    encoded = encode_anchors(corpus.classes, descriptions, anchors, anchors_kept)  # features take longer to read
    chosen = parse_tables(options.tables)
    tables: list[FeatureTable] = [
        read_joined(features, corpus.name, table, ids, chosen.get(table, ()))
        for table in (*MODALITIES, KNOWLEDGE)
        if table in used
    ]
    _check_past(configs, tables)
    unseen = configs[0].training.unseen_classes
    data, parts = assemble(corpus, tables, labels), folds_of(corpus, folds) if folds else ()
    if parts:
        _check_unsupervised(corpus, tables)
        check_folds(data, parts)
    return CorpusInputs(
        data=data,
        control=configs[0],
        anchors=encoded,
        descriptions=descriptions,
        recipes={table.modality: table.card["recipe"] for table in tables},
        supervised=tuple(table.modality for table in tables if _may_know(table.card, unseen)),
        repeats=repeats_in_folds(corpus, parts) if parts else repeats_of_train(corpus),
        folds={fold.name: fold for fold in parts},
    )


def _check_knowledge(config: CellConfig, folder: Path) -> None:
    """Refuse a system that reads knowledge where there is none, or none that it can tell apart."""
    if KNOWLEDGE not in config.tables:
        return
    if not folder.is_dir():
        what = f"{config.system.name} reads knowledge, and there is no such feature table"
        raise InputError(folder, what, "make it with fmerl ask-knowledge, or leave that system out")
    relations = read_card(folder)["recipe"].get("relations")
    if relations != list(RELATIONS):
        what = f"by its card it holds {relations}, and not {', '.join(RELATIONS)}"
        raise InputError(folder, what, "make it again with fmerl ask-knowledge")


def _check_past(configs: Sequence[CellConfig], tables: Sequence[FeatureTable]) -> None:
    """Refuse features that hold later turns where a configuration attends to the past alone: it would see them yet."""
    read = {name for config in configs if config.backbone.attention == "past" for name in config.backbone.modalities}
    for table in tables:
        if table.modality in read and reads_later_turns(table.card["recipe"]):
            what = "by their card the encoder reads later turns, which backbone.attention = past must not see"
            raise InputError(f"{table.modality} features", what, "tune it with --input past, or leave attention full")


def _check_unsupervised(corpus: Corpus, tables: Sequence[FeatureTable]) -> None:
    """Refuse features from an encoder that was trained on the corpus's labels: each is tested in some fold."""
    for table in tables:
        if table.card.get("supervised_on_labels", False):
            where = f"{table.modality} features of {corpus.name}"
            what = "by their card the encoder was trained on this corpus's labels, which the folds test"
            raise InputError(where, what, "extract them with an encoder that has seen no label, or leave --folds out")


def _may_know(card: Mapping[str, Any], unseen: Sequence[str]) -> bool:
    """True unless the card rules out that the encoder was trained on labels, of the classes held out if there are any.

    A tuned encoder's card names the classes whose labels it has seen.
    """
    if not card.get("supervised_on_labels", True):
        return False
    seen = card.get("labels_seen")
    return seen is None or not unseen or not set(unseen).isdisjoint(seen["classes"])


def _check_unseen(config: CellConfig, corpus: Corpus) -> None:
    """Refuse classes held out that are none, or that leave fewer than two to learn."""
    unseen = set(config.training.unseen_classes)
    if not unseen <= set(corpus.classes) or len(corpus.classes) - len(unseen) < 2:
        what = f"{', '.join(sorted(unseen))} cannot be held out of {', '.join(corpus.classes)}"
        raise InputError("training.unseen_classes", what, f"name classes of {corpus.name}, and leave two")


def _tables_found(features: Path, corpus: Corpus, options: InputOptions) -> tuple[str, ...]:
    if options.modalities:
        return options.modalities
    chosen = parse_tables(options.tables)
    found = tuple(name for name in MODALITIES if name in chosen or (features / corpus.name / name).is_dir())
    if not found:
        raise InputError(features / corpus.name, "no feature table", f"extract one of {', '.join(MODALITIES)} into it")
    return found
