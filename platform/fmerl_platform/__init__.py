"""Ablations and searches for FMERL on Ray, remembered in MLflow, judged by paired statistics.

>>> from fmerl_platform import PAPER, Study
>>> study = Study("mine", corpora=["synthetic-meld"], variants=PAPER, seeds=range(5))

`run_study(study, storage="runs")` trains what is not trained yet and returns `StudyResults`: a table in a notebook,
`frame()`, `results["w/o Valence"].predictions(seed=0)`, `report().save("out")`. `open_study("mine", storage="runs")`
reads the same from MLflow alone. `predict(bundle, "talk.csv")` names the emotions of your own conversation, and
`open_conversation(bundle)` those of one that goes on, turn by turn.
"""

from typing import TYPE_CHECKING

from fmerl.exports import exports_of

if TYPE_CHECKING:
    from fmerl.errors import InputError
    from fmerl_platform.prediction.api import open_conversation, predict
    from fmerl_platform.studies.results import StudyResults, open_study
    from fmerl_platform.studies.run import run_study
    from fmerl_platform.study.options import InputOptions
    from fmerl_platform.study.paper import PAPER, SYSTEMS
    from fmerl_platform.study.study import Study
    from fmerl_platform.study.variant import Variant

_PLACES = {
    "PAPER": "fmerl_platform.study.paper",
    "SYSTEMS": "fmerl_platform.study.paper",
    "InputError": "fmerl.errors",
    "InputOptions": "fmerl_platform.study.options",
    "Study": "fmerl_platform.study.study",
    "StudyResults": "fmerl_platform.studies.results",
    "Variant": "fmerl_platform.study.variant",
    "predict": "fmerl_platform.prediction.api",
    "open_conversation": "fmerl_platform.prediction.api",
    "open_study": "fmerl_platform.studies.results",
    "run_study": "fmerl_platform.studies.run",
}
"""Module of each exported name, imported on first use since Ray and MLflow start slowly."""

__all__ = [
    "PAPER",
    "SYSTEMS",
    "InputError",
    "InputOptions",
    "Study",
    "StudyResults",
    "Variant",
    "open_conversation",
    "open_study",
    "predict",
    "run_study",
]


if not TYPE_CHECKING:  # else it would take any name for an export
    __getattr__ = exports_of(__name__, _PLACES)
