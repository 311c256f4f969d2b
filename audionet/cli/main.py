"""The command line: find the command, call it with the arguments that are given, and report an error in one line.

A new command is a function in a file of its own and its name in ``COMMANDS``. Only the chosen command is imported, and
it imports what is slow when it is called, so the help and errors in usage come at once. `audionet.cli.parsing` tells
how the signature of a command becomes its arguments.
"""

import os
import re
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pkgutil import resolve_name
from typing import BinaryIO

from audionet import __version__
from audionet.checks import nearest
from audionet.cli.parsing import Command, UsageError, make_parser, run, summary, undotted
from audionet.console import plain_warnings, sentence

COMMANDS = (
    *("recognize", "detect", "listen", "evaluate", "calibrate", "inspect", "generate"),
    *("features", "features list", "features show"),
    *("models list", "models show", "export", "train-words", "data list", "data get", "data verify", "data cache"),
    *("serve", "copy", "doctor", "completion"),
)
"""Names of the commands. A name of two words belongs to a group."""

EXAMPLES = """examples:
  audionet recognize digits seven.wav
  audionet generate digits --label seven --output new.wav
  audionet features recordings --kind LogMel --output features
"""


def function_of(name: str) -> Command:
    """Return the function of a command, such as `data_list` in audionet/cli/data.py of "data list"."""
    module, function_name = (re.sub("[ -]", "_", each) for each in (name.split()[0], name))
    function: Command = resolve_name(f"audionet.cli.{module}:{function_name}")
    return function


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: The words after `audionet`; None for those of this process.

    Returns:
        Exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names may hold what the encoding cannot
    words = sys.argv[1:] if arguments is None else [*arguments]
    try:
        name = next((name for name in (" ".join(words[:2]), *words[:1]) if name in COMMANDS), None)
        if name is None:
            return _overview(words)
        with plain_warnings("audionet: "):
            return run(function_of(name), f"audionet {name}", words[len(name.split()) :])
    except UsageError as error:
        is_file = " ".join(words[:2]) in COMMANDS and words[0] in COMMANDS and os.path.exists(words[1])
        complain(f"{error}; if {words[1]} is a file of yours, write ./{words[1]}" if is_file else error)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains while it exits
        return 1
    except (ValueError, OSError) as error:
        complain(error)
        return 1


def source_of(path: str | os.PathLike[str]) -> str | os.PathLike[str] | BinaryIO:
    """Return what a command reads for a path: standard input for "-"."""
    return sys.stdin.buffer if str(path) == "-" else path


def complain(error: Exception | str) -> None:
    """Print an error on standard error, in one line."""
    print("audionet: error:", sentence(error), file=sys.stderr)


def _overview(words: list[str]) -> int:
    """Print the help that lists all commands, or those of the group that the first word names.

    Raises:
        UsageError: The words name neither a command nor a group.
    """
    group = "".join(f"{word} " for word in words[:1] if not word.startswith("-"))
    members = [name for name in COMMANDS if name.startswith(group)]
    asked = words[len(group.split()) :]
    if not members or (asked and not asked[0].startswith("-")):
        typed = " ".join(words[: 2 if members else 1])
        advice = nearest(typed, COMMANDS, "see audionet --help")
        raise UsageError(f"command: expected one of {', '.join(members or COMMANDS)}, got {typed!r}; {advice}")
    prog = f"audionet {group}".rstrip()
    listing = "\n".join(f"  {name:13}  {summary(function_of(name))}" for name in members)
    about = summary(sys.modules["audionet"])
    below = f"commands:\n{listing}\n\n{EXAMPLES if not group else f'{prog} COMMAND --help shows examples.'}"
    parser = make_parser(prog, about, below, usage=f"{prog} [--help] COMMAND ...")
    parser.add_argument("--version", action="version", version=f"audionet {__version__}")
    parser.parse_args([*undotted(asked or ["--help"], parser)])
    return 0
