"""Every command: its options, and how fast it answers what needs no work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module

import pytest
from cyclopts import CycloptsError
from helpers.repository import EXPERIMENTS, REPOSITORY

from fmerl.synthetic import SHAPES
from fmerl_platform.cli.main import COMMANDS, options_of, single
from fmerl_platform.study.study import SYNTHETIC

HEAVY = ("torch", "ray", "mlflow", "matplotlib", "sklearn", "scipy", "transformers", "pandas", "pyarrow", "optuna")
STUDY = """--seeds --storage --features --labels --preset --config --epochs --modalities --tables
    --emotion-encoder --scale --set --workers-per-cell --cpus-per-cell --gpus-per-cell --cells-at-once --keep-weights
    --checkpoint-seconds --dry-run --study"""
CORPORA = "--corpus --meld --emobank --text-encoder --pooling --text-folds"
ASKING = """--batch --requests-per-minute --tokens-per-minute --prices --budget --answers --tries --timeout
    --concurrency --workers"""
FLAGS = {
    "ablation": f"--corpus --system --variants --axis --study-file --folds --conditions --margin {STUDY}",
    "main-results": f"{CORPORA} --systems --folds --conditions --margin {STUDY}",
    "zero-shot": f"""{CORPORA} --unseen --unseen-utterances --variants --systems --calibrated-stacking
        --llm-study {STUDY}""",
    "across": f"--corpus --classes --system {STUDY}",
    "search": """--corpus --trials --search-seeds --evaluation-seeds --also --objective --unseen --pruning --sampler
        --patience --features --labels --preset --config --epochs --modalities --tables --emotion-encoder --scale --set
        --workers-per-cell --study --storage --cpus-per-trial --gpus-per-trial --trials-at-once --dry-run""",
    "export": """--output --study --storage --variant --corpus --seeds --retrain --data-licence --mlflow --register
        --alias --dry-run""",
    "predict": """--output --classes --split --media-roots --features --text-encoder --audio-set
        --audio-encoder --visual-encoder --visual-weights --emotion-encoder --workers --cpus-per-worker
        --gpus-per-worker --storage --dry-run""",
    "serve": """--host --port --classes --text-encoder --emotion-encoder --replicas --batch --batch-wait
        --cpus-per-replica --gpus-per-replica --request-bytes --conversations --turns --characters --timeout --idle
        --open --storage --dry-run""",
    "report": "--study --storage --corpus --output --reproduce --margin",
    "score": "--predictions --corpus --study --variant --storage --margin --output",
    "meld-text": f"""--meld --emobank --text-encoder --pooling --text-folds --system --variants --axis --study-file
        --conditions --margin {STUDY}""",
    "finetune-text": """--corpus --encoder --system --input --set --axis --paraphrases --synonyms --context-turns
        --max-length --pooling --epochs --batch-size --learning-rate --head-rate --layer-decay --weight-decay --warmup
        --clip --dropout --pass-tokens --bf16 --unseen --folds --seeds --workers-per-cell --cpus-per-cell
        --gpus-per-cell --cells-at-once --checkpoint-seconds --study --storage --output --dry-run""",
    "extract": """--corpus --features --modalities --table --text-encoder --text-layer --text-pooling --text-context
        --text-length --text-folds --audio-encoder --audio-set --audio-level --audio-rate --audio-layers --audio-pooling
        --audio-chunk --audio-seconds --media-roots --visual-encoder --visual-weights --pixel-mean --pixel-sd
        --faces --frames --workers --batch-size --cpus-per-worker
        --gpus-per-worker --supervised-on-labels --storage --dry-run""",
    "label": f"""--corpus --labels --model --splits --limit --decoding --temperature --questions --samples
        --prompt --score-template --joint-template --description-template --system --scale --dimensions --descriptions
        --retest --max-error-share --storage --dry-run {ASKING}""",
    "ask-knowledge": f"""--corpus --knowledge --features --model --text-encoder --text-pooling --context --decoding
        --temperature --max-error-share --storage --dry-run {ASKING}""",
    "llm-baselines": f"""--corpus --config --model --prompt --unseen --limit --shots --context --seeds --decoding
        --temperature --study --storage --dry-run {ASKING}""",
    "import-corpus": """--output --meld --iemocap --emorynlp --dailydialog --convokit --audformat --conversations
        --media --protocol --ids --validation --emotion --speaker --text --dialogue --split --tables --name --vad-range
        --classes --drop-unlabelled --dry-run""",
    "inspect-corpus": "--corpus --output",
    "import-features": "--output --text --iemocap --validation --dry-run",
    "make-media-corpus": "--output --dialogues --layout --faults --seed",
}
"""Options that users' scripts rely on."""


@pytest.mark.parametrize("command", COMMANDS)
def test_options_keep_their_names(command: str) -> None:
    parsed = single(command, command).assemble_argument_collection()
    assert {name for argument in parsed for name in argument.names if name.startswith("--")} == {
        *FLAGS[command].split()
    }


def test_every_script_is_a_command_and_every_command_a_script() -> None:
    called = {
        path.read_text(encoding="utf-8").split('run_script("')[1].split('"')[0] for path in EXPERIMENTS.glob("*.py")
    }
    assert called == set(COMMANDS) == set(FLAGS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_imports_nothing_heavy(command: str) -> None:
    code = f"""
import sys
from fmerl_platform.cli.main import main
try:
    main([{command!r}, "--help"])
except SystemExit as left:
    assert left.code == 0
print(*({set(HEAVY)!r} & set(sys.modules)), file=sys.stderr)
"""
    done = _python(code)
    assert done.returncode == 0, done.stderr
    assert "--" in done.stdout
    assert done.stderr.split() == []


def _python(code: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "platform")])
    environment = {**os.environ, "PYTHONPATH": paths}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("command", "arguments", "said"),
    [
        ("ablation", ["--seed", "0"], "Unknown option: --seed"),
        ("ablation", ["--epochs", "1.5"], "no whole number"),
        ("ablation", ["--cpus-per-cell", "nan"], "no finite number"),
        ("label", ["--corpus", "c", "--labels", "l", "--model", "m", "--budget", "inf"], "no finite number"),
        ("ablation", ["--preset", "huge"], "Choose from"),
        ("ablation", ["--variants", "w/o Joy"], "--variants"),
        ("ablation", ["stray"], "stray"),
        ("label", ["--corpus", "c"], "--labels"),
        ("label", ["--corpus", "c", "--labels", "l", "--model", "m", "--answers", "0"], ">= 1"),
        ("extract", ["--corpus", "c", "--features", "f", "--faces", "dlib"], "Choose from"),
    ],
)
def test_bad_arguments_are_refused(command: str, arguments: Sequence[str], said: str) -> None:
    with pytest.raises(CycloptsError, match=re.escape(said)):
        options_of(command, arguments)


def test_a_command_is_the_function_of_its_name() -> None:
    for command in COMMANDS:
        name = command.replace("-", "_")
        assert callable(getattr(import_module(f"fmerl_platform.cli.{name}"), name))


def test_the_corpora_that_need_no_data_are_those_that_can_be_made() -> None:
    assert tuple(SHAPES) == SYNTHETIC
