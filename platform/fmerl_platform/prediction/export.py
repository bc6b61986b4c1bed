"""Export of a study's variant as one bundle: the models of its seeds, calibrated together, with their model card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fmerl.bundle.calibration import fit_temperature, probabilities
from fmerl.bundle.folder import joined, write_bundle
from fmerl.bundle.manifest import Manifest
from fmerl.bundle.model import Bundle
from fmerl.bundle.predictions import scores_and_gold, seen_validation
from fmerl.errors import InputError
from fmerl_platform.ledger.kept_bundles import keeps_bundle, read_kept
from fmerl_platform.ledger.models.bundles import log_model, set_alias
from fmerl_platform.ledger.results import CellRecord, CorpusCells
from fmerl_platform.prediction.model_card import Calibration, model_card
from fmerl_platform.prediction.requirements import EXAMPLE, requirements
from fmerl_platform.scoring.calibration import expected_calibration_error
from fmerl_platform.studies.results import StudyResults


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What to export."""

    variant: str | None = None
    """Variant; the control unless given."""
    corpus: str | None = None
    """Corpus; may be left out where the study has one."""
    seeds: tuple[int, ...] | None = None
    """Seeds; all that are finished unless given."""
    retrain: bool = False
    """Train cells again that kept no weights; they must give the numbers that they gave."""
    data_licence: str | None = None
    """Licence of the corpus, for the model card."""


@dataclass(frozen=True, kw_only=True)
class Logged:
    """A bundle in MLflow."""

    uri: str
    """`models:/…` of the logged model."""
    version: str | None
    """Its version where it is registered."""


def export(study: StudyResults, request: ExportRequest, output: Path, storage: Path) -> Manifest:
    """Write the bundle of a variant; returns what it holds.

    Args:
        study: A finished study.
        request: What to export.
        output: The bundle's folder.
        storage: Folder of synthetic corpora, for cells that are trained again.

    Raises:
        InputError: No such variant, corpus or finished seed; a cell without weights; or something in the way.
    """
    corpus, cells = choose(study, request)
    manifest, weights = joined(bundles := [_bundle(study, cell, storage) for cell in cells])
    tables = [cell.predictions for cell in cells]
    temperature = fit_temperature(*seen_validation(manifest, tables))
    licences = manifest.licences
    if request.data_licence is not None:
        licences = {**licences, f"corpus {manifest.corpus}": request.data_licence}
    about = {
        "name": study.record.study,
        "variant": cells[0].variant,
        "control": study.record.control,
        **{name: study.record.provenance[name] for name in ("code_digest", "git_commit", "packages")},
    }
    manifest = replace(manifest, temperature=temperature, licences=licences, study=about)
    card = model_card(study, corpus, cells, manifest, calibration_of(manifest, cells))
    write_bundle(output, manifest, bundles[0].anchors, weights, {"README.md": card})
    return manifest


def choose(study: StudyResults, request: ExportRequest) -> tuple[CorpusCells, Sequence[CellRecord]]:
    """The finished cells that a request names.

    Raises:
        InputError: There is no such corpus, variant or finished seed, or a cell that kept no weights.
    """
    corpora = {corpus.corpus: corpus for corpus in study.corpora}
    name = request.corpus or (next(iter(corpora)) if len(corpora) == 1 else None)
    if name not in corpora:
        what = "the study has several corpora" if name is None else f"{name} is not in the study"
        raise InputError("--corpus", what, f"name one of {', '.join(corpora)}")
    corpus = corpora[name]
    variant = request.variant or corpus.control
    if variant not in corpus.variants:
        raise InputError("--variant", f"{variant} is not in the study", f"name one of {', '.join(corpus.variants)}")
    if corpus.folds:
        what = "each of the study's models has learned from some folds of the corpus alone"
        raise InputError(f"--study {study.record.study}", what, "export a study that was run without --folds")
    finished = corpus.of_variant(variant)
    wanted = request.seeds or tuple(cell.seed for cell in finished)
    absent = [seed for seed in wanted if seed not in {cell.seed for cell in finished}]
    if absent or not finished:
        where = f"{variant} on {name}"
        what = f"seed {absent[0]} is not finished" if absent else "no seed is finished"
        raise InputError(where, what, "run the study's command again")
    cells = [cell for cell in finished if cell.seed in wanted]
    client = study.experiment.client()
    for cell in cells:
        if not request.retrain and not keeps_bundle(client, cell.run_id):
            what = "the cell kept no weights"
            raise InputError(f"{cell.variant}, seed {cell.seed}", what, "give --retrain, or train with --keep-weights")
    return corpus, cells


def calibration_of(manifest: Manifest, cells: Sequence[CellRecord]) -> Calibration:
    """How far the probabilities of the cells' models together can be trusted, on the test split."""
    scores, gold = scores_and_gold(manifest, [cell.predictions for cell in cells], "test")
    errors = []
    for temperature in (manifest.temperature, 1.0):
        joint = probabilities(scores, temperature).mean(axis=0)
        right = joint.argmax(axis=1) == gold
        errors.append((expected_calibration_error(joint.max(axis=1), right), float(np.mean(right))))
    (error, accuracy), (uncalibrated, _) = errors
    return Calibration(error=error, uncalibrated=uncalibrated, accuracy=accuracy)


def log_to_mlflow(study: StudyResults, manifest: Manifest, bundle: Path, name: str | None, alias: str | None) -> Logged:
    """Log an exported bundle as a model of its variant's run, and register it where it is given a name."""
    run_id = study.runs.variants[manifest.corpus, manifest.study["variant"]]
    uri, version = log_model(
        study.experiment.uri, run_id, bundle, example=EXAMPLE, requirements=requirements(manifest), name=name
    )
    if name is not None and alias is not None and version is not None:
        set_alias(study.experiment.uri, name, alias, version)
    return Logged(uri=uri, version=version)


def _bundle(study: StudyResults, cell: CellRecord, storage: Path) -> Bundle:
    kept = read_kept(study.experiment.client(), cell.run_id)
    if kept is not None:
        return kept
    from fmerl_platform.prediction.retrain import retrained

    return retrained(study, cell, storage)
