"""Corpora with known ground truth: the emotion of every turn, and its expression in each modality.

The model (U utterances, C classes, D width, eps standard normal), turn by turn in each dialogue:

- Turn-taking: the speaker s_t of turn t - 1 keeps the floor with probability .2, else another one of the
  dialogue's speakers takes it.
- Emotion: y_t is the class of the speaker's last turn with probability `inertia`, the class of turn t - 1
  with probability `contagion`, else a draw from the prior, which also stands in for turns that do not exist.
  Whether a class is copied does not depend on the class, so the prior is the marginal of every turn as it
  is. The emotions are drawn again until train has every class and test the unseen one.
- Latent VAD: z_t = prototype(y_t) + spread mood_k, mood_k = rho mood_{k-1} + sqrt(1 - rho^2) eps over the
  turns k of one speaker, rho = `mood_persistence`, spread = `mood_spread`.
- Annotated VAD: z_t + `annotator_noise` eps, mapped from [-1, 1] to `vad_range` and clipped.
- Features of a modality: x = tanh([f, voice v] W / sqrt(K)) + sensor_noise eps in R^D, where
  f = [loading * z, class_signal onehot(y)] + expression_noise eps in R^{3+C}, v in R^4 belongs to the speaker
  in this dialogue, W in R^{K x D} is standard normal and fixed, K = 3 + C + 4. Missing rows are zeros.
- Knowledge: features as a modality's, R x 32 wide, in place of a language model's answers; without a voice, and missing
  where a model would not have answered.
- Text: a sentence from a template, which carries nothing.

Each concern draws from a stream of its own, spawned from the seed: other noise leaves the labels alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fmerl.config import DIMENSIONS, RELATIONS
from fmerl.corpus.dialogue import SPLITS, Corpus, Dialogue, Utterance
from fmerl.synthetic.features import modality_features
from fmerl.synthetic.spec import IEMOCAP_SHAPE, MELD_SHAPE, ModalitySpec, SyntheticSpec
from fmerl.synthetic.turns import Turns, draw_turns

__all__ = ["IEMOCAP_SHAPE", "MELD_SHAPE", "ModalitySpec", "SyntheticCorpus", "SyntheticSpec", "generate"]

_KNOWLEDGE = ModalitySpec(
    width=32 * len(RELATIONS),
    loading=(0.8, 0.6, 0.6),
    class_signal=0.4,
    expression_noise=0.6,
    voice=0.0,
    missing_rate=0.02,
)
_OPENERS = ("Well,", "Listen,", "You know,", "Actually,", "So,", "Look,")
_SUBJECTS = ("the neighbour", "my sister", "that waiter", "our teacher", "the driver", "your friend")
_VERBS = ("left", "found", "brought", "mentioned", "kept", "painted")
_OBJECTS = ("the blue chair", "a letter", "two tickets", "the old lamp", "some bread", "the garden door")


@dataclass(frozen=True, kw_only=True)
class SyntheticCorpus:
    """A corpus, its features and the truth behind both; rows follow `corpus.utterances()`."""

    corpus: Corpus
    features: dict[str, tuple[np.ndarray, np.ndarray]]
    """Features, float32 [U, D], and missing flags, bool [U], by modality."""
    knowledge: tuple[np.ndarray, np.ndarray]
    """Made-up vectors of all relations side by side, float32 [U, R x 32], and missing flags, bool [U]."""
    latent: np.ndarray
    """True VAD, float32 [U, 3], on the prototypes' scale."""


def generate(spec: SyntheticSpec) -> SyntheticCorpus:
    """Generate the corpus of a spec; the same spec gives the same bits on the same kind of machine.

    Raises:
        ValueError: A class is too rare to occur in train (the unseen class: in test) at this scale.
    """
    turns_seed, annotation_seed, text_seed, *feature_seeds, knowledge_seed = np.random.SeedSequence(spec.seed).spawn(
        4 + len(spec.modalities)
    )
    turns = draw_turns(spec, turns_seed)
    scores = _annotations(spec, np.random.default_rng(annotation_seed), turns.latent)
    texts = _sentences(np.random.default_rng(text_seed), len(turns.latent))
    return SyntheticCorpus(
        corpus=_corpus(spec, turns, scores, texts),
        features={
            name: modality_features(modality, turns, len(spec.classes), seed)
            for (name, modality), seed in zip(spec.modalities.items(), feature_seeds, strict=True)
        },
        knowledge=modality_features(_KNOWLEDGE, turns, len(spec.classes), knowledge_seed),
        latent=turns.latent.astype(np.float32),
    )


def _annotations(spec: SyntheticSpec, rng: np.random.Generator, latent: np.ndarray) -> np.ndarray:
    """Scores [U, 3] in `vad_range`, to three decimals."""
    low, high = spec.vad_range
    noisy = latent + spec.annotator_noise * rng.standard_normal(latent.shape)
    return np.clip(low + (noisy + 1) / 2 * (high - low), low, high).round(3)


def _sentences(rng: np.random.Generator, count: int) -> list[str]:
    parts = [np.array(words)[rng.integers(len(words), size=count)] for words in (_OPENERS, _SUBJECTS, _VERBS, _OBJECTS)]
    return [f"{' '.join(words)}." for words in zip(*parts, strict=True)]


def _corpus(spec: SyntheticSpec, turns: Turns, scores: np.ndarray, texts: list[str]) -> Corpus:
    splits = np.repeat(np.arange(len(SPLITS)), spec.dialogues_per_split())
    dialogues: list[list[Utterance]] = [[] for _ in splits]
    for dialogue, turn, speaker, emotion, vad, text in zip(
        turns.dialogue.tolist(),
        turns.turn.tolist(),
        turns.speaker.tolist(),
        turns.emotion.tolist(),
        scores.tolist(),
        texts,
        strict=True,
    ):
        split = SPLITS[splits[dialogue]]
        dialogue_id = f"{split}_dia{dialogue}"
        utterance = Utterance(
            utterance_id=f"{dialogue_id}_utt{turn}",
            dialogue_id=dialogue_id,
            turn=turn,
            speaker=f"speaker {speaker + 1}",
            text=text,
            emotion=spec.classes[emotion],
            split=split,
            **dict(zip(DIMENSIONS, vad, strict=True)),
        )
        dialogues[dialogue].append(utterance)
    return Corpus(
        name=spec.name,
        classes=spec.classes,
        vad_range=(float(spec.vad_range[0]), float(spec.vad_range[1])),
        dialogues=tuple(
            Dialogue(dialogue_id=members[0].dialogue_id, utterances=tuple(members)) for members in dialogues
        ),
        unseen_class=spec.unseen_class,
    )
