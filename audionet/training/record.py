"""What is kept of a run beside its weights: its values, and how the model was made."""

import datetime
import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import lightning
import torch
import yaml
from lightning import Trainer
from lightning.pytorch.callbacks import Callback, Timer
from lightning.pytorch.utilities import rank_zero_only
from torch import nn

from audionet import __version__
from audionet.files import whole_file

if TYPE_CHECKING:  # what reads sound files is not needed to train, as on a machine without it
    from audionet.datasets.corpus import Corpus
    from audionet.training.start import HeadFit

Record = dict[str, str | int | float]


def training_record(
    fitted: "Trainer | HeadFit", corpus: "Corpus", *, seed: int, command: str, **results: float
) -> Record:
    """Return how a model was made, for its bundle and its report: plain JSON values.

    Args:
        fitted: Trainer that `fit_and_test` returned, or what `fit_head_only` or `fit_beside_voices` did. It knows the
            seconds of the training, with those before the training was resumed.
        corpus: Corpus that it was trained and tested on.
        seed: Seed of the run.
        command: Command that was typed.
        **results: Figures of the test, such as the accuracy. ``test_clips`` among them says how many clips were tested,
            where these are not all.
    """
    model, seconds, tested = _model_and_seconds(fitted)
    versions = {"audionet": __version__, "torch": torch.__version__, "lightning": lightning.__version__}
    commit = git_commit()
    clips = corpus.store.indices("test") if isinstance(fitted, Trainer) else fitted.answers.clips
    n_speakers = len({*corpus.store.speakers[clips].tolist()} - {""})
    return {
        "data": corpus.card.title,
        "test_clips": len(corpus.store.indices("test")),
        **results,
        **({"test_speakers": n_speakers} if n_speakers else {}),
        "test_is_synthetic": corpus.is_synthetic,
        **({"cross_validation": tested} if tested else {}),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "seed": seed,
        "command": command,
        **({"commit": commit} if commit else {}),
        "date": datetime.date.today().isoformat(),
        "training_seconds": round(seconds),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }


def _model_and_seconds(fitted: "Trainer | HeadFit") -> tuple[nn.Module, float, str]:
    """Return the network, how long it was trained, and how it was tested if not on clips that it was not trained on."""
    if not isinstance(fitted, Trainer):
        return fitted.model, fitted.seconds, "" if fitted.validation is None else str(fitted.validation)
    callbacks: list[Callback] = fitted.callbacks  # type: ignore[attr-defined]
    (timer,) = (callback for callback in callbacks if isinstance(callback, Timer))
    model: nn.Module = fitted.lightning_module.model  # type: ignore[assignment]
    return model, timer.time_elapsed(), ""


def command_line(script: str | os.PathLike[str], arguments: Sequence[str]) -> str:
    """Return the command that runs a script with these arguments, as it is typed in the current folder.

    Args:
        script: The script that runs, which is its ``__file__``.
        arguments: Its arguments.

    Example:
        >>> command_line("my_recipe/train.py", ["--output", "my runs/1"])
        "python my_recipe/train.py --output 'my runs/1'"
    """
    try:
        script = os.path.relpath(script)
    except ValueError:  # another drive of Windows
        script = os.fspath(script)
    return shlex.join(["python", script, *arguments])


@rank_zero_only
def write_config(output: Path, values: Mapping[str, object]) -> None:
    """Write config.yaml, a preset with all values of a run, headed by the git commit if there is one.

    Raises:
        OSError: It cannot be written.
    """
    output.mkdir(parents=True, exist_ok=True)
    commit = git_commit()
    head = f"# git commit {commit}\n" if commit else ""
    with whole_file(output / "config.yaml") as file:
        file.write((head + yaml.safe_dump(dict(values), sort_keys=False)).encode())


def git_commit() -> str | None:
    """Return the git commit of the current folder, with "-dirty" where files have changed since; None without one."""
    command = ["git", "--no-optional-locks", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
