"""`audionet data list`, `get` and `verify`."""

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
        root: Folder to put it in; by default the one that its recipes look in.

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
