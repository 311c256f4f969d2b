"""`audionet models list`."""

from audionet.console import print_table


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
