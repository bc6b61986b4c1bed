#!/usr/bin/env bash
# torchmetrics 1.9.0: BootStrapper's deviation depends on the size of the batches it is given; one by one it is 0.
#
# Guess: the resamples are of all utterances that were given, so that the deviation of 300 is the same in one batch of
#        300, in 30 of ten or one by one.
# Seen:  each batch is resampled by itself. An accuracy of .54 over 300 utterances has a deviation of .027 in one batch
#        and of .022 in batches of three (its standard error is .029); by "multinomial" it is 0 one by one, since the only
#        resample of a batch of one is that batch.
# For a user who evaluates a dialogue at a time, as in ERC: intervals depend on how dialogues are batched, and are too
# short. Gather all predictions, call update once, or resample dialogues.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torchmetrics==1.9.0 torch==2.13.0 numpy==2.4.6

cat > "$folder/probe.py" <<'PYTHON'
import torch
from torchmetrics.classification import MulticlassAccuracy
from torchmetrics.wrappers import BootStrapper

draws = torch.Generator().manual_seed(0)
gold = torch.randint(0, 3, (300,), generator=draws)
right = torch.rand(300, generator=draws) < 0.58
predicted = torch.where(right, gold, (gold + 1) % 3)
accuracy = float((predicted == gold).float().mean())
expected = (accuracy * (1 - accuracy) / 300) ** 0.5
print(f"accuracy {accuracy:.4f}, its standard error {expected:.4f}")
seen = {}
for size in (300, 10, 3, 1):
    torch.manual_seed(0)
    accuracies = MulticlassAccuracy(3, average="micro")
    bootstrap = BootStrapper(accuracies, num_bootstraps=800, sampling_strategy="multinomial")
    for some, true in zip(predicted.split(size), gold.split(size), strict=True):
        bootstrap.update(some, true)
    seen[size] = float(bootstrap.compute()["std"])
    print(f"batches of {size:>3}: deviation {seen[size]:.4f}")
assert abs(seen[300] / expected - 1) < 0.15, "the behaviour has changed"
assert seen[3] < 0.95 * expected and seen[1] < 1e-6, "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py"
