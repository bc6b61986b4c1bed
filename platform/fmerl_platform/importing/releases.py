"""Import of raw releases, other annotations and published feature pickles for a grid to read."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fmerl.corpus import SPLITS, Corpus, Problem, write_corpus
from fmerl.corpus.checks import check_splits
from fmerl.corpus.class_maps import read_class_map, told_class_map, with_classes
from fmerl.corpus.id_lists import read_happy_ids, read_id_list
from fmerl.corpus.readers import read_iemocap, read_meld, read_published
from fmerl.corpus.readers.assembly import corpus_name
from fmerl.corpus.readers.feature_pickles.reader import PublishedFeatures
from fmerl.corpus.readers.iemocap.evaluation import by_utterance, read_evaluations
from fmerl.corpus.readers.iemocap.ids import COSMIC_VALIDATION
from fmerl.corpus.readers.iemocap.reader import Protocol
from fmerl.corpus.readers.meld_media import with_media
from fmerl.corpus.readers.sizes import unusual_sizes
from fmerl.errors import InputError
from fmerl.features.store import FeatureTable, write_features

Tell = Callable[[str], object]
"""Function that shows the user a line."""

_NOTHING_WRITTEN = "dry run: nothing is written"


@dataclass(frozen=True, kw_only=True)
class PickleImport:
    """A published feature pickle and where it goes."""

    pickle: Path
    output: Path
    """Folder that gets `corpus/` and `features/`."""
    text: str = "roberta1"
    iemocap: Path | None = None
    """The raw release, for its human scores."""
    validation: Path | None = None
    """List of dialogues to hold out, by the pickle's keys."""
    dry_run: bool = False


def import_features(request: PickleImport, tell: Tell) -> None:
    """Import a feature pickle and tell what was found in it.

    Raises:
        InputError: Any fault of the files, or something in the way of the output.
    """
    problems: list[Problem] = []
    evaluations = read_evaluations(request.iemocap.resolve(), problems) if request.iemocap else None
    published = read_published(
        request.pickle,
        text=request.text,
        validation=read_id_list(request.validation) if request.validation else None,
        evaluations=by_utterance(evaluations) if evaluations is not None else None,
    )
    problems += published.problems
    corpus, folder, features = published.corpus, request.output / "corpus", request.output / "features"
    check_splits(request.pickle, list(corpus.utterances()))
    _tell_corpus(corpus, problems, folder, tell)
    for modality, values in published.features.items():
        absent = int(published.missing[modality].sum())
        tell(f"{modality:<11}{values.shape[1]} wide, missing for {absent} of {len(values)} utterances")
    for modality, warning in published.format.supervised.items():
        tell(f"warning: the {modality} features are {warning}")
    if not any(utterance.valence is not None for utterance in corpus.utterances()):
        human = "" if corpus.name == "meld" or request.iemocap else ", or import IEMOCAP's own with --iemocap DIR"
        tell(f"no VAD scores: make them with fmerl label --corpus {folder}{human}")
    if request.dry_run:
        tell(_NOTHING_WRITTEN)
        return
    for modality in published.features:
        write_features(features, corpus.name, feature_table(published, modality))
    write_corpus(corpus, folder, problems)
    tell(f"written: --corpus {folder} --features {features}")


def feature_table(published: PublishedFeatures, modality: str) -> FeatureTable:
    """Table of one modality of a pickle; its card says whether labels went into the features."""
    card = {
        "recipe": {"pickle": published.source, "items": list(published.items[modality])},
        "supervised_on_labels": modality in published.format.supervised,
    }
    if modality in published.format.supervised:
        card["warning"] = f"These features are {published.format.supervised[modality]}."
    return FeatureTable(
        modality=modality,
        utterance_ids=tuple(utterance.utterance_id for utterance in published.corpus.utterances()),
        values=published.features[modality],
        missing=published.missing[modality],
        card=card,
    )


def read_meld_release(meld: Path, media: Path | None = None) -> tuple[Corpus, list[Problem]]:
    """MELD from its CSVs, with the clips that lie below `media`."""
    corpus, problems = read_meld(meld)
    if media is not None:
        corpus, more = with_media(corpus, media)
        problems += more
    return checked(meld, corpus, problems)


def checked(source: Path, corpus: Corpus, problems: Sequence[Problem]) -> tuple[Corpus, list[Problem]]:
    """A corpus that was read whole, with its size told if it is no release's.

    Raises:
        InputError: A split without a target.
    """
    check_splits(source, list(corpus.utterances()))
    return corpus, [*problems, *unusual_sizes(corpus)]


def read_iemocap_release(
    iemocap: Path, protocol: Protocol, ids: Path | None, validation: Path | None, keep_context: bool
) -> tuple[Corpus, list[Problem]]:
    """IEMOCAP by one of its two protocols, with id lists from files.

    Raises:
        InputError: See `read_iemocap`; or a split without a target.
    """
    corpus, problems = read_iemocap(
        iemocap,
        protocol,
        ids=read_happy_ids(ids) if ids else None,
        validation=read_id_list(validation) if validation else COSMIC_VALIDATION,
        keep_context=keep_context,
    )
    check_splits(iemocap, list(corpus.utterances()))
    return corpus, [*problems, *(unusual_sizes(corpus) if keep_context else ())]


def with_class_map(corpus: Corpus, problems: Sequence[Problem], given: Sequence[str]) -> tuple[Corpus, list[Problem]]:
    """The corpus with its classes mapped, and a line for each class that is no longer itself.

    It is called after its number of classes, `iemocap-4`, so that nothing published for the whole stands beside it.

    Raises:
        InputError: No map of this corpus's classes; a split is left without a target.
    """
    option = "--classes"
    class_map = read_class_map(given, corpus.classes, option)
    mapped = with_classes(corpus, class_map, option)
    check_splits(Path(option), list(mapped.utterances()))
    counts = Counter(item.emotion for item in corpus.utterances())
    changes = [
        Problem(
            where=option,
            row=0,
            what=f"{counts[old]} utterances of {old}",
            action="kept as context" if new is None else f"read as {new!r}",
        )
        for old, new in class_map.items()
        if new != old
    ]
    return replace(mapped, name=f"{corpus.name}-{len(mapped.classes)}"), [*problems, *changes]


def renamed(corpus: Corpus, name: str) -> Corpus:
    """The corpus under another name.

    Raises:
        InputError: It cannot name a folder.
    """
    if corpus_name(name) != name:
        raise InputError(f"--name {name}", "it cannot name a folder", f"write it as {corpus_name(name)}")
    return replace(corpus, name=name)


def without_context(corpus: Corpus, problems: Sequence[Problem]) -> tuple[Corpus, list[Problem]]:
    """The corpus's targets alone; dialogues without any are gone."""
    dialogues = tuple(
        replace(dialogue, utterances=targets)
        for dialogue in corpus.dialogues
        if (targets := tuple(item for item in dialogue.utterances if item.emotion is not None))
    )
    smaller = replace(corpus, dialogues=dialogues)
    gone = len(list(corpus.utterances())) - len(list(smaller.utterances()))
    if not gone:
        return corpus, list(problems)
    what = f"{gone} utterances without a target"
    return smaller, [*problems, Problem(where=corpus.name, row=0, what=what, action="left out")]


def import_corpus(corpus: Corpus, problems: Sequence[Problem], folder: Path, dry_run: bool, tell: Tell) -> None:
    """Write a corpus that was read from another form and tell what was found in it.

    Raises:
        InputError: Something in the way of the folder.
    """
    _tell_corpus(corpus, problems, folder, tell)
    for path in ("audio_path", "video_path"):
        count = sum(getattr(utterance, path) is not None for utterance in corpus.utterances())
        tell(f"{path} of {count} utterances")
    if dry_run:
        tell(_NOTHING_WRITTEN)
        return
    write_corpus(corpus, folder, problems)
    media = [path for item in corpus.utterances() for path in (item.audio_path, item.video_path) if path is not None]
    # Extraction reads media below the corpus folder, and elsewhere only where it is told to.
    roots = f" --media-roots {os.path.commonpath([os.path.dirname(path) for path in media])}" if media else ""
    tell(f"written: --corpus {folder}{roots}")


def _tell_corpus(corpus: Corpus, problems: Sequence[Problem], folder: Path, tell: Tell) -> None:
    emotions = Counter(utterance.emotion for utterance in corpus.utterances())
    total, targets = emotions.total(), emotions.total() - emotions[None]
    tell(f"{corpus.name}: {total} utterances in {len(corpus.dialogues)} dialogues, {targets} targets")
    for split in SPLITS:
        lengths = [len(dialogue.utterances) for dialogue in corpus.dialogues if dialogue.split == split]
        tell(f"{split:<11}{sum(lengths)} utterances in {len(lengths)} dialogues")
    for problem in problems:
        if problem.on_screen:
            tell(f"warning: {problem.what}: {problem.action}")
    tell("classes    " + ", ".join(f"{name} {emotions[name]}" for name in corpus.classes))
    if told := told_class_map(corpus.class_map):
        tell(f"mapped     {told}")
    tell(f"{len(problems)} odd rows and files, for {folder / 'problems.csv'}")
    # Actions that differ only in the text they quote are counted together.
    for action, count in Counter(re.split(" ['\"]", problem.action)[0] for problem in problems).most_common():
        tell(f"{count:>10} {action}")
