"""A tiny encoder, a tiny encoder-decoder, and a corpus in their words."""

from __future__ import annotations

import pytest
from helpers.spoken import spoken_corpus
from helpers.tiny_bart import save_tiny_bart
from helpers.tiny_bert import save_tiny_bert

from fmerl.corpus import Corpus
from fmerl.finetuning.cell import finetune
from fmerl.finetuning.config import TuningConfig
from fmerl.finetuning.result import TunedResult


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    return spoken_corpus()


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A BERT of 64 positions without dropout."""
    folder = tmp_path_factory.mktemp("bert")
    save_tiny_bert(folder, positions=64, dropout=0.0)
    return str(folder)


@pytest.fixture(scope="session")
def forgetful_bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same with dropout."""
    folder = tmp_path_factory.mktemp("forgetful")
    save_tiny_bert(folder, positions=64, dropout=0.1)
    return str(folder)


@pytest.fixture(scope="session")
def bart(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A BART of 64 positions without dropout."""
    folder = tmp_path_factory.mktemp("bart")
    save_tiny_bart(folder, positions=64)
    return str(folder)


@pytest.fixture(scope="session")
def forgetful_bart(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same with dropout."""
    folder = tmp_path_factory.mktemp("forgetful-bart")
    save_tiny_bart(folder, positions=64, dropout=0.1)
    return str(folder)


@pytest.fixture(scope="session")
def config(bert: str) -> TuningConfig:
    """Two epochs, without dropout."""
    return TuningConfig(
        encoder=bert,
        input="both",
        max_length=60,
        pooling="mean",
        epochs=2,
        batch_size=8,
        learning_rate=1e-3,
        head_rate=1e-2,
        layer_decay=0.9,
        dropout=0.0,
        pass_tokens=120,
    )


@pytest.fixture(scope="session")
def tuned(corpus: Corpus, config: TuningConfig) -> TunedResult:
    return finetune(corpus, config, 0)
