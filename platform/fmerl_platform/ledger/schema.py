"""Names of what a study leaves in MLflow: users read them in its UI and in their own scripts."""

from __future__ import annotations

STUDY_FILE = "study.json"
"""Record of the study, on its run."""
DIFF_FILE = "source.diff"
"""Changes of the checkout beyond its commit, on the study's run."""

PREDICTIONS = "predictions.parquet"
"""Validation and test rows at the selected epoch, on a seed run."""
CONDITIONS = "conditions.parquet"
"""Test rows by `condition`, on a seed run: after the first epoch, and of a trained model whose features are masked,
noisy or late (`fmerl.conditions`)."""
BUNDLE = "bundle"
"""Folder of the model with the selected epoch's weights, on a seed run that keeps them."""

EPOCH_METRICS = (
    "train_loss",
    "train_mse_loss",
    "train_contrastive_loss",
    "train_negative_loss",
    "validation_weighted_f1",
    "validation_accuracy",
)
"""Logged once per epoch."""


class Tag:
    """Tags of runs."""

    STUDY = "fmerl.study"
    """Name of the study, on all its runs."""
    LEVEL = "fmerl.level"
    """study, variant, seed, search, trial or labels."""
    CORPUS = "fmerl.corpus"
    VARIANT = "fmerl.variant"
    SEED = "fmerl.seed"
    FOLD = "fmerl.fold"
    """Fold that a seed run tests, in a study with folds."""
    FINGERPRINT = "fmerl.fingerprint"
    CELL = "mlflow.fmerl.cell."
    """Start of the name of a tag that ends with the fingerprint: MLflow's tables have an index of tags' names and none
    of their values. What starts with `mlflow.` is no column of its UI."""
    CONDITIONS = "fmerl.conditions"
    """Names of the conditions that a seed run's model was tested under, with commas between."""
    PLANNED = "fmerl.planned"
    """`true` if the study's last command planned the variant."""
    SUPERSEDED = "fmerl.superseded"
    RECIPE = "fmerl.recipe"
    """Hash of all that decides a variant's numbers and comparison."""
    CHANGES = "fmerl.changes"
    VERDICT = "fmerl.verdict"
    WARNING = "fmerl.warning"
    UNSEEN = "fmerl.unseen"
    ERROR = "fmerl.error"
    REUSED_FROM = "fmerl.reused_from"
    TRIAL = "fmerl.trial"
    NOTE = "mlflow.note.content"
    """Description that MLflow's UI shows, in Markdown."""
    PARENT = "mlflow.parentRunId"
