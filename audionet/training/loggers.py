"""Where a training is logged to: metrics.csv, TensorBoard, and loggers of the user's choice."""

import csv
import inspect
import io
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from importlib import import_module
from pathlib import Path

from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from audionet.console import note
from audionet.files import whole_file


def make_loggers(output: Path, chosen: object = None, *, n_steps: int | None = None) -> list[Logger]:
    """Return the loggers of a run: metrics.csv, the first, and TensorBoard's in its folder, and those chosen.

    Args:
        output: Folder of the run; a logger that takes ``save_dir`` saves there, too.
        chosen: A logger, its class name in `lightning.pytorch.loggers` or its full import path, a mapping
            {"class_path": name, "init_args": {...}}, or a list of these; None for no other.
        n_steps: Steps that a run has done that goes on: what TensorBoard has of later ones is left out; None for a run
            that begins.

    Raises:
        ValueError: There is no such logger, or it cannot be made.
    """
    others = chosen if isinstance(chosen, list | tuple) else [] if chosen is None else [chosen]
    return [
        MetricsFile(output / "metrics.csv", is_resumed=n_steps is not None),
        TensorBoardLogger(output, "", "tensorboard", purge_step=n_steps),
        *(_logger(each, output) for each in others),
    ]


class MetricsFile(Logger):
    """A logger to a CSV file that is always whole: `Checkpoints` has it written with each checkpoint.

    Args:
        path: Path of the file.
        is_resumed: Whether to go on behind the lines that it has.

    Attributes:
        lines: What was logged, in order.
    """

    def __init__(self, path: Path, *, is_resumed: bool = False) -> None:
        super().__init__()
        self.path = path
        self.lines: list[dict[str, object]] = []
        if is_resumed and path.exists():
            with suppress(ValueError, csv.Error), path.open(newline="") as file:  # a damaged one is as good as none
                self.lines = [{name: value for name, value in row.items() if value} for row in csv.DictReader(file)]

    @property
    def name(self) -> str:
        """No name: the folder of the run has one."""
        return ""

    @property
    def version(self) -> str:
        """No version: a folder holds one run."""
        return ""

    @property
    def save_dir(self) -> str:
        """Folder of the file."""
        return str(self.path.parent)

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Add a line; that of a test has no epoch, which a run that is resumed at its end counts otherwise."""
        is_test = any(name.startswith("test_") for name in metrics)
        values = {name: value for name, value in metrics.items() if not (is_test and name == "epoch")}
        numbers = {name: value if isinstance(value, int) else float(value) for name, value in values.items()}
        self.lines.append({**numbers, "step": step})

    def log_hyperparams(self, *_: object, **__: object) -> None:
        """Leave the values of the run to config.yaml beside the file."""

    @rank_zero_only
    def cut(self, n_lines: int) -> None:
        """Forget the lines behind the first ones; say how many of these are missing."""
        if missing := n_lines - min(n_lines, len(self.lines)):
            note(f"{self.path} lacks {missing} of the {n_lines} lines that the run had written; its curves have a gap")
        del self.lines[n_lines:]

    @rank_zero_only
    def save(self) -> None:
        """Write the file.

        Raises:
            OSError: It cannot be written.
        """
        text = io.StringIO()
        writer = csv.DictWriter(text, sorted(set().union(*self.lines)))
        writer.writeheader()
        writer.writerows(self.lines)
        with whole_file(self.path) as file:
            file.write(text.getvalue().encode())

    def finalize(self, status: str) -> None:
        """Write the file; after a failure, if it can be written."""
        with suppress(OSError) if status == "failed" else nullcontext():
            self.save()


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
