"""`audionet data list`, `get`, `verify` and `cache`."""

from audionet.cli.main import complain
from audionet.console import print_table


def data_list() -> None:
    """List the corpora that come with a card.

    Example:
        audionet data list
    """
    from audionet.datasets import list_cards

    rows = [("NAME", "SIZE", "STATE", "TITLE", "LICENSE")]
    for card in list_cards():
        size = sum(file.size or 0 for file in card.files)
        here = all((card.default_root / file.folder).is_dir() for file in card.files)
        state = "made when used" if not card.files else "downloaded" if here else ""
        rows.append((card.name, f"{size / 1e6:.0f} MB" if size else "", state, card.title, card.license))
    print_table(rows)


def data_get(name: str, *, root: str | None = None) -> None:
    """Download a corpus, verify it and unpack it. An interrupted download goes on where it stopped.

    Args:
        name: Name of a corpus (see `audionet data list`) or path of a card.yaml.
        root: Folder to put it in; by default the one that its recipes look in, which is below the folder that the
            variable AUDIONET_CACHE names, where that is set.

    Example:
        audionet data get words
    """
    from audionet.datasets import get, read_card

    card = read_card(name)
    if card.files:
        print(f"{card.title} is in {get(card, root)} (licence: {card.license})")
    else:
        print(f"{card.title}: nothing to download, it is made when used")


def data_verify(name: str, *, root: str | None = None) -> None:
    """Check a downloaded corpus file by file.

    Args:
        name: Name of a corpus (see `audionet data list`) or path of a card.yaml.
        root: Folder it is in; by default the one that `audionet data get` puts it in.

    Example:
        audionet data verify words
    """
    from audionet.datasets import read_card, verify

    card = read_card(name)
    for line in verify(card, root) or [f"{card.title}: nothing to verify, it is made when used"]:
        print(line)


def data_cache(name: str | None = None, *, clear: bool = False) -> int:
    """List what is kept between runs, with its size, or remove it. The variable AUDIONET_CACHE names the folder for it.

    Args:
        name: What to list or remove, as in the list; all of it where it is left out.
        clear: Remove it. What is needed again is then made or downloaded again.

    Example:
        audionet data cache
        audionet data cache --clear stores
    """
    from audionet import resources
    from audionet.checks import check_one_of, check_that
    from audionet.datasets import cache
    from audionet.locks import Busy

    folder = resources.cache_dir().absolute()
    check_that(not folder.is_file(), "AUDIONET_CACHE", "a folder", str(folder), "that is a file, name another")
    kept = cache.kept_in(folder)
    chosen = [one for one in kept if name is None or f"{one.name}/".startswith(f"{name}/")]
    if name is not None and not chosen:
        check_one_of(dict.fromkeys([*cache.kinds(), *(one.name for one in kept)]), "name", name)
    sizes = {one: one.size for one in chosen}
    if not clear and chosen:
        print_table([("NAME", "SIZE", "WHAT"), *((one.name, _megabytes(sizes[one]), one.what) for one in chosen)])
    busy = []
    for one in chosen if clear else ():
        try:
            cache.remove(one)
        except Busy as error:
            complain(error)
            busy.append(one)
        else:
            print(f"removed {folder / one.name} ({_megabytes(sizes[one])})")
    total = sum(sizes[one] for one in chosen if one not in busy)
    print(f"{_megabytes(total)} {'freed' if clear else 'kept'} in {folder} (AUDIONET_CACHE names another folder)")
    return 1 if busy else 0


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB"
