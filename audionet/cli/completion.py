"""`audionet completion`."""

PATHS = ("files", "folder", "model", "output", "prime", "recordings", "report", "root", "training")
"""Arguments that may be paths."""


def completion(shell: str) -> None:
    """Print a script that lets a shell complete commands, options and file names.

    For bash: audionet completion bash > ~/.local/share/bash-completion/completions/audionet

    Args:
        shell: Shell that it is for, such as bash, zsh or fish.

    Example:
        audionet completion bash
    """
    from argparse import ArgumentParser

    import shtab

    from audionet.checks import check_one_of
    from audionet.cli.main import COMMANDS, function_of
    from audionet.cli.parsing import make_parser_of, summary

    check_one_of(shtab.SUPPORTED_SHELLS, "shell", shell)
    whole = ArgumentParser(prog="audionet")
    commands = whole.add_subparsers()
    groups = {}
    for name in COMMANDS:
        first, _, second = name.partition(" ")
        if second and first in COMMANDS:
            continue  # no shell could tell it from a file that the first word takes
        if second and first not in groups:
            groups[first] = commands.add_parser(first, help=f"commands about {first}").add_subparsers()
        parser = make_parser_of(function_of(name), f"audionet {name}")
        for action in parser._actions:
            if action.dest in PATHS:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
        place = groups[first] if second else commands
        place.add_parser(second or first, parents=[parser], add_help=False, help=summary(function_of(name)))
    print(shtab.complete(whole, shell))
