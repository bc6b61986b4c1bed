"""`fmerl import-corpus`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from fmerl.errors import InputError
from fmerl_platform.cli.console import EXIT_OK, results, say
from fmerl_platform.cli.options import FLAT, OutputFolder

if TYPE_CHECKING:
    from fmerl.corpus import Corpus, Problem

_TAKES = {
    "meld": ("media",),
    "iemocap": ("protocol", "ids", "validation"),
    "emorynlp": (),
    "dailydialog": (),
    "convokit": ("emotion", "split"),
    "audformat": ("emotion", "speaker", "text", "dialogue", "split", "tables", "vad_range"),
    "conversations": ("emotion", "vad_range"),
}
"""Options that belong to a source, by source."""


@dataclass(frozen=True, kw_only=True)
class ImportCorpusOptions:
    """Options of an import."""

    output: OutputFolder
    """The corpus folder."""
    meld: Path | None = None
    """Folder of MELD's three CSVs."""
    iemocap: Path | None = None
    """IEMOCAP_full_release."""
    emorynlp: Path | None = None
    """Folder of EmoryNLP's three JSON files, or of its three CSVs with times."""
    dailydialog: Path | None = None
    """ijcnlp_dailydialog, with train, validation and test as folders or zip files."""
    convokit: Path | None = None
    """ConvoKit folder."""
    audformat: Path | None = None
    """audformat database (pip install 'fmerl[audformat]')."""
    conversations: Path | None = None
    """Annotated turns in any file that fmerl predict reads, or a corpus folder."""
    media: tuple[Path, ...] | None = None
    """MELD: take the clips, below a folder or, without one, beside the CSVs."""
    protocol: Literal["raw-7380", "standard-7433"] | None = None
    """IEMOCAP: which targets there are; raw-7380 unless given."""
    ids: Path | None = None
    """standard-7433: ids to call happy, or the feature pickle."""
    validation: Path | None = None
    """IEMOCAP: dialogues to hold out, one per line."""
    emotion: str | None = None
    """ConvoKit, audformat, conversations: field of the emotion; emotion unless given."""
    speaker: str | None = None
    """audformat: field of the speaker; speaker unless given."""
    text: str | None = None
    """audformat: field of the text; transcription unless given."""
    dialogue: str | None = None
    """audformat: field of the dialogue; a segment's file unless given."""
    split: str | None = None
    """ConvoKit, audformat: field of the split. Without any split, dialogues are dealt 8 to 1 to 1."""
    tables: tuple[str, ...] | None = None
    """audformat: tables that the emotions are taken from."""
    vad_range: tuple[float, float] | None = None
    """audformat, conversations: lowest and highest of the scores that are there."""
    classes: tuple[str, ...] | None = None
    """Classes renamed or merged: OLD=NEW ..., where OLD= is context; a JSON file; iemocap-4 or iemocap-6."""
    name: str | None = None
    """The corpus's name; that of its source unless given, with the number of classes behind it where --classes is."""
    drop_unlabelled: bool = False
    """No context without a target."""
    dry_run: bool = False
    """Read everything and count, write nothing."""


def import_corpus(*, options: Annotated[ImportCorpusOptions, FLAT]) -> int:
    """Import a raw release, or conversations that were annotated elsewhere, into a corpus folder; nothing is decoded.

    What is dropped, mended or odd is listed in OUTPUT/problems.csv. Media paths are absolute.
    """
    from fmerl_platform.importing import releases

    corpus, problems = _read(_source(options), options)
    if options.classes is not None:
        corpus, problems = releases.with_class_map(corpus, problems, options.classes)
    if options.name is not None:
        corpus = releases.renamed(corpus, options.name)
    if options.drop_unlabelled:
        corpus, problems = releases.without_context(corpus, problems)
    releases.import_corpus(corpus, problems, options.output, options.dry_run, partial(say, to=results))
    return EXIT_OK


def _source(options: ImportCorpusOptions) -> str:
    """The one source that is given, with no option of another.

    Raises:
        InputError: None or several, or an option of another source.
    """
    given = [source for source in _TAKES if getattr(options, source) is not None]
    if len(given) != 1:
        listed = ", ".join(f"--{source}" for source in _TAKES)
        raise InputError(listed, f"one of these is required, and {len(given)} are given", "give one source")
    others = {name for names in _TAKES.values() for name in names} - {*_TAKES[given[0]]}
    wrong = [f"--{name.replace('_', '-')}" for name in sorted(others) if getattr(options, name) is not None]
    if wrong:
        raise InputError(", ".join(wrong), f"not an option of --{given[0]}", "leave it out")
    if options.vad_range is not None and not options.vad_range[0] < options.vad_range[1]:
        raise InputError("--vad-range", "the first is not below the second", "give the lowest score first")
    return given[0]


def _read(source: str, options: ImportCorpusOptions) -> tuple[Corpus, list[Problem]]:
    from fmerl.corpus import readers
    from fmerl_platform.importing.releases import checked, read_iemocap_release, read_meld_release

    path: Path = getattr(options, source)
    emotion = options.emotion or "emotion"
    match source:
        case "meld":
            media = options.media
            if media is not None and len(media) > 1:
                raise InputError("--media", f"{len(media)} folders", "give one, or none for clips beside the CSVs")
            return read_meld_release(path, *(() if media is None else (media or (path,))))
        case "iemocap":
            return read_iemocap_release(
                path,
                options.protocol or "raw-7380",
                options.ids,
                options.validation,
                keep_context=not options.drop_unlabelled,
            )
        case "emorynlp":
            return checked(path, *readers.read_emorynlp(path))
        case "dailydialog":
            return checked(path, *readers.read_dailydialog(path))
        case "convokit":
            return checked(path, *readers.read_convokit(path, emotion=emotion, split=options.split))
        case "audformat":
            fields = readers.AudformatFields(
                emotion=emotion,
                speaker=options.speaker or "speaker",
                text=options.text or "transcription",
                dialogue=options.dialogue,
                split=options.split,
            )
            found = readers.read_audformat(path, fields, tables=options.tables, vad_range=options.vad_range)
            return checked(path, *found)
        case _:
            return checked(
                path,
                *readers.read_conversations(path, emotion=emotion, vad_range=options.vad_range),
            )
