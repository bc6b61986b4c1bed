"""`fmerl make-media-corpus` as a script; see --help."""

from fmerl_platform.cli.main import run_script

if __name__ == "__main__":
    run_script("make-media-corpus")
