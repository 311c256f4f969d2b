"""The command `audionet`.

Each subcommand is a function with typed arguments: its docstring is the help, arguments without a default are
positional, the others options. It returns the exit code, or None for success. Whatever is slow to import is
imported inside the functions, so that the help and the errors in usage come at once.
"""

import inspect
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import docstring_parser
from jsonargparse import ArgumentError, ArgumentParser, Namespace
from jsonargparse.typing import PositiveInt

from audionet.version import __version__


def recognize(model: str, *files: str, top_k: PositiveInt = 1, json: bool = False, device: str = "cpu") -> int:
    """Say what was spoken in audio files: a label and its probability for each.

    Args:
        model: Name of a shipped bundle (see `audionet models list`) or path of one.
        files: Audio files, or folders of them.
        top_k: How many labels to give for a file.
        json: Print a JSON line for each file.
        device: Where to compute: cpu, cuda, cuda:1, mps.
    """
    from json import dumps

    from audionet.inference import load

    recognizer = load(model, device)
    paths = list(_audio_files(files))
    code = 0
    for path, result in zip(paths, recognizer.recognize_files(paths, top_k=top_k), strict=True):
        if isinstance(result, Exception):
            code = 1
            _complain(result)
            if json:
                print(dumps({"file": str(path), "error": str(result)}), flush=True)
        elif json:
            predictions = [prediction._asdict() for prediction in result]
            print(dumps({"file": str(path), "predictions": predictions}), flush=True)
        else:
            answers = (f"{label} {probability:.1%}" for label, probability in result)
            print(f"{path}: {', '.join(answers)}", flush=True)
    return code


def doctor() -> int:
    """Show versions and devices, what does not fit together, and the mend."""
    from audionet.doctor import diagnose, show

    report = diagnose()
    show(report)
    return 1 if report.problems else 0


def data_list() -> None:
    """List the corpora that come with a card."""
    from audionet.datasets import list_cards

    rows = [("NAME", "SIZE", "STATE", "TITLE", "LICENCE")]
    for card in list_cards():
        size = sum(file.size or 0 for file in card.files)
        here = all((card.default_root / file.folder).is_dir() for file in card.files)
        state = "made when used" if not card.files else "downloaded" if here else ""
        rows.append((card.name, f"{size / 1e6:.0f} MB" if size else "", state, card.title, card.licence))
    _print_table(rows)


def data_get(name: str, root: str | None = None) -> None:
    """Download a corpus, verify it and unpack it; an interrupted download goes on where it stopped.

    Args:
        name: Name of a corpus (see `audionet data list`) or path of a card.yaml.
        root: Folder to put it in; by default the one that its recipes look in.
    """
    from audionet.datasets import get, read_card

    card = read_card(name)
    if card.files:
        print(f"{card.title} is in {get(card, root)} (licence: {card.licence})")
    else:
        print(f"{card.title}: nothing to download, it is made when used")


def data_verify(name: str, root: str | None = None) -> None:
    """Check a downloaded corpus file by file.

    Args:
        name: Name of a corpus (see `audionet data list`) or path of a card.yaml.
        root: Folder it is in; by default the one that `audionet data get` puts it in.
    """
    from audionet.datasets import read_card, verify

    card = read_card(name)
    for line in verify(card, root) or [f"{card.title}: nothing to verify, it is made when used"]:
        print(line)


def models_list() -> None:
    """List the trained networks that come with audionet, and the architectures."""
    from audionet import bundle, models

    rows = [("NAME", "TASK", "ARCHITECTURE", "LABELS", "ACCURACY", "TRAINED ON")]
    for name in bundle.shipped():
        loaded = bundle.load(name)
        accuracy = loaded.training.get("accuracy")
        rows.append(
            (
                name,
                loaded.task,
                loaded.model_name,
                str(len(loaded.labels)),
                f"{accuracy:.1%}" if isinstance(accuracy, float) else "not recorded",
                str(loaded.training.get("data", "not recorded")),
            )
        )
    _print_table(rows)
    print(f"\nArchitectures to train: {', '.join(models.MODELS)}")


def copy(recipe: str, folder: str) -> None:
    """Copy a recipe to a folder of yours, to edit and run.

    Args:
        recipe: Name of the recipe, such as recognition.
        folder: Where to put it; must not exist, or be empty.
    """
    from audionet import resources

    recipes = resources.folder("recipes")
    known = sorted(path.parent.name for path in recipes.glob("*/train.py"))
    if recipe not in known:
        raise ValueError(f"no recipe {recipe!r}; there are: {', '.join(known)}")
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ValueError(f"{target} already exists; name a new folder, so that nothing of yours is overwritten")
    shutil.copytree(recipes / recipe, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    print(f"Copied to {target}. Run it, for a first try of seconds:")
    print(f"  python {target / 'train.py'} --config {target / 'presets' / 'smoke.yaml'}")


_Command = Callable[..., int | None]

# Subcommands; one with further subcommands has its own help.
_COMMANDS: dict[str, _Command | tuple[str, dict[str, _Command]]] = {
    "recognize": recognize,
    "data": ("List, download and verify corpora.", {"list": data_list, "get": data_get, "verify": data_verify}),
    "models": ("List trained networks and architectures.", {"list": models_list}),
    "copy": copy,
    "doctor": doctor,
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: What follows `audionet`; the process's own if None.

    Returns:
        Exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        chosen = _parser().parse_args(arguments or ["--help"])
        command = _COMMANDS[chosen.command]
        chosen = chosen[chosen.command]
        if isinstance(command, tuple):
            command = command[1][chosen.command]
            chosen = chosen[chosen.command]
        return _call(command, chosen) or 0
    except ArgumentError as error:
        return _complain(error, code=2)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains while it exits
        return 1
    except (ValueError, OSError) as error:
        return _complain(error)


def _complain(error: Exception, code: int = 1) -> int:
    """Print an error on one line."""
    print("audionet: error:", " ".join(str(error).split()), file=sys.stderr)
    return code


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="audionet",
        description="Recognise speech commands, generate audio, extract features.",
        version=__version__,
        exit_on_error=False,
    )
    commands = parser.add_subcommands(required=True, dest="command", metavar="COMMAND")
    for name, command in _COMMANDS.items():
        if isinstance(command, tuple):
            description, members = command
            group = commands.add_subcommand(name, ArgumentParser(description=description), help=description)
            inner = group.add_subcommands(required=True, dest="command", metavar="COMMAND")
            for member, function in members.items():
                _add(inner, member, function)
        else:
            _add(commands, name, command)
    return parser


def _add(commands: Any, name: str, function: _Command) -> None:
    """Add a function to a parser's subcommands."""
    text = docstring_parser.parse(function.__doc__ or "")
    helps = {parameter.arg_name: parameter.description for parameter in text.params}
    parser = ArgumentParser(description=text.short_description)
    for key, parameter in inspect.signature(function).parameters.items():
        option, metavar, kind = f"--{key.replace('_', '-')}", key.upper(), parameter.annotation
        if kind is bool:
            parser.add_argument(option, action="store_true", help=helps[key])
        elif parameter.kind is parameter.VAR_POSITIONAL:
            parser.add_argument(key, nargs="+", type=kind, metavar=metavar.removesuffix("S"), help=helps[key])
        elif parameter.default is parameter.empty:
            parser.add_argument(key, type=kind, metavar=metavar, help=helps[key])
        else:
            parser.add_argument(option, type=kind, default=parameter.default, help=helps[key])
    commands.add_subcommand(name, parser, help=text.short_description)


def _call(function: _Command, chosen: Namespace) -> int | None:
    """Call a function with what the parser found for its parameters."""
    positional: list[Any] = []
    named = {}
    for parameter in inspect.signature(function).parameters.values():
        value = chosen[parameter.name]
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional += value
        elif parameter.default is parameter.empty:
            positional.append(value)
        else:
            named[parameter.name] = value
    return function(*positional, **named)


def _audio_files(paths: Iterable[str]) -> Iterator[Path]:
    """The files among the paths, and the audio files in the folders among them."""
    from audionet.datasets.layouts import AUDIO_EXTENSIONS

    for path in map(Path, paths):
        if not path.is_dir():
            yield path
            continue
        inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in AUDIO_EXTENSIONS)
        if not inside:
            raise ValueError(f"{path}: no audio file in this folder; expected {' '.join(sorted(AUDIO_EXTENSIONS))}")
        yield from inside


def _print_table(rows: Iterable[tuple[str, ...]]) -> None:
    """Print rows as aligned columns; plain text, for eyes and for other programs."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
