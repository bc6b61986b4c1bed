"""Commands: options as dataclasses, what is printed, exit codes. `fmerl COMMAND` and `experiments/` run the same."""
