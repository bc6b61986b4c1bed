"""Synthetic corpora as folders, which are what a study reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fmerl.card import recipe_digest
from fmerl.config import KNOWLEDGE, RELATIONS
from fmerl.corpus import write_corpus
from fmerl.features.store import FeatureTable, features_current, write_features
from fmerl.synthetic.corpus import generate
from fmerl.synthetic.spec import SyntheticSpec


def materialise(spec: SyntheticSpec, storage: Path) -> tuple[Path, Path]:
    """Write a synthetic corpus and its features, unless this very one lies there: (corpus folder, features folder)."""
    home = storage / "synthetic" / f"{spec.name}-{spec.digest()[:12]}"
    folder, features = home / "corpus", home / "features"
    recipe = {"generator": "fmerl.synthetic.corpus", "spec": spec.digest()}
    recipes: dict[str, dict[str, Any]] = {
        **dict.fromkeys(spec.modalities, recipe),
        KNOWLEDGE: {**recipe, "relations": list(RELATIONS)},
    }
    made = (folder / "corpus.json").exists() and all(
        features_current(features, spec.name, table, recipe_digest(recipe)) for table, recipe in recipes.items()
    )
    if not made:
        synthetic = generate(spec)
        ids = tuple(utterance.utterance_id for utterance in synthetic.corpus.utterances())
        for table, (values, missing) in {**synthetic.features, KNOWLEDGE: synthetic.knowledge}.items():
            write_features(
                features,
                spec.name,
                FeatureTable(
                    modality=table,
                    utterance_ids=ids,
                    values=values,
                    missing=missing,
                    card={"recipe": recipes[table], "supervised_on_labels": False},
                ),
            )
        write_corpus(synthetic.corpus, folder)
    return folder, features
