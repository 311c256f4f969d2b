"""Batches are every clip once, shuffled by seed and epoch, dealt out among processes, and can be resumed."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from audionet.audio import read_clip
from audionet.datasets.batches import Batches, gather_clips
from audionet.datasets.datamodule import ClipDataModule


def batches(**changes: object) -> Batches:
    waveforms = np.arange(103, dtype=np.int16)[:, None].repeat(4, 1)
    arguments = {"batch_size": 10, "seed": 3} | changes
    return Batches(gather_clips(waveforms, np.arange(103) * 2), np.arange(1, 103), **arguments)  # type: ignore[arg-type]


def clips(some: Batches) -> list[list[int]]:
    return [batch["waveform"][:, 0].tolist() for batch in some]


def test_an_epoch_has_each_clip_at_most_once_and_another_order_than_the_next() -> None:
    loader = batches()
    first, second = clips(loader), clips(loader)
    assert len(first) == len(loader) == 10
    assert all(len(batch) == 10 for batch in first)
    assert len(set(sum(first, []))) == 100
    assert first != second
    assert clips(batches()) == first
    assert clips(batches(seed=4)) != first


def test_without_a_seed_all_clips_come_in_order() -> None:
    loader = batches(seed=None)
    assert sum(clips(loader), []) == list(range(1, 103))
    assert len(loader) == 11


def test_a_pass_in_order_starts_anew_after_one_that_was_broken_off() -> None:
    loader = batches(seed=None)
    next(iter(loader))
    assert sum(clips(loader), []) == list(range(1, 103))


def test_labels_belong_to_their_waveforms() -> None:
    for batch in batches():
        assert (batch["label"] == 2 * batch["waveform"][:, 0]).all()
        assert batch["waveform"].dtype == torch.int16


@pytest.mark.parametrize("seed", [3, None])
def test_processes_share_an_epoch_without_overlap(seed: int | None) -> None:
    shares = [clips(batches(seed=seed, rank=rank, world_size=3, batch_size=7)) for rank in range(3)]
    counts = Counter(sum(sum(shares, []), []))
    assert max(counts.values()) == 1
    if seed is None:
        assert sorted(counts) == list(range(1, 103))
    else:
        assert {len(share) for share in shares} == {4}  # 34 clips each: the same number of whole batches


def test_a_restored_loader_goes_on_with_the_next_batch() -> None:
    whole = batches()
    expected = clips(whole) + clips(whole)
    interrupted = batches()
    seen, iterator = [], iter(interrupted)
    for _ in range(4):
        seen.append(next(iterator)["waveform"][:, 0].tolist())
    resumed = batches()
    resumed.load_state_dict(interrupted.state_dict())
    assert seen + clips(resumed) + clips(resumed) == expected


def test_a_plain_folder_becomes_batches(tone_folder: Path) -> None:
    data = ClipDataModule(card=None, root=str(tone_folder), sample_rate=8000, clip_seconds=0.5, batch_size=16)
    assert data.labels == ("high", "low", "middle")
    sizes = {split: len(data.store.indices(split)) for split in ("train", "validation", "test")}
    assert sum(sizes.values()) == 120 and min(sizes.values()) > 0
    batch = next(iter(data.train_dataloader()))
    assert batch["waveform"].shape == (16, 4000)
    index = data.store.indices("test")[0]
    clip = next(iter(data.test_dataloader()))
    expected = read_clip(tone_folder / data.store.paths[index], 8000, 4000)
    np.testing.assert_array_equal(clip["waveform"][0].numpy() / np.float32(32768), expected)
    assert data.labels[clip["label"][0]] == Path(data.store.paths[index]).parent.name


def test_test_clips_are_exported_as_files(tone_folder: Path, tmp_path: Path) -> None:
    data = ClipDataModule(card=None, root=str(tone_folder), sample_rate=8000, clip_seconds=0.5, batch_size=16)
    written = data.export_clips("test", tmp_path / "out", per_label=1)
    assert [label for _, label in written] == ["high", "low", "middle"]
    stored = {data.store.waveforms[index].tobytes() for index in data.store.indices("test")}
    for path, _ in written:
        assert (read_clip(path, 8000, 4000) * 32768).astype(np.int16).tobytes() in stored


def test_synthetic_speakers_join_the_training_clips_only(tone_folder: Path) -> None:
    pytest.importorskip("espeakng_loader", reason="the extra `synth` is not installed")
    settings = {"card": None, "root": str(tone_folder), "sample_rate": 8000, "batch_size": 16}
    plain = ClipDataModule(**settings)  # type: ignore[arg-type]
    mixed = ClipDataModule(**settings, synthetic=10)  # type: ignore[arg-type]
    assert len(mixed.store.indices("train")) == len(plain.store.indices("train")) + 3 * 8
    for split in ("validation", "test"):
        assert len(mixed.store.indices(split)) == len(plain.store.indices(split))
    assert mixed.labels == plain.labels


def test_settings_that_do_not_fit_are_refused(tone_folder: Path) -> None:
    with pytest.raises(ValueError, match="name a card .*--data.root"):
        ClipDataModule(card=None)
    with pytest.raises(ValueError, match="batch_size = 5000: there are only"):
        ClipDataModule(card=None, root=str(tone_folder), batch_size=5000)
    with pytest.raises(ValueError, match="no audio files"):
        ClipDataModule(card=None, root=str(tone_folder), background=str(tone_folder.parent / "cache"))


def test_a_corpus_without_test_clips_is_refused_before_training(tone_folder: Path) -> None:
    (tone_folder / "testing_list.txt").write_text("")
    with pytest.raises(ValueError, match="tones: the split leaves no clip to test on; add recordings"):
        ClipDataModule(card=None, root=str(tone_folder), sample_rate=8000, batch_size=16)
