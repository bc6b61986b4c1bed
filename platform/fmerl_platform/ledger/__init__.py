"""A study as it is remembered in MLflow."""
