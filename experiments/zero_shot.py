"""`fmerl zero-shot` as a script, for `ray job submit -- python experiments/zero_shot.py`; see --help."""

from fmerl_platform.cli.main import run_script

if __name__ == "__main__":
    run_script("zero-shot")
