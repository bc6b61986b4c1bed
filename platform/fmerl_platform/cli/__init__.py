"""Commands: options as dataclasses, output, exit codes. `fmerl COMMAND` and `experiments/` run the same."""
