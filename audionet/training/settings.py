"""The arguments of Lightning's trainer, as a recipe gives them: those that cannot work are refused before a step."""

from collections.abc import Mapping
from typing import Any

from audionet.checks import check_that

NOT_ZERO = ("max_epochs", "max_steps", "limit_train_batches", "limit_test_batches")


def trainer_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `lightning.Trainer` for a run that leaves checkpoints and is tested.

    Args:
        given: Arguments as flags name them. ``fast_dev_run`` becomes a run of so many batches of everything, which
            leaves what any run leaves.

    Raises:
        ValueError: Nothing would be trained, kept or tested.
    """
    arguments = dict(given)
    arguments["enable_model_summary"] = bool(given.get("enable_model_summary"))  # a table, where one line does
    is_kept = arguments.pop("enable_checkpointing", None)
    advice = "leave it out: the run goes on from its checkpoints, and tests the best of them"
    check_that(is_kept is not False, "trainer.enable_checkpointing", "true", is_kept, advice)
    for name in NOT_ZERO:
        value = arguments.get(name)
        advice = "leave it out or give a number"
        check_that(value is None or value != 0, f"trainer.{name}", "more than none", value, advice)
    n_tried = int(arguments.pop("fast_dev_run", False))
    if n_tried:
        limits = dict.fromkeys(("limit_train_batches", "limit_val_batches", "limit_test_batches", "max_steps"), n_tried)
        arguments |= {**limits, "max_epochs": 1, "check_val_every_n_epoch": 1, "val_check_interval": 1.0}
    return arguments
