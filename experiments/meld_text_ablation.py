"""`fmerl meld-text` as a script, for `ray job submit -- python experiments/meld_text_ablation.py`; see --help."""

from fmerl_platform.cli.main import run_script

if __name__ == "__main__":
    run_script("meld-text")
