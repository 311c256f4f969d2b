"""Where audionet's files lie, in a checkout and installed."""

import os
from pathlib import Path

import pytest

from audionet import resources

ROOT = Path(resources.__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def no_cache_variables(monkeypatch):
    monkeypatch.delenv("AUDIONET_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)


def _package(monkeypatch, folder: Path) -> Path:
    package = folder / "audionet"
    package.mkdir(parents=True)
    monkeypatch.setattr(resources, "PACKAGE", package)
    return package


def test_a_checkout_has_its_folders_beside_the_package(monkeypatch, tmp_path):
    package = _package(monkeypatch, tmp_path)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "data").mkdir()
    assert resources.folder("data") == tmp_path / "data"
    assert resources.data_root("fsdd") == tmp_path / "data" / "fsdd"
    # What a wheel brings goes before what happens to lie beside the package.
    (package / "data").mkdir()
    assert resources.folder("data") == package / "data"


def test_this_checkout():
    assert resources.folder("data") == ROOT / "data"
    assert (resources.folder("data") / "fsdd" / "card.yaml").is_file()


def test_an_installed_package_downloads_to_the_cache(monkeypatch, tmp_path):
    package = _package(monkeypatch, tmp_path / "site-packages")
    (package / "data").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert resources.data_root("fsdd") == tmp_path / "home" / ".cache" / "audionet" / "fsdd"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert resources.cache_dir() == tmp_path / "xdg" / "audionet"
    monkeypatch.setenv("AUDIONET_CACHE", str(tmp_path / "mine"))
    assert resources.data_root("fsdd") == tmp_path / "mine" / "fsdd"


def test_a_checkout_that_cannot_be_written_to_downloads_to_the_cache(monkeypatch, tmp_path):
    _package(monkeypatch, tmp_path)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path / "data")
    assert resources.data_root("fsdd") == tmp_path / "home" / ".cache" / "audionet" / "fsdd"


def test_the_variable_decides_in_a_checkout_too(monkeypatch, tmp_path):
    monkeypatch.setenv("AUDIONET_CACHE", str(tmp_path))
    assert resources.data_root("fsdd") == tmp_path / "fsdd"


def test_a_user_without_a_home_is_told_of_the_variable(monkeypatch, tmp_path):
    def fail(path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", fail)
    with pytest.raises(ValueError, match="AUDIONET_CACHE: expected a folder .*, got None .*; name one"):
        resources.cache_dir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert resources.cache_dir() == tmp_path / "audionet"


def test_a_missing_folder_is_named(monkeypatch, tmp_path):
    _package(monkeypatch, tmp_path)
    (tmp_path / "data").mkdir()  # without a pyproject.toml this is somebody else's
    with pytest.raises(ValueError, match="data: expected .*install audionet anew"):
        resources.folder("data")
