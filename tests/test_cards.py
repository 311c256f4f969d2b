import copy
from dataclasses import replace

import pytest
import yaml

from audionet import resources
from audionet.datasets import cards, layouts, plain, plain_card, splits
from audionet.datasets.classes import ClassSelection, PooledClass
from audionet.files import Found

CARD = {
    "name": "made_up",
    "title": "A made-up corpus",
    "description": "For tests.",
    "homepage": "https://example.org",
    "license": "CC0",
    "citation": "nobody",
    "sample_rate": 16000,
    "files": [
        {"url": "https://example.org/a.tar.gz", "sha256": "0" * 64, "size": 12, "folder": "a"},
        {"url": "https://example.org/b.zip?x=1", "sha256": None, "folder": "b", "member": "b-1.0/wav"},
    ],
    "layout": {"kind": "folders", "folder": "a", "ignore": ["noise"], "glob": "*.wav"},
    "background": "a/noise",
    "split": "official",
    "splits": {"official": {"kind": "hash"}, "mine": {"kind": "lists", "validation": None}},
    "labels": {
        "keep": ["yes", "no"],
        "unknown": {"label": "_unknown_", "percentage": 10},
        "silence": {"label": "_silence_", "percentage": 12.5},
    },
}


@pytest.fixture
def write(tmp_path):
    def write(changes: dict):
        card: dict = copy.deepcopy(CARD)
        for key, value in changes.items():
            *parents, last = key.split(".")
            place = card
            for parent in parents:
                place = place[int(parent) if parent.isdigit() else parent]
            if value is ...:
                del place[last]
            else:
                place[last] = value
        (tmp_path / "card.yaml").write_text(yaml.safe_dump(card, sort_keys=False))
        return tmp_path / "card.yaml"

    return write


def test_a_card_becomes_dataclasses(write):
    path = write({})
    card = cards.read_card(path)
    assert card.layout == layouts.FolderLayout(folder="a", glob="*.wav", ignore=("noise",))
    assert card.splits == {"official": splits.HashSplit(), "mine": splits.ListSplit(validation=None)}
    assert card.files[0] == cards.File("https://example.org/a.tar.gz", "0" * 64, "a", 12)
    assert [file.name for file in card.files] == ["a.tar.gz", "b.zip"]
    assert card.labels.silence == PooledClass("_silence_", 12.5)
    assert repr(card.labels.unknown) == "PooledClass(label='_unknown_', percentage=10.0)"
    assert card.path == path
    assert card == cards.read_card(path.parent) == cards.read_card(str(path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"titel": "x"}, r"titel: unknown key.*did you mean 'title'\?"),
        ({"path": "x"}, r"path: unknown key"),
        ({"layout.ignored": []}, r"layout\.ignored: unknown key.*did you mean 'ignore'\?"),
        ({"labels.unknown.percent": 1}, r"labels\.unknown\.percent: unknown key"),
        ({"license": ...}, "license: missing, expected text"),
        ({"licence": "CC0"}, r"licence: unknown key.*did you mean 'license'\?"),
        ({"files.1.sha256": ...}, r"files\[1\]\.sha256: missing, expected text or nothing"),
        ({"sample_rate": "16k"}, "sample_rate: expected a whole number, got '16k'"),
        ({"sample_rate": 16000.0}, "sample_rate: expected a whole number, got 16000.0"),
        ({"sample_rate": 0}, "sample_rate: expected 100 to 1000000 Hz, got 0"),
        ({"sample_rate": 10**30}, "sample_rate: expected 100 to 1000000 Hz, got 10"),
        ({"files": {}}, r"files: expected a list of keys and values, got \{\}"),
        ({"files.0.size": True}, r"files\[0\]\.size: expected a whole number or nothing, got True"),
        ({"files.0.size": -1}, r"files\[0\]\.size: expected the number of bytes"),
        ({"files.0.sha256": "abc"}, r"files\[0\]\.sha256: expected 64 digits"),
        ({"files.0.url": "file:///etc/passwd"}, r"files\[0\]\.url: expected an address with http"),
        ({"files.0.folder": "../up"}, r"files\[0\]\.folder: expected a folder below"),
        ({"files.0.folder": "."}, r"files\[0\]\.folder: expected a folder below"),
        ({"files.1.folder": "A"}, r"files: expected folders apart from each other, got \['a', 'A'\]"),
        ({"files.1.folder": "a/b"}, r"files: expected folders apart from each other, got \['a', 'a/b'\]"),
        ({"layout.kind": "tree"}, r"layout\.kind: expected one of folders, pattern, table, synthesis, got 'tree'"),
        ({"layout": {"folder": "a"}}, r"layout\.kind: expected one of .*, got None"),
        ({"layout": "folders"}, r"layout\.kind: expected one of"),
        ({"layout.kind": ["folders"]}, r"layout\.kind: expected one of .*, got \['folders'\]"),
        ({"layout.folder": "/abs"}, r"layout\.folder: expected a folder below"),
        ({"layout.speaker": "(?P<who>x)"}, r"layout\.speaker: expected a named group \(\?P<speaker>"),
        ({"layout": {"kind": "pattern", "pattern": "("}}, r"layout\.pattern: expected a regular expression, got '\('"),
        ({"splits.official.kind": "dice"}, r"splits\.official\.kind: expected one of hash, lists, field"),
        ({"splits.official.validation": 95}, r"splits\.official\.validation and test: .* at most 100"),
        (
            {"splits.c": {"kind": "field", "field": "x", "names": {"x": "dev"}}},
            r"splits\.c\.names\.x: expected train or val",
        ),
        (
            {"splits.c": {"kind": "field", "field": "x", "others": "dev"}},
            r"splits\.c\.others: expected train or .* or nothing",
        ),
        (
            {"splits.c": {"kind": "field", "field": "x", "names": {0: "test"}}},
            r"the name 0 in splits\.c\.names: .*quotes",
        ),
        ({"splits.official.test_folder": "/up"}, r"splits\.official\.test_folder: expected a folder below"),
        ({"split": "other"}, "split: expected one of official, mine, got 'other'"),
        ({"splits": {}}, "splits: expected at least one split rule"),
        (
            {"layout": {"kind": "synthesis", "words": ["a"]}},
            r"splits: expected none, since voices are split already, got \['official', 'mine'\]",
        ),
        (
            {"layout": {"kind": "table", "table": "a.csv"}, "splits.mine": {"kind": "hash", "test_folder": "b"}},
            r"splits: expected no test folder, since the table does not name its files, got \['b'\]",
        ),
        (
            {"labels.keep": [True]},
            r"labels\.keep\[0\]: expected text, got True; put words such as yes, no, on, off in quotes",
        ),
        ({"layout.labels": {0: "zero"}}, r"the name 0 in layout\.labels: .*numbers that are names in quotes"),
        ({"labels.keep": []}, r"labels\.keep: expected the classes to keep"),
        ({"root": "../x"}, "root: expected the name of a folder"),
    ],
)
def test_a_wrong_card_is_refused_with_the_file_and_the_key(write, changes, message):
    path = write(changes)
    with pytest.raises(cards.CardError, match=rf"^{path}: {message}"):
        cards.read_card(path)


NO_NAMES = ["/home/me/x", "../x", "..", ".", "", "a/b", "a\\b", "C:", ".hidden", "a\0b", "a\nb", "con", "x" * 300, "x."]


@pytest.mark.parametrize("name", NO_NAMES)
def test_names_are_names(write, name):
    for key in ("name", "root"):
        with pytest.raises(cards.CardError, match=f"{key}: expected the name of a folder"):
            cards.read_card(write({key: name}))
    with pytest.raises(cards.CardError, match="splits: expected names that a folder may have"):
        cards.read_card(write({"splits": {name: {"kind": "hash"}, "official": {"kind": "hash"}}}))


@pytest.mark.parametrize(
    "name", ["/home/me/x", "../x", ".", "", "a\\b", "C:", "a/.hidden", "a\0b", "con", "x" * 300, "a./b"]
)
def test_an_archive_unpacks_into_a_folder_with_a_name(write, name):
    with pytest.raises(cards.CardError, match=r"files\[0\]\.folder: expected (a folder below|the names of folders)"):
        cards.read_card(write({"files.0.folder": name}))


@pytest.mark.parametrize("name", ["a/..", "..", "a/.", ".hidden", "a\\b", "con", "x" * 300, "?a.zip"])
def test_an_address_ends_in_a_name(write, name):
    with pytest.raises(cards.CardError, match=r"files\[0\]\.url: expected an address that ends in the name of a file"):
        cards.read_card(write({"files.0.url": f"https://example.org/{name}"}))


def test_a_card_made_by_hand_has_a_name_too(write):
    card = cards.read_card(write({}))
    with pytest.raises(ValueError, match="name: expected the name of a folder, got '../x'"):
        replace(card, name="../x")


@pytest.mark.parametrize(
    "url",
    ["https://", "https:///a.zip", "https://[::1/a.zip", "http://a:b/a.zip", "https://é.org/a.zip", "http://a/a b.zip"],
)
def test_an_address_is_one_that_a_request_can_send(write, url):
    with pytest.raises(cards.CardError, match=r"files\[0\]\.url: expected an address"):
        cards.read_card(write({"files.0.url": url}))


@pytest.mark.parametrize(("key", "name"), [("test", "/etc/passwd"), ("validation", "../../x.txt")])
def test_a_list_of_a_split_lies_in_the_corpus(write, key, name):
    with pytest.raises(cards.CardError, match=rf"splits\.mine\.{key}: expected a folder below"):
        cards.read_card(write({"splits.mine": {"kind": "lists", key: name}}))


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "~", "../../nothing", "", "/"])
def test_what_names_no_card(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(cards.CardError, match="card: expected one of fsdd"):
        cards.read_card(name)


def test_a_plain_folder_of_any_name_has_a_card(tmp_path, monkeypatch):
    (tmp_path / "what? a:\\b").mkdir()
    assert plain_card(tmp_path / "what? a:\\b").name == "what_ a__b"
    monkeypatch.setattr(plain, "find_files", lambda root: Found([], [], [], {}))  # not the whole disk
    assert plain_card("/").name == "_"


def test_what_is_not_a_card_at_all(tmp_path):
    (tmp_path / "card.yaml").write_text("[" * 100)
    with pytest.raises(cards.CardError, match="expected a YAML file, got more than 64 lists or mappings in one"):
        cards.read_card(tmp_path)
    path = tmp_path / "card.yaml"
    path.write_text("a: [")
    with pytest.raises(cards.CardError, match="expected a YAML file, got"):
        cards.read_card(path)
    path.write_text("- a\n")
    with pytest.raises(cards.CardError, match="the card: expected keys and values"):
        cards.read_card(path)
    with pytest.raises(cards.CardError, match=r"or the path of a card.yaml or of its folder, got '.*nothing'"):
        cards.read_card(tmp_path / "nothing")


def test_an_unknown_name_lists_the_known_and_suggests():
    with pytest.raises(cards.CardError, match=r"fsdd, ljspeech.*'speech_comands_v2'; did you mean 'sp"):
        cards.read_card("speech_comands_v2")


def test_every_shipped_card_reads_and_says_where_it_comes_from():
    shipped = {card.name: card for card in cards.list_cards()}
    assert list(shipped) == [
        "fsdd",
        "ljspeech",
        "nsynth",
        "sc09",
        "speech_commands_v1",
        "speech_commands_v1_12",
        "speech_commands_v2",
        "speech_commands_v2_12",
        "words",
    ]
    for card in shipped.values():
        assert card.license and card.citation and card.homepage.startswith("https://")
        assert all(file.sha256 and file.size and file.url.startswith("https://") for file in card.files)
        assert cards.read_card(card.name) == card and card.path.parent.name == card.name
    assert len(shipped["speech_commands_v2"].labels.names()) == 35
    assert len(shipped["speech_commands_v1"].labels.names()) == 30
    ten = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go", "_unknown_", "_silence_")
    for name in ("speech_commands_v1_12", "speech_commands_v2_12", "words"):
        assert shipped[name].labels.names() == ten


def test_cards_that_share_archives_share_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("AUDIONET_CACHE", str(tmp_path))
    two, twelve = cards.read_card("speech_commands_v2"), cards.read_card("speech_commands_v2_12")
    assert two.default_root == twelve.default_root == tmp_path / "speech_commands_v2"
    assert two.files[0] == twelve.files[0]
    one, digits = cards.read_card("speech_commands_v1"), cards.read_card("sc09")
    assert one.default_root == digits.default_root and one.files == digits.files
    monkeypatch.delenv("AUDIONET_CACHE")
    assert two.default_root == resources.data_root("speech_commands_v2")


def test_a_card_of_the_user_keeps_its_corpus_beside_itself(write, tmp_path):
    assert cards.read_card(write({})).default_root == tmp_path
    assert cards.read_card(write({"root": "shared"})).default_root == tmp_path.parent / "shared"


def test_label_order():
    found = ("_silence_", "no", "_unknown_", "yes", "no")
    assert ClassSelection().names(found) == ("no", "yes", "_unknown_", "_silence_")
    card = cards.read_card("fsdd")
    assert card.labels.names(found)[:3] == card.labels.names()[:3] == ("zero", "one", "two")
    with pytest.raises(ValueError, match="labels: expected those of the clips"):
        plain_card(".").labels.names()
