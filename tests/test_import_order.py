"""Who may import whom, read from the code itself; and what importing brings along, seen from outside."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]

# A module imports only from what stands before it, and from its own folder.
ORDER = (
    "checks",
    "labels",
    "files",
    "console",
    "locks",
    "parallel",
    "randomness",
    "resources",
    "registry",
    "signatures",
    "flags",
    "onnx_session",
    "audio",
    "augment",
    "features",
    "models",
    "decoding",
    "datasets",
    "metrics",
    "training",
)
# These use trained networks: they may import all of the above but training, and each other in this order.
USE = (
    "bundle_format",
    "bundle_tasks",
    "bundle",
    "adapt",
    "inference",
    "evaluate",
    "plots",
    "insight",
    "report",
    "bulk",
    "export",
    "serve",
    "doctor",
    "cli",
)
ENTRANCES = ("audionet.__init__", "audionet.__main__")
TRAINING = ("audionet.training",)
# Libraries that belong to one place, and the modules of that place.
HOMES = {
    "lightning": TRAINING,
    "soundfile": ("audionet.audio",),
    "soxr": ("audionet.audio",),
}


def sources(*folders):
    """Module names and paths of the Python files below folders of the repository."""
    paths = [path for folder in folders for path in sorted((REPOSITORY / folder).rglob("*.py"))]
    return {path.relative_to(REPOSITORY).with_suffix("").as_posix().replace("/", "."): path for path in paths}


def within(name, *packages):
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def imported(code):
    """What code imports, at its top or inside functions: `from a import b` gives a.b."""
    names = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names]
    return names


def broken_rules(module, code):
    """Rules of the import order that a module of the package breaks."""
    own = module.split(".")[1]
    if own not in ORDER + USE:
        return [f"{module} has no place in the import order: give it one in ORDER or USE"]
    before = ORDER[: ORDER.index(own)] if own in ORDER else ORDER + USE[: USE.index(own)]
    broken = []
    for name in imported(code):
        broken += [
            f"{module} imports {name}, which belongs in {' and '.join(home)}"
            for library, home in HOMES.items()
            if within(name, library) and not within(module, *home)
        ]
        if name.startswith("."):
            broken.append(f"{module} imports {name}: write it in full")
        elif within(name, "audionet") and name != "audionet.__version__":
            top = name.partition(".")[2].partition(".")[0]
            if top not in (own, *before):
                broken.append(f"{module} imports {name}, which does not stand before it")
            elif own in USE and within(name, *TRAINING):
                broken.append(f"{module} imports {name}, which is for training only")
    return broken


def private_names(code):
    """Names with a leading underscore that code takes from audionet."""
    tree = ast.parse(code)
    bound = {
        (alias.asname or alias.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if within(getattr(node, "module", None) or alias.name, "audionet")
    }
    taken = [
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in bound
    ]
    taken += [part for name in imported(code) if within(name, "audionet") for part in name.split(".")]
    return [name for name in taken if name.startswith("_") and not name.endswith("__")]


def loaded_by(statement):
    """Names of the modules that a fresh interpreter has loaded after a statement."""
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "importing is silent"
    return {*done.stdout.splitlines()[-1].split()}


@pytest.mark.parametrize("module", sorted(sources("audionet").keys() - {*ENTRANCES}))
def test_order(module):
    assert broken_rules(module, sources("audionet")[module].read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("module", "code", "words"),
    [
        ("audionet.audio", "from audionet import features", "does not stand before it"),
        ("audionet.models.lenet", "def f():\n    import audionet.training.recognition", "does not stand before it"),
        ("audionet.training.recognition", "from audionet.bundle import save", "does not stand before it"),
        ("audionet.bundle", "from audionet.inference import load", "does not stand before it"),
        ("audionet.bundle", "import audionet", "does not stand before it"),
        ("audionet.inference.recognizer", "from audionet.training import recognition", "training only"),
        ("audionet.cli.main", "from audionet.training import data", "training only"),
        ("audionet.cli.main", "from .bundle import load", "in full"),
        ("audionet.models.lenet", "from lightning.pytorch import Trainer", "belongs in audionet.training"),
        ("audionet.datasets.store", "import soundfile as sf", "belongs in audionet.audio"),
        ("audionet.novelty", "", "no place"),
    ],
)
def test_broken_rules_are_noticed(module, code, words):
    (broken,) = broken_rules(module, code)
    assert words in broken


def test_rules_that_are_kept():
    code = "import lightning\nfrom audionet import audio, models\nfrom audionet.training.data import x"
    assert broken_rules("audionet.training.recognition", code) == []
    assert broken_rules("audionet.cli.main", "from audionet.inference import load\nfrom audionet import datasets") == []


@pytest.mark.parametrize("recipe", sorted(sources("recipes")))
def test_recipes_use_public_names_only(recipe):
    assert private_names(sources("recipes")[recipe].read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "code",
    [
        "from audionet.bundle import _read",
        "import audionet.datasets._secret",
        "from audionet import bundle\nbundle._read()",
        "import audionet as an\nan._secret",
    ],
)
def test_private_names_are_noticed(code):
    assert len(private_names(code)) == 1


def test_nothing_imports_recipes():
    files = sources("audionet", "recipes", "tests", "benchmarks")
    assert len(files) > 20
    importers = [
        module
        for module, path in files.items()
        if any(within(name, "recipes") for name in imported(path.read_text(encoding="utf-8")))
    ]
    assert importers == []


def test_importing_audionet_loads_neither_torch_nor_numpy():
    loaded = loaded_by("import audionet; dir(audionet)")
    assert loaded & {"torch", "numpy", "rich", "jsonargparse"} == set()
    assert {name for name in loaded if within(name, "audionet")} == {"audionet"}


def test_decoding_and_datasets_load_no_torch():
    datasets = "from audionet.datasets import get, index, open_store, read_card; read_card('fsdd')"
    loaded = loaded_by(f"from audionet.audio import decode, read_mono; {datasets}")
    assert "audionet.datasets.store" in loaded and loaded & {"torch", "lightning"} == set()


def test_inference_loads_nothing_of_training():
    inside = [name for name in sources("audionet") if within(name, "audionet.inference") and "__init__" not in name]
    # Compiles, and says so, where it never has.
    subprocess.run([sys.executable, "-c", "import audionet.inference.wavenet.compiled"], cwd=REPOSITORY, check=True)
    loaded = loaded_by(f"import {', '.join(inside)}")
    assert {*inside, "torch"} <= loaded
    assert loaded & {"lightning", "librosa", "matplotlib", "audionet.training", "audionet.datasets"} == set()


def test_recognizing_a_file_loads_what_it_needs():
    loaded = loaded_by(
        "from audionet.cli.main import main\nassert main(['recognize', 'digits', 'tests/data/seven.wav']) == 0"
    )
    assert loaded & {"lightning", "librosa", "matplotlib", "jsonargparse", "rich", "numba", "scipy", "sympy"} == set()
    ours = {name for name in loaded if within(name, "audionet")}
    assert len(ours) <= 43, sorted(ours)
    # Of many front-ends and networks, those of the bundle: LogMel and BCResNet.
    assert {"audionet.features.spectral", "audionet.models.cnn_tdnn"} <= ours
    assert ours.isdisjoint({"audionet.features.cepstral", "audionet.models.tcresnet", "audionet.models.wavenet"})


@pytest.mark.parametrize("stub", [path.relative_to(REPOSITORY) for path in (REPOSITORY / "audionet").rglob("*.pyi")])
def test_public_names(stub):
    """Names that a lazy package promises are there, and no others."""
    package = importlib.import_module(".".join(stub.parent.parts))
    assert set(package.__all__) <= set(dir(package))
    for name in package.__all__:
        assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match="attribute nothing"):
        package.nothing  # noqa: B018
