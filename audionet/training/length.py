"""How long a training is, where nothing says so: a number of steps that fits the data."""

from collections.abc import MutableMapping
from typing import Any

from audionet.checks import check_at_least
from audionet.console import note
from audionet.training.data import ClipData

EPOCHS, FEWEST_STEPS, MOST_STEPS = 30, 1500, 6000
LIMITS = ("max_epochs", "max_steps", "max_time")


def fitting_steps(n_batches: int) -> int:
    """Return the steps that fit a corpus, by the batches of its training clips: 30 passes, at least 1500, at most 6000.

    Example:
        >>> fitting_steps(4), fitting_steps(60), fitting_steps(1000)
        (1500, 1800, 6000)
    """
    return min(max(EPOCHS * n_batches, FEWEST_STEPS), MOST_STEPS)


def set_length(trainer: MutableMapping[str, Any], data: ClipData, steps: int | None = None) -> None:
    """Set the length of a training, ``max_steps`` and ``max_epochs``, in the arguments of `lightning.Trainer`.

    Args:
        trainer: The arguments; None is each one's default.
        data: Data module that serves the corpus.
        steps: Number of steps; that ``max_epochs`` or ``max_steps`` give way to it is said. None for what these or
            ``max_time`` say, and where none of them says anything for `fitting_steps`.

    Raises:
        ValueError: ``steps`` is not positive.
    """
    if steps is None:
        if any(trainer[name] not in (None, -1) for name in LIMITS) or trainer["fast_dev_run"]:
            return
        n_clips = len(data.corpus.store.indices("train"))
        steps = fitting_steps(n_clips // data.batch_size)
        note(
            f"{steps} steps of {data.batch_size} clips, which fit {n_clips} training clips; --steps sets another length"
        )
    check_at_least(1, whole=True, steps=steps)
    for name in ("max_epochs", "max_steps"):
        if trainer[name] not in (None, -1, steps):
            note(f"trainer.{name} {trainer[name]} is not used: steps {steps} sets the length")
    trainer["max_steps"], trainer["max_epochs"] = steps, -1
