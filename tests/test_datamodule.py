"""Batches are every clip once, shuffled by seed and epoch, dealt out among processes, and can be resumed."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from audionet import save_audio
from audionet.audio import read_clip
from audionet.datasets.batches import Batches, gather_clips
from audionet.training.data import ClipDataModule, CropDataModule


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
    settings: dict[str, Any] = {"card": None, "root": str(tone_folder), "sample_rate": 8000, "batch_size": 16}
    plain = ClipDataModule(**settings)
    mixed = ClipDataModule(**settings, synthetic=10)
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


# ---- windows for generation ---------------------------------------------------------------------------------------

CARD = """
name: mini
title: Two digits by two speakers
description: Made up.
homepage: none
license: none
citation: none
sample_rate: 8000
layout:
  kind: pattern
  folder: recordings
  pattern: "(?P<label>[0-9])_(?P<speaker>[a-z]+)_(?P<index>[0-9]+)[.]wav"
  labels: {"0": zero, "1": one}
split: official
splits:
  official: {kind: field, field: index, names: {"0": test, "1": test, "2": validation}, others: train}
  unvalidated: {kind: field, field: index, names: {"0": test, "1": test}, others: train}
  leave_one_speaker_out: {kind: speaker}
labels:
  keep: [zero, one]
"""
CROPS: dict[str, Any] = {
    "sample_rate": 8000,
    "clip_seconds": 0.1,
    "window_seconds": 0.04,
    "batch_size": 4,
    "conditions": ["label", "speaker"],
    "workers": 1,
}


def length_of(path: Path) -> int:
    """Samples of the made-up recording: around windows of 320 samples and beyond rows of 800."""
    label, speaker, index = path.stem.split("_")
    return 300 + 80 * int(index) + 10 * int(label) + len(speaker)


@pytest.fixture
def digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a corpus of two labels, two speakers and eight recordings of each, and its card."""
    monkeypatch.setenv("AUDIONET_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "mini"
    (folder / "recordings").mkdir(parents=True)
    (folder / "card.yaml").write_text(CARD)
    generator = np.random.default_rng(0)
    for label in "01":
        for speaker in ("anna", "ben"):
            for index in range(8):
                path = folder / "recordings" / f"{label}_{speaker}_{index}.wav"
                save_audio(path, generator.uniform(-0.5, 0.5, length_of(path)).astype(np.float32), 8000)
    return folder


def crop_data(folder: Path, **changes: Any) -> CropDataModule:
    return CropDataModule(card=str(folder), root=str(folder), **CROPS | changes)


def test_categories_are_what_was_trained_on(digits: Path) -> None:
    data = crop_data(digits)
    assert data.categories == {"label": ["zero", "one"], "speaker": ["anna", "ben"]}
    assert crop_data(digits, conditions=["speaker"]).categories == {"speaker": ["anna", "ben"]}
    assert crop_data(digits, conditions=[]).categories == {}
    assert data.window == 320 and data.has_validation
    assert not crop_data(digits, split="unvalidated").has_validation


def test_windows_carry_the_conditions_of_their_clips(digits: Path) -> None:
    data = crop_data(digits)
    data.fit_to(context=31, margin=8)
    by_content = {}
    for number, path in enumerate(data.store.paths):
        label, speaker, _ = Path(path).stem.split("_")
        samples = data.crops.samples(number)
        assert len(samples) == min(length_of(Path(path)), 800)
        by_content.update(
            {samples[place : place + 40].tobytes(): (label, speaker) for place in range(len(samples) - 40)}
        )
    n_windows = 0
    for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader()):
        for batch in loader:
            assert batch["conditions"].keys() == {"label", "speaker"}
            for number, waveform in enumerate(batch["waveform"].numpy()):
                label, speaker = by_content[waveform[8:48].tobytes()]
                assert batch["conditions"]["label"][number] == int(label)
                assert batch["conditions"]["speaker"][number] == ["anna", "ben"].index(speaker)
                n_windows += 1
    assert n_windows >= 40


@pytest.mark.parametrize("hop_length", [1, 16])
def test_every_sample_of_the_test_clips_is_counted_once(digits: Path, hop_length: int) -> None:
    data = crop_data(digits)
    data.fit_to(context=31, hop_length=hop_length)
    for split, loader in (("validation", data.val_dataloader()), ("test", data.test_dataloader())):
        counted: Counter[int] = Counter()
        for batch in loader:
            counted.update(batch["waveform"][batch["counted"]].tolist())
        clips, _ = data.recordings(split)
        expected = Counter((np.concatenate(clips) * 32768).astype(int).tolist())
        assert counted == expected, split


def test_training_windows_can_be_resumed_and_are_dealt_out(digits: Path) -> None:
    def windows(batches: int, state: dict[str, int] | None = None) -> tuple[list[bytes], dict[str, int]]:
        data = crop_data(digits)
        data.fit_to(context=31)
        loader = data.train_dataloader()
        assert len(loader) == 5  # 2 * 2 * 5 clips
        if state is not None:
            loader.load_state_dict(state)
        seen: list[bytes] = []
        while len(seen) < batches:
            for batch in loader:
                seen.append(batch["waveform"].numpy().tobytes())
                if len(seen) == batches:
                    break
        return seen, loader.state_dict()

    whole, _ = windows(10)
    assert len(set(whole)) == 10
    for stop in (3, 5, 7):
        first, state = windows(stop)
        assert first + windows(10 - stop, state)[0] == whole


def test_without_validation_clips_there_is_no_validation(digits: Path) -> None:
    data = crop_data(digits, split="unvalidated")
    data.fit_to(context=31)
    assert data.val_dataloader() == [] and len(data.test_dataloader()) > 0


def test_examples_and_recordings_come_with_their_values(digits: Path) -> None:
    data = crop_data(digits)
    data.fit_to(context=31)
    waveforms, values = data.examples(4)
    assert waveforms.shape == (4, 800) and waveforms.dtype == torch.float32
    assert values == {"label": ["zero", "zero", "one", "one"], "speaker": ["anna", "ben", "anna", "ben"]}
    recordings, values = data.recordings("test")
    for path, recording, label in zip(
        sorted((digits / "recordings").glob("*_[01].wav")), recordings, values["label"], strict=True
    ):
        np.testing.assert_array_equal(recording, read_clip(path, 8000, length_of(path)))
        assert label == ["zero", "one"][int(path.name[0])]


def test_windows_that_do_not_fit_are_refused(digits: Path, tone_folder: Path) -> None:
    with pytest.raises(ValueError, match="conditions: expected some of label, speaker; got pitch"):
        crop_data(digits, conditions=["label", "pitch"])
    plain: dict[str, Any] = {"card": None, "root": str(tone_folder), "sample_rate": 8000, "batch_size": 4}
    with pytest.raises(ValueError, match="conditions: tones does not name the speaker of its clips; leave it out"):
        CropDataModule(**plain, conditions=["speaker"])
    with pytest.raises(ValueError, match="conditions: speaker ben is tested but never trained on; leave it out or"):
        crop_data(digits, split="leave_one_speaker_out", test_speaker="ben")
    assert crop_data(digits, split="leave_one_speaker_out", test_speaker="ben", conditions=["label"]).categories == {
        "label": ["zero", "one"]
    }


def test_usual_lengths_are_the_middle_ones_of_the_training_clips(digits: Path) -> None:
    data = crop_data(digits)
    data.fit_to(context=31)
    train = data.store.indices("train")
    lengths, values = data.store.lengths[train].clip(max=800), data.values(train)
    assert data.typical_length == int(np.median(lengths))
    assert data.value_lengths == {
        name: {value: int(np.median(lengths[np.array(values[name]) == value])) for value in known}
        for name, known in data.categories.items()
    }
    assert len(set(data.value_lengths["label"].values())) == 2


@pytest.mark.parametrize(
    ("context", "hop_length", "fits"),
    [
        (319, 1, True),
        (320, 1, False),
        (2047, 1, False),
        (270, 50, False),
        (250, 50, True),
        (251, 50, False),
        (31, 320, False),
    ],
)
def test_a_window_must_be_longer_than_its_context(digits: Path, context: int, hop_length: int, fits: bool) -> None:
    data = crop_data(digits)
    if fits:
        data.fit_to(context=context, hop_length=hop_length)
        assert all(batch["counted"].any() for batch in data.train_dataloader())
        assert sum(int(batch["counted"].sum()) for batch in data.test_dataloader()) == sum(
            len(clip) for clip in data.recordings("test")[0]
        )
    else:
        with pytest.raises(ValueError, match=rf"window_seconds: 320 samples leave nothing .* field of {context}; give"):
            data.fit_to(context=context, hop_length=hop_length)
