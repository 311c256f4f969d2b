"""A slice of each campaign that no other test has."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from audionet.randomness import random_generator
from tests.campaigns import cards, disks, kills, pairs

SLICES = [f"{what}-{name}" for what in ("kills", "disks", "pairs") for name in ("store", "download", "features-npy")]
SLICES += ["disks-bundle", "kills-features-parquet", "pairs-features-parquet", "kills-speaking", "disks-speaking"]


@pytest.fixture(scope="module", autouse=True)
def _own_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    tempfile.tempdir = str(tmp_path_factory.mktemp("campaigns"))
    yield
    tempfile.tempdir = None


@pytest.mark.parametrize("number", range(20))
def test_a_damaged_card(tmp_path: Path, number: int) -> None:
    (campaign,) = cards.CAMPAIGNS
    campaign.case(random_generator(1, campaign.name, number), tmp_path)


@pytest.mark.parametrize("name", SLICES)
def test_a_slice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    if name.endswith("speaking"):
        for package in ("espeakng_loader", "py_nanotts"):
            pytest.importorskip(package, reason="the extra `synth` is not installed")
    monkeypatch.setattr(disks, "can_mount", lambda: False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    campaigns = (*kills.CAMPAIGNS, *disks.CAMPAIGNS, *pairs.CAMPAIGNS)
    campaign = next(campaign for campaign in campaigns if campaign.name == name)
    campaign.case(random_generator(1, name, 0), tmp_path)
