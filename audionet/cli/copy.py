"""`audionet copy`."""

import shutil
from pathlib import Path


def copy(recipe: str, folder: str) -> None:
    """Copy a recipe to a folder of yours, to edit and run.

    Args:
        recipe: Name of the recipe, such as recognition.
        folder: Folder to copy it to; it must be new or empty.

    Example:
        audionet copy recognition my_recipe
    """
    from audionet import resources
    from audionet.checks import check_one_of

    recipes = resources.folder("recipes")
    known = sorted(path.parent.name for path in recipes.glob("*/train.py"))
    check_one_of(known, "recipe", recipe)
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ValueError(
            f"folder: expected one that is new or empty, got {target}, which already exists; name another, so that "
            "nothing of yours is overwritten"
        )
    try:
        shutil.copytree(recipes / recipe, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    except shutil.Error as error:  # a list of files and reasons
        reason = error.args[0][0][2]
        raise ValueError(
            f"{target}: the copy is not whole ({reason}); free some space, or name another folder"
        ) from error
    print(f"Copied to {target}. Run it, for a first try of seconds:")
    print(f"  python {target / 'train.py'} --config {target / 'presets' / 'smoke.yaml'}")
