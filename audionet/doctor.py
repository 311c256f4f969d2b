"""The doctor: versions and devices of this machine, conflicts between them, and their fixes.

`examine` looks at the machine, `diagnose` judges what it found, `show` prints the judgement.
"""

import platform
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import NamedTuple

from packaging.requirements import Requirement

from audionet import __version__
from audionet.checks import listed
from audionet.console import print_table
from audionet.parallel import usable_cores

# Libraries with compiled parts. Their import can fail although pip is content.
_COMPILED = ("torch", "torchaudio", "numba", "soundfile", "soxr")

# Known failures of these imports: a pattern of "library: error", the meaning, and the fix.
_FAILURES = (
    (
        r"torchaudio: .*lib(cud|cublas|nv|torch_cuda|c10_cuda)",
        "this torchaudio is built for CUDA, but torch here is without it",
        "pip install --force-reinstall --no-deps 'torchaudio==2.11.*' --index-url https://download.pytorch.org/whl/cpu",
    ),
    (
        r"torchaudio: .*(different CUDA versions|undefined symbol|Symbol not found)",
        "torch and torchaudio are not built for each other",
        "pip install --force-reinstall 'torch>=2.11,<2.15' 'torchaudio>=2.11,<2.12'",
    ),
    (
        r"(?i)numba: .*(numpy|llvm)",
        "numba does not fit numpy or llvmlite",
        "pip install --upgrade numba llvmlite librosa",
    ),
    (
        r"soundfile: .*sndfile",
        "the library libsndfile is missing",
        "pip install --force-reinstall soundfile, or apt install libsndfile1",
    ),
)

_REASONS = {
    "torch": "torch 2.15 is built for CUDA 13.2, and the last torchaudio for 13.0",
    "torchaudio": "torchaudio goes with torch by its version",
    "lightning": "before 2.6.6, load_from_checkpoint can run foreign code (CVE-2026-58659)",
}

_MALICIOUS = {"lightning": ("2.6.2", "2.6.3")}

_DEVELOPERS = ("dev", "docs")  # extras of those who develop audionet


class Row(NamedTuple):
    """One line of the report."""

    name: str
    value: str
    note: str = ""


class Problem(NamedTuple):
    """A defect of the installation, and its fix."""

    what: str
    fix: str


class Report(NamedTuple):
    """Versions and devices, one a row, and the problems."""

    rows: list[Row]
    problems: list[Problem]


class Machine(NamedTuple):
    """The state of a machine, which `diagnose` judges.

    Attributes:
        requirements: Requirements in audionet's packaging metadata, such as "numpy>=2"; empty if it is not installed.
        versions: Version of each installed distribution by name.
        import_errors: Error of each compiled library that cannot be imported.
        devices: Rows about the interpreter, processors and system libraries.
        nvidia_driver: Whether the system has an NVIDIA driver.
        cuda: Whether torch can use it.
    """

    requirements: tuple[str, ...]
    versions: Mapping[str, str]
    import_errors: Mapping[str, str] = MappingProxyType({})
    devices: tuple[Row, ...] = ()
    nvidia_driver: bool = False
    cuda: bool = False


def examine() -> Machine:
    """Look at this machine. It imports torch and the other compiled libraries, which takes seconds."""
    requirements: tuple[str, ...] = ()
    versions = {}
    with suppress(PackageNotFoundError):
        requirements = tuple(requires("audionet") or ())
    for name in {Requirement(requirement).name for requirement in requirements}:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    modules: dict[str, ModuleType] = {}
    import_errors = {}
    for name in _COMPILED:
        try:
            modules[name] = import_module(name)
        except Exception as error:  # a broken installation may raise anything
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
            *_engines(),
        ),
        nvidia_driver=Path("/proc/driver/nvidia/version").exists(),
        cuda=torch is not None and torch.cuda.is_available(),
    )


def diagnose(machine: Machine | None = None) -> Report:
    """Judge a machine: this one, unless another is given.

    Returns:
        Rows of versions and devices, and the problems.

    Example:
        >>> report = diagnose(Machine(requirements=("torch>=2.11,<2.15",), versions={"torch": "2.15.0"}))
        >>> print(report.problems[0].what)
        torch 2.15.0 is not >=2.11,<2.15: torch 2.15 is built for CUDA 13.2, and the last torchaudio for 13.0
    """
    machine = machine or examine()
    report = Report([Row("audionet", __version__), *machine.devices], [])
    if not machine.requirements:
        what = "audionet is imported from a folder but not installed, so what it needs is not known"
        report.problems.append(Problem(what, "pip install audionet, or pip install -e . in a checkout"))
    for requirement in map(Requirement, machine.requirements):
        _judge(requirement, machine.versions.get(requirement.name), report)
    report.problems.extend(_import_problems(machine.import_errors))
    if machine.nvidia_driver and not machine.cuda and "torch" not in machine.import_errors:
        fix = (
            "pip install --force-reinstall torch, which on Linux comes with CUDA"
            if "+cpu" in machine.versions.get("torch", "")
            else "update the NVIDIA driver to one that this torch supports; nvidia-smi must list the GPU"
        )
        report.problems.append(Problem("there is an NVIDIA driver, but torch cannot use it", fix))
    return report


def _judge(requirement: Requirement, installed: str | None, report: Report) -> None:
    """Add the row of a requirement, and its problem if it has one."""
    name = requirement.name
    bounds = ",".join(sorted(map(str, requirement.specifier), reverse=True))  # the lower one first
    extra = str(requirement.marker).partition('extra == "')[2].rstrip('"')
    if extra in _DEVELOPERS or any(row.name == name for row in report.rows):  # an extra may name what is needed anyway
        return
    if installed is None and extra:
        report.rows.append(Row(name, "not installed", f"optional: pip install 'audionet[{extra}]'"))
        return
    report.rows.append(Row(name, installed or "not installed", bounds))
    fix = f"pip install '{name}{bounds}'"
    if installed is None:
        what = f"{name} is not installed"
    elif installed in _MALICIOUS.get(name, ()):
        what = f"{name} {installed} is a malicious release that steals credentials"
        fix += ", then change every password and key on this machine"
    elif not requirement.specifier.contains(installed, prereleases=True):
        what = f"{name} {installed} is not {bounds}" + (f": {_REASONS[name]}" if name in _REASONS else "")
    else:
        return
    report.problems.append(Problem(what, fix))


def _import_problems(errors: Mapping[str, str]) -> Iterator[Problem]:
    """Explain the imports that failed."""
    for name, error in errors.items():
        if name == "torchaudio" and "torch" in errors:
            continue  # torchaudio needs torch
        known = [(meaning, fix) for pattern, meaning, fix in _FAILURES if re.match(pattern, f"{name}: {error}")]
        because, fix = known[0] if known else ("its installation is broken", f"pip install --force-reinstall {name}")
        yield Problem(f"{name} cannot be imported, because {because} ({error})", fix)


def show(report: Report) -> None:
    """Print a report: a table, and below it the problems, each with its fix."""
    print_table(report.rows)
    for problem in report.problems:
        print(f"\nproblem  {problem.what}\n    fix  {problem.fix}")
    if not report.problems:
        print("\nEverything fits together.")


def _processors(torch: ModuleType | None) -> list[Row]:
    cores = f"{usable_cores()} cores"
    if torch is None:
        return [Row("CPU", cores)]
    rows = [Row("CPU", cores, torch.backends.cpu.get_cpu_capability())]
    for index in range(torch.cuda.device_count()):
        gpu = torch.cuda.get_device_properties(index)
        memory = f"{gpu.total_memory / 2**30:.0f} GiB"
        rows.append(Row(f"GPU cuda:{index}", gpu.name, f"{memory}, sm_{gpu.major}{gpu.minor}"))
    if len(rows) == 1:
        built = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "without CUDA"
        rows.append(Row("GPU", "none that torch can use", f"torch is built {built}"))
    return rows


def _audio_libraries(soundfile: ModuleType | None) -> list[Row]:
    rows = []
    if soundfile is not None:
        readable = [name for name in ("WAV", "FLAC", "OGG", "MP3") if name in soundfile.available_formats()]
        rows.append(Row("libsndfile", soundfile.__libsndfile_version__, " ".join(readable)))
    return rows


def _engines() -> list[Row]:
    """Return a row of each engine that speaks: its version, languages and voices, or how to install it."""
    try:
        from audionet.datasets.synthesis import survey

        found = survey()
    except Exception as error:  # torchaudio and others, which it stands on, may be broken
        return [Row("engines", "not usable", f"only for synthetic words: {error}")]
    rows = []
    for name, engine in found.engines.items():
        codes = sorted({code.partition("-")[0] for code in engine.languages()})
        counts = f"{_counted(len(engine.voices()), 'voice')} in {_counted(len(codes), 'language')}"
        lacking = "".join(f"; for {code} it needs {what}" for code, what in engine.lacking.items())
        rows.append(Row(f"engine {name}", engine.version(), f"{counts}: {listed(codes, 12)}{lacking}"))
    return rows + [Row(f"engine {name}", "not installed", f"optional: {why}") for name, why in found.missing.items()]


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
