#!/usr/bin/env bash
# Optuna 5.0.0: of an objective that never changes, every parameter is equally important; by fANOVA it is an error.
#
# Guess: no parameter matters, so each importance is 0, whichever evaluator is asked.
# Seen:  the default evaluator gives each of two parameters .5, each of four .25, beside a UserWarning about quantiles.
#        fANOVA raises `RuntimeError: Encountered zero total variance in all trees.`
# For a user whose trials all end alike (a metric that was never computed, a model that always predicts one class): a bar
# chart that looks like a result, or a report that fails after all trials were paid.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check optuna==5.0.0 scikit-learn==1.9.1

cat > "$folder/probe.py" <<'PYTHON'
import warnings

import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore")
for names in ("ab", "abcd"):

    def objective(trial: optuna.Trial) -> float:
        for name in names:
            trial.suggest_float(name, 0, 1)
        return 0.5

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=20)
    default = get_param_importances(study)
    try:
        fanova = str(get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0)))
    except RuntimeError as error:
        fanova = f"RuntimeError: {error}"
    print({name: round(value, 3) for name, value in default.items()}, "| fANOVA:", fanova)
    assert all(abs(value - 1 / len(names)) < 1e-9 for value in default.values()), "the behaviour has changed"
    assert "zero total variance" in fanova, "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py"
