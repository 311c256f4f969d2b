"""What a user is told of a corpus when it is opened: its classes and clips, and what may be wrong with them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from audionet.checks import listed
from audionet.console import note
from audionet.datasets.clip import SPLITS
from audionet.datasets.synthesis.negatives import NEGATIVE
from audionet.labels import SILENCE

if TYPE_CHECKING:
    from audionet.datasets.corpus import Corpus
    from audionet.datasets.store import Store


def remark(corpus: "Corpus") -> None:
    """Say what a corpus consists of, and which clips are silent, copies, not tested, or twice in it."""
    store, labels = corpus.store, corpus.labels
    splits = ", ".join(f"{split} {len(store.indices(split))}" for split in SPLITS)
    remarks = [f"{len(labels)} class{'es' * (len(labels) > 1)} ({listed(labels, 12)}), {len(store)} clips ({splits})"]
    is_few = getattr(corpus.card.layout, "few", False)  # which of few recordings are left out is said when they are
    label_of = dict(zip(store.paths, corpus.label_index.tolist(), strict=True))
    silent = [path for path in store.silent if not path.startswith(NEGATIVE) and labels[label_of[path]] != SILENCE]
    if silent and not is_few:
        remarks.append(f"{len(silent)} clips hold no sound but keep their labels: {listed(silent, 5)}")
    if copies := np.flatnonzero(store.first_alike != np.arange(len(store))).tolist():
        remarks.append(
            f"{len(copies)} clips are copies of others, from which nothing more is learnt: {_named(store, copies)}"
        )
    if corpus.untested and not is_few:  # few recordings are all tested, in turns
        remarks.append(f"no test clips, and so no score, of {listed(corpus.untested, 10)}")
    for values, what in ((store.labels, "classes"), (store.splits, "splits")):
        if twins := np.flatnonzero(values != values[store.first_alike]).tolist():
            remarks.append(f"the same recording is in two {what}: {_named(store, twins)}")
    for text in remarks:
        note(f"{corpus.card.name}: {text}")


def _named(store: "Store", copies: Sequence[int]) -> str:
    """Name clips, by their positions, each with the first clip that has the same samples."""
    return listed(f"{store.paths[clip]} ({store.paths[store.first_alike[clip]]})" for clip in copies)
