"""Training one cell: data in batches, the loop, the choice of the epoch, evaluation."""
