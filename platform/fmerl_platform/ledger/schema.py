"""Names of what a study leaves in MLflow: users read them in its UI and in their own scripts."""

from __future__ import annotations

STUDY_FILE = "study.json"
"""What the study was asked for, on its run."""
DIFF_FILE = "source.diff"
"""What the checkout had beyond its commit, on the study's run."""

PREDICTIONS = "predictions.parquet"
"""Validation and test rows at the selected epoch, on a seed run."""
CONDITIONS = "conditions.parquet"
"""Test rows after the first epoch and with masked modalities, on a seed run."""

EPOCH_METRICS = (
    "train_loss",
    "train_mse_loss",
    "train_contrastive_loss",
    "train_negative_loss",
    "validation_weighted_f1",
    "validation_accuracy",
)
"""Logged once per epoch."""
