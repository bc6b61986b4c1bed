"""A small study of texts whose cells keep their models, once for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.finished_study import Finished
from helpers.text_cells import text_corpus
from helpers.tiny_bert import save_tiny_bert

from fmerl.corpus import write_corpus
from fmerl.features.items import items_of
from fmerl.features.store import FeatureTable, write_features
from fmerl.features.text.utterances import TextSpec
from fmerl_platform import PAPER, InputOptions, Study, run_study
from fmerl_platform.prediction.export import ExportRequest, export
from fmerl_platform.running.options import KeepOptions


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, local_ray: None) -> Finished:
    """FMERL and a variant, two seeds each."""
    home = tmp_path_factory.mktemp("study")
    corpus, encoder = text_corpus(), home / "encoder"
    save_tiny_bert(encoder, positions=64)
    write_corpus(corpus, home / "corpus")
    made = TextSpec(encoder=str(encoder), pooling="mean", context=1).build()
    encoded = made.encode(list(items_of(corpus, home, "text", 1)))
    ids = tuple(utterance.utterance_id for utterance in corpus.utterances())
    card = {"recipe": {**made.recipe(), "source": "x"}, "supervised_on_labels": False}
    write_features(home / "features", corpus.name, FeatureTable("text", ids, encoded.values, encoded.missing, card))
    study = Study(
        "talks",
        corpora=[str(home / "corpus")],
        variants=[PAPER[0], PAPER[5]],
        seeds=range(2),
        inputs=InputOptions(features=home / "features", epochs=2, emotion_encoder=str(encoder)),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        results = run_study(study, storage=home / "runs", keep=KeepOptions(keep_weights=True))
    return Finished(study, results, home / "runs", home / "corpus", home / "features", encoder)


@pytest.fixture(scope="session")
def bundle(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The control's two seeds, exported."""
    folder = tmp_path_factory.mktemp("exported") / "bundle"
    export(finished.results, ExportRequest(data_licence="CC0-1.0"), folder, finished.storage)
    return folder
