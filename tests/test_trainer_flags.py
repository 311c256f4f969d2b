"""Arguments of the trainer that cannot work are refused in a sentence that names their flag."""

from pathlib import Path
from typing import Any

import pytest
import torch
from jsonargparse import Namespace

from audionet import features, models
from audionet.training import check_clip, check_run
from audionet.training.trainer_flags import trainer_arguments

NO_GPU = pytest.mark.skipif(torch.accelerator.is_available(), reason="there is a GPU here")


def config(**trainer: Any) -> Namespace:
    values: dict[str, Any] = {"features": {"name": "LogMel"}, "model": {"name": "tcresnet"}, "ema_decay": 0.999}
    values |= {"output": "runs/none", "resume": False, "data": Namespace(root=None)}
    settings = Namespace(**{"accelerator": "cpu", "max_epochs": 3} | trainer)
    return Namespace(trainer=settings, task=Namespace(warmup_epochs=1.5), **values)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("max_epochs", -5, "a whole number of at least 1, or -1 for no limit, got -5"),
        ("max_epochs", 0, "a whole number of at least 1, or -1 for no limit, got 0"),
        ("max_steps", -3, "a whole number of at least 1, or -1 for no limit, got -3"),
        ("num_nodes", 0, "a whole number of at least 1, got 0"),
        ("accumulate_grad_batches", 0, "a whole number of at least 1, got 0"),
        ("check_val_every_n_epoch", 0, "a whole number of at least 1, got 0"),
        ("log_every_n_steps", -1, "a whole number of at least 0, got -1"),
        ("gradient_clip_val", -1, "a number above 0, got -1"),
        ("gradient_clip_val", float("nan"), "a number above 0, got nan"),
        ("gradient_clip_algorithm", "nrom", "one of norm, value, got 'nrom'; did you mean 'norm'?"),
        ("limit_train_batches", 1.5, "a share above 0.0 and up to 1.0, or a whole number of batches, got 1.5"),
        ("limit_test_batches", 0, "a share above 0.0 and up to 1.0, or a whole number of batches, got 0"),
        ("overfit_batches", 1.5, "a share from 0.0 to 1.0 or a whole number of batches, got 1.5"),
        ("fast_dev_run", -1, "true, or a whole number of batches, got -1"),
        ("limit_val_batches", -1, "a share from 0.0 to 1.0 or a whole number of batches, got -1"),
        ("val_check_interval", 0, "a share of an epoch above 0.0 and up to 1.0, or a whole number of batches, got 0"),
        (
            "precision",
            "64-true",
            "one of 32-true, 32, .*, bf16-mixed, 16-mixed, got '64-true'; did you mean '32-true'?",
        ),
        ("strategy", "dpp", "one of auto, ddp, .*, got 'dpp'; did you mean 'ddp'?"),
        ("accelerator", "cpuu", "one of auto, .*cpu.*, got 'cpuu'; did you mean 'cpu'?"),
        pytest.param("accelerator", "gpu", r"one that this machine has \(auto, cpu\), got 'gpu'", marks=NO_GPU),
        pytest.param("accelerator", "cuda", r"one that this machine has \(auto, cpu\), got 'cuda'", marks=NO_GPU),
        ("devices", 0, r"1 to \d+ processes, one a core, got 0; leave it out"),
        ("devices", -1, r"1 to \d+ processes, one a core, got -1; leave it out"),
        ("devices", "100000", r"1 to \d+ processes, one a core, got 100000; leave it out"),
        ("enable_checkpointing", False, "true, got False; leave it out"),
        ("barebones", True, "false, because a run is logged and kept, got True"),
    ],
)
def test_a_value_out_of_its_range_is_refused(name: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"^trainer.{name}: expected {message.replace('?', '[?]')}"):
        trainer_arguments({"accelerator": "cpu", name: value})


@pytest.mark.parametrize(
    ("name", "value"), [("max_time", "soon"), ("profiler", "x"), ("plugins", "x"), ("devices", "x")]
)
def test_what_lightning_refuses_is_one_sentence(name: str, value: object) -> None:
    with pytest.raises(
        ValueError, match=r"^trainer: expected arguments that lightning.Trainer takes; it says: "
    ) as caught:
        check_run(config(**{name: value}))
    assert "\n" not in str(caught.value)


def test_a_folder_with_a_run_is_refused_before_the_data_are_read(tmp_path: Path) -> None:
    run, last = config(), tmp_path / "checkpoints" / "last.ckpt"
    run.output = str(tmp_path)
    check_run(run)
    last.parent.mkdir()
    best = last.with_name("best.ckpt")
    best.touch()
    for run.resume in (True, False):
        with pytest.raises(ValueError, match=f"output: expected a folder without what is left .*, got '{best}'; move"):
            check_run(run)
    last.touch()
    with pytest.raises(ValueError, match=f"output: expected a folder that holds no run yet, got '{tmp_path}'; go on"):
        check_run(run)
    run.output, run.resume = str(last), True
    with pytest.raises(ValueError, match=f"output: expected a folder, got '{last}'; choose another --output"):
        check_run(run)


def test_what_fits_passes_in_silence(capfd: pytest.CaptureFixture[str]) -> None:
    check_run(config(max_epochs=3, limit_train_batches=20, limit_val_batches=0.5, gradient_clip_val=1.0, devices=1))
    check_run(config(max_epochs=None, devices="auto", strategy="auto", precision="bf16-mixed", log_every_n_steps=None))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"augment_p": 2.0}, "augment_p: expected a number from 0 to 1, got 2.0"),
        ({"ema_decay": 1.5}, "ema_decay: expected a number from 0 to below 1, got 1.5"),
        ({"features": {"name": "LogMell"}}, "front-end: expected one of .*, got 'LogMell'; did you mean 'LogMel'"),
        ({"model": {"name": "bcresnt"}}, "network: expected one of .*, got 'bcresnt'; did you mean 'bcresnet'"),
    ],
)
def test_other_values_of_a_run_are_refused_too(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_run(Namespace(**vars(config()) | changes))


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("", "output: expected a folder, got ''"),
        ("words/yes/1.wav", "output: expected a folder, got 'words/yes/1.wav'; choose another --output"),
        ("words/runs", r"output: expected a folder outside of data.root \(words\), where .*, got 'words/runs'; choose"),
        ("words", r"output: expected a folder outside of data.root \(words\), where .*, got 'words'; choose"),
        ("link/runs", r"output: expected a folder outside of data.root \(words\), where .*, got 'link/runs'; choose"),
        ("done", "output: expected a folder that holds no run yet, got 'done'; go on with it"),
    ],
)
def test_a_run_never_writes_where_something_else_is(
    output: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for file in ("words/yes/1.wav", "done/checkpoints/last.ckpt"):
        Path(file).parent.mkdir(parents=True)
        Path(file).touch()
    Path("link").symlink_to("words")
    changes = {"output": output, "data": Namespace(root="words")}
    with pytest.raises(ValueError, match=f"^{message}"):
        check_run(Namespace(**vars(config()) | changes))
    check_run(Namespace(**vars(config()) | changes | {"output": "done", "resume": True}))


def test_a_long_warm_up_is_cut_and_said(capfd: pytest.CaptureFixture[str]) -> None:
    check_run(config(max_epochs=2))
    assert capfd.readouterr().err == (
        "note: half of the training is warm-up: task.warmup_epochs is 1.5, trainer.max_epochs 2\n"
    )


def test_clips_that_are_too_short_are_refused() -> None:
    front_end = features.create("LogMel", sample_rate=8000, n_fft=4096, n_mels=20)
    network = models.create("tcresnet", n_classes=2, n_bands=20)
    check_clip(front_end, network, sample_rate=8000, clip_length=8000)
    with pytest.raises(ValueError, match=r"data.clip_seconds: expected longer clips .*, got 0.05 s \(waveform: "):
        check_clip(front_end, network, sample_rate=8000, clip_length=400)
    assert network.training
