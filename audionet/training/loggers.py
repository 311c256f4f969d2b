"""Where a training is logged to: metrics.csv, TensorBoard, and loggers of the user's choice."""

import inspect
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only


def make_loggers(output: Path, chosen: object = None) -> list[Logger]:
    """Return the loggers of a run: metrics.csv and TensorBoard's in its folder, and those chosen.

    Args:
        output: Folder of the run; a logger that takes ``save_dir`` saves there, too.
        chosen: A logger, its class name in `lightning.pytorch.loggers` or its full import path, a mapping
            {"class_path": name, "init_args": {...}}, or a list of these; None for no other.

    Raises:
        ValueError: There is no such logger, or it cannot be made.
    """
    others = chosen if isinstance(chosen, list | tuple) else [] if chosen is None else [chosen]
    return [
        csv_logger(output),
        TensorBoardLogger(output, "", "tensorboard"),
        *(_logger(each, output) for each in others),
    ]


def csv_logger(output: Path) -> CSVLogger:
    """Return a logger to metrics.csv that goes on behind what the file has already, for a run that is resumed."""
    path = output / "metrics.csv"
    before = path.read_bytes() if path.exists() else b""
    logger = CSVLogger(output, "", "")
    if before and rank_zero_only.rank == 0:  # type: ignore[attr-defined]
        writer = logger.experiment  # making it removes the file
        path.write_bytes(before)
        writer.metrics_keys = before.decode().splitlines()[0].split(",")
    return logger


def _logger(chosen: object, output: Path) -> Logger:
    if isinstance(chosen, Logger):
        return chosen
    name, arguments = str(chosen), {}
    if isinstance(chosen, Mapping):
        name, arguments = str(chosen.get("class_path")), dict(chosen.get("init_args") or {})
    module, _, attribute = name.rpartition(".")
    try:
        kind = getattr(import_module(module or "lightning.pytorch.loggers"), attribute)
        if "save_dir" in inspect.signature(kind).parameters:
            arguments.setdefault("save_dir", output)
        logger = kind(**arguments)
    except (AttributeError, ImportError, TypeError) as error:
        raise ValueError(
            f"logger: expected the name of a logger of lightning.pytorch.loggers, got {name} ({error}); "
            "install its package, or correct its name or its init_args"
        ) from error
    assert isinstance(logger, Logger)
    return logger
