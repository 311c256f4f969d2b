"""The entry of the command line: find the command, call it, and report an error in one line.

A new command is a function in a file of its own and its name in ``COMMANDS``. Only the chosen command is imported, and
it imports what is slow when it is called, so the help and errors in usage come at once.
"""

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pkgutil import resolve_name

from audionet import __version__
from audionet.checks import nearest
from audionet.cli.parser import Command, UsageError, make_parser, run, summary

COMMANDS = "recognize", "generate", "features", "data list", "data get", "data verify", "models list", "copy", "doctor"
"""Names of the commands. A name of two words belongs to a group."""


def function_of(name: str) -> Command:
    """Return the function of a command, such as `data_list` in audionet/cli/data.py of "data list"."""
    function: Command = resolve_name(f"audionet.cli.{name.split()[0]}:{name.replace(' ', '_')}")
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
        return run(function_of(name), f"audionet {name}", words[len(name.split()) :])
    except UsageError as error:
        complain(error)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains while it exits
        return 1
    except (ValueError, OSError) as error:
        complain(error)
        return 1


def complain(error: Exception | str) -> None:
    """Print an error on standard error, in one line."""
    print("audionet: error:", " ".join(str(error).split()), file=sys.stderr)


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
    listing = "\n".join(f"  {name:11}  {summary(function_of(name))}" for name in members)
    about = summary(sys.modules["audionet"])
    parser = make_parser(prog, about, f"commands:\n{listing}", usage=f"{prog} [--help] COMMAND ...")
    parser.add_argument("--version", action="version", version=f"audionet {__version__}")
    parser.parse_args(asked or ["--help"])
    return 0
