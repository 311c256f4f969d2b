"""`audionet models list`."""

from collections.abc import Sequence

from audionet.console import print_table
from audionet.registry import import_modules


def models_list(*, import_: Sequence[str] = ()) -> None:
    """List the trained networks that come with audionet, and the architectures.

    Args:
        import_: Module that adds an architecture of your own, from the current folder too; may be repeated.

    Example:
        audionet models list
    """
    import_modules(import_)
    from audionet import bundle, models

    rows = [("NAME", "TASK", "ARCHITECTURE", "KNOWS", "TEST", "TRAINED ON")]
    for task in bundle.TASKS:
        for name in bundle.shipped(task):
            loaded = bundle.load(name, task)
            knows = ", ".join(f"{len(values)} {category}s" for category, values in loaded.categories.items())
            data = str(loaded.training.get("data", "not recorded"))
            rows.append((name, task, loaded.model.name, knows, loaded.test_figure, data))
    print_table(rows)
    print(f"\nArchitectures to train: {', '.join(models.MODELS)}")
