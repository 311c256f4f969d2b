"""`audionet models list` and `show`."""

from pathlib import Path
from typing import TYPE_CHECKING

from audionet.checks import check_one_of
from audionet.console import print_table

if TYPE_CHECKING:
    from audionet.bundle import Bundle


def models_list() -> None:
    """List the trained networks that come with audionet, and the architectures.

    Example:
        audionet models list
    """
    from audionet import bundle, models
    from audionet.bundle_tasks import TASKS

    rows = [("NAME", "TASK", "ARCHITECTURE", "KNOWS", "TEST", "TRAINED ON")]
    for task in TASKS:
        for name in bundle.shipped(task):
            loaded = bundle.load(name, task)
            knows = ", ".join(f"{len(values)} {category}s" for category, values in loaded.categories.items())
            data = str(loaded.training.get("data", "not recorded"))
            rows.append((name, task, loaded.model.name, knows, loaded.test_figure, data))
    print_table(rows)
    print(f"\nArchitectures to train: {', '.join(models.MODELS)}")


def models_show(name: str) -> None:
    """Show what a trained network is and knows, or which arguments an architecture takes.

    Args:
        name: Name of a shipped bundle, path of one, or name of an architecture (see `audionet models list`).

    Example:
        audionet models show commands
        audionet models show bcresnet
    """
    from audionet import bundle, bundle_tasks, models
    from audionet.cli.arguments import print_arguments

    tasks = [task for task in bundle_tasks.TASKS if name in bundle.shipped(task)]
    if not tasks and name in models.MODELS:
        print_arguments(models.MODELS[name], "--model")
        return
    if not tasks and not Path(name).is_file():
        shipped = [each for task in bundle_tasks.TASKS for each in bundle.shipped(task)]
        check_one_of(dict.fromkeys([*shipped, *models.MODELS]), "name", name, "or give the path of a bundle")
    for task in tasks or (None,):
        _show(bundle.load(name, task))


def _show(loaded: "Bundle") -> None:
    """Print all that a bundle says of itself."""
    rows = [("task", loaded.task), ("test", loaded.test_figure)]
    for field, part in loaded.parts.items():
        arguments = ", ".join(f"{key}={value!r}" for key, value in part.arguments.items() if key != "categories")
        rows.append((field.replace("_", "-"), f"{part.name}({arguments})"))
    parameters = sum(each.numel() for part in loaded.parts.values() for each in part.module.parameters())
    seconds = f"{loaded.clip_length / loaded.sample_rate:g} s at {loaded.sample_rate} Hz"
    rows += [("parameters", f"{parameters:,}"), ("clips", seconds)]
    rows += [(f"{category}s", " ".join(map(str, values))) for category, values in loaded.categories.items()]
    rows += [(key.replace("_", " "), str(value)) for key, value in loaded.training.items()]
    print_table(rows)
