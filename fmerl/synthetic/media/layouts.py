"""Layouts of a dialogue's media: a clip per utterance as in MELD, or a video per dialogue as in IEMOCAP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fmerl.corpus.dialogue import Side, Utterance
from fmerl.synthetic.media.faults import Fault, spoil
from fmerl.synthetic.media.files import FRAME_RATE, write_mp4, write_wav
from fmerl.synthetic.media.performance import Performance, Person, absent, listening, speaking
from fmerl.synthetic.media.speech import SAMPLING_RATE

_SIDES: tuple[Side, Side] = ("left", "right")


def write_clips(
    folder: Path,
    utterances: Sequence[Utterance],
    performances: Mapping[str, Performance],
    faults: Mapping[str, Fault],
    rng: np.random.Generator,
) -> list[Utterance]:
    """Write `clips/<utterance>.mp4`, with picture and sound.

    Args:
        folder: The corpus folder.
        utterances: Utterances of one dialogue.
        performances: Performances by utterance id.
        faults: Faults by utterance id.
        rng: Draws blinks and sway.

    Returns:
        The utterances with the paths of their media.
    """
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    placed = []
    for utterance in utterances:
        name, performance = utterance.utterance_id, performances[utterance.utterance_id]
        fault = faults.get(name)
        path = f"clips/{name}.mp4"
        sound = None if fault == "mute" else performance.sound
        write_mp4(folder / path, _pictures(performance, fault, rng), sound)
        spoil(folder / path, fault)
        placed.append(replace(utterance, audio_path=path, video_path=path))
    return placed


def write_dialogue(
    folder: Path,
    utterances: Sequence[Utterance],
    performances: Mapping[str, Performance],
    faults: Mapping[str, Fault],
    rng: np.random.Generator,
) -> list[Utterance]:
    """Write `video/<dialogue>.mp4` with both speakers side by side, and `wav/<utterance>.wav`.

    The first speaker is on the left. A fault of a file is one of the wav file. Arguments and result as `write_clips`;
    the utterances also have their spans and sides.
    """
    for name in ("video", "wav"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    speakers = list(dict.fromkeys(utterance.speaker for utterance in utterances))
    people = {utterance.speaker: performances[utterance.utterance_id].person for utterance in utterances}
    video = f"video/{utterances[0].dialogue_id}.mp4"
    placed, begin = [], 0
    for utterance in utterances:
        name, performance = utterance.utterance_id, performances[utterance.utterance_id]
        fault = faults.get(name)
        wav = f"wav/{name}.wav"
        write_wav(folder / wav, performance.sound * 0 if fault == "mute" else performance.sound)
        spoil(folder / wav, fault)
        end = begin + performance.frames
        placed.append(
            replace(
                utterance,
                audio_path=wav,
                video_path=video,
                video_start=begin / FRAME_RATE,
                video_end=end / FRAME_RATE,
                video_side=_SIDES[speakers.index(utterance.speaker)],
            )
        )
        begin = end
    turns = [performances[utterance.utterance_id] for utterance in utterances]
    pictures = (
        pair
        for utterance, turn in zip(utterances, turns, strict=True)
        for pair in _pairs(
            speakers.index(utterance.speaker),
            _pictures(turn, faults.get(utterance.utterance_id), rng),
            _others(people, utterance.speaker, turn, rng),
        )
    )
    write_mp4(folder / video, pictures, np.concatenate([_padded(turn) for turn in turns]))
    return placed


def _pictures(performance: Performance, fault: Fault | None, rng: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    faceless = fault == "faceless"
    return absent(performance.person, performance.frames) if faceless else speaking(performance, rng)


def _others(
    people: Mapping[str, Person], speaker: str, turn: Performance, rng: np.random.Generator
) -> Iterator[NDArray[np.uint8]]:
    """Pictures of the listener, or of an empty place in a dialogue with one speaker."""
    for name, person in people.items():
        if name != speaker:
            return listening(person, turn.frames, rng)
    return absent(turn.person, turn.frames)


def _pairs(
    speaker: int, speaking: Iterator[NDArray[np.uint8]], other: Iterator[NDArray[np.uint8]]
) -> Iterator[NDArray[np.uint8]]:
    """Pictures side by side, the speaker's at place 0 or 1."""
    for pictures in zip(speaking, other, strict=True):
        yield np.concatenate(pictures if speaker == 0 else pictures[::-1], axis=1)


def _padded(turn: Performance) -> NDArray[np.int16]:
    """The sound of a turn up to the end of its last frame."""
    return np.pad(turn.sound, (0, turn.frames * SAMPLING_RATE // FRAME_RATE - len(turn.sound)))
