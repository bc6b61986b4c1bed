#!/usr/bin/env bash
# ConvoKit 5.0.0 with pandas 3.1.1: a corpus made of data frames has no first utterances, and its threads cannot be walked.
#
# Guess: `Corpus.from_pandas` takes a None in `reply_to` for the first utterance of a conversation, as an `Utterance` has it
#        and as it does with a column of objects. The package asks for pandas 1.5 or later.
# Seen:  pandas 3 makes such a column one of strings, in which the None is NaN. `reply_to` of the first utterance is NaN,
#        `check_integrity` reports a missing utterance nan, and `get_root_to_leaf_paths` raises ValueError. `dump` writes NaN
#        into utterances.jsonl, which is no JSON.
# For a user: reply structure is lost without a word at the time, and other programs refuse the dump. Keep the column as
# objects: frame["reply_to"] = pandas.Series(values, dtype=object). Here NaN in a ConvoKit folder is a missing value.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
# What the corpus itself imports; the models that the package also asks for are left out.
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pandas==3.1.1 numpy==2.4.6 pymongo==4.20.1 \
    PyYAML==6.0.4 requests==2.34.2 scikit-learn==1.9.1 scipy==1.17.1 tqdm==4.70.1
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps convokit==5.0.0

cat > "$folder/probe.py" <<'PYTHON'
import contextlib
import io
import sys
from pathlib import Path

import pandas as pd
from convokit import Corpus

REPLIES = [None, "u0", "u1"]
found = {}
for kind in (None, object):
    utterances = pd.DataFrame(
        {
            "id": ["u0", "u1", "u2"],
            "conversation_id": "u0",
            "speaker": ["ann", "bob", "ann"],
            "text": ["Hi", "Oh", "Bye"],
            "reply_to": pd.Series(REPLIES, dtype=kind),
            "timestamp": [0, 1, 2],
        }
    )
    speakers, conversations = pd.DataFrame({"id": ["ann", "bob"]}), pd.DataFrame({"id": ["u0"]})
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        corpus = Corpus.from_pandas(utterances, speakers, conversations)
        conversation = corpus.get_conversation("u0")
        whole = conversation.check_integrity()
        try:
            paths = str(len(conversation.get_root_to_leaf_paths()))
        except ValueError as error:
            paths = f"ValueError: {str(error).split('.')[0]}"
        corpus.dump("talk", base_path=sys.argv[1])
    line = (Path(sys.argv[1]) / "talk" / "utterances.jsonl").read_text().splitlines()[0]
    found[kind] = whole, '"reply-to": NaN' in line
    column = utterances["reply_to"].dtype
    print(f"column of {column}: first reply_to {corpus.get_utterance('u0').reply_to!r}, whole {whole}, paths {paths}")
assert found == {None: (False, True), object: (True, False)}, "the behaviour has changed"
PYTHON
HOME="$folder" "$folder/venv/bin/python" "$folder/probe.py" "$folder"
