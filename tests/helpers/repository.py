"""Where the checkout lies."""

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
EXPERIMENTS = REPOSITORY / "experiments"
