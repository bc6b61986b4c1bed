#!/usr/bin/env bash
# datasets 5.2.0: one number among the texts of a column puts quotation marks around its neighbours, from row 1,000 on.
#
# Guess: a function for `map` that gives 3 where it gives text elsewhere raises, or the 3 becomes "3"; other rows keep
#        their text.
# Seen:  of 3,500 rows, all "joy" but a 3 in row 1,500, rows 1,000 to 1,999 come back as "joy" with the quotation marks
#        within the text, as JSON has it, and the others as joy. So they do by `from_generator`, with batched=True, and
#        with a string declared in `features`; quotation marks within the texts get backslashes. Nothing warns. With the
#        3 in row 500 the whole column is of the type Json, and all rows keep what they were given, the 3 as a number.
# For a user who maps answers of a language model or cells of a sheet to labels: a class is two classes, by blocks of
# 1,000 rows, and its counts and scores fall. Make every value a str within the function.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check datasets==5.2.0 pyarrow==25.0.1 numpy==2.4.6

cat > "$folder/probe.py" <<'PYTHON'
from collections import Counter
from collections.abc import Iterator

import datasets
from datasets import Dataset, Features, Value

datasets.disable_progress_bars()
ROWS = 3500
rows = Dataset.from_dict({"row": list(range(ROWS))})


def label(row: int, number_at: int = 1500) -> str | int:
    return 3 if row == number_at else "joy"


def rows_one_by_one() -> Iterator[dict[str, str | int]]:
    yield from ({"label": label(row)} for row in range(ROWS))


declared = Features({"row": Value("int64"), "label": Value("string")})
made = {
    "map": rows.map(lambda row: {"label": label(row["row"])}),
    "map, batched": rows.map(lambda batch: {"label": [label(row) for row in batch["row"]]}, batched=True),
    "map, features declared": rows.map(lambda row: {"label": label(row["row"])}, features=declared),
    "from_generator": Dataset.from_generator(rows_one_by_one),
}
for way, dataset in made.items():
    labels = list(dataset["label"])
    quoted = [row for row, text in enumerate(labels) if text == '"joy"']
    print(f"{way:<24}{dict(Counter(labels))}, quoted from row {quoted[0]} to {quoted[-1]}")
    assert dataset.features["label"] == Value("string"), "the behaviour has changed"
    assert Counter(labels) == {"joy": 2500, '"joy"': 999, "3": 1}, "the behaviour has changed"
    assert (quoted[0], quoted[-1]) == (1000, 1999), "the behaviour has changed"
early = rows.map(lambda row: {"label": label(row["row"], number_at=500)})
print(f"{'number in row 500':<24}{dict(Counter(early['label']))}, {early.features['label']}")
assert Counter(early["label"]) == {"joy": ROWS - 1, 3: 1}, "the behaviour has changed"
texts = rows.map(lambda row: {"label": 3 if row["row"] == 1500 else 'say "no"'})
assert texts[1499]["label"] == r'"say \"no\""' and texts[999]["label"] == 'say "no"', "the behaviour has changed"
PYTHON
HF_HOME="$folder/cache" HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/probe.py"
