"""Writing of a feature table from staged blocks, in the corpus's order, with card, statistics and problems."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fmerl.corpus import Corpus
from fmerl.features.statistics import StatisticsFit, write_statistics
from fmerl.features.store import ROWS_PER_PART, feature_writer
from fmerl.files import write_csv
from fmerl_platform.extraction.plan import TablePlan
from fmerl_platform.extraction.staging import Staged

PROBLEMS = "problems.csv"


def write_table(plan: TablePlan, corpus: Corpus, features: Path) -> None:
    """Write a table part by part, with one part's vectors in memory at a time.

    Args:
        plan: Plan of the table, all of whose items are staged.
        corpus: Corpus whose utterances are the rows.
        features: Root of the feature tables.
    """
    staged, fit = Staged(plan.staging), StatisticsFit(plan.width)
    utterances = list(corpus.utterances())
    missing, problems = 0, list[tuple[str, str, str, str]]()
    with feature_writer(features, corpus.name, plan.folder.name, plan.card) as writer:
        for start in range(0, len(utterances), ROWS_PER_PART):
            part = utterances[start : start + ROWS_PER_PART]
            ids = [utterance.utterance_id for utterance in part]
            rows = staged.rows(plan.fingerprints[start : start + ROWS_PER_PART], plan.width)
            writer.append(ids, rows.values, rows.missing)
            train = np.array([utterance.split == "train" for utterance in part])
            fit.add(rows.values[train & ~rows.missing])
            items = plan.items[start : start + ROWS_PER_PART]
            problems += [
                (item.utterance_id, plan.modality, reason, "" if item.media is None else str(item.media))
                for item, reason in zip(items, rows.problems, strict=True)
                if reason is not None
            ]
            missing += int(rows.missing.sum())
        write_csv(writer.folder / PROBLEMS, ("utterance_id", "modality", "reason", "file"), problems)
        writer.card |= {
            "rows": len(utterances),
            "width": plan.width,
            "missing": missing,
            "problems": len(problems),
            "statistics": write_statistics(writer.folder, fit.statistics(plan.columns)),
        }
