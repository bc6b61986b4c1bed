"""Features of a piece of a large input: by extraction on Ray Data, or from tables that are there."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fmerl.bundle.predictor import Predictor, absent_table, corpus_of, is_given
from fmerl.bundle.recipes import check_same
from fmerl.card import read_card
from fmerl.corpus import Utterance, read_header
from fmerl.errors import InputError
from fmerl.features.encoder import parts_of
from fmerl.features.joined import read_joined
from fmerl.features.store import FeatureTable, read_features
from fmerl.features.table_names import table_name
from fmerl_platform.prediction.request import PredictionError, PredictionRequest
from fmerl_platform.running.progress import Counting


def extracted(
    utterances: Sequence[Utterance], predictor: Predictor, request: PredictionRequest, home: Path, counting: Counting
) -> list[FeatureTable]:
    """Features by the bundle's recipes, on Ray Data; interrupted, they go on where they were.

    Args:
        utterances: Whole dialogues.
        predictor: Gives the recipes.
        request: Gives the media's folder and the resources.
        home: Folder of unfinished work on these utterances.
        counting: Shows progress.

    Raises:
        PredictionError: A worker cannot build its encoder, or the encoder raised; what was encoded is kept.
    """
    from fmerl_platform.extraction.pipeline import ExtractionError  # Ray starts slowly, and a small input needs none
    from fmerl_platform.extraction.run import ExtractionRequest, extract_corpus

    corpus = replace(corpus_of(utterances, predictor.bundle.manifest), name="piece")
    given = [spec for spec in predictor.specs if is_given(spec.modality, utterances)]
    wanted = ExtractionRequest(
        corpus=request.folder,
        media_roots=request.media_roots,
        features=home / "features",
        specs=given,
        storage=home,
        resources=request.resources,
    )
    try:
        extract_corpus(corpus, wanted, counting)
    except ExtractionError as error:
        raise PredictionError(str(error)) from error
    ids, there = [utterance.utterance_id for utterance in corpus.utterances()], {spec.modality for spec in given}
    tables = [
        read_features(wanted.features, corpus.name, name, ids) if name in there else absent_table(name, ids, width)
        for name, width in predictor.bundle.manifest.widths.items()
    ]
    shutil.rmtree(wanted.features)
    return tables


def at_hand(
    utterances: Sequence[Utterance], predictor: Predictor, root: Path, corpus_folder: Path
) -> list[FeatureTable]:
    """Features from the tables of a corpus folder.

    Raises:
        InputError: No corpus folder, no such table, or one that was made by another recipe than the bundle's.
    """
    if not corpus_folder.is_dir():
        raise InputError("--features", f"{corpus_folder} is no corpus folder", "leave it out, or give the folder")
    name = read_header(corpus_folder / "corpus.json").name
    corpus = replace(corpus_of(utterances, predictor.bundle.manifest), name=name)
    for spec in predictor.specs:
        for part, recipe in parts_of(spec.recipe):
            if (folder := root / name / table_name(spec.modality, part)).is_dir():
                made = read_card(folder)["recipe"]
                check_same(made, recipe, str(folder), "make it by the recipe on the bundle's card")
    ids = [utterance.utterance_id for utterance in corpus.utterances()]
    return [
        read_joined(root, name, spec.modality, ids, [part for part, _ in parts_of(spec.recipe)])
        for spec in predictor.specs
    ]
