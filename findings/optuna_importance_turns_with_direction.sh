#!/usr/bin/env bash
# Optuna 5.0.0: which parameter is the most important turns round with the direction of the study.
#
# Guess: the default importance is fANOVA, a share of the objective's variance, which does not know which end is the best.
# Seen:  the default is PED-ANOVA, which asks what the best trials have in common. Of the same 100 trials of a^2 + .3 b the
#        study that minimises puts a first and the one that maximises b; fANOVA gives a more than .9 in both.
# For a user: importances of two studies compare only if direction and evaluator are the same; name the evaluator.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check optuna==5.0.0 scikit-learn==1.9.1

cat > "$folder/probe.py" <<'PYTHON'
import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances

optuna.logging.set_verbosity(optuna.logging.ERROR)
leading, shares = {}, {}
for direction in ("minimize", "maximize"):
    study = optuna.create_study(direction=direction, sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(lambda t: t.suggest_float("a", -1, 1) ** 2 + 0.3 * t.suggest_float("b", 0, 1), n_trials=100)
    default = get_param_importances(study)
    fanova = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
    leading[direction], shares[direction] = next(iter(default)), fanova["a"]
    print(direction, *(f"{name} {value:.2f}" for name, value in default.items()), "| fANOVA", f"a {fanova['a']:.2f}")
assert leading == {"minimize": "a", "maximize": "b"}, "the behaviour has changed"
assert min(shares.values()) > 0.85, "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py"
