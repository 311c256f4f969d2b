"""What must stay as it is while a run goes on: its data, its parts, its values; kept in each checkpoint."""

import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from lightning import LightningDataModule, LightningModule

from audionet.training.data import ClipData, CorpusData, CropData
from audionet.training.domain import DomainHead

if TYPE_CHECKING:
    from audionet.datasets.store import Store

# What may change while a run goes on: where it is, what it tells, its length, and values whose effect the data show.
FREE = {"output", "resume", "find_learning_rate", "compile", "judge", "n_generated", "data", "trainer", "steps"}
# What of Lightning's trainer decides what a step is; all else, such as its length and its devices, may change.
STEP = (
    "accumulate_grad_batches",
    "gradient_clip_val",
    "gradient_clip_algorithm",
    "limit_train_batches",
    "overfit_batches",
)

Identity = dict[str, Any]


def run_identity(
    task: LightningModule,
    data: LightningDataModule,
    *,
    trainer: Mapping[str, object],
    values: Mapping[str, object],
    **others: object,
) -> Identity:
    """Return what must stay as it is while a run goes on, as plain JSON values by name.

    Args:
        task: What is trained.
        data: Data module that serves the batches.
        trainer: Arguments of `lightning.Trainer`.
        values: Values of the run, as a preset has them.
        **others: Further values.
    """
    kept = {name: value for name, value in values.items() if name not in FREE}
    steps = {f"trainer.{name}": trainer.get(name) for name in STEP}
    named = {**_of_data(data), **dict(_flat(kept)), **steps, **others, **_of_parts(task)}
    plain: Identity = json.loads(json.dumps(named, default=str))
    return plain


def check_identity(before: Identity, now: Identity) -> None:
    """Refuse to go on with a run that was another one.

    Raises:
        ValueError: Something differs; the message has its name and both values.
    """
    for name in [*now, *(name for name in before if name not in now)]:
        if before.get(name) != now.get(name):
            was, is_now = (values.get(name, "its default") for values in (before, now))
            raise ValueError(
                f"{name}: expected {was}, with which the run began, got {is_now}; "
                "go on with what it began with, or choose another --output"
            )


def _flat(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif value is not None:  # what is not given is not there, so that a new value can be added to a recipe
            yield prefix + name, value


def _of_data(data: LightningDataModule) -> Identity:
    if not isinstance(data, CorpusData):
        return {}
    corpus = data.corpus
    windows: Identity = {}
    if isinstance(data, CropData):
        windows = {
            "data.window_seconds": data.crops.window / corpus.sample_rate,
            "data.epoch_batches": data.epoch_batches,
            "categories": data.categories,
        }
    elif isinstance(data, ClipData):
        windows = {"data.epoch_batches": data.epoch_batches} if data.epoch_batches > 1 else {}
    return {
        "labels": corpus.labels,
        "data.sample_rate": corpus.sample_rate,
        "data.clip_seconds": corpus.clip_length / corpus.sample_rate,
        "data.batch_size": data.batch_size,
        **windows,
        "seed": data.seed,
        "data": fingerprint(corpus.store),
    }


def _of_parts(task: LightningModule) -> Identity:
    front_end, network = getattr(task, "front_end", None), getattr(task, "model", task)
    sizes = json.dumps({name: list(value.shape) for name, value in task.state_dict().items()})
    weights = hashlib.sha256(sizes.encode()).hexdigest()[:16]
    return {
        "front_end": f"{' '.join(str(front_end).split())}, {getattr(front_end, 'n_bands', 0)} bands",
        "network": f"{type(network).__name__} with weights {weights}",
        **_of_speech(getattr(task, "domain", None)),
    }


def _of_speech(domain: DomainHead | None) -> Identity:
    """Return the number of clips and a key of the real speech that a head tells from synthetic speech."""
    if domain is None or domain.speech is None:
        return {}
    key = hashlib.sha256(domain.speech[:: max(len(domain.speech) // 1000, 1)].tobytes()).hexdigest()[:16]
    return {"real_speech": f"{len(domain.speech)} clips, {key}"}


def fingerprint(store: "Store", n_heard: int = 1000) -> str:
    """Return a name of a store's contents: the index whole, the samples of clips that are spread over it.

    Args:
        store: The clips.
        n_heard: Clips whose samples count, at most.

    Returns:
        The number of clips and a key, which do not depend on where the files are and on when they were copied.
    """
    parts = zip(store.paths, store.labels, store.speakers, store.splits, store.lengths, strict=True)
    key = hashlib.sha256("\n".join("\t".join(map(str, each)) for each in parts).encode(errors="surrogateescape"))
    for clip in np.unique(np.linspace(0, len(store) - 1, min(n_heard, len(store))).astype(int)):
        key.update(zlib.crc32(store.waveforms[clip].tobytes()).to_bytes(4, "little"))
    return f"{len(store)} clips, {key.hexdigest()[:16]}"
