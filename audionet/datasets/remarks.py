"""What a user is told of a corpus when it is opened: its classes and clips, and what may be wrong with them."""

from typing import TYPE_CHECKING

import numpy as np

from audionet.checks import listed
from audionet.console import note
from audionet.datasets.clip import SPLITS

if TYPE_CHECKING:
    from audionet.datasets.corpus import Corpus
    from audionet.datasets.store import Store


def remark(corpus: "Corpus") -> None:
    """Say what a corpus consists of, and which clips are silent, not tested, or twice in it."""
    store, labels = corpus.store, corpus.labels
    splits = ", ".join(f"{split} {len(store.indices(split))}" for split in SPLITS)
    remarks = [f"{len(labels)} class{'es' * (len(labels) > 1)} ({listed(labels, 12)}), {len(store)} clips ({splits})"]
    if store.silent:
        remarks.append(f"{len(store.silent)} clips hold no sound but keep their labels: {listed(store.silent, 5)}")
    if corpus.untested:
        remarks.append(f"no test clips, and so no score, of {listed(corpus.untested, 10)}")
    for values, what in ((store.labels, "classes"), (store.splits, "splits")):
        if twins := _twins_apart(store, values):
            remarks.append(f"the same recording is in two {what}: {listed(twins)}")
    for text in remarks:
        note(f"{corpus.card.name}: {text}")


def _twins_apart(store: "Store", values: np.ndarray) -> list[str]:
    """Name the clips that have the samples of an earlier one with another value, such as another label."""
    apart = np.flatnonzero(values != values[store.first_alike]).tolist()
    return [f"{store.paths[clip]} ({store.paths[store.first_alike[clip]]})" for clip in apart]
