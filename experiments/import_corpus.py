"""`fmerl import-corpus` as a script, for `ray job submit -- python experiments/import_corpus.py`; see --help."""

from fmerl_platform.cli.main import run_script

if __name__ == "__main__":
    run_script("import-corpus")
