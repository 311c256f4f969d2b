"""A run that was killed anywhere, or made longer, ends bit for bit as one that was not: in each recipe of words."""

import csv
import os
import random
import signal
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

import audionet
from audionet.training import checkpoints, optimizers

RECIPES = Path(__file__).parents[2] / "recipes"

TONES = ["--data.card=null", "--data.sample_rate=8000", "--data.clip_seconds=0.5", "--data.batch_size=16"]
COMMON = [
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
    "--trainer.log_every_n_steps=1",
]
OWN = {
    "recognition": [
        *TONES,
        "--data.negatives=false",
        "--features.n_mels=20",
        "--model.name=tcresnet",
        "--task.warmup_epochs=0.5",
        "--task.learning_rate=0.3",  # some epochs are worse than those before
        "--task.mixup_alpha=0.3",
        "--augment.time_shift.seconds=0.05",
        "--augment.noise.max_snr_db=20",
        "--augment.noise.min_snr_db=0",
        "--spec_augment.frequency_width=3",
    ],
    "wavenet": [
        *TONES,
        *("--model.n_layers=4", "--model.n_cycles=1", "--model.residual_channels=8", "--model.gate_channels=8"),
        *("--model.skip_channels=8", "--model.output_channels=8", "--data.window_seconds=0.05", "--n_generated=1"),
        "--data.epoch_batches=10",
        "--task.learning_rate=0.1",
    ],
    "words": [
        *("--init=null", "--model.name=cnn_tdnn", "--model.n_channels=8", "--model.n_embedding=8"),
        *("--data.words=[lights on, stop]", "--data.clips_per_label=20", "--data.engines=[espeak]"),
        *("--data.batch_size=10", "--data.workers=1", "--task.warmup_epochs=0.5"),
        *("--augment.noise.max_snr_db=20", "--augment.noise.min_snr_db=0", "--steps=14"),
    ],
}
KINDS = {
    "plain": ["--trainer.max_epochs=4", "--ema_decay=null"],
    "averaged": ["--trainer.max_epochs=3", "--ema_decay=0.8", "--trainer.accumulate_grad_batches=2"],
    "often validated": ["--trainer.max_epochs=3", "--trainer.val_check_interval=0.4"],
    "not validated": ["--trainer.max_epochs=3", "--trainer.limit_val_batches=0"],
    "steps": ["--trainer.max_steps=11", "--trainer.check_val_every_n_epoch=2"],
}
LENGTH = {"recognition": "--steps={}", "wavenet": "--trainer.max_steps={}", "words": "--steps={}"}


class Run:
    """A recipe's run in a folder, in processes of their own that may be ended anywhere."""

    def __init__(self, recipe: ModuleType, flags: list[str], output: Path) -> None:
        self.recipe, self.output = recipe, output
        self.flags = [*flags, "--resume=true", f"--output={output}"]

    def go(self, end: Callable[[], None] = lambda: None) -> int:
        """Go on with the run in a forked process, which calls ``end`` first; return how the process ended."""
        if (child := os.fork()) == 0:
            code = 1
            try:
                torch.manual_seed(random.getrandbits(30))  # nothing may depend on the state of a process
                end()
                self.recipe.main(self.flags)
                code = 0
            except SystemExit:
                code = 3
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def state(self, name: str) -> dict[str, Any]:
        """Return a checkpoint."""
        state: dict[str, Any] = torch.load(self.output / "checkpoints" / f"{name}.ckpt", weights_only=True)
        return state

    def left(self) -> dict[str, Any]:
        """Return all that must not depend on kills."""
        last = self.state("last")
        best = self.state("best") if last["callbacks"]["Checkpoints"]["best"] else None
        for name in ("Timer", "Checkpoints"):
            kept = last["callbacks"].pop(name)
        del last["loops"]
        with (self.output / "metrics.csv").open(newline="") as file:
            lines = list(csv.DictReader(file))
        tested = audionet.bundle.load(self.output / "model.safetensors").model.module.state_dict()
        return {"last": last, "best": best, "kept": kept["best"], "lines": lines, "tested": tested}


def assert_equal(one: object, other: object, place: str = "") -> None:
    """Compare tensors in nested values bit for bit."""
    assert type(one) is type(other), place
    if isinstance(one, dict) and isinstance(other, dict):
        assert one.keys() == other.keys(), place
        for name in one:
            assert_equal(one[name], other[name], f"{place}/{name}")
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple):
        assert len(one) == len(other), place
        for number, pair in enumerate(zip(one, other, strict=True)):
            assert_equal(*pair, f"{place}/{number}")
    elif isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        assert torch.equal(one, other), place
    else:
        assert one == other, place


def killed_after(seconds: float) -> Callable[[], None]:
    """Return what has a process killed, wherever it is then, so many seconds after its training began."""

    def begin() -> None:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        on_train_start = checkpoints.Checkpoints.on_train_start

        def start(*arguments: Any) -> None:
            on_train_start(*arguments)
            signal.setitimer(signal.ITIMER_REAL, seconds)  # the system ends the process at once, as by `kill -9`

        checkpoints.Checkpoints.on_train_start = start  # type: ignore[assignment, method-assign]

    return begin


@pytest.fixture
def make_run(
    load_recipe: Callable[[Path], ModuleType], tone_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Run]:
    """Make runs of a recipe, which take a checkpoint after each step."""
    monkeypatch.setattr(checkpoints, "SECONDS", 0)
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)

    def make(folder: str, name: str, *more: str) -> Run:
        recipe = load_recipe(RECIPES / folder)
        monkeypatch.setattr(recipe, "write_report", lambda *_: None, raising=False)
        monkeypatch.setattr(audionet.report, "report_recognition", lambda *_, **__: None)
        monkeypatch.setattr(recipe, "picture", lambda *_: (torch.zeros(80), {}), raising=False)
        place = [] if folder == "words" else [f"--data.root={tone_folder}"]
        return Run(recipe, [*COMMON, *OWN[folder], *place, *more], tmp_path / name)

    return make


@pytest.mark.parametrize(
    ("recipe", "kind"),
    [*(("recognition", kind) for kind in KINDS), ("wavenet", "averaged"), ("wavenet", "plain"), ("words", "by steps")],
)
def test_a_run_that_is_killed_anywhere_ends_as_one_that_is_not(
    make_run: Callable[..., Run], recipe: str, kind: str
) -> None:
    if recipe == "words":
        pytest.importorskip("espeakng_loader", reason="the extra `synth` is not installed")
    whole, parts = (make_run(recipe, name, *KINDS.get(kind, ())) for name in ("whole", "parts"))
    whole.recipe.main(whole.flags)  # in this process, so that the others find all loaded
    seconds = whole.state("last")["callbacks"]["Timer"]["time_elapsed"]["train"]
    draw = random.Random(kind)
    for _ in range(3):
        assert parts.go(killed_after(draw.uniform(0.05, 0.5) * seconds)) in (-signal.SIGALRM, 0)
    assert parts.go() == 0
    assert_equal(parts.left(), whole.left())


def test_a_run_that_is_resumed_after_its_end_is_as_it_was(make_run: Callable[..., Run]) -> None:
    run = make_run("recognition", "whole", "--steps=6")
    run.recipe.main(run.flags)
    before = run.left()
    assert run.go() == 0
    assert_equal(run.left(), before)


@pytest.mark.parametrize("recipe", LENGTH)
def test_a_run_that_is_made_longer_ends_as_one_of_that_length(
    make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, recipe: str
) -> None:
    if recipe == "words":
        pytest.importorskip("espeakng_loader", reason="the extra `synth` is not installed")
    monkeypatch.setattr(optimizers, "warmup_cosine", lambda step, **_: 1.0)  # a cosine depends on where it ends
    whole, short, long = (
        make_run(recipe, name, LENGTH[recipe].format(steps)) for name, steps in (("a", 12), ("b", 7), ("b", 12))
    )
    for run in (whole, short, long):
        run.recipe.main(run.flags)
    assert_equal(long.left(), whole.left())
