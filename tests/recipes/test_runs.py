"""What a run of a recipe loads, leaves and returns; its loggers, its learning rate, and how it is repeated."""

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import audionet

RECIPE = Path(__file__).parents[2] / "recipes" / "recognition"
RECIPES = [RECIPE, RECIPE.parent / "wavenet"]
HEAVY = ("torch", "lightning", "torchaudio", "matplotlib", "numba", "librosa")

LOADED = """
import runpy, sys
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    print("LOADED", *sorted(sys.modules.keys() & {heavy!r}), file=sys.stderr)
"""


@pytest.mark.parametrize("folder", RECIPES, ids=lambda folder: folder.name)
@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["--help"], 0, "--trainer.max_epochs"),
        (["--trainer.epochs", "3"], 2, "--trainer.epochs"),
        (["--data.batch_size", "many"], 2, "data.batch_size"),
        (["--task.learning_rate", "fast"], 2, "task.learning_rate"),
        (["--config", "no_such.yaml"], 1, "no_such.yaml"),
        (["--task.learning_rat", "1"], 2, "did you mean '--task.learning_rate'?"),
        (["--data.batch_size", "0"], 1, "data.batch_size: expected a whole number of at least 1, got 0"),
        (["--model.name", "wavenet", "--model.n_layer", "1"], 1, "did you mean 'n_layers'?"),
        (["--features.name", "leaf", "-h"], 0, "--features.n_filters"),
    ],
    ids=["help", "unknown", "whole number", "number", "preset", "cut short", "range", "part", "help of a part"],
)
def test_a_help_or_a_wrong_flag_loads_nothing_heavy(folder, flags, code, words):
    script = f"import sys; sys.argv = {[str(folder / 'train.py'), *flags]!r}" + LOADED.format(heavy=set(HEAVY))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == code
    assert words in done.stdout + done.stderr
    assert "LOADED" in done.stderr.splitlines(), done.stderr


@pytest.mark.parametrize("folder", RECIPES, ids=lambda folder: folder.name)
def test_a_recipe_is_read_in_one_sitting(folder):
    text = (folder / "train.py").read_text()
    assert len(text.splitlines()) <= 150
    assert all(word in text.split('"""')[1] for word in ("one CPU", "one GPU", "four GPUs", "two nodes"))


@pytest.fixture
def flags(tone_folder: Path) -> list[str]:
    """Flags of a run of a second."""
    data = ["--data.card=null", f"--data.root={tone_folder}", "--data.sample_rate=8000", "--data.clip_seconds=0.5"]
    data += ["--data.negatives=false"]
    parts = ["--data.batch_size=16", "--features.n_mels=20", "--model.name=tcresnet", "--task.warmup_epochs=0"]
    trainer = ["--trainer.accelerator=cpu", "--trainer.max_epochs=1", "--trainer.enable_progress_bar=false"]
    return [*data, *parts, *trainer, "--trainer.enable_model_summary=false", "--trainer.log_every_n_steps=1"]


def weights(path: object) -> dict[str, torch.Tensor]:
    return audionet.load_recognizer(str(path)).bundle.model.module.state_dict()


def test_a_run_is_repeated_by_its_config(recipe: ModuleType, flags: list[str], tmp_path: Path) -> None:
    changed = ["--seed=5", "--task.mixup_alpha=0.3", "--augment.gain.max_db=3", "--ema_decay=0.5"]
    first = recipe.main([*flags, *changed, f"--output={tmp_path / 'first'}"])
    config = tmp_path / "first" / "config.yaml"
    values = yaml.safe_load(config.read_text())
    assert values["seed"] == 5 and values["task"]["mixup_alpha"] == 0.3 and values["augment"]["gain"] == {"max_db": 3}
    assert values["trainer"]["max_epochs"] == 1 and values["task"]["weight_decay"] == 1e-3  # a default
    again = recipe.main([f"--config={config}", f"--output={tmp_path / 'again'}"])
    assert again["accuracy"] == first["accuracy"] and again["bundle"] == tmp_path / "again" / "model.safetensors"
    for (name, one), other in zip(weights(first["bundle"]).items(), weights(again["bundle"]).values(), strict=True):
        assert torch.equal(one, other), name


def test_the_commit_is_kept(recipe: ModuleType, flags: list[str], tmp_path: Path, monkeypatch) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q", tmp_path], check=True)
    (tmp_path / "mine.py").write_text("1\n")
    subprocess.run([*git, "-C", tmp_path, "add", "mine.py"], check=True)
    subprocess.run([*git, "-C", tmp_path, "commit", "-qm", "mine"], check=True)
    commit = subprocess.run([*git, "-C", tmp_path, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    monkeypatch.chdir(tmp_path)
    assert recipe.main([*flags, "--output=run"])["commit"] == commit
    assert Path("run/config.yaml").read_text().startswith(f"# git commit {commit}\n")
    Path("mine.py").write_text("2\n")
    assert recipe.main([*flags, "--output=other"])["commit"] == f"{commit}-dirty"


def test_a_sweep_is_five_lines(recipe: ModuleType, flags: list[str], tmp_path: Path) -> None:
    accuracies = {}
    for rate in (1e-6, 0.05):
        output = f"--output={tmp_path / str(rate)}"
        record = recipe.main([*flags, f"--task.learning_rate={rate}", "--trainer.max_epochs=4", output])
        accuracies[rate] = record["accuracy"]
    assert accuracies[0.05] > accuracies[1e-6]


def test_values_are_tensorboards_hparams(recipe: ModuleType, flags: list[str], tmp_path: Path) -> None:
    recipe.main([*flags, f"--output={tmp_path / 'run'}"])
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    data = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    assert b"task/learning_rate" in data and b"data/batch_size" in data and b"model/name" in data


STUB = '''
import json
from pathlib import Path
from lightning.pytorch.loggers import Logger


class Recorder(Logger):
    """A logger as W&B's and MLflow's are: it has a folder, and takes values and metrics."""

    def __init__(self, save_dir, project="none"):
        super().__init__()
        self.file, self.project = Path(save_dir, f"{project}.jsonl"), project

    name, version = "recorder", 0

    def log_hyperparams(self, params):
        self.log_metrics({"values": params})

    def log_metrics(self, metrics, step=None):
        with self.file.open("a") as stream:
            stream.write(json.dumps(metrics) + "\\n")
'''


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a module recorder.py be there, and Lightning have its Recorder among its loggers."""
    import lightning.pytorch.loggers as loggers

    (tmp_path / "recorder.py").write_text(STUB)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(loggers, "Recorder", __import__("recorder").Recorder, raising=False)


@pytest.mark.usefixtures("stub")
@pytest.mark.parametrize(
    ("chosen", "files"),
    [
        (["--trainer.logger=Recorder"], ["none"]),
        (["--trainer.logger", "{class_path: recorder.Recorder, init_args: {project: p}}"], ["p"]),
        (["--trainer.logger", "[Recorder, {class_path: Recorder, init_args: {project: q}}]"], ["none", "q"]),
    ],
    ids=["name", "path and arguments", "two"],
)
def test_loggers_by_name(
    recipe: ModuleType, flags: list[str], tmp_path: Path, chosen: list[str], files: list[str]
) -> None:
    recipe.main([*flags, *chosen, f"--output={tmp_path / 'run'}"])
    for name in files:
        lines = [json.loads(line) for line in (tmp_path / "run" / f"{name}.jsonl").read_text().splitlines()]
        assert lines[0]["values"]["model"]["name"] == "tcresnet"
        assert any("train_loss" in line for line in lines) and any("test_accuracy" in line for line in lines)
    assert (tmp_path / "run" / "metrics.csv").exists() and (tmp_path / "run" / "tensorboard").exists()


@pytest.mark.parametrize("name", ["NoLogger", "no_module.Logger", "WandbLogger"])
def test_a_logger_that_is_not_there_is_refused(
    recipe: ModuleType, flags: list[str], tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)  # not installed, also where it is
    with pytest.raises(ValueError, match=f"logger: expected the name of a logger .* got {name} .* install its package"):
        recipe.main([*flags, f"--trainer.logger={name}", f"--output={tmp_path / 'run'}"])


def test_a_learning_rate_is_found(
    recipe: ModuleType, flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = [*flags, "--task.learning_rate=0.9", "--task.warmup_epochs=0.5"]
    found = recipe.main([*chosen, "--find_learning_rate=true", f"--output={tmp_path / 'found'}"])
    told = json.loads((tmp_path / "found" / "learning_rate.json").read_text())
    rate = told["learning_rate"]
    assert len(told["rates"]) == len(told["losses"]) > 50
    assert rate in [tried / 10 for tried in told["rates"]]
    printed = capsys.readouterr()
    assert f"learning rate {rate:.2g}" in printed.out and "Finding" not in printed.err
    assert yaml.safe_load((tmp_path / "found" / "config.yaml").read_text())["task"]["learning_rate"] == rate
    # The search leaves no trace in what is trained.
    given = recipe.main([*chosen, f"--task.learning_rate={rate}", f"--output={tmp_path / 'given'}"])
    for (name, one), other in zip(weights(found["bundle"]).items(), weights(given["bundle"]).values(), strict=True):
        assert torch.equal(one, other), name
    resumed = ["--resume=true", "--trainer.max_epochs=2", "--find_learning_rate=true"]
    recipe.main([*chosen, *resumed, f"--output={tmp_path / 'found'}"])
    assert json.loads((tmp_path / "found" / "learning_rate.json").read_text()) == told


def test_a_silence_class_without_noise_is_refused(recipe: ModuleType) -> None:
    config = recipe.make_parser().parse_args(["--augment.gain.max_db=3"])
    corpus = SimpleNamespace(silence="_silence_", labels=("a", "_silence_"))
    with pytest.raises(ValueError, match="augment: expected noise, .* _silence_, got none; give --augment.noise"):
        recipe.make_task(config, SimpleNamespace(corpus=corpus), None)
