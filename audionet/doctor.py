"""What is installed here, what does not fit together, and the mend.

`examine` looks at the machine, `diagnose` judges what it found, `show` prints the judgement.
"""

import os
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from audionet.version import __version__

_PURPOSES = {"synth": "synthetic words", "export": "ONNX export"}  # of the optional dependencies, by extra

# Libraries with compiled parts, whose import can fail although pip is content, with what makes it fail: a
# pattern of the error, what it means and the mend.
_COMPILED: dict[str, tuple[tuple[str, str, str], ...]] = {
    "torch": (),
    "torchaudio": (
        (
            r"lib(cud|cublas|nv|torch_cuda|c10_cuda)",
            "this torchaudio is built for CUDA, but torch here is without it",
            "pip install --force-reinstall --no-deps 'torchaudio==2.11.*' "
            "--index-url https://download.pytorch.org/whl/cpu",
        ),
        (
            r"different CUDA versions",
            "torch and torchaudio are built for different versions of CUDA",
            "pip install --upgrade 'torch>=2.11,<2.15' 'torchaudio>=2.11,<2.12'",
        ),
        (
            r"undefined symbol|Symbol not found",
            "torch and torchaudio are not built for each other",
            "pip install --force-reinstall 'torch>=2.11,<2.15' 'torchaudio>=2.11,<2.12'",
        ),
    ),
    "numba": (
        (r"(?i)numpy", "numba and numpy do not fit together", "pip install --upgrade numba librosa"),
        (r"(?i)llvm", "numba and llvmlite do not fit together", "pip install --upgrade numba llvmlite"),
    ),
    "soundfile": (
        (
            r"sndfile",
            "the library libsndfile is missing",
            "pip install --force-reinstall soundfile, or apt install libsndfile1",
        ),
    ),
    "soxr": (),
}

_REASONS = {
    "torch": "torch 2.15 is built for CUDA 13.2, and the last torchaudio for 13.0",
    "torchaudio": "torchaudio goes with torch by its version",
    "lightning": "before 2.6.6, load_from_checkpoint can run foreign code (CVE-2026-58659)",
}

_MALICIOUS = {"lightning": ("2.6.2", "2.6.3")}


class Row(NamedTuple):
    """One line of the report."""

    name: str
    value: str
    note: str = ""


class Problem(NamedTuple):
    """What is wrong and what mends it."""

    what: str
    mend: str


class Report(NamedTuple):
    """What there is, and what is wrong with it."""

    rows: list[Row]
    problems: list[Problem]


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What `diagnose` judges.

    Attributes:
        requirements: What audionet declares in its packaging metadata, such as "numpy>=2"; empty if it is
            not installed.
        versions: Version of each installed distribution by name.
        import_errors: For each compiled library that cannot be imported, why.
        devices: Rows about the interpreter, processors and system libraries.
        nvidia_driver: Whether the system has an NVIDIA driver.
        cuda: Whether torch can use it.
    """

    requirements: tuple[str, ...]
    versions: Mapping[str, str]
    import_errors: Mapping[str, str] = field(default_factory=dict)
    devices: tuple[Row, ...] = ()
    nvidia_driver: bool = False
    cuda: bool = False


def examine() -> Machine:
    """Look at this machine; imports torch and the other compiled libraries, which takes seconds."""
    try:
        requirements = tuple(requires("audionet") or ())
    except PackageNotFoundError:
        requirements = ()
    versions = {}
    for name in {_parse(requirement)[0] for requirement in requirements}:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    modules: dict[str, ModuleType] = {}
    import_errors = {}
    for name in _COMPILED:
        try:
            modules[name] = import_module(name)
        except Exception as error:  # whatever a broken installation raises is what we came to hear
            import_errors[name] = f"{type(error).__name__}: {error}"
    torch = modules.get("torch")
    return Machine(
        requirements=requirements,
        versions=versions,
        import_errors=import_errors,
        devices=(
            Row("Python", platform.python_version(), sys.executable),
            Row("system", platform.platform()),
            *_processors(torch),
            *_audio_libraries(modules.get("soundfile")),
        ),
        nvidia_driver=Path("/proc/driver/nvidia/version").exists(),
        cuda=torch is not None and torch.cuda.is_available(),
    )


def diagnose(machine: Machine | None = None) -> Report:
    """Judge a machine: this one, unless another is given.

    Returns:
        Rows of versions and devices, and the problems, each with its mend.
    """
    machine = machine or examine()
    rows = [Row("audionet", __version__), *machine.devices]
    problems = []
    if not machine.requirements:
        problems.append(
            Problem(
                "audionet is imported from a folder but not installed, so what it needs is not known",
                "pip install audionet, or pip install -e . in a checkout",
            )
        )
    for requirement in machine.requirements:
        name, bounds, extra = _parse(requirement)
        installed = machine.versions.get(name)
        if extra and extra not in _PURPOSES:
            continue  # tools of those who develop audionet
        if installed is None and extra:
            note = f"only for {_PURPOSES[extra]}: pip install 'audionet[{extra}]'"
            rows.append(Row(name, "not installed", note))
            continue
        rows.append(Row(name, installed or "not installed", bounds))
        if installed is None:
            problems.append(Problem(f"{name} is not installed", f"pip install '{name}{bounds}'"))
        elif installed in _MALICIOUS.get(name, ()):
            problems.append(
                Problem(
                    f"{name} {installed} is a malicious release that steals credentials",
                    f"pip install '{name}{bounds}', then change every password and key on this machine",
                )
            )
        elif not _within(installed, bounds):
            because = f": {_REASONS[name]}" if name in _REASONS else ""
            problems.append(Problem(f"{name} {installed} is not {bounds}{because}", f"pip install '{name}{bounds}'"))
    for name, error in machine.import_errors.items():
        if name == "torchaudio" and "torch" in machine.import_errors:
            continue  # it cannot be better than what it stands on
        problems.append(_explain(name, error))
    if machine.nvidia_driver and not machine.cuda and "torch" not in machine.import_errors:
        mend = (
            "pip install --force-reinstall torch, which on Linux comes with CUDA"
            if "+cpu" in machine.versions.get("torch", "")
            else "update the NVIDIA driver to one that this torch supports; nvidia-smi must list the GPU"
        )
        problems.append(Problem("there is an NVIDIA driver, but torch cannot use it", mend))
    return Report(rows, problems)


def show(report: Report) -> None:
    """Print a report as a table, and below it the problems with their mends."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(show_header=False, box=None)
    for _ in Row._fields:
        table.add_column(overflow="fold")
    for row in report.rows:
        table.add_row(*(escape(cell) for cell in row))
    console = Console(highlight=False)
    console.print(table)
    for problem in report.problems:
        console.print(f"\n[bold red]problem[/] {escape(problem.what)}\n[bold]   mend[/] {escape(problem.mend)}")
    if not report.problems:
        console.print("\n[bold green]Everything fits together.[/]")


def _parse(requirement: str) -> tuple[str, str, str]:
    """Name, version bounds and extra of a requirement, such as ("onnx", ">=1.19", "export")."""
    match = re.match(r"([\w.-]+)(?:\[[^]]*\])?\s*\(?([^;)]*)\)?", requirement)
    extra = re.search(r"extra\s*==\s*['\"]([\w-]+)", requirement)
    if match is None:
        raise ValueError(f"not a requirement: {requirement!r}")
    return match[1], match[2].replace(" ", ""), extra[1] if extra else ""


def _within(installed: str, bounds: str) -> bool:
    """Whether a version satisfies bounds such as ">=2.11,<2.15"; local and pre-release parts do not count."""
    for bound in filter(None, bounds.split(",")):
        operator, limit = re.fullmatch(r"([<>=!~]+)(.*)", bound).groups()  # type: ignore[union-attr]
        have, want = _release(installed), _release(limit)
        if not {
            ">=": have >= want,
            "<": have < want,
            ">": have > want,
            "<=": have <= want,
            "==": have == want,
            "!=": have != want,
        }[operator]:
            return False
    return True


def _release(text: str) -> tuple[int, ...]:
    """Numbers of a version without trailing zeros, so that 2.15 equals 2.15.0."""
    numbers = [int(number) for number in re.match(r"[\d.]*", text)[0].split(".") if number]  # type: ignore[index]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _explain(name: str, error: str) -> Problem:
    """A failed import in words."""
    for pattern, meaning, mend in _COMPILED[name]:
        if re.search(pattern, error):
            return Problem(f"{name} cannot be imported, because {meaning} ({error})", mend)
    return Problem(f"{name} cannot be imported ({error})", f"pip install --force-reinstall {name}")


def _processors(torch: ModuleType | None) -> list[Row]:
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if torch is None:
        return [Row("CPU", f"{n_cores} cores")]
    rows = [Row("CPU", f"{n_cores} cores", torch.backends.cpu.get_cpu_capability())]
    for index in range(torch.cuda.device_count()):
        gpu = torch.cuda.get_device_properties(index)
        rows.append(
            Row(
                f"GPU cuda:{index}",
                gpu.name,
                f"{gpu.total_memory / 2**30:.0f} GiB, sm_{gpu.major}{gpu.minor}",
            )
        )
    if len(rows) == 1:
        built = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "without CUDA"
        rows.append(Row("GPU", "none that torch can use", f"torch is built {built}"))
    return rows


def _audio_libraries(soundfile: ModuleType | None) -> list[Row]:
    rows = []
    if soundfile is not None:
        readable = [name for name in ("WAV", "FLAC", "OGG", "MP3") if name in soundfile.available_formats()]
        rows.append(Row("libsndfile", soundfile.__libsndfile_version__, " ".join(readable)))
    try:
        from audionet.datasets.synthesis import espeak_version

        rows.append(Row("espeak-ng", espeak_version(), ""))
    except (ImportError, OSError, ValueError) as error:
        rows.append(Row("espeak-ng", "not usable", f"only for {_PURPOSES['synth']}: {error}"))
    return rows
