"""What a class takes, for `audionet models show` and `audionet features show`."""

import inspect

import docstring_parser

from audionet.cli.parsing import summary


def print_arguments(kind: type, flag: str) -> None:
    """Print what a class is, and each of its arguments with type, default and help.

    Args:
        kind: The class.
        flag: What comes before an argument's name as a flag of a recipe, such as "--model".
    """
    helps = {each.arg_name: each.description for each in docstring_parser.google.parse(kind.__doc__ or "").params}
    print(summary(kind))
    for name, parameter in inspect.signature(kind).parameters.items():
        annotation = inspect.formatannotation(parameter.annotation)
        required = parameter.default is parameter.empty
        print(f"\n  {flag}.{name}: {annotation}{', required' if required else f' = {parameter.default!r}'}")
        print(f"      {' '.join((helps.get(name) or '').split())}".rstrip())
