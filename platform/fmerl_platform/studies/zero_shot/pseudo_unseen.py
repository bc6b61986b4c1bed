"""The seen class that stands in for the unseen ones wherever something is tuned for them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from fmerl.errors import InputError
from fmerl.training.dataset import ConversationData
from fmerl_platform.study.cells import CorpusInputs
from fmerl_platform.study.hold_out import UNSEEN_CLASSES
from fmerl_platform.study.variant import Variant


def pseudo_unseen_class(data: ConversationData, unseen: Iterable[str], option: str = "--calibrated-stacking") -> str:
    """The seen class that stands in for the unseen ones: of median frequency in train, the rarer of two.

    A rare one would leave too few validation utterances to tune on, a frequent one is unlike what is held out. No label
    of an unseen class plays a part, nor any of test.

    Args:
        data: The corpus.
        unseen: Names of the unseen classes.
        option: Option that asks for it, to name in the error.

    Raises:
        InputError: Fewer than three seen classes occur in train and validation.
    """
    held_out = {data.classes.index(name) for name in unseen}
    train, validation = (_counts(data.subset(split).label, len(data.classes)) for split in ("train", "validation"))
    seen = [c for c in range(len(data.classes)) if c not in held_out and train[c] and validation[c]]
    if len(seen) < 3:
        what = f"only {len(seen)} seen classes of {data.corpus} occur in train and validation"
        raise InputError(option, what, "leave it out, or hold fewer classes out")
    by_frequency = sorted(seen, key=lambda c: (train[c], c))
    return data.classes[by_frequency[(len(seen) - 1) // 2]]


def pseudo_unseen_variant(inputs: CorpusInputs) -> Variant:
    """FMERL with one seen class held out as well, to tune the constant of calibrated stacking on."""
    unseen = inputs.control.training.unseen_classes
    pseudo = pseudo_unseen_class(inputs.data, unseen)
    return Variant(
        name=f"pseudo-unseen {pseudo}",
        change=lambda config: config.changed(training__unseen_classes=(*unseen, pseudo)),
        declares=(UNSEEN_CLASSES,),
    )


def _counts(label: NDArray[np.int64], n_classes: int) -> NDArray[np.int64]:
    return np.bincount(label[label >= 0], minlength=n_classes)
