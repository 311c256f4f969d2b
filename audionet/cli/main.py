"""The command `audionet`.

Each subcommand is a function with typed arguments: its docstring is the help, arguments without a default are
positional, the others and those behind a * options. It returns the exit code, or None for success. Whatever is slow to
import is imported inside the functions, so that the help and the errors in usage come at once.
"""

import inspect
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
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

    recognizer = load(model, device, task="recognition")
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


def generate(
    model: str,
    *,
    output: str,
    seconds: float | None = None,
    label: str | None = None,
    speaker: str | None = None,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 0,
    count: PositiveInt = 1,
    prime: str | None = None,
    like: str | None = None,
    precision: str = "float32",
    device: str = "cpu",
) -> int:
    """Generate sound with a trained WaveNet and save it; Ctrl-C keeps what is made so far.

    Args:
        model: Name of a shipped bundle (see `audionet models list`) or path of one.
        output: File to write (.wav, .flac, .ogg, .mp3); of several, each gets its number before the extension.
        seconds: How long; by default as long as the clips the model was trained on.
        label: What to say, where the model was trained on labels; by default it is drawn.
        speaker: Whose voice, where the model was trained on speakers; by default it is drawn.
        temperature: Below 1 the probable becomes more probable, above 1 less.
        top_k: Draw each sample from the k most probable values only.
        top_p: Draw each sample from the most probable values that together reach this probability only.
        seed: Decides everything that is drawn.
        count: How many to make.
        prime: Audio file to go on from.
        like: Audio file to imitate, for a vocoder or an autoencoder.
        precision: How the weights are kept while generating on the CPU: float32, bfloat16 or int8.
        device: Where to compute: cpu, cuda, cuda:1.
    """
    import torch

    from audionet import bundle
    from audionet.audio import check_target, load_audio, save_audio
    from audionet.inference import Generator

    target = Path(output)
    paths = [target.with_stem(f"{target.stem}-{number}") for number in range(count)] if count > 1 else [target]
    check_target(target)
    generator = Generator(bundle.load(model, "generation"), device, precision=precision)
    asked = {name: value for name, value in (("label", label), ("speaker", speaker)) if value is not None}
    chosen: dict[str, Any] = generator.choose(count, seed=seed, **asked)
    pieces = generator.stream(
        seconds,
        count=count,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
        prime=None if prime is None else load_audio(prime, generator.sample_rate, mono=True)[0],
        frames=None if like is None else generator.frames_of(*load_audio(like)),
        **chosen,
    )
    made, code = [], 0
    try:
        for piece in _spinning(pieces, "generating"):
            made.append(piece)
    except KeyboardInterrupt:
        code = 130
    if not made:
        return code
    waveforms = torch.cat(made, 1)
    for number, (path, waveform) in enumerate(zip(paths, waveforms, strict=True)):
        save_audio(path, waveform, generator.sample_rate)
        facts = [f"{name} {values[number]}" for name, values in chosen.items()]
        print(f"{path}: {', '.join([f'{len(waveform) / generator.sample_rate:.2f} s', *facts, f'seed {seed}'])}")
    return code


def features(
    *files: str,
    output: str,
    kind: str | None = None,
    like: str | None = None,
    arguments: dict[str, Any] | None = None,
    sample_rate: PositiveInt | None = None,
    format: str = "npy",
    plot: bool = False,
    workers: PositiveInt | None = None,
) -> int:
    """Turn audio files into features on disk; done again, it goes on with the files that are new or have changed.

    Args:
        files: Audio files, or folders of them; the output has the same folders.
        output: Folder to write to.
        kind: Front-end: LogMel (which it is by default), MFCC, MelSpectrogram and so on.
        like: Instead of a kind, the tool to compute as: librosa, torchaudio, kaldi, whisper, bcresnet, yamnet.
        arguments: The front-end's own, one by one, such as --arguments.n_mels 64.
        sample_rate: Resample to this rate, in hertz; by default the front-end's.
        format: npy, a file each; zarr, one store; or parquet, one file.
        plot: Write pictures, too.
        workers: Processes; by default one for each core.
    """
    from audionet.bulk.features import common_folder, extract, make_plan
    from audionet.features.compat.like import like as create_like
    from audionet.features.registry import create

    if kind and like:
        raise ValueError(f"--kind {kind} and --like {like}: choose one")
    kind = kind or "LogMel"
    chosen = {**(arguments or {}), **({"sample_rate": sample_rate} if sample_rate else {})}
    front_end = create_like(like, **chosen) if like else create(kind, **chosen)
    plan = make_plan(
        _audio_files(files),
        output,
        base=common_folder(files),
        settings={
            **({"like": like} if like else {"kind": kind.lower()}),
            "arguments": chosen,
            "sample_rate": front_end.sample_rate,
            "hop_length": front_end.framing.hop_length,
        },
        format=format,
        with_pictures=plot,
    )
    n_bad = 0
    with (
        _bar("features", len(plan.todo)) as advance,
        closing(extract(plan, front_end, workers=workers)) as results,
    ):
        for n_files, bad in results:
            for _, reason in bad:
                _complain(reason)
            n_bad += len(bad)
            advance(n_files)
    there = f", {plan.n_done} were there already" if plan.n_done else ""
    print(f"{output}: features of {len(plan.todo) - n_bad} files made{there}{f', {n_bad} failed' if n_bad else ''}")
    return 1 if n_bad else 0


def doctor() -> int:
    """Show versions and devices, what does not fit together, and the mend."""
    from audionet.doctor import diagnose, show

    report = diagnose()
    show(report)
    return 1 if report.problems else 0


def data_list() -> None:
    """List the corpora that come with a card."""
    from audionet.datasets import list_cards

    rows = [("NAME", "SIZE", "STATE", "TITLE", "LICENSE")]
    for card in list_cards():
        size = sum(file.size or 0 for file in card.files)
        here = all((card.default_root / file.folder).is_dir() for file in card.files)
        state = "made when used" if not card.files else "downloaded" if here else ""
        rows.append((card.name, f"{size / 1e6:.0f} MB" if size else "", state, card.title, card.license))
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
        print(f"{card.title} is in {get(card, root)} (licence: {card.license})")
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

    rows = [("NAME", "TASK", "ARCHITECTURE", "KNOWS", "TEST", "TRAINED ON")]
    for task in bundle.TASKS:
        for name in bundle.shipped(task):
            loaded = bundle.load(name, task)
            if task == "recognition":
                knows, figure = f"{len(loaded.labels)} labels", loaded.training.get("accuracy")
                shown = f"{figure:.1%}" if isinstance(figure, float) else "not recorded"
            else:
                categories = loaded.model.arguments.get("categories", {})
                knows = ", ".join(f"{len(values)} {category}s" for category, values in categories.items())
                figure = loaded.training.get("bits_per_sample")
                shown = f"{figure:.2f} bits" if isinstance(figure, float) else "not recorded"
            data = str(loaded.training.get("data", "not recorded"))
            rows.append((name, task, loaded.model.name, knows, shown, data))
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
    "generate": generate,
    "features": features,
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


def _complain(error: Exception | str, code: int = 1) -> int:
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
        elif parameter.default is parameter.empty and parameter.kind is parameter.KEYWORD_ONLY:
            parser.add_argument(option, type=kind, required=True, help=helps[key])
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
        elif parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.default is parameter.empty:
            positional.append(value)
        else:
            named[parameter.name] = value
    return function(*positional, **named)


def _audio_files(paths: Iterable[str]) -> Iterator[Path]:
    """The files among the paths, and the audio files in the folders among them."""
    from audionet.files import AUDIO_EXTENSIONS

    for path in map(Path, paths):
        if not path.is_dir():
            yield path
            continue
        found = (file for file in path.rglob("*") if file.suffix.lower() in AUDIO_EXTENSIONS)
        inside = sorted(file for file in found if not file.is_dir())
        if not inside:
            raise ValueError(f"{path}: no audio file in this folder; expected {' '.join(sorted(AUDIO_EXTENSIONS))}")
        yield from inside


def _spinning(items: Iterable[Any], text: str) -> Iterator[Any]:
    """Pass items on, with a sign of life where standard error is a terminal."""
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield from items


@contextmanager
def _bar(text: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar where standard error is a terminal; what is given advances it."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (*Progress.get_default_columns()[:-1], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(text, total=total)
        yield lambda count: bar.advance(task, count)


def _print_table(rows: Iterable[tuple[str, ...]]) -> None:
    """Print rows as aligned columns; plain text, for eyes and for other programs."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
