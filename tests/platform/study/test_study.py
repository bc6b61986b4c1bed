"""Studies: variants change what they declare and nothing else; fingerprints follow what decides the numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fmerl.config import AnchorConfig, CellConfig
from fmerl.errors import InputError
from fmerl.training.dataset import ConversationData
from fmerl_platform.study.cells import CorpusInputs, plan_cells
from fmerl_platform.study.fields import with_fields
from fmerl_platform.study.fingerprint import fingerprint
from fmerl_platform.study.paper import CONTROL, PAPER
from fmerl_platform.study.variant import StudyError, Variant, by_name

ANCHORS = np.eye(2, 4, dtype=np.float32)


@pytest.fixture
def data() -> ConversationData:
    rows = 3
    return ConversationData(
        corpus="tiny",
        classes=("calm", "cross"),
        vad_range=(0.0, 5.0),
        n_speakers=1,
        utterance_id=np.array(["a", "b", "c"]),
        dialogue_id=np.array(["x", "y", "z"]),
        turn=np.zeros(rows, dtype=np.int64),
        speaker_name=np.array(["s"] * rows),
        speaker=np.zeros(rows, dtype=np.int64),
        label=np.array([0, 1, 0]),
        vad=np.ones((rows, 3), dtype=np.float32),
        offsets=np.arange(rows + 1),
        split=np.array([0, 1, 2], dtype=np.int8),
        features={"text": np.ones((rows, 4), dtype=np.float32)},
        missing={"text": np.zeros(rows, dtype=bool)},
        digests={"corpus": "1", "vad": "2", "features.text": "3", "features.audio": "4"},
    )


def _inputs(data: ConversationData, control: CellConfig) -> CorpusInputs:
    configs = {variant.derive(control).anchors for variant in PAPER}
    return CorpusInputs(data=data, control=control, anchors={config: ANCHORS + i for i, config in enumerate(configs)})


def test_the_papers_variants_in_its_order() -> None:
    assert list(by_name(PAPER)) == [
        "FMERL",
        "w/o Triple-loss",
        "w/o Fine-grained Enhancement",
        "w/o Dominance",
        "w/o Arousal",
        "w/o Valence",
        "w/o Multitask Regression",
    ]
    control = CellConfig()
    changed = {variant.name: variant.derive(control) for variant in PAPER}
    assert changed[CONTROL] == control
    assert changed["w/o Triple-loss"].contrastive.negative_weight == 0
    assert changed["w/o Fine-grained Enhancement"].anchors.description == "label"
    assert changed["w/o Valence"].regression.dimensions == ("arousal", "dominance")
    assert changed["w/o Multitask Regression"].regression.dimensions == ()


@pytest.mark.parametrize(
    "variant",
    [
        Variant(
            name="changes more",
            change=lambda c: c.changed(backbone__dropout=0.1, training__epochs=2),
            declares=("backbone.dropout",),
        ),
        Variant(name="changes nothing", change=lambda c: c, declares=("backbone.dropout",)),
        Variant(name="declares nothing", change=lambda c: c.changed(backbone__dropout=0.1)),
    ],
    ids=lambda variant: variant.name,
)
def test_a_variant_that_is_not_what_it_declares_is_refused(variant: Variant) -> None:
    with pytest.raises(StudyError, match=r"declares .* but changes"):
        variant.derive(CellConfig())


def test_every_cell_once_with_its_own_fingerprint(data: ConversationData) -> None:
    cells = plan_cells([_inputs(data, CellConfig())], PAPER, range(5))
    assert len(cells) == 35
    assert len({cell.fingerprint for cell in cells}) == 35


def test_twins_and_doubles_are_refused(data: ConversationData) -> None:
    inputs = _inputs(data, CellConfig())
    control = PAPER[0]
    with pytest.raises(StudyError, match="are the same"):
        plan_cells([inputs], [control, replace(control, name="again")], [0])
    with pytest.raises(StudyError, match="seed once"):
        plan_cells([inputs], [control], [0, 0])
    with pytest.raises(StudyError, match="variant once"):
        plan_cells([inputs], [], [0])


def test_fingerprint_follows_what_decides_the_numbers(data: ConversationData) -> None:
    config = CellConfig().changed(backbone__modalities=("text",))
    original = fingerprint(config, data, ANCHORS, 0)
    assert original == fingerprint(CellConfig().changed(backbone__modalities=("text",)), data, ANCHORS.copy(), 0)
    changed = {
        "seed": fingerprint(config, data, ANCHORS, 1),
        "config": fingerprint(config.changed(training__weight_decay=0.0), data, ANCHORS, 0),
        "anchors": fingerprint(config, data, ANCHORS * 2, 0),
        "text": fingerprint(config, replace(data, digests={**data.digests, "features.text": "9"}), ANCHORS, 0),
    }
    assert len({original, *changed.values()}) == len(changed) + 1


def test_fingerprint_ignores_what_cannot_change_them(data: ConversationData) -> None:
    config = CellConfig().changed(backbone__modalities=("text",))
    original = fingerprint(config, data, ANCHORS, 0)
    elsewhere = replace(config, anchors=AnchorConfig(encoder="/another/place/of/the/same/model"))
    assert fingerprint(elsewhere, data, ANCHORS, 0) == original
    unread = replace(data, digests={**data.digests, "features.audio": "9"})
    assert fingerprint(config, unread, ANCHORS, 0) == original


def test_unstable_values_have_no_fingerprint(data: ConversationData) -> None:
    with pytest.raises(ValueError, match="must be a finite number"):
        fingerprint(CellConfig().changed(regression__valence_weight=float("nan")), data, ANCHORS, 0)


def test_fields_are_set_by_path_or_name_and_typed() -> None:
    config = with_fields(
        CellConfig(),
        ["training.batch_size=8", "hidden=64", "center_anchors=True", "backbone.modalities=text+audio", "dropout=0"],
    )
    assert (config.training.batch_size, config.backbone.hidden) == (8, 64)
    assert config.contrastive.center_anchors
    assert config.backbone.modalities == ("text", "audio")
    assert config.backbone.dropout == 0.0
    assert with_fields(CellConfig(), []) == CellConfig()


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (["batch_size"], "--set batch_size: no value"),
        (["batch=8"], "--set batch: is no configuration field"),
        (["dimensions=valence"], "--set dimensions: is each of"),
        (["batch_size=1.5"], "'1.5' is no int"),
        (["batch_size=8", "training.batch_size=9"], "--set training.batch_size: stands twice"),
        (["selection=test"], "selection must be one of validation, last"),
        (["hidden=63"], "backbone: heads"),
        (["learning_rate=nan"], "learning_rate must be a finite number"),
    ],
)
def test_a_field_that_cannot_be_set_is_one_line(assignments: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        with_fields(CellConfig(), assignments)
    assert "\n" not in str(caught.value)
