"""What every system that is tuned does, whatever its loss."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from helpers.gloo import free_port, join
from helpers.spoken import spoken_corpus

from fmerl.checkpoint import Checkpoint
from fmerl.corpus import Corpus
from fmerl.errors import InputError
from fmerl.finetuning.cell import finetune
from fmerl.finetuning.cled import CLED
from fmerl.finetuning.compm import CoMPM
from fmerl.finetuning.config import PAPER, CLEDConfig, CoMPMConfig, MPLPConfig, TuningConfig
from fmerl.finetuning.data import tuning_data
from fmerl.finetuning.features import TunedTextSpec
from fmerl.finetuning.folder import read_tuned, write_tuned
from fmerl.finetuning.model import TunedClassifier, prepare_encoder
from fmerl.finetuning.mplp.inputs import PromptedTexts
from fmerl.finetuning.mplp.model import MPLP
from fmerl.finetuning.mplp.stages import prepare_mplp
from fmerl.finetuning.procedures import PROCEDURES
from fmerl.finetuning.result import TunedResult
from fmerl.finetuning.stage import _without_gain
from fmerl.finetuning.steps import Tuner
from fmerl.finetuning.systems import SYSTEMS
from fmerl.training.distributed import ALONE

_PROMPTED: dict[str, Any] = {"system": "mplp", "input": "prompt", "layer_decay": 1.0}
CHANGES: dict[str, dict[str, Any]] = {
    "classifier": {},
    "CoMPM": {"system": "compm", "input": "tags", "compm": CoMPMConfig(gru_dropout=0.0)},
    "CoMPM(f)": {"system": "compm", "input": "tags", "compm": CoMPMConfig(gru_dropout=0.0, memory="frozen")},
    "CoM": {"system": "compm", "input": "tags", "compm": CoMPMConfig(memory="none")},
    "PM": {"system": "compm", "input": "tags", "compm": CoMPMConfig(gru_dropout=0.0, context=False)},
    "CLED": {"system": "cled", "input": "tags", "speaker_tokens": 2},
    "supcon": {"system": "cled", "input": "tags", "cled": CLEDConfig(loss="supcon", augmentation="dropout")},
    "CLED with words swapped": {"system": "cled", "input": "tags", "cled": CLEDConfig(augmentation="swap")},
    "CLED without contrast": {"system": "cled", "input": "tags", "cled": CLEDConfig(loss="ce")},
    "MPLP": {**_PROMPTED, "mplp": MPLPConfig(first_epochs=1, lstm_dropout=0.0)},
    "MPLP's first stage": {**_PROMPTED, "mplp": MPLPConfig(stages="first", first_epochs=1)},
    "MPLP without history": {**_PROMPTED, "mplp": MPLPConfig(history="none", first_epochs=1)},
}
"""Systems and variants without dropout of their own."""
Losses = list[tuple[int, float]]


@pytest.fixture(scope="module")
def few() -> Corpus:
    return spoken_corpus(train=8, others=3)


@pytest.fixture(scope="module")
def base(config: TuningConfig) -> TuningConfig:
    return replace(config, warmup_by="epoch")


@pytest.fixture(scope="module")
def configs(base: TuningConfig, bart: str) -> dict[str, TuningConfig]:
    """Settings of every system, without dropout."""
    return {
        name: replace(base, **changes, encoder=bart if changes.get("system") == "mplp" else base.encoder)
        for name, changes in CHANGES.items()
    }


def losses_of(corpus: Corpus, config: TuningConfig, **options: Any) -> tuple[Losses, TunedResult]:
    losses: Losses = []
    tune = PROCEDURES[config.system].tune
    result = tune(corpus, config, 0, on_update=lambda number, loss: losses.append((number, loss)), **options)
    return losses, result


@pytest.mark.parametrize("name", CHANGES)
def test_the_size_of_passes_changes_no_loss(few: Corpus, configs: dict[str, TuningConfig], name: str) -> None:
    changed = replace(configs[name], epochs=1)
    many, _ = losses_of(few, replace(changed, pass_tokens=1))
    one, result = losses_of(few, replace(changed, pass_tokens=10_000))
    assert [loss for _, loss in many] == pytest.approx([loss for _, loss in one], abs=1e-4)
    assert all(math.isfinite(loss) for _, loss in one)
    assert result.metrics["selected_epoch"] == changed.all_epochs


class StoppedError(Exception):
    pass


@pytest.mark.parametrize(
    ("name", "stops"), [("CoMPM", [5]), ("CLED", [4, 5]), ("CLED with words swapped", [5]), ("MPLP", [4, 8, 11])]
)
def test_an_interrupted_system_ends_with_the_same_bits(
    few: Corpus,
    configs: dict[str, TuningConfig],
    forgetful_bert: str,
    forgetful_bart: str,
    tmp_path: Path,
    name: str,
    stops: list[int],
) -> None:
    """With dropout, around an epoch's end and within the next one, for which CLED's centroids were taken before; of
    MPLP, whose first stage has eight updates, in either stage and between them."""
    encoder, dropout = (forgetful_bart, 0.3) if name == "MPLP" else (forgetful_bert, 0.0)
    mplp = MPLPConfig(first_epochs=1)
    changed = replace(configs[name], encoder=encoder, dropout=dropout, compm=CoMPMConfig(), mplp=mplp)
    unbroken, expected = losses_of(few, changed)
    for at in stops:
        broken: Losses = []

        def stop(number: int, loss: float, at: int = at, broken: Losses = broken) -> None:
            broken.append((number, loss))
            if number == at:
                raise StoppedError

        checkpoint = Checkpoint(tmp_path / f"state-{at}", 0.0)
        with pytest.raises(StoppedError):
            PROCEDURES[changed.system].tune(few, changed, 0, on_update=stop, checkpoint=checkpoint)
        rest, result = losses_of(few, changed, checkpoint=checkpoint)
        assert broken[:-1] + rest == unbroken
        assert result.predictions == expected.predictions
        for key, weight in expected.system.state_dict().items():
            assert torch.equal(weight, result.system.state_dict()[key]), key


def rank_work(rank: int, size: int, port: int, corpus: Corpus, configs: dict[str, TuningConfig], folder: Path) -> None:
    ranks = join(rank, size, port)
    found = {name: losses_of(corpus, config, ranks=ranks) for name, config in configs.items()}
    told = {name: (losses, result.predictions["scores"].to_pylist()) for name, (losses, result) in found.items()}
    torch.save(told, folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.parametrize(
    ("names", "epochs"),
    [(["classifier", "CoMPM", "CLED", "MPLP"], 1), pytest.param([*CHANGES], 2, marks=pytest.mark.slow)],
    ids=["each", "all"],
)
def test_two_processes_tune_as_one(
    few: Corpus, configs: dict[str, TuningConfig], tmp_path: Path, names: list[str], epochs: int
) -> None:
    """Ranks may have different numbers of passes, and a last batch of one utterance leaves a rank idle."""
    size = sum(each.split == "train" for each in few.utterances())
    batch_size = next(batch for batch in range(5, 20) if size % batch == 1)
    asked = {name: replace(configs[name], epochs=epochs, pass_tokens=60, batch_size=batch_size) for name in names}
    mp.spawn(rank_work, (2, free_port(), few, asked, tmp_path), nprocs=2)
    ranks = [torch.load(tmp_path / f"{rank}.pt", weights_only=False) for rank in range(2)]
    for name, config in asked.items():
        losses, result = losses_of(few, config)
        for rank in ranks:
            found, scores = rank[name]
            assert [loss for _, loss in found] == pytest.approx([loss for _, loss in losses], abs=1e-4), name
            np.testing.assert_allclose(scores, result.predictions["scores"].to_pylist(), atol=1e-3, err_msg=name)


@pytest.mark.parametrize("name", ["CoMPM", "CLED", "MPLP"])
def test_a_folder_keeps_all_weights_and_settings(
    few: Corpus, configs: dict[str, TuningConfig], tmp_path: Path, name: str
) -> None:
    changed = replace(configs[name], epochs=1)
    _, result = losses_of(few, changed)
    fields = {"recipe": {"config": changed.values(), "corpus": few.digest(), "fold": None}, "labels_seen": {}}
    write_tuned(tmp_path / "seed-0", result, fields)
    found = read_tuned(tmp_path / "seed-0")
    assert found is not None
    assert found.config == changed
    spec = TunedTextSpec(folder=tmp_path / "seed-0")
    if not SYSTEMS[changed.system].makes_features:
        with pytest.raises(InputError, match=f"{changed.system} reads more"):
            spec.items(few)
        return
    encoded = spec.build().encode(spec.items(few))
    assert isinstance(result.system, CLED)
    with torch.no_grad():
        scores = result.system.head(torch.from_numpy(encoded.values)).log_softmax(1).numpy()
    rows = {each.utterance_id: row for row, each in enumerate(few.utterances())}
    for row in result.predictions.to_pylist():
        np.testing.assert_allclose(scores[rows[row["utterance_id"]]], row["scores"], atol=1e-4)


def roberta_large() -> Any:
    """RoBERTa-large's shapes, without weights."""
    from transformers import RobertaConfig, RobertaModel

    config = RobertaConfig(
        vocab_size=50265,
        max_position_embeddings=514,
        type_vocab_size=1,
        hidden_size=1024,
        num_hidden_layers=24,
        num_attention_heads=16,
        intermediate_size=4096,
    )
    return RobertaModel(config)


def test_parameter_counts_on_roberta_large() -> None:
    encoder, dense, out = 355_359_744, 1024 * 1024 + 1024, 7 * 1024 + 7
    gru = 2 * (2 * 3 * 1024 * 1024 + 2 * 3 * 1024)
    counts = {
        "paper": 2 * encoder + gru + 1024 * 1024 + out,
        "released code": 2 * encoder + gru + out,
        "no memory": encoder + out,
        "no context": encoder + gru + 1024 * 1024 + out,
    }
    assert counts["paper"] == 724_370_439
    settings = {
        "paper": CoMPMConfig(),
        "released code": CoMPMConfig(projection=False),
        "no memory": CoMPMConfig(memory="none"),
        "no context": CoMPMConfig(context=False),
    }
    with torch.device("meta"):
        large = roberta_large()
        models: dict[str, Any] = {name: CoMPM(large, 7, values) for name, values in settings.items()}
        models["CLED"] = CLED(large, np.zeros((7, 7), np.float32), 0, np.ones(7, dtype=bool), CLEDConfig())
        models["classifier"] = TunedClassifier(large, 7, 0.1)
    counts |= {"CLED": encoder + out, "classifier": encoder + dense + out}
    for name, model in models.items():
        assert sum(parameter.numel() for parameter in model.parameters()) == counts[name], name


def test_parameter_counts_on_bart_large(few: Corpus, configs: dict[str, TuningConfig]) -> None:
    from transformers import BartConfig, BartModel

    width = 1024
    pair, head = 406_291_456, width * width + width + 7 * width + 7
    lstm = 4 * (4 * 512 * (width + 512) + 2 * 4 * 512)
    history, experience = 2 * width * width + lstm + 2 * width + 1, width + 1
    counts = {
        MPLPConfig(): pair + head + history + experience,
        MPLPConfig(history="none"): pair + head + experience,
        MPLPConfig(neighbours=0): pair + head + history,
    }
    assert counts[MPLPConfig()] == 422_047_753
    with torch.device("meta"):
        large = BartModel(BartConfig())
    for settings, count in counts.items():
        config = replace(configs["MPLP"], mplp=settings)
        tokenizer, _, data, _ = prepare_mplp(few, config)
        data = replace(data, classes=tuple("abcdefg"))
        texts = PromptedTexts(tokenizer, 3, 64, config, data.utterances, data.classes)
        with torch.device("meta"):
            model = MPLP(large, config, data, texts)
        assert sum(parameter.numel() for parameter in model.parameters()) == count


def test_speaker_tokens_have_embeddings_of_their_own(bert: str) -> None:
    config = TuningConfig(encoder=bert, input="tags", speaker_tokens=3, max_length=60)
    (tokenizer, one, _), (_, same, _), (_, other, _) = (prepare_encoder(config, seed) for seed in (0, 0, 1))
    plain = prepare_encoder(replace(config, speaker_tokens=0))[1]
    weights = [model.get_input_embeddings().weight for model in (one, same, other, plain)]
    assert len(tokenizer) == len(weights[0]) == len(weights[3]) + 3
    assert torch.equal(weights[0], weights[1])
    assert torch.equal(weights[0][:-3], weights[3])
    assert not torch.equal(weights[0][-3:], weights[2][-3:])


@pytest.mark.parametrize(("by", "rising"), [("share", 1), ("epoch", 4), ("utterances", 29)])
def test_warm_up_is_counted_as_declared(few: Corpus, base: TuningConfig, by: Any, rising: int) -> None:
    config = replace(base, warmup_by=by, warmup=0.1)
    tokenizer, encoder, maker = prepare_encoder(config)
    data = tuning_data(few, config, tokenizer, 64)
    model = SYSTEMS["classifier"].create(encoder, config, data)
    tuner = Tuner(model, data, config, maker, 0, torch.device("cpu"), ALONE)
    assert (len(data.train_rows()), len(tuner.batches(1))) == (29, 4)
    tuner.update(1, tuner.batches(1)[0])
    top = max(tuner.optimizer.param_groups, key=lambda group: group["peak"])
    assert top["lr"] == pytest.approx(top["peak"] / rising)


def test_patience_counts_epochs_without_a_gain_in_all(few: Corpus, base: TuningConfig) -> None:
    scores = [{"validation_weighted_f1": value} for value in (0.3, 0.2, 0.4, 0.4, 0.5, 0.1)]
    assert [_without_gain(scores[:count]) for count in range(7)] == [0, 0, 1, 1, 2, 2, 3]
    seen: list[float] = []
    still = replace(base, learning_rate=1e-12, head_rate=1e-12, epochs=6, patience=2)
    finetune(few, still, 0, on_epoch=lambda _, metrics: seen.append(metrics["validation_weighted_f1"]))
    assert len(seen) == 3


@pytest.mark.parametrize("system", PAPER)
def test_settings_survive_their_card(system: Any) -> None:
    config = TuningConfig.of_system(system)
    assert TuningConfig.of_values(config.values()) == config
    assert TuningConfig.of_values(asdict(config)) == config
    sections = {path.split(".")[1] for path in config.flatten() if path.count(".") == 2}
    assert sections == {system} - {"classifier"}
    with pytest.raises(ValueError, match="no such field"):
        config.with_values({"cled.beta": 1})
