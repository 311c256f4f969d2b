"""The entry of the command line: find the command, call it, and say what went wrong in one line.

A new command is a function in a file of its own and one line in ``COMMANDS``. Only the chosen command is imported, and
it imports what is slow when it is called, so the help and errors in usage come at once.
"""

import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module

from audionet.cli.parser import Command, UsageError, make_parser, run, summary
from audionet.console import complain, print_safely
from audionet.version import __version__

COMMANDS = {
    "recognize": "audionet.cli.recognize:recognize",
    "generate": "audionet.cli.generate:generate",
    "features": "audionet.cli.features:features",
    "data list": "audionet.cli.data:data_list",
    "data get": "audionet.cli.data:data_get",
    "data verify": "audionet.cli.data:data_verify",
    "models list": "audionet.cli.models:models_list",
    "copy": "audionet.cli.copy:copy",
    "doctor": "audionet.cli.doctor:doctor",
}
"""Home of the function of each command. A name of two words belongs to a group, which its module describes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: What follows `audionet`; the process's own if None.

    Returns:
        Exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """
    print_safely()
    words = sys.argv[1:] if arguments is None else [*arguments]
    try:
        name = next((name for name in (" ".join(words[:2]), *words[:1]) if name in COMMANDS), None)
        if name is None:
            return _overview(words)
        return run(_load(name), f"audionet {name}", words[len(name.split()) :])
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


def _load(name: str) -> Command:
    """Import the function of a command."""
    module, _, function = COMMANDS[name].partition(":")
    command: Command = getattr(import_module(module), function)
    return command


def _overview(words: list[str]) -> int:
    """Print what commands there are, of a group where the first word names one, or refuse the words.

    Raises:
        UsageError: A word names no command, or a group is named without one of its commands.
    """
    group = words[0] if words and any(name.startswith(f"{words[0]} ") for name in COMMANDS) else ""
    inside = {name: _load(name) for name in COMMANDS if name.startswith(f"{group} ".lstrip())}
    members = {}
    for name, command in inside.items():
        first, *more = name.removeprefix(group).split()
        members[first] = summary(sys.modules[command.__module__] if more else command)
    about = sys.modules[next(iter(inside.values())).__module__ if group else "audionet"]
    prog = f"audionet {group}".rstrip()
    rest = words[1:] if group else words or ["--help"]
    if not rest or not rest[0].startswith("-"):
        got = repr(rest[0]) if rest else "nothing"
        near = get_close_matches(rest[0], members, n=1) if rest else []
        advice = f"did you mean {near[0]!r}?" if near else f"see {prog} --help"
        raise UsageError(f"command: expected one of {', '.join(members)}, got {got}; {advice}")
    listing = "\n".join(f"  {member:9}  {text}" for member, text in members.items())
    parser = make_parser(prog, summary(about), f"commands:\n{listing}", usage=f"{prog} [--help] COMMAND ...")
    if not group:
        parser.add_argument("--version", action="version", version=f"audionet {__version__}")
    parser.parse_args(rest)
    return 0


if __name__ == "__main__":
    sys.exit(main())
