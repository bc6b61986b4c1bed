"""A small corpus of raw media that is made, not recorded: text, speech and faces that follow VAD.

The model of emotions and latent VAD z is that of `fmerl.synthetic.corpus`. Modality m of an utterance shows
clip(loading_m * z + expression_noise_m eps, -1, 1), from which words, speech and face are made. Each dialogue has two
people with voices and faces of their own. Every concern draws from a stream of its own, spawned from the seed: the
layout and the faults leave texts, speech and emotions alone.

Shapes: U utterances.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fmerl.corpus.dialogue import Corpus, Dialogue, Problem, Utterance
from fmerl.corpus.folder import write_corpus
from fmerl.errors import InputError
from fmerl.extras import optional_module
from fmerl.synthetic.corpus import generate
from fmerl.synthetic.media.face import Look
from fmerl.synthetic.media.faults import MEANING, Fault, plant
from fmerl.synthetic.media.layouts import write_clips, write_dialogue
from fmerl.synthetic.media.performance import Performance, Person, perform
from fmerl.synthetic.media.spec import MediaSpec
from fmerl.synthetic.media.speech import Voice
from fmerl.synthetic.spec import SyntheticSpec


def write_media_corpus(spec: MediaSpec, folder: Path) -> Corpus:
    """Write the corpus of a spec with its media; the same spec and libraries give the same bytes.

    `corpus.json` comes last: a folder whose writer was killed is no corpus. Planted faults are in `problems.csv`.

    Args:
        spec: Corpus to make.
        folder: The corpus folder, new or one that this wrote.

    Raises:
        InputError: PyAV is not installed, or the folder holds another corpus, which is not ours to replace.
    """
    optional_module("av", "visual")
    turns = spec.turns()
    _claim(folder, turns.name)
    made = generate(turns)
    shown_seed, people_seed, speech_seed, picture_seed, fault_seed = np.random.SeedSequence((spec.seed, 1)).spawn(5)
    performances = _performances(made.corpus, _shown(turns, made.latent, shown_seed), people_seed, speech_seed)
    ids = [utterance.utterance_id for utterance in made.corpus.utterances()]
    faults = plant(ids, np.random.default_rng(fault_seed)) if spec.faults else {}
    dialogues = []
    for dialogue, seed in zip(made.corpus.dialogues, picture_seed.spawn(len(made.corpus.dialogues)), strict=True):
        told = [replace(utterance, text=performances[utterance.utterance_id].text) for utterance in dialogue.utterances]
        write = write_clips if spec.layout == "clips" else write_dialogue
        utterances = write(folder, told, performances, faults, np.random.default_rng(seed))
        dialogues.append(Dialogue(dialogue_id=dialogue.dialogue_id, utterances=tuple(utterances)))
    corpus = replace(made.corpus, dialogues=tuple(dialogues))
    write_corpus(corpus, folder, _problems(list(corpus.utterances()), faults))
    return corpus


def _claim(folder: Path, name: str) -> None:
    """Refuse a folder with another corpus; of our own, remove what makes it one."""
    header = folder / "corpus.json"
    if header.exists():
        try:
            found = json.loads(header.read_text())["name"]
        except (ValueError, KeyError, TypeError):
            found = None
        if found != name:
            raise InputError(header, f"this is the corpus {found!r}, not {name}", "choose another folder")
    if (folder / "utterances.csv").exists():
        raise InputError(folder, "utterances.csv is there, which was not made here", "choose another folder")
    header.unlink(missing_ok=True)


def _shown(turns: SyntheticSpec, latent: np.ndarray, seed: np.random.SeedSequence) -> dict[str, np.ndarray]:
    """Valence, arousal and dominance as each modality shows them, [U, 3] in [-1, 1]."""
    rng = np.random.default_rng(seed)
    return {
        name: np.clip(part.loading * latent + part.expression_noise * rng.standard_normal(latent.shape), -1, 1)
        for name, part in turns.modalities.items()
    }


def _performances(
    corpus: Corpus, shown: dict[str, np.ndarray], people_seed: np.random.SeedSequence, seeds: np.random.SeedSequence
) -> dict[str, Performance]:
    """Performances by utterance id."""
    rng = np.random.default_rng(people_seed)
    utterances = list(corpus.utterances())
    people: dict[tuple[str, str], Person] = {}
    performances = {}
    for row, (utterance, seed) in enumerate(zip(utterances, seeds.spawn(len(utterances)), strict=True)):
        who = (utterance.dialogue_id, utterance.speaker)
        if who not in people:
            people[who] = Person(voice=Voice.draw(rng), look=Look.draw(rng))
        expressed = {name: values[row] for name, values in shown.items()}
        performances[utterance.utterance_id] = perform(people[who], expressed, np.random.default_rng(seed))
    return performances


def _problems(utterances: Sequence[Utterance], faults: dict[str, Fault]) -> list[Problem]:
    """Planted faults, in the order of the table."""
    return [
        Problem(
            where="utterances.parquet",
            row=row,
            what=f"{utterance.utterance_id}: {MEANING[faults[utterance.utterance_id]]}",
            action="planted on purpose",
        )
        for row, utterance in enumerate(utterances, start=2)
        if utterance.utterance_id in faults
    ]
