"""Any corpus that a folder may hold, for property tests of what reads and writes folders."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from fmerl.corpus import SPLITS, Corpus, Dialogue, Utterance

SCORES = ["valence", "arousal", "dominance"]

# Written texts must survive UTF-8, so lone surrogates are out; names carry no white space around them.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = TEXTS.map(str.strip).filter(bool)
RANGES = st.tuples(st.floats(-9, 0), st.floats(0.5, 9))
VIDEOS: st.SearchStrategy[dict[str, Any]] = st.just({}) | st.fixed_dictionaries(
    {"video_path": NAMES},
    optional={
        "video_start": st.floats(0, 1e3),
        "video_end": st.floats(1e3, 1e5, exclude_min=True),
        "video_side": st.sampled_from(["left", "right"]),
    },
)


@st.composite
def corpora(draw: st.DrawFn) -> Corpus:
    classes = draw(st.lists(NAMES, min_size=2, max_size=4, unique=True))
    low, high = draw(RANGES)
    scores = st.none() | st.tuples(*[st.floats(low, high)] * 3)
    splits = list(SPLITS) + draw(st.lists(st.sampled_from(SPLITS), max_size=3))
    names = draw(st.lists(NAMES, min_size=len(splits), max_size=len(splits), unique=True))
    dialogues = []
    for split, name in zip(splits, names, strict=True):
        turns = sorted(draw(st.sets(st.integers(-(10**6), 10**6), min_size=1, max_size=4)))
        emotions = [draw(st.sampled_from(classes)), *[draw(st.none() | st.sampled_from(classes)) for _ in turns[1:]]]
        utterances = []
        for turn, emotion in zip(turns, emotions, strict=True):
            vad = draw(scores)
            utterance = Utterance(
                utterance_id=f"{name} {turn}",
                dialogue_id=name,
                turn=turn,
                speaker=draw(NAMES),
                text=draw(TEXTS),
                emotion=emotion,
                split=split,
                audio_path=draw(st.none() | NAMES),
                **draw(VIDEOS),
                **({} if vad is None else dict(zip(SCORES, vad, strict=True))),
            )
            utterances.append(utterance)
        dialogues.append(Dialogue(dialogue_id=name, utterances=tuple(utterances)))
    return Corpus(
        name="any",
        classes=tuple(classes),
        vad_range=(low, high),
        dialogues=tuple(dialogues),
        unseen_class=draw(st.none() | st.sampled_from(classes)),
    )
