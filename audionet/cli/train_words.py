"""`audionet train-words`."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from json import dumps
from pathlib import Path

from audionet.checks import check_that
from audionet.cli.parsing import Several
from audionet.console import COMMAND

PATIENCE = 10.0
"""Seconds within which a script that was interrupted ends."""


def train_words(
    *words: str | None,
    output: str,
    language: str = "en",
    recordings: str | None = None,
    negatives: Several = (),
    synthetic: bool | None = None,
    engines: str | None = None,
    seed: int = 0,
) -> int:
    """Train a recogniser of your own words: from text alone, by synthetic voices, and from recordings if you have some.

    It takes some minutes on two cores, and neither a recording nor a GPU. The words of recordings alone take less than
    one. A folder beside the bundle, of its name, holds the report, the model card and the rest of the run. The same
    command goes on with a run that was interrupted.

    Args:
        words: Words or phrases of up to two seconds, such as stop or "lights on"; none to learn the class folders of
            the recordings.
        output: Bundle to write (.safetensors); it must not be there yet.
        language: Code of the language that the words are in, such as en, de or lt.
        recordings: Folder of your recordings, in class folders that are called as the words.
        negatives: Folder of recordings in which none of the words is said, such as of your room or the television,
            searched at any depth; one or more. Stretches of them train as unknown.
        synthetic: Whether engines speak the words, too, true or false; by default they speak all that can be words.
        engines: Names of the engines that may speak, with commas between; by default all that `audionet doctor` lists.
        seed: Seed of everything that is drawn.

    Example:
        audionet train-words "lights on" "lights off" stop --output lights.safetensors
        audionet train-words namas medis --language lt --output lt.safetensors
        audionet train-words "lights on" stop --recordings my_recordings --output mine.safetensors
        audionet train-words --recordings my_recordings --output mine.safetensors
        audionet train-words "lights on" stop --negatives room --output mine.safetensors
    """
    from audionet import resources
    from audionet.files import whole_file

    advice = 'such as "lights on" stop, or --recordings FOLDER to learn its class folders'
    check_that(words or recordings, "words", "at least one word or phrase", "none", advice)
    bundle = Path(output)
    values: dict[str, object] = {
        "seed": seed,
        "data.words": [*words],
        "data.language": language,
        "data.recordings": recordings,
        "data.negatives": [*negatives] or None,
        "data.synthetic": synthetic,
        "data.engines": None if engines is None else engines.split(","),
    }
    folder = checked_output(bundle, recordings, values)
    run = {"output": str(folder), "resume": (folder / "checkpoints").is_dir()} | values
    recipe = resources.folder("recipes") / "words"
    preset = recipe / "presets" / "words.yaml"
    given = {name: value for name, value in run.items() if value is not None}
    flags = [f"--{name}={value if isinstance(value, str) else dumps(value)}" for name, value in given.items()]
    code = run_script([str(recipe / "train.py"), f"--config={preset}", *flags])
    if code == 0:
        with whole_file(bundle, sync=True) as file, open(folder / "model.safetensors", "rb") as made:
            shutil.copyfileobj(made, file)
        print(f"{bundle}: use it with  audionet recognize {bundle} FILE...")
    elif not any(folder.iterdir()):
        folder.rmdir()
    return code


def checked_output(bundle: Path, recordings: str | None, values: Mapping[str, object]) -> Path:
    """Return the folder of the run that makes a bundle; it is made where it is missing.

    A run of the same values that was interrupted in it goes on. One that came to no checkpoint begins again, so what it
    had written of its end is removed.

    Args:
        bundle: Bundle to write.
        recordings: Folder of recordings.
        values: Values of the run by the names of their flags.

    Raises:
        ValueError: The bundle is there already or is called otherwise, or the folder is no place for a run.
        OSError: It cannot be written.
    """
    from audionet.files import whole_file

    check_that(bundle.suffix == ".safetensors", "output", "a name that ends in .safetensors", str(bundle))
    advice = "name another, or move it away first"
    check_that(not os.path.lexists(bundle), "output", "a file that is not there yet", str(bundle), advice)
    folder = bundle.with_suffix("")
    expected = f"a name whose folder {folder} is free, or of a run of the same command"
    within = recordings is not None and folder.resolve().is_relative_to(Path(recordings).resolve())
    check_that(is_run_of(folder, values) and not within, "output", expected, str(bundle), "name another")
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "checkpoints" / "last.ckpt").exists():
        (folder / "model.safetensors").unlink(missing_ok=True)
    with whole_file(folder / ".written") as file:  # what cannot be written is said now, not after the training
        file.write(b"")
    (folder / ".written").unlink()
    return folder


def is_run_of(folder: Path, values: Mapping[str, object]) -> bool:
    """Tell whether a folder is free for a run of these values, or holds one, which may have been killed at any time."""
    from yaml import YAMLError, safe_load

    if not os.path.lexists(folder):
        return True
    if not folder.is_dir():
        return False
    config = folder / "config.yaml"
    if not config.is_file():
        return all(name.startswith(".") for name in os.listdir(folder))  # locks, and files that were being written
    try:
        kept = safe_load(config.read_text(encoding="utf-8"))
        data = kept["data"]
        return all(
            (kept | {f"data.{key}": data[key] for key in data}).get(name) == value for name, value in values.items()
        )
    except (YAMLError, UnicodeDecodeError, LookupError, TypeError):
        return False


def run_script(arguments: Sequence[str]) -> int:
    """Run a script by this Python and with this audionet; return its exit code, 130 where it was interrupted.

    Ctrl-C and SIGTERM end the script, which keeps what there is; that, and a signal that killed it, is said.
    """
    from audionet.resources import PACKAGE

    paths = [str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), COMMAND: "train-words"}
    process = subprocess.Popen([sys.executable, *arguments], env=environment)
    is_asked = False

    def stop(*_: object) -> None:
        nonlocal is_asked
        is_asked = True
        process.terminate()

    before = signal.signal(signal.SIGTERM, stop)
    ended = "interrupted"
    try:
        code = process.wait()
        if code < 0 and not is_asked:
            ended = f"the training was killed by signal {-code}, as a system does that lacks memory"
    except KeyboardInterrupt:  # a terminal interrupts the script, too, and `kill` this process alone
        is_asked, code = True, 130
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait()
    finally:
        signal.signal(signal.SIGTERM, before)
    if is_asked or code < 0:
        print(f"audionet: {ended}; the same command goes on with what there is", file=sys.stderr)
    return abs(code)
