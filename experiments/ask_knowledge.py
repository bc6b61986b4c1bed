"""`fmerl ask-knowledge` as a script, for `ray job submit -- python experiments/ask_knowledge.py`; see --help."""

from fmerl_platform.cli.main import run_script

if __name__ == "__main__":
    run_script("ask-knowledge")
