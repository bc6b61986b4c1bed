"""What is asked of tuning: cells, their fingerprints, the record, and bad input."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fmerl.card import read_card
from fmerl.corpus import read_corpus
from fmerl.errors import InputError
from fmerl.features.text.encoder import TextEncoder
from fmerl.features.text.utterances import TextSpec
from fmerl.finetuning.cell import finetune
from fmerl.finetuning.features import TunedTextSpec
from fmerl.finetuning.folder import write_tuned
from fmerl.finetuning.systems import SYSTEMS
from fmerl_platform.cli import extract, finetune_text
from fmerl_platform.cli.main import options_of, single
from fmerl_platform.extraction.run import ExtractionRequest
from fmerl_platform.finetuning.request import TuningRequest
from fmerl_platform.importing.meld_text import MeldText
from fmerl_platform.ledger.experiment import Experiment
from fmerl_platform.studies.reproduce import reproduce
from fmerl_platform.study import fingerprint
from fmerl_platform.study.inputs import _may_know
from fmerl_platform.study.record import StudyRecord


def request_of(place: Path, *more: str) -> TuningRequest:
    arguments = ["--corpus", str(place / "corpus"), "--encoder", str(place / "bert"), "--max-length", "60", *more]
    return finetune_text.request_of(options_of("finetune-text", arguments))


def test_cells_are_inputs_times_seeds_and_folds_come_beside(place: Path) -> None:
    request = request_of(place, "--input", "utterance", "past", "--seeds", "0", "1", "--folds", "3")
    assert [cell.name for cell in request.cells] == [
        "spoken · utterance · seed 0",
        "spoken · utterance · seed 1",
        "spoken · past · seed 0",
        "spoken · past · seed 1",
    ]
    assert len(request.fold_cells) == 12
    assert request.fold_cells[0].folder.name == "seed-0-fold-1-of-3"
    every = [*request.cells, *request.fold_cells]
    assert len({cell.fingerprint for cell in every}) == len({cell.folder for cell in every}) == len(every)


def test_systems_are_variants_with_their_papers_settings(place: Path) -> None:
    variants = request_of(place, "--system", "classifier", "compm", "cled", "--epochs", "2").variants
    assert list(variants) == ["classifier", "CoMPM", "CLED"]
    assert [config.input for config in variants.values()] == ["utterance", "tags", "tags"]
    assert [config.batch_size for config in variants.values()] == [32, 1, 8]
    assert [config.warmup_by for config in variants.values()] == ["share", "epoch", "epoch"]
    assert {config.epochs for config in variants.values()} == {2}
    assert {config.max_length for config in variants.values()} == {60}
    both = request_of(place, "--system", "cled", "--input", "tags", "past", "--warmup", "0.2").variants
    assert list(both) == ["CLED · tags", "CLED · past"]
    assert {config.warmup_by for config in both.values()} == {"share"}


def test_an_axis_makes_a_variant_of_every_other_value(place: Path) -> None:
    asked = ("--system", "compm", "--set", "projection=false", "--axis", "compm.memory")
    request = request_of(place, *asked, "--seeds", "0")
    names = ["CoMPM", "compm.memory = frozen", "compm.memory = scratch", "compm.memory = none"]
    assert list(request.variants) == names
    (corpus,) = request.record("command", {"code_digest": "c"}).corpora
    assert corpus.changes[names[1]] == {"tuning.compm.memory": "frozen"}
    assert corpus.control["tuning.compm.projection"] is False
    assert len({cell.folder for cell in request.cells}) == 4
    assert {cell.folder.parent.parent for cell in request.cells} == {request.output.resolve() / "spoken"}


def test_each_axis_changes_its_own_field_of_the_control(place: Path) -> None:
    asked = ("--axis", "warmup_by=utterances", "--axis", "cled.decoupled=joy", "--axis", "speaker_tokens=3,9")
    request = request_of(place, "--system", "cled", *asked, "--seeds", "0")
    (corpus,) = request.record("command", {"code_digest": "c"}).corpora
    assert corpus.changes == {
        "CLED": {},
        "warmup_by = utterances": {"tuning.warmup_by": "utterances"},
        "cled.decoupled = joy": {"tuning.cled.decoupled": "joy"},
        "speaker_tokens = 3": {"tuning.speaker_tokens": 3},
    }


def test_mplp_is_compared_with_variants_of_itself(place: Path, tmp_path: Path) -> None:
    """It reads another kind of encoder than all other systems."""
    said = tmp_path / "said.json"
    said.write_text('{"joy": "walking on air"}')
    asked = ("--encoder", str(place / "bart"), "--system", "mplp", "--paraphrases", str(said), "--seeds", "0")
    request = request_of(place, *asked, "--axis", "mplp.history=first,none", "--set", "first_epochs=3")
    assert list(request.variants) == ["MPLP", "mplp.history = first", "mplp.history = none"]
    config = request.variants["MPLP"]
    assert (config.context_turns, config.dropout, config.batch_size, config.head_rate) == (5, 0.3, 8, 2e-3)
    assert (config.epochs, config.all_epochs) == (1, 4)
    assert config.mplp.paraphrases == ("joy=walking on air",)
    assert "batches padded" in request.check()
    record = request.record("command", {"code_digest": "c"})
    assert StudyRecord.parse(record.json()) == record
    plain = request_of(place, *asked[:4], "--seeds", "0", "--set", "first_epochs=3")
    assert plain.cells[0].fingerprint != request.cells[0].fingerprint


def test_a_fingerprint_has_the_settings_of_its_own_system(place: Path) -> None:
    variants = request_of(place, "--system", "classifier", "cled", "--seeds", "0")
    changed = request_of(place, "--system", "classifier", "cled", "--seeds", "0", "--set", "alpha=1")
    one, two = ([cell.fingerprint for cell in request.cells] for request in (variants, changed))
    assert one[0] == two[0]
    assert one[1] != two[1]


def test_it_is_the_content_of_synonyms_that_counts(place: Path, tmp_path: Path) -> None:
    prints = []
    for name, text in (("one", "oh, my\n"), ("two", "oh, my\n"), ("three", "oh, god\n")):
        (tmp_path / name).write_text(text)
        asked = ("--system", "cled", "--synonyms", str(tmp_path / name), "--axis", "cled.augmentation=swap,replace")
        request = request_of(place, *asked, "--seeds", "0")
        assert request.variants["cled.augmentation = replace"].cled.synonyms == str(tmp_path / name)
        prints.append([cell.fingerprint for cell in request.cells])
    assert prints[0] == prints[1]
    assert not set(prints[0]) & set(prints[2])
    request.check()


def test_the_code_of_one_system_tunes_no_other_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def digests() -> list[str]:
        fingerprint.tuning_digest.cache_clear()
        return [fingerprint.tuning_digest(name) for name in SYSTEMS]

    before, sources = digests(), fingerprint._sources

    def changed(name: str) -> Callable[[Path], dict[str, bytes]]:
        return lambda root: {path: text + b"#" if path == name else text for path, text in sources(root).items()}

    for path, systems in (("cled.py", {"cled"}), ("mplp/stages.py", {"mplp"}), ("mplp/model.py", {"mplp"})):
        monkeypatch.setattr(fingerprint, "_sources", changed(path))
        assert {name for name, one, two in zip(SYSTEMS, digests(), before, strict=True) if one != two} == systems
        monkeypatch.undo()
    monkeypatch.setattr(fingerprint, "_sources", changed("steps.py"))
    assert not set(digests()) & set(before)
    monkeypatch.undo()
    assert digests() == before


def test_a_fingerprint_follows_content_not_places(place: Path, tmp_path: Path) -> None:
    first = request_of(place).cells[0].fingerprint
    shutil.copytree(place / "bert", tmp_path / "bert")
    moved = request_of(place, "--encoder", str(tmp_path / "bert"), "--output", str(tmp_path))
    assert moved.cells[0].fingerprint == first
    (tmp_path / "bert" / "config.json").write_text((place / "bert" / "config.json").read_text() + "\n")
    changed = (
        request_of(place, "--encoder", str(tmp_path / "bert")),
        request_of(place, "--learning-rate", "1e-4"),
        request_of(place, "--unseen", "joy"),
    )
    assert first not in {request.cells[0].fingerprint for request in changed}


def test_the_record_is_a_studys(place: Path) -> None:
    request = request_of(place, "--input", "name", "both", "--seeds", "3")
    record = request.record("command", {"code_digest": "c"})
    assert StudyRecord.parse(record.json()) == record
    (corpus,) = record.corpora
    assert record.control == "name"
    assert corpus.changes == {"name": {}, "both": {"tuning.input": "both"}}
    assert corpus.control["tuning.input"] == "name"
    assert [cell.fingerprint for cell in corpus.cells] == [cell.fingerprint for cell in request.cells]


def test_an_encoder_is_not_trained_again_as_a_cell(place: Path, tmp_path: Path, tracking_uri: str) -> None:
    record = request_of(place).record("command", {"code_digest": "c"})
    with pytest.raises(InputError, match="tuning\\."):
        reproduce(Experiment.open(tracking_uri, "finetuning", None), record, "spoken/utterance/0", tmp_path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--seeds", "0", "0"], "--seeds"),
        (["--input", "name", "name"], "--input"),
        (["--unseen", "fear"], "no class"),
        (["--unseen", "joy", "anger"], "fewer than two"),
        (["--folds", "1"], "at least 2"),
        (["--folds", "1000"], "fewer folds"),
        (["--layer-decay", "2"], "layer_decay"),
        (["--encoder", "nowhere/at-all"], "encoder"),
        (["--system", "cled", "cled"], "--system"),
        (["--set", "compm.memory=none"], "classifier have no such field"),
        (["--set", "memories=none"], "no configuration field"),
        (["--system", "cled", "--set", "augmentation=insert"], "insert needs synonyms"),
        (["--system", "cled", "--set", "cled.decoupled=boredom"], "boredom is no class"),
        (["--system", "compm", "--axis", "memory=shared"], "memory must be one of"),
        (["--system", "compm", "--axis", "gru_layers"], "no values"),
        (["--system", "compm", "cled", "--axis", "epochs=1,2"], "one --system"),
        (["--system", "mplp"], "no encoder-decoder can be loaded .* has no decoder"),
        (["--system", "mplp", "--input", "past"], "mplp reads prompt"),
        (["--system", "mplp", "--layer-decay", "0.9"], "layer_decay must be 1"),
        (["--system", "mplp", "--set", "mplp.paraphrases=joy"], "CLASS=words"),
        (["--paraphrases", "said.json"], "only mplp reads them"),
        (["--synonyms", "words.txt"], "only cled reads them"),
        (["--system", "cled", "--synonyms", "nowhere.txt"], "nowhere.txt: no such file"),
    ],
)
def test_bad_arguments_are_one_line(place: Path, arguments: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        request_of(place, *arguments).check()
    assert "\n" not in str(caught.value)


def test_a_length_beyond_the_model_is_refused(place: Path) -> None:
    with pytest.raises(InputError, match="takes 64"):
        request_of(place, "--max-length", "100").check()


def test_a_dry_run_lists_cells_and_writes_nothing(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--corpus", str(place / "corpus"), "--encoder", str(place / "bert"), "--max-length", "60"]
    code = single("fmerl", "finetune-text")([*arguments, "--storage", str(tmp_path / "runs"), "--dry-run"])
    assert code == 0
    assert not (tmp_path / "runs").exists()


@pytest.fixture(scope="module")
def tuned(place: Path) -> Path:
    """A tuned encoder that has not seen `joy`."""
    request = request_of(place, "--epochs", "1", "--unseen", "joy", "--output", str(place / "encoders"))
    cell = request.cells[0]
    result = finetune(request.corpus, cell.config, cell.seed, unseen=request.unseen)
    write_tuned(cell.folder, result, {"recipe": cell.recipe, "labels_seen": request.labels_seen})
    return cell.folder


def extraction(place: Path, folder: Path, *more: str) -> ExtractionRequest:
    arguments = ["--corpus", str(place / "corpus"), "--features", str(place / "features"), *more]
    return extract.request_of(options_of("extract", [*arguments, "--text-encoder", str(folder)]))


def test_extraction_takes_its_supervision_from_the_card(place: Path, tuned: Path) -> None:
    request = extraction(place, tuned)
    assert isinstance(request.specs[0], TunedTextSpec)
    corpus = read_corpus(place / "corpus")
    (plan,) = request.plans(corpus)
    assert plan.card["supervised_on_labels"] is True
    assert plan.card["labels_seen"]["classes"] == ["neutral", "anger"]
    assert plan.card["recipe"]["tuned"] == read_card(tuned)["content_digest"]
    (plain,) = replace(request, specs=[TextSpec(encoder=str(tuned))]).plans(corpus)
    assert plain.card["supervised_on_labels"] is True
    (frozen,) = extraction(place, place / "bert", "--text-length", "60").plans(corpus)
    assert frozen.card["supervised_on_labels"] is False


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--text-context", "2"], "the card"),
        (["--text-pooling", "mean"], "the card"),
        (["--text-layer", "0"], "the card"),
    ],
)
def test_what_the_card_decides_is_no_option(place: Path, tuned: Path, arguments: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        extraction(place, tuned, *arguments)


def test_folds_need_a_tuned_encoder(place: Path) -> None:
    with pytest.raises(InputError, match="--text-folds"):
        extraction(place, place / "bert", "--text-folds", "2")


def test_meld_text_reads_what_a_tuned_encoders_card_says(place: Path, tuned: Path) -> None:
    source = MeldText(meld=place, emobank=place, encoder=str(tuned), folds=3)
    assert source.spec() == TunedTextSpec(folder=tuned.resolve(), folds=3)
    plain = MeldText(meld=place, emobank=place, encoder=str(place / "bert"), pooling="cls")
    assert plain.spec() == TextSpec(encoder=str(place / "bert"), pooling="cls")
    assert source.digest() != plain.digest() != replace(plain, pooling="mean").digest()


def test_scores_do_not_come_from_an_encoder_that_knows_emotions(place: Path, tuned: Path) -> None:
    source = MeldText(meld=place, emobank=place, encoder=str(tuned))
    assert source.scorer().recipe() == TextEncoder(str(place / "bert"), pooling="mean").recipe()


def test_folds_of_meld_text_need_a_tuned_encoder(place: Path) -> None:
    with pytest.raises(InputError, match="--text-folds"):
        MeldText(meld=place, emobank=place, encoder=str(place / "bert"), folds=2)


def test_only_labels_that_were_seen_make_zero_shot_a_leak() -> None:
    seen = {"supervised_on_labels": True, "labels_seen": {"classes": ["neutral", "anger"]}}
    assert not _may_know(seen, ["joy"])
    assert _may_know(seen, ["joy", "anger"])
    assert _may_know(seen, [])
    assert _may_know({"supervised_on_labels": True}, ["joy"])
    assert _may_know({}, ["joy"])
    assert not _may_know({"supervised_on_labels": False}, ["joy"])


def test_an_absent_encoder_and_a_folder_in_the_way_are_told_before_tuning(place: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no-such-person/no-such-model: no text encoder can be loaded"):
        request_of(place, "--encoder", "no-such-person/no-such-model")
    request = request_of(place, "--output", str(tmp_path))
    request.cells[-1].folder.mkdir(parents=True)
    with pytest.raises(InputError, match="seed-4: something without a card is in the way"):
        request.check()
