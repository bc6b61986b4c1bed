"""Search over the loss weights and a few other fields: Ray Tune runs the trials, Optuna proposes and remembers them."""
