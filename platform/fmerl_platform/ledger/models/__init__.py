"""Bundles in MLflow, on the runs of cells and as models of its registry. No study reads them."""
