"""The engine around the method: Ray runs the cells, MLflow keeps them, statistics say what they show."""
