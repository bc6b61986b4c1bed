"""Studies that read several tables of a modality."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fmerl.errors import InputError
from fmerl.synthetic import SHAPES
from fmerl.synthetic.folder import materialise
from fmerl_platform.study.cells import plan_cells
from fmerl_platform.study.inputs import load_inputs
from fmerl_platform.study.options import InputOptions
from fmerl_platform.study.paper import PAPER
from fmerl_platform.study.record import StudyRecord, record_study
from fmerl_platform.study.study import Study


def test_tables_are_read_side_by_side_and_recorded(tmp_path: Path) -> None:
    corpus, features = materialise(replace(SHAPES["synthetic-meld"], scale=0.02), tmp_path)
    tables = features / "synthetic-meld"
    shutil.copytree(tables / "audio", tables / "audio-twin")
    shutil.copytree(tables / "audio", tables / "text-sound")

    def study(*chosen: str) -> Study:
        options = InputOptions(features=features, tables=chosen)
        return Study("tables", corpora=(str(corpus),), variants=PAPER[:1], seeds=(0,), inputs=options)

    (plain,) = load_inputs(study(), tmp_path)
    (joined,) = load_inputs(study("audio=audio+twin", "text=sound"), tmp_path)
    twice = np.concatenate([plain.data.features["audio"]] * 2, axis=1)
    np.testing.assert_array_equal(joined.data.features["audio"], twice)
    np.testing.assert_array_equal(joined.data.features["text"], plain.data.features["audio"])
    assert joined.data.digests["features.visual"] == plain.data.digests["features.visual"]
    assert joined.data.digests["features.text"] == plain.data.digests["features.audio"]
    assert joined.data.digests["features.audio"] != plain.data.digests["features.audio"]
    assert [name for name, _ in joined.recipes["audio"]["joined"]] == ["audio", "twin"]
    assert joined.supervised == ()
    with pytest.raises(InputError, match=r"text-none: no such feature table"):
        load_inputs(study("text=none"), tmp_path)

    asked = study("audio=audio+twin", "text=sound")
    shutil.rmtree(tables / "text")  # a modality of named tables alone is read, too
    (alone,) = load_inputs(asked, tmp_path)
    assert alone.control.backbone.modalities == ("text", "audio", "visual")
    cells = plan_cells([alone], asked.variants, asked.seeds)
    recorded = record_study(asked, [alone], cells, kind="ablation", kind_options={}, command="", provenance={})
    record = StudyRecord.parse(recorded.json())
    assert record.input_options().tables == ("audio=audio+twin", "text=sound")
