"""Storage of a study in MLflow."""
