"""The comparison of the convnets: who takes part, one training, and the table that is published."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from audionet import load_recognizer, models
from audionet.insight.worth import GRANULARITIES, Worth
from benchmarks import saliency
from benchmarks.family import bundles, table
from benchmarks.family.job import Job
from benchmarks.family.members import MEMBERS
from benchmarks.family.streams import Data
from benchmarks.family.train import build, trained
from benchmarks.people.recordings import Recordings
from benchmarks.people.results import Book
from benchmarks.people.scores import Count


def test_every_architecture_on_spectrograms_takes_part():
    others = {"wavenet", "wavenet_autoencoder", "wavenet_classifier", "timm"}
    assert {member.name for member in MEMBERS} == set(models.MODELS) - others
    assert len({table.subject(member) for member in MEMBERS}) == len(MEMBERS)
    assert {member.kind for member in MEMBERS} == set(table.COLORS)


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.title)
def test_each_takes_the_spectrograms_of_both_corpora(member):
    for n_frames, n_classes in ((101, 12), (81, 10)):
        with torch.device("meta"):
            network = build(member.name, member.arguments, n_classes=n_classes, n_bands=40, n_frames=n_frames).eval()
            assert network(torch.empty(2, 1, 40, n_frames)).shape == (2, n_classes)


def test_what_is_learnt_is_tested_on_others():
    """Two classes that differ in their loudest band, of which the test clips hold other examples."""
    random = np.random.default_rng(0)

    def clips(labels: np.ndarray) -> np.ndarray:
        spectrogram = random.normal(size=(*labels.shape, 40, 31))
        spectrogram[..., 5, :] += 3 * (labels == 0)[..., None]
        spectrogram[..., 30, :] += 3 * (labels == 1)[..., None]
        return spectrogram.astype(np.float16)

    labels, true = random.integers(0, 2, (30, 16)), random.integers(0, 2, 50)
    data = Data(clips(labels), np.eye(2, dtype=np.float32)[labels], clips(true), true)
    assert trained("tcresnet", {}, data, seed=0).share > 0.9
    wrong = data._replace(test_labels=1 - true)
    assert trained("tcresnet", {}, wrong, seed=0).share < 0.1


def test_a_result_is_known_again_and_the_table_holds_it(tmp_path):
    member = MEMBERS[0]
    book, page = Book(tmp_path), tmp_path / "models.md"
    for seed, right in ((0, 50), (1, 60)):
        book.add(Count(right, 100), **Job(member, table.TEXT, seed).key)
    book.add(Count(80, 100), **Job(member, table.DIGITS, 0).key, more={"speakers": {"theo": 0.7, "lucas": 0.9}})
    costs = {"parameters": 48_492, "macs": 2_000_000, "sees_ms": None}
    times = {"eager_ms": 0.5, "onnx_ms": 0.25, "training_clips_per_second": 1234.5}
    book.add(2.0, row=member.title, line=table.COST, subject=table.subject(member), more=costs | times)
    again = Book(tmp_path)
    assert again.has(**Job(member, table.TEXT, 1).key)
    assert not again.has(**Job(member, table.TEXT, 2).key)
    page.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    table.publish(again, page, tmp_path / "family.png")
    text = page.read_text()
    assert text.startswith(f"before\n{table.BEGIN}\n") and text.endswith(f"\n{table.END}\nafter\n")
    assert "old" not in text
    row = next(line for line in text.splitlines() if line.startswith("| linear model"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    figures = ["48 k", "2.0 M", "the clip", "55.0 (50.0 to 60.0)", "80.0, 70.0", "0.50", "0.25", "1,234"]
    assert cells == ["linear model", "1958", *figures]
    assert (tmp_path / "family.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "results.jsonl").read_text().splitlines()[-1])["more"]["macs"] == 2_000_000


def test_a_network_that_heard_nobody_is_trained_once_and_kept(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    spectrograms = random.normal(size=(2, 4, 40, 101)).astype(np.float16)
    targets = np.eye(3, dtype=np.float32)[random.integers(0, 3, (2, 4))]
    data = Data(spectrograms, targets, spectrograms[0, :3], np.array([2, 0, 1]))
    said = Recordings(np.empty(3), np.array(["stop", "yes", "no"]), np.array(["a", "b", "c"]))
    made = []

    def made_of(*arguments: object) -> Data:
        made.append(arguments)
        return data

    monkeypatch.setattr(bundles, "from_text", made_of)
    monkeypatch.setattr("benchmarks.people.commands.half", lambda *_: said)
    folders = {"folder": tmp_path / "kept", "batches": tmp_path, "shared": tmp_path}
    paths = [bundles.from_voices("CNN-TDNN", seed, **folders) for seed in (1, 1, 2)]
    assert paths[0] == paths[1] != paths[2] and len(made) == 2
    recognizers = [load_recognizer(path) for path in paths]
    assert recognizers[0].labels == ("yes", "no", "stop") and recognizers[0].front_end.n_bands == 40
    one, _, other = (recognizer.network.state_dict() for recognizer in recognizers)
    assert any(not torch.equal(value, other[key]) for key, value in one.items())
    with pytest.raises(ValueError, match="title: expected one of linear model.*did you mean 'CNN-TDNN'"):
        bundles.from_voices("CNN-TDN", 0, **folders)


def test_saliencys_table_sets_beside_each_method_what_is_as_coarse():
    right, half, none = (np.array(each) for each in ([True, True], [True, False], [False, False]))
    at_random = {name: half[None] for name in GRANULARITIES} | {"patches": none[None]}
    worth = Worth(0.2, right, {"occlusion": half}, {"occlusion": none}, at_random, dict.fromkeys(at_random, half[None]))
    cells = [cell.strip() for cell in saliency.table([worth]).splitlines()[2].split("|")]
    assert cells[2:6] == ["50.0 (9.5 to 90.5)", "0.0 (0.0 to 65.8)", "0.0 (0.0 to 65.8)", "50.0 (9.5 to 90.5)"]
    assert cells[1] == "occlusion" and cells[6:8] == ["patches", "yes"]
    without = replace(worth, removed={"occlusion": right})
    cells = [cell.strip() for cell in saliency.table([worth, without]).splitlines()[2].split("|")]
    assert cells[4] == "50.0 (0.0 to 100.0)" and cells[7] == "1 of 2"
