#!/usr/bin/env bash
# audformat 1.4.3: texts and labels such as `null`, `NA` and `nan` are missing after a database is saved as CSV and loaded.
#
# Guess: a scheme of strings comes back as it was saved, whatever the storage format, and so does every label of a scheme.
# Seen:  `null`, `NULL`, `NA`, `N/A`, `nan` and the empty text are missing values after `Database.save` (whose default is
#        CSV) and `Database.load`; so is a label NA that the scheme itself lists. `None` and `-` stay. Saved as Parquet, all
#        of them come back.
# For a user: an utterance in which a German speaker says zero has no transcription, and a class NA has no utterances,
# without a word from either call. Save such databases with storage_format="parquet".
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check audformat==1.4.3 pandas==3.1.1 numpy==2.4.6

cat > "$folder/probe.py" <<'PYTHON'
import sys
import warnings

import audformat

warnings.simplefilter("ignore")
TEXTS = ["null", "NULL", "NA", "N/A", "nan", "", "None", "-", "eins"]
lost = {}
for storage in ("csv", "parquet"):
    database = audformat.Database("talk", source="made up", usage="research")
    database.schemes["transcription"] = audformat.Scheme("str")
    database.schemes["class"] = audformat.Scheme(labels=["NA", "joy"])
    table = database["files"] = audformat.Table(audformat.filewise_index([f"{n}.wav" for n in range(len(TEXTS))]))
    table["transcription"] = audformat.Column(scheme_id="transcription")
    table["transcription"].set(TEXTS)
    table["class"] = audformat.Column(scheme_id="class")
    table["class"].set(["NA", "joy", *["joy"] * (len(TEXTS) - 2)])
    database.save(f"{sys.argv[1]}/{storage}", storage_format=storage)
    loaded = audformat.Database.load(f"{sys.argv[1]}/{storage}")["files"].df
    missing = loaded["transcription"].isna()
    lost[storage] = [text for text, gone in zip(TEXTS, missing, strict=True) if gone]
    lost[f"{storage}, class NA"] = bool(loaded["class"].isna().iloc[0])
for name, texts in lost.items():
    print(f"{name:<20}{texts}")
assert lost["csv"] == ["null", "NULL", "NA", "N/A", "nan", ""], "the behaviour has changed"
assert lost["csv, class NA"], "the behaviour has changed"
assert lost["parquet"] == [] and not lost["parquet, class NA"], "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" "$folder/probe.py" "$folder"
