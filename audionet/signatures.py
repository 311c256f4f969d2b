"""What a class or a function takes, read from its source code, so that nothing slow has to be imported to tell."""

import ast
import builtins
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import docstring_parser

from audionet import checks

CHECKS = ("check_at_least", "check_positive", "check_one_of")


@dataclass(frozen=True)
class Argument:
    """An argument of a class or a function.

    Attributes:
        name: Its name.
        annotation: Its type. A name in the annotation that is not Python's own stands for any value.
        is_required: Whether it has to be given.
        default: Its default; of one that is no literal, the code.
        help: What the docstring says of it.
    """

    name: str
    annotation: object
    is_required: bool
    default: object
    help: str | None


def arguments_of(target: str) -> list[Argument]:
    """Return what a class or a function takes.

    Args:
        target: Module and name, such as "audionet.training.recognition:Recognition". A package may pass the name on
            from one of its modules by its stub, ``__init__.pyi``.

    Raises:
        ValueError: There is no such class or function.

    Example:
        >>> [argument.name for argument in arguments_of("audionet.models.tcresnet:TCResNet")]
        ['n_classes', 'width', 'depth', 'padding_mode', 'causal', 'activation', 'n_bands', 'dropout']
    """
    function, docstrings, _ = _definition(target)
    documented = [each for text in docstrings for each in docstring_parser.google.parse(text).params]
    helps = {each.arg_name: each.description for each in documented}
    return [
        Argument(each.arg, _type(each.annotation), default is None, _value(default), helps.get(each.arg))
        for each, default in _parameters(function.args)
        if each.arg != "self"
    ]


def literal_of(target: str) -> typing.Any:
    """Return a module's constant, a literal, without importing the module.

    Raises:
        ValueError: There is no such constant.

    Example:
        >>> literal_of("audionet.augment.registry:KINDS")["gain"]
        'Gain'
    """
    module, _, name = target.partition(":")
    for node in ast.parse(_source(module).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(
            isinstance(each, ast.Name) and each.id == name for each in node.targets
        ):
            return ast.literal_eval(node.value)
    raise ValueError(f"target: expected a constant, got {target}")


def check_values(target: str, values: Mapping[str, object], prefix: str = "") -> None:
    """Make those checks of a class or a function that concern one argument alone, without importing it.

    They are the calls of ``check_at_least``, ``check_positive`` and ``check_one_of`` in its body with literal bounds.

    Args:
        target: As for `arguments_of`.
        values: Values of arguments by name; None, and what is not among them, is not checked.
        prefix: What messages put before each name.

    Raises:
        ValueError: A value does not fit, or there is no such class or function.

    Example:
        >>> check_values("audionet.augment:TimeShift", {"seconds": -1}, "augment.time_shift.")
        Traceback (most recent call last):
        ValueError: augment.time_shift.seconds: expected at least 0, got -1
    """
    for call in _calls(target):
        try:
            bounds = [ast.literal_eval(each) for each in call.args[:2]]
            named = {each.arg: each.value for each in call.keywords if each.arg}
            is_whole = ast.literal_eval(named.pop("whole", ast.Constant(False)))
        except ValueError:
            continue
        assert isinstance(call.func, ast.Name)
        if call.func.id == "check_one_of":
            known, name = bounds
            if values.get(name) is not None:
                checks.check_one_of(known, prefix + name, values[name])
            continue
        given = {prefix + name: values[name] for name in named if values.get(name) is not None}
        if call.func.id == "check_positive":
            checks.check_positive(**given)
        else:
            checks.check_at_least(*bounds, whole=is_whole, **given)


def _calls(target: str) -> Iterator[ast.Call]:
    """Yield the calls of checks in a body, and in those of the classes of the same module that it derives from."""
    function, _, bases = _definition(target)
    for statement in function.body:
        call = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in CHECKS:
            yield call
    for base in bases:
        yield from _calls(base)


def _definition(target: str) -> tuple[ast.FunctionDef, list[str], list[str]]:
    """Find a function, or a class's ``__init__``; return it, the docstrings on it, and the bases beside the class."""
    module, _, name = target.partition(":")
    source = _source(module)
    nodes = ast.parse(source.read_text(encoding="utf-8")).body
    classes = {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}
    if function := next((each for each in _functions(nodes) if each.name == name), None):
        return function, [ast.get_docstring(function) or ""], []
    if node_of_class := classes.get(name):
        names = [each.value if isinstance(each, ast.Subscript) else each for each in node_of_class.bases]
        bases = [f"{module}:{each.id}" for each in names if isinstance(each, ast.Name) and each.id in classes]
        docstring = ast.get_docstring(node_of_class) or ""
        if init := next((each for each in _functions(node_of_class.body) if each.name == "__init__"), None):
            return init, [docstring, ast.get_docstring(init) or ""], bases
        if bases:
            inherited, docstrings, more = _definition(bases[0])
            return inherited, [*docstrings, docstring], more
    if home := _passed_on(source, name):
        return _definition(f"{module}.{home}:{name}")
    raise ValueError(f"target: expected a function, or a class with an __init__ of its own, got {target}")


def _functions(nodes: list[ast.stmt]) -> list[ast.FunctionDef]:
    return [node for node in nodes if isinstance(node, ast.FunctionDef)]


def _passed_on(source: Path, name: str) -> str | None:
    """Return the module, below the package, that a package's stub takes a name from."""
    stub = source.with_suffix(".pyi")
    nodes = ast.parse(stub.read_text(encoding="utf-8")).body if stub.exists() else []
    takes = (node for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 1)
    return next((node.module for node in takes if any(alias.name == name for alias in node.names)), None)


def _source(module: str) -> Path:
    """Return a module's file; only the package at the top is asked for, because finding a submodule imports it."""
    top, *rest = module.split(".")
    spec = find_spec(top)
    if spec is None or spec.origin is None:
        raise ValueError(f"target: expected an installed package or a module beside the recipe, got {top}")
    path = Path(spec.origin).parent.joinpath(*rest)
    return Path(spec.origin) if not rest else path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _parameters(arguments: ast.arguments) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    """Yield each parameter with its default; None for one that has to be given."""
    positional = [*arguments.posonlyargs, *arguments.args]
    n_required = len(positional) - len(arguments.defaults)
    yield from zip(positional, [*[None] * n_required, *arguments.defaults], strict=True)
    yield from zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)


def _value(default: ast.expr | None) -> object:
    if default is None:
        return None
    try:
        return ast.literal_eval(default)
    except ValueError:
        return ast.unparse(default)


class _Names(dict[str, object]):
    """Names that an annotation may use; any other stands for any value."""

    def __missing__(self, name: str) -> object:
        return typing.Any


_NAMES = {name: getattr(typing, name) for name in ("Any", "Literal", "Mapping", "Optional", "Sequence", "Union")}


def _type(annotation: ast.expr | None) -> object:
    """Evaluate an annotation; one that cannot be evaluated stands for any value."""
    if annotation is None:
        return typing.Any
    code = compile(ast.Expression(annotation), "annotation", "eval")
    try:
        return eval(code, {"__builtins__": {}}, _Names(vars(builtins) | _NAMES))
    except (AttributeError, TypeError):  # such as `torch.Tensor`, which would have to be imported
        return typing.Any
