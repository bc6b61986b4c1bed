"""Models behind the service: batches that mix nothing, what is refused before anything is started, what is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from helpers.serving import assert_same_rows, free_port
from helpers.text_cells import TextCells, train_text_cells
from hypothesis import given, settings
from hypothesis import strategies as st

from fmerl.bundle.folder import read_bundle
from fmerl.bundle.predictor import Predictor
from fmerl.corpus import Utterance
from fmerl.corpus.conversations import pieces, turns_of
from fmerl.errors import InputError
from fmerl_platform.cli.main import main
from fmerl_platform.serving.model import about, open_predictor, predict_together
from fmerl_platform.serving.request import ServingRequest
from fmerl_platform.serving.run import check

PORT = free_port()
WORDS = st.lists(st.sampled_from(["what", "a", "day", "!", "leave", "me", "alone", "oh", "my", "god"]), max_size=6)
TURNS = st.tuples(st.sampled_from("AB"), WORDS.map(" ".join))
TALKS = st.lists(st.lists(TURNS, min_size=1, max_size=5), min_size=1, max_size=5)


def conversation(turns: list[tuple[str, str]]) -> list[Utterance]:
    records = [{"speaker": speaker, "text": text} for speaker, text in turns]
    return next(pieces(turns_of(records), (1.0, 5.0)))


@settings(max_examples=15, deadline=None)
@given(TALKS)
def test_a_batch_gives_each_conversation_what_it_gets_alone(
    predictor: Predictor, talks: list[list[tuple[str, str]]]
) -> None:
    """All of them have the same names, as those of clients that give none."""
    together = predict_together(predictor, [conversation(turns) for turns in talks])
    assert len(together) == len(talks)
    for rows, turns in zip(together, talks, strict=True):
        assert_same_rows(rows, predictor.predict(conversation(turns)).to_pylist())


def test_turns_in_any_order_keep_it(predictor: Predictor) -> None:
    turns = conversation([("A", "oh my god"), ("B", "what a day"), ("A", "leave me")])
    (backwards,) = predict_together(predictor, [turns[::-1]])
    assert_same_rows(backwards[::-1], predictor.predict(turns).to_pylist())


def test_a_model_of_sound_is_served_without_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As `fmerl predict` does for turns without sound; the models are tiny, and what is asked is that they answer."""
    folder = train_text_cells(tmp_path, seeds=(0,), sound=True).bundle
    found = check(ServingRequest(bundle=str(folder), port=PORT))
    assert found.missing == ("audio",)
    assert "no request brings audio" in caplog.text
    predictor = open_predictor(ServingRequest(bundle=str(folder)))
    (rows,) = predict_together(predictor, [conversation([("A", "oh my god")])])
    assert rows[0]["missing"] == "audio"
    assert rows[0]["seed_sd"] is None


def test_a_bundle_without_text_is_refused_by_name(cells: TextCells, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = read_bundle(cells.bundle)
    deaf = replace(bundle, manifest=replace(bundle.manifest, widths={"audio": 3, "visual": 4}))
    monkeypatch.setattr("fmerl_platform.serving.model.open_bundle", lambda *arguments: deaf)
    with pytest.raises(InputError, match="it reads audio and visual, and requests bring text"):
        open_predictor(ServingRequest(bundle="deaf"))


def test_what_is_told_of_a_bundle(predictor: Predictor) -> None:
    told = about(predictor)
    assert (told.system, told.corpus, told.classes) == ("FMERL", "words", ("joy", "anger", "fear"))
    assert (told.seeds, told.missing, told.vad_range) == ((0, 1), (), (1.0, 5.0))


def test_another_host_than_loopback_is_warned_of(bundle: Path, caplog: pytest.LogCaptureFixture) -> None:
    check(ServingRequest(bundle=str(bundle), port=PORT))
    assert "no password" not in caplog.text
    check(ServingRequest(bundle=str(bundle), host="0.0.0.0", port=PORT))
    assert "--host 0.0.0.0: whoever reaches this machine" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere: no folder, run id or registered model"),
        (["BUNDLE", "--text-encoder", "package:no_such"], "package:no_such: the Python package"),
        (["BUNDLE", "--classes", "pride=good"], "--classes: the description of pride"),
        (["BUNDLE", "--port", "70000"], "--port: 70000 is no port"),
        (["BUNDLE", "--replicas", "0"], "--replicas: 0"),
        (["BUNDLE", "--batch-wait", "-1"], "--batch-wait: -1"),
        (["BUNDLE", "--gpus-per-replica", "1.5"], "--gpus-per-replica: 1.5 GPUs"),
        (["BUNDLE", "--turns", "0"], "--turns: 0 is no limit"),
        (["BUNDLE", "--timeout", "0"], "--timeout: 0"),
    ],
)
def test_bad_input_is_one_line(
    bundle: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["serve", *(str(bundle) if each == "BUNDLE" else each for each in arguments), "--dry-run"])
    told = capsys.readouterr().err
    assert left.value.code == 2, told
    assert said in told
    assert told.count("\n") == 1


def test_a_dry_run_says_what_would_be_served(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pride = "pride=Arousal: a day, Valence: what a day, Dominance: my god"
    arguments = ["serve", str(bundle), "--dry-run", "--port", str(PORT), "--replicas", "3", "--classes", pride]
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 0
    told = capsys.readouterr().out
    for line in (
        "FMERL trained on words, seeds 0 1",
        "joy, anger, fear, pride",
        "replicas 3, each of 1 CPUs and 0 GPUs",
        "up to 16 conversations, which wait up to 0.01 s",
        "request bytes 1,048,576, conversations 100, turns 500, characters 5,000",
        f"http://127.0.0.1:{PORT}",
    ):
        assert line in told
