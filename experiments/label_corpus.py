"""`fmerl label` as a script, for `ray job submit -- python experiments/label_corpus.py`; see --help."""

from fmerl_platform.cli.main import run_script

if __name__ == "__main__":
    run_script("label")
