"""From cells to Table 2: rows, calibration, language models, words."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from helpers.studies import record_of
from sklearn.metrics import accuracy_score, f1_score

from fmerl_platform.ledger.results import CellRecord, CorpusCells
from fmerl_platform.report.table import to_markdown
from fmerl_platform.studies.paper_results import published_zero_shot
from fmerl_platform.studies.zero_shot import ZeroShot
from fmerl_platform.studies.zero_shot.analysis import ZeroShotAnalysis, analyse_zero_shot, score_matrix
from fmerl_platform.studies.zero_shot.language_models import NO_MODELS, LanguageModels
from fmerl_platform.studies.zero_shot.tables import zero_shot_tables
from fmerl_platform.studies.zero_shot.wording import zero_shot_finding, zero_shot_notes

MakeCell = Callable[..., CellRecord]
MakeResults = Callable[..., CorpusCells]


def analysed(
    results: CorpusCells, models: LanguageModels = NO_MODELS, unseen: tuple[str, ...] = ("fear",)
) -> ZeroShotAnalysis:
    return analyse_zero_shot(results, unseen, "context", (), models, resamples=200)


@pytest.fixture(scope="module")
def analysis(make_results: MakeResults) -> ZeroShotAnalysis:
    return analysed(make_results())


def rows_of(analysis: ZeroShotAnalysis) -> list[str]:
    return [row.name for row in analysis.rows]


def test_rows_and_their_scores(analysis: ZeroShotAnalysis) -> None:
    assert rows_of(analysis) == ["FMERL", "FMERL, calibrated", "w/o Valence", "SDT"]
    control = analysis.control
    assert control is not None
    tables = [cell.labelled_test() for cell in analysis.results.of_variant("FMERL")]
    gold, predicted = ([table[name].to_pylist() for table in tables] for name in ("gold", "predicted"))
    weighted = [f1_score(*pair, average="weighted") for pair in zip(gold, predicted, strict=True)]
    assert control.scores["weighted_f1"].mean == pytest.approx(np.mean(weighted))
    assert control.scores["weighted_f1"].sd == pytest.approx(np.std(weighted, ddof=1))
    on_fear = [
        accuracy_score(*zip(*[pair for pair in zip(*table, strict=True) if pair[0] == "fear"], strict=True))
        for table in zip(gold, predicted, strict=True)
    ]
    assert control.scores["unseen_accuracy"].mean == pytest.approx(np.mean(on_fear))
    assert control.parameters == 2.5e6
    assert control.n_unseen == gold[0].count("fear")
    assert not control.against


def test_a_closed_set_system_never_names_an_unseen_class(analysis: ZeroShotAnalysis) -> None:
    row = analysis.rows[3]
    assert analysis.closed_set == ("SDT",)
    assert row.scores["unseen_accuracy"].mean == 0
    assert row.scores["unseen_as_seen"].mean == 1
    assert row.area is None
    assert "out of their reach: SDT" in " ".join(zero_shot_notes(analysis))


def test_the_calibrated_row_lowers_seen_scores_by_what_validation_says(analysis: ZeroShotAnalysis) -> None:
    control, calibrated = analysis.control, analysis.calibrated
    assert control is not None
    assert calibrated is not None
    assert calibrated.constant is not None
    assert 0.5 < calibrated.constant.mean < 1.6, "the planted bias is 1 to 1.2"
    assert analysis.pseudo_unseen == "joy"
    assert calibrated.scores["unseen_accuracy"].mean > control.scores["unseen_accuracy"].mean + 0.1
    assert calibrated.scores["seen_accuracy"].mean < control.scores["seen_accuracy"].mean
    assert calibrated.against["unseen_accuracy"].delta == pytest.approx(
        calibrated.scores["unseen_accuracy"].mean - control.scores["unseen_accuracy"].mean
    )
    alone = analysed(replace(analysis.results, cells=analysis.results.of_variant("FMERL"), variants=("FMERL",)))
    assert alone.rows[0] == replace(control, p_value_holm=alone.rows[0].p_value_holm), "the headline stays as it is"


def test_a_seed_without_its_tuning_cell_is_not_calibrated(make_results: MakeResults) -> None:
    found = analysed(make_results(missing=[("pseudo-unseen joy", 1, "out of memory")]))
    assert found.calibrated is not None
    assert found.calibrated.scores["accuracy"].n_seeds == 2
    assert "pseudo-unseen joy, seed 1: out of memory" in " ".join(zero_shot_notes(found))
    none = analysed(make_results(1, missing=[("pseudo-unseen joy", 0, "x")]))
    assert none.calibrated is None
    only_tuning = analysed(make_results(1, missing=[("FMERL", 0, "x")]))
    assert only_tuning.control is None
    assert "no cell of FMERL finished" in zero_shot_finding(only_tuning)


def test_tuning_on_the_ledger_never_sees_an_unseen_label(make_results: MakeResults) -> None:
    """Validation's unseen utterances in the tuning cell may say anything, be unlabelled, or not be there."""
    results = make_results()
    constant = analysed(results).calibrated

    def spoilt(how: str) -> CorpusCells:
        draw = np.random.default_rng(1)
        cells = []
        for cell in results.cells:
            table = cell.predictions
            if cell.variant.startswith("pseudo"):
                gold, split = (np.array(table[name].to_pylist(), dtype=object) for name in ("gold", "split"))
                unseen = (gold == "fear") & (split == "validation")
                scores = score_matrix(table).copy()
                scores[unseen] = draw.normal(size=(unseen.sum(), 4))
                scores[:, 3] = draw.normal(size=len(scores))
                values = pa.array(scores.tolist(), pa.list_(pa.float32()))
                table = table.set_column(table.column_names.index("scores"), "scores", values)
                if how == "unlabelled":
                    hidden = zip(unseen, gold, strict=True)
                    labels = pa.array([None if hide else label for hide, label in hidden], pa.string())
                    table = table.set_column(table.column_names.index("gold"), "gold", labels)
                if how == "gone":
                    table = table.filter(pa.array(~unseen))
            cells.append(replace(cell, predictions=table))
        return replace(results, cells=tuple(cells))

    for how in ("other scores", "unlabelled", "gone"):
        assert analysed(spoilt(how)).calibrated == constant


def test_several_classes_can_be_unseen(make_results: MakeResults) -> None:
    found = analysed(make_results(stand_in=False), unseen=("joy", "fear"))
    assert found.calibrated is None
    assert found.rows[0].n_unseen > found.rows[0].unseen_dialogues > 10
    assert "joy and fear" in zero_shot_finding(found)
    assert not found.published, "the paper holds out another class"


def test_one_run_of_a_language_model_is_fixed_beside_every_seed(make_results: MakeResults, make_cell: MakeCell) -> None:
    results = make_results()
    model = make_cell("Qwen-7B", 0, bias=0.5, answers=True)
    row = analysed(results, LanguageModels(cells={"Qwen-7B": (model,)})).rows[-1]
    assert row.name == "Qwen-7B"
    assert row.single_run
    assert row.left_out == 0
    assert row.scores["accuracy"].n_seeds == 1
    against = row.against["unseen_accuracy"]
    assert against.n_pairs == 3
    control = analysed(results).rows[0].scores["unseen_accuracy"].mean
    assert against.delta == pytest.approx(row.scores["unseen_accuracy"].mean - control)
    assert np.isnan(row.parameters)
    assert row.area is None, "one-hot answers are no degrees of belief"


def test_several_runs_of_a_language_model_are_paired_by_seed(make_results: MakeResults, make_cell: MakeCell) -> None:
    runs = tuple(make_cell("Qwen-7B", seed, answers=True) for seed in (1, 2))
    row = analysed(make_results(), LanguageModels(cells={"Qwen-7B": runs})).rows[-1]
    assert not row.single_run
    assert row.against["unseen_accuracy"].n_pairs == 2


def test_a_sample_is_compared_on_shared_utterances(make_results: MakeResults, make_cell: MakeCell) -> None:
    results = make_results()
    sample = make_cell("Qwen-7B", 0, answers=True, keep=slice(0, None, 3))
    shuffled = replace(sample, predictions=sample.predictions.take(np.arange(len(sample.predictions))[::-1]))
    found = analysed(results, LanguageModels(cells={"Qwen-7B": (shuffled,)}))
    row = found.rows[-1]
    assert row.n_utterances == len(sample.predictions) == 80
    assert row.left_out == 160
    ids = set(sample.predictions["utterance_id"].to_pylist())
    differences = []
    model = _accuracy(sample.predictions, ids)
    for cell in results.of_variant("FMERL"):
        differences.append(model - _accuracy(cell.predictions, ids))
    assert row.against["weighted_f1"].delta_accuracy == pytest.approx(np.mean(differences))
    notes = " ".join(zero_shot_notes(found))
    assert f"Qwen-7B: on 80 test utterances, {row.n_unseen} of them unseen; 160 others were not asked" in notes


def _accuracy(table: pa.Table, ids: set[str]) -> float:
    rows = [row for row in table.to_pylist() if row["utterance_id"] in ids]
    return float(np.mean([row["gold"] == row["predicted"] for row in rows]))


def test_what_a_model_did_not_answer_is_wrong(make_results: MakeResults, make_cell: MakeCell) -> None:
    """Nothing is gained by skipping: null scores as a class that is never right and never a false alarm."""
    results, model = make_results(), make_cell("Qwen-7B", 0, answers=True)
    right = [row["gold"] == row["predicted"] for row in model.predictions.to_pylist()]
    skipped = [row for row, hit in enumerate(right) if not hit][:5] + [row for row, hit in enumerate(right) if hit][:3]
    answers = [None if row in skipped else name for row, name in enumerate(model.predictions["predicted"].to_pylist())]
    column = model.predictions.column_names.index("predicted")
    table = model.predictions.set_column(column, "predicted", pa.array(answers, pa.string()))
    before, after = (
        analysed(results, LanguageModels(cells={"Qwen-7B": (cell,)}))
        for cell in (model, replace(model, predictions=table))
    )
    row = after.rows[-1]
    assert (row.left_out, row.unanswered, row.n_utterances) == (0, 8, 240)
    gold, named = model.predictions["gold"].to_pylist(), [name or "none" for name in answers]
    assert row.scores["accuracy"].mean == pytest.approx((sum(right) - 3) / 240)
    weighted = f1_score(gold, named, labels=results.classes, average="weighted")
    assert row.scores["weighted_f1"].mean == pytest.approx(weighted)
    assert row.scores["unseen_as_seen"].mean <= before.rows[-1].scores["unseen_as_seen"].mean
    change = row.against["weighted_f1"].delta_accuracy - before.rows[-1].against["weighted_f1"].delta_accuracy
    assert change == pytest.approx(-3 / 240), "the paired difference counts them too"
    assert "Qwen-7B: 8 answers name no class and count as wrong" in " ".join(zero_shot_notes(after))


def test_a_model_of_another_corpus_is_refused_by_name(make_results: MakeResults, make_cell: MakeCell) -> None:
    model = make_cell("Qwen-7B", 0, answers=True)
    column = model.predictions.column_names.index("utterance_id")
    ids = pa.array([f"x{row}" for row in range(len(model.predictions))])
    other = replace(model, predictions=model.predictions.set_column(column, "utterance_id", ids))
    gold = pa.array(["joy"] * len(model.predictions))
    relabelled = replace(model, predictions=model.predictions.set_column(5, "gold", gold))
    for wrong, why in ((other, "shares no test utterance"), (relabelled, "labels are not the study's")):
        found = analysed(make_results(), LanguageModels(cells={"Qwen-7B": (wrong,)}))
        assert "Qwen-7B" not in rows_of(found)
        assert "Not shown: Qwen-7B on meld: " in " ".join(zero_shot_notes(found))
        assert why in found.refused[0]


def test_few_unseen_dialogues_give_no_interval(make_results: MakeResults) -> None:
    results = make_results()
    few = tuple(replace(cell, predictions=cell.predictions.slice(0, 160)) for cell in results.cells)
    found = analysed(replace(results, cells=few))
    assert found.rows[0].unseen_dialogues < 10
    table = zero_shot_tables(found)[0]
    assert table.rows[0][3] == "–"
    assert any("No interval" in note for note in table.notes)


def test_published_rows_stand_beside_their_own_class_only(analysis: ZeroShotAnalysis) -> None:
    main = zero_shot_tables(analysis)[0]
    rows = {row[0]: row for row in main.rows}
    assert rows["FMERL (paper)"][2] == "11.86"
    assert rows["Qwen-7B (paper)"][-1] == "7720"
    assert published_zero_shot("meld", ["joy"]) == {}
    assert published_zero_shot("synthetic-meld", ["fear"]) == {}
    assert published_zero_shot("iemocap", ["hap"])["FMERL"].unseen_accuracy == 36.81


@pytest.mark.parametrize("corpus", ["meld", "iemocap"])
def test_the_papers_f1_follows_from_its_accuracy_but_once(corpus: str) -> None:
    unseen = {"meld": "fear", "iemocap": "happy"}[corpus]
    off = [
        name
        for name, row in published_zero_shot(corpus, [unseen]).items()
        if abs(200 * (rate := row.unseen_accuracy / 100) / (1 + rate) - row.unseen_weighted_f1) > 0.05
    ]
    assert off == (["FMERL"] if corpus == "iemocap" else [])


def test_the_note_on_the_papers_f1(make_results: MakeResults) -> None:
    results = make_results()
    classes = tuple("hap" if name == "fear" else name for name in results.classes)
    renamed = []
    for cell in results.of_variant("FMERL"):
        table = cell.predictions
        for name in ("gold", "predicted"):
            values = ["hap" if value == "fear" else value for value in table[name].to_pylist()]
            table = table.set_column(table.column_names.index(name), name, pa.array(values))
        renamed.append(replace(cell, corpus="iemocap", predictions=table))
    one = replace(results, corpus="iemocap", classes=classes, variants=("FMERL",), cells=tuple(renamed))
    notes = " ".join(zero_shot_notes(analysed(one, unseen=("hap",))))
    assert "36.81 would give 53.81, and it prints 27.32" in notes


def test_the_report_is_written_in_every_format(analysis: ZeroShotAnalysis, tmp_path: Path) -> None:
    warned = replace(analysis, supervised=("text",))
    paths = ZeroShot().report(record_of("study & co"), [warned]).save(tmp_path)
    html, markdown, latex = (path.read_text(encoding="utf-8") for path in (paths.html, paths.markdown, paths.latex))
    unseen = zero_shot_tables(analysis)[0].rows[0][2]
    for text in (html, markdown, latex.replace(r"$\pm$", "±")):
        assert unseen in text
        assert "these numbers are not zero-shot" in text
    assert "study &amp; co" in html
    assert html.count("<svg") == 1
    assert markdown.count("\n## ") == latex.count(r"\begin{table*}") == 3
    content = json.loads((paths.rows or tmp_path).read_text(encoding="utf-8"))["corpora"]["meld"]
    assert [row["name"] for row in content["rows"]] == rows_of(analysis)
    assert content["unseen"] == ["fear"]
    assert content["supervised"] == ["text"]
    assert {path.suffix for path in paths.figures} == {".png", ".svg"}
    assert "w/o Valence" in to_markdown(zero_shot_tables(analysis)[2])
