"""What is scored, and against what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fmerl.errors import InputError
from fmerl.files import file_digest
from fmerl_platform.ledger.results import CorpusCells
from fmerl_platform.scoring.files import PredictionFile, read_predictions
from fmerl_platform.scoring.gold import Gold, gold_of_folder, gold_of_study, with_study
from fmerl_platform.studies.results import StudyResults, open_study


@dataclass(frozen=True, kw_only=True)
class ScoreRequest:
    """Files to score."""

    files: Mapping[str, Path]
    """Prediction files by name, at least one."""
    corpus: str | None = None
    """Corpus folder; with a study, may be the name of one of its corpora."""
    study: str | None = None
    """Study whose variant the files are compared with."""
    variant: str | None = None
    """The study's control unless given."""
    storage: Path = Path("runs")
    """Storage of the study."""
    margin: float | None = None
    """Points of weighted F1 within which two systems count as equivalent."""

    def __post_init__(self) -> None:
        if self.corpus is None and self.study is None:
            raise InputError("--corpus", "nothing says which classes are right", "give a corpus folder, or --study")
        if self.variant is not None and self.study is None:
            raise InputError(f"--variant {self.variant}", "a variant of no study", "give --study as well")


@dataclass(frozen=True, kw_only=True)
class ScoreInputs:
    """Files that were read and checked, with what they are scored on and compared with."""

    request: ScoreRequest
    gold: Gold
    files: tuple[PredictionFile, ...]
    beside: CorpusCells | None
    """The study's results on the corpus."""
    variant: str
    """The study's variant; empty without a study."""

    @cached_property
    def facts(self) -> dict[str, str]:
        """What was scored, for the report's provenance."""
        facts = {file.name: f"{file.path.resolve()} sha256={file_digest(file.path)}" for file in self.files}
        if self.request.study is not None:
            facts["study"] = f"{self.request.study}: {self.variant}"
        return facts


def read_inputs(request: ScoreRequest) -> ScoreInputs:
    """Read and check everything.

    Raises:
        InputError: Any fault of the files, the corpus or the study.
    """
    folder = None if request.corpus is None or not Path(request.corpus).is_dir() else Path(request.corpus)
    if request.study is None and folder is None:
        raise InputError(f"--corpus {request.corpus}", "no such folder", "give a corpus folder")
    gold = None if folder is None else gold_of_folder(folder)
    beside, variant = None, ""
    if request.study is not None:
        study = open_study(request.study, request.storage)
        beside = _corpus_of(study, gold.corpus if gold else request.corpus)
        variant = request.variant or beside.control
        _check_variant(request, beside, variant)
        gold = gold_of_study(beside) if gold is None else with_study(gold, beside)
    assert gold is not None
    files = tuple(read_predictions(name, path, gold) for name, path in request.files.items())
    return ScoreInputs(request=request, gold=gold, files=files, beside=beside, variant=variant)


def _corpus_of(study: StudyResults, name: str | None) -> CorpusCells:
    """The study's results on a corpus; without a name it must have one alone."""
    known = [corpus.corpus for corpus in study.record.corpora]
    if name is None and len(known) > 1:
        raise InputError("--corpus", f"the study has {', '.join(known)}", "name the one that the files are of")
    return study.of_corpora([known[0] if name is None else name]).corpora[0]


def _check_variant(request: ScoreRequest, beside: CorpusCells, variant: str) -> None:
    if variant not in beside.variants:
        known = ", ".join(beside.variants)
        raise InputError(f"--variant {variant}", f"not in study {request.study}", f"name one of {known}")
    if not beside.of_variant(variant):
        raise InputError(
            f"--variant {variant}", f"no cell of it has finished on {beside.corpus}", "run the study first"
        )
    if variant in request.files:
        path = request.files[variant]
        raise InputError(path, f"is called {variant!r} as the study's variant is", "name it apart, as NAME=PATH")
