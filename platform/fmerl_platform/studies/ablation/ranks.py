"""All pairs of systems: ranks, and the plot of those that cannot be told apart."""

from __future__ import annotations

from matplotlib.figure import Figure

from fmerl_platform.report.figure import BLUE, INK, WIDTH, ReportFigure
from fmerl_platform.report.numbers import NONE, seeds
from fmerl_platform.report.table import Column, Table, columns
from fmerl_platform.studies.ablation.analysis import CorpusAnalysis
from fmerl_platform.studies.ablation.ranking import Ranking


def rank_table(analysis: CorpusAnalysis) -> Table | None:
    """A row per system, best rank first; None where systems are not ranked."""
    ranking = analysis.ranking
    if ranking is None:
        return None
    rows = []
    for name, rank in ranking.ranks.items():
        undecided = [other for other in ranking.ranks if other != name and ranking.undecided(name, other)]
        behind = len(ranking.ranks) - 1 - len(undecided)
        rows.append((name, f"{rank:.2f}", str(behind), ", ".join(undecided) or NONE))
    return Table(
        name=f"{analysis.results.corpus} ranks",
        caption=f"All pairs of systems on {analysis.results.corpus}",
        columns=(*columns("System", "Mean rank", "Told apart from"), Column("Not told apart from", numeric=False)),
        rows=tuple(rows),
        notes=(
            f"Rank by test weighted F1 with each seed, mean over {seeds(ranking.n_seeds)}. Told apart: by the paired "
            f"test of the verdicts, Holm's correction over all {len(ranking.pairs)} pairs, so harder to reach than "
            "against the control alone.",
        ),
    )


def ranks(analysis: CorpusAnalysis) -> ReportFigure | None:
    """Critical-difference style plot: systems by mean rank, bars over those of which no two are told apart."""
    ranking = analysis.ranking
    if ranking is None:
        return None
    names, groups = list(ranking.ranks), ranking.groups
    figure = Figure(figsize=(WIDTH, 1.2 + 0.24 * len(names) + 0.16 * len(groups)), layout="constrained")
    axes = figure.add_subplot()
    for level, group in enumerate(groups):
        ends = [ranking.ranks[group[0]], ranking.ranks[group[-1]]]
        y = -0.6 - 0.5 * level
        axes.plot([ends[0] - 0.05, ends[1] + 0.05], [y, y], color=BLUE, linewidth=4, solid_capstyle="round")
    floor = -0.6 - 0.5 * len(groups)
    half = (len(names) + 1) // 2
    edge = (0.4, len(names) + 0.6)
    for number, name in enumerate(names):
        left = number < half
        y = floor - 0.9 * (number if left else len(names) - 1 - number) - 0.5
        rank = ranking.ranks[name]
        axes.plot([rank, rank, edge[0] if left else edge[1]], [0, y, y], color=INK, linewidth=1)
        axes.plot(rank, 0, "o", color=INK, markersize=4)
        axes.annotate(
            f"{name} ({rank:.2f})",
            (edge[0] if left else edge[1], y),
            xytext=(-4 if left else 4, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
        )
    axes.set_xlim(*edge)
    axes.set_ylim(floor - 0.9 * half - 0.2, 0.4)
    axes.set_xticks(range(1, len(names) + 1))
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("mean rank by test weighted F1 (1: highest)")
    axes.yaxis.set_visible(False)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.spines["top"].set_visible(True)
    axes.grid(visible=False)
    return ReportFigure(
        "ranks",
        "Systems by mean rank",
        "A bar joins systems of which no two are told apart, by paired tests corrected over all pairs.",
        f"Critical-difference style plot. Mean ranks: {_told(ranking)}. Joined: "
        f"{'; '.join(', '.join(group) for group in groups) or 'none'}.",
        figure,
    )


def _told(ranking: Ranking) -> str:
    return ", ".join(f"{name} {rank:.2f}" for name, rank in ranking.ranks.items())
