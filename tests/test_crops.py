"""Windows: each sample is counted once, with all that can be seen of its past, and frames fall where they belong."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch

from audionet.augment import to_float
from audionet.datasets.batches import Batches
from audionet.datasets.crops import CropBatch, Crops
from audionet.datasets.store import Store
from audionet.features import LogMel

ROW = 400
WINDOW, CONTEXT = 120, 31


def store(lengths: list[int]) -> Store:
    """Clips of noise, each sample of which is its own, centred in rows of ROW samples as `audio.fit` does."""
    generator = np.random.default_rng(0)
    waveforms = np.zeros((len(lengths), ROW), np.int16)
    for row, length in zip(waveforms, np.minimum(lengths, ROW), strict=True):
        origin = (ROW - length) // 2
        row[origin : origin + length] = generator.permutation(np.arange(1, 30_000))[:length]
    n_clips = len(lengths)
    return Store(
        waveforms=waveforms,
        labels=np.zeros(n_clips, np.int64),
        label_names=("a",),
        speakers=np.array([""] * n_clips),
        splits=np.array(["train"] * n_clips),
        paths=[f"{number}.wav" for number in range(n_clips)],
        lengths=np.array(lengths),
        background=np.zeros(0, np.int16),
        sample_rate=8000,
        skipped=[],
        first_alike=np.arange(n_clips),
    )


def crops(lengths: list[int], **changes: Any) -> Crops:
    conditions = {"label": np.arange(len(lengths)) % 2, "speaker": np.arange(len(lengths)) % 3}
    arguments: dict[str, Any] = {"conditions": conditions, "window": WINDOW, "context": CONTEXT} | changes
    return Crops(store=store(lengths), **arguments)


def clip(some: Crops, number: int) -> np.ndarray:
    row: np.ndarray = some.store.waveforms[number]
    return row[row > 0]  # the noise has no zeros


def all_clips(some: Crops) -> np.ndarray:
    return np.arange(len(some.store))


def assert_windows_are_of_clips(some: Crops, batch: CropBatch, clips: Iterable[int], starts: Iterable[int]) -> None:
    time, margin = batch["counted"].shape[1], some.margin
    assert batch["start"].dtype == torch.int64 and batch["start"].tolist() == list(starts)
    assert batch["waveform"].dtype == torch.int16
    assert batch["waveform"].shape[1] == margin + time + margin
    for row, number, start in zip(batch["waveform"].numpy(), clips, starts, strict=True):
        padded = np.pad(clip(some, number), (margin, 2 * ROW))
        np.testing.assert_array_equal(row, padded[start : start + len(row)])


AROUND = [1, 30, 31, 32, 119, 120, 121, 130, 200, 209, 210, 298, 299, 300, 399, 400, 4000]


@pytest.mark.parametrize("hop_length", [1, 4, 10, 40])
@pytest.mark.parametrize("window", [120, 80, 160])
@pytest.mark.parametrize("batch_size", [1, 5, 100])
def test_tiles_count_each_sample_once_with_all_its_context(hop_length, window, batch_size):
    some = crops(AROUND, window=window, hop_length=hop_length, margin=40)
    tiles = some.tiles(all_clips(some))
    assert (tiles[1] % hop_length == 0).all()
    counts = [np.zeros(min(length, ROW), int) for length in AROUND]
    for first in range(0, len(tiles[0]), batch_size):
        clips, starts, ends = (values[first : first + batch_size] for values in tiles)
        batch = some.take(clips, starts, ends)
        assert batch["counted"].shape[1] <= window and batch["counted"].shape[1] % hop_length == 0
        assert_windows_are_of_clips(some, batch, clips, starts)
        for counted, number, start in zip(batch["counted"].numpy(), clips, starts, strict=True):
            places = np.flatnonzero(counted)
            counts[number][start + places] += 1  # an IndexError, if silence behind the clip is counted
            assert start == 0 or places.min() >= CONTEXT
    for length, count in zip(AROUND, counts, strict=True):
        assert (count == 1).all(), length


def test_no_tile_is_there_for_nothing():
    some = crops([ROW])
    clips, starts, ends = some.tiles(np.array([0]))
    assert len(clips) == -(-(ROW - CONTEXT) // (WINDOW - CONTEXT))
    long = crops([ROW], window=ROW, hop_length=40)
    assert [values.tolist() for values in long.tiles(np.array([0]))] == [[0], [0], [ROW]]  # where one is enough
    assert some.take(clips, starts, ends)["counted"].any(1).all()
    assert [len(values) for values in some.tiles(np.array([], np.int64))] == [0, 0, 0]


@pytest.mark.parametrize("learns_end", [True, False])
@pytest.mark.parametrize(("hop_length", "margin"), [(1, 0), (10, 40)])
def test_drawn_windows_are_of_their_clips_and_begin_at_multiples_of_the_hop(hop_length, margin, learns_end):
    lengths = [50, 120, 121, 200, 300, 400, 4000, 399]
    some = crops(lengths, hop_length=hop_length, margin=margin, learns_end=learns_end)
    generator, begins = np.random.default_rng(0), set()
    for _ in range(60):
        batch = some.draw(all_clips(some), generator)
        time = batch["counted"].shape[1]
        assert time == WINDOW
        for number, (waveform, counted) in enumerate(
            zip(batch["waveform"].numpy(), batch["counted"].numpy(), strict=True)
        ):
            samples = clip(some, number)
            seen = waveform[margin : margin + time]
            start = int(np.flatnonzero(samples == seen[0])[0])
            assert start % hop_length == 0
            alone: CropBatch = {
                **batch,
                "waveform": batch["waveform"][number, None],
                "start": batch["start"][number, None],
            }
            assert_windows_are_of_clips(some, alone, [number], [start])
            if len(samples) <= WINDOW:
                assert start == 0
            assert batch["length"][number] == len(samples)
            expected = np.arange(time) >= (CONTEXT if start else 0)
            if not learns_end:
                expected &= np.arange(time) < len(samples) - start
            np.testing.assert_array_equal(counted, expected)
            begins.add((number, start))
    assert {start for number, start in begins if number == 5} >= {0} and len(begins) > 60 // hop_length


@pytest.mark.parametrize(("learns_end", "hop_length"), [(True, 1), (False, 1), (False, 30)])
def test_the_first_and_the_last_samples_are_drawn_too(learns_end, hop_length):
    some, counts = crops([ROW], learns_end=learns_end, hop_length=hop_length), np.zeros(ROW + WINDOW)
    generator = np.random.default_rng(0)
    for _ in range(400):
        batch = some.draw(np.repeat(0, 8), generator)
        for waveform, counted in zip(batch["waveform"].numpy(), batch["counted"].numpy(), strict=True):
            start = np.flatnonzero(clip(some, 0) == waveform[0])[0]
            counts[start + np.flatnonzero(counted)] += 1
    assert counts[:ROW].min() > 0.1 * counts[:ROW].mean()


def test_every_drawn_window_counts_something():
    """Also where a window has little more than its context, and no other clip of the batch makes it long."""
    some = crops([ROW, 110], window=CONTEXT + 5)
    generator = np.random.default_rng(0)
    for number in [0, 1] * 100:
        assert some.draw(np.array([number]), generator)["counted"].any()


def test_the_numbers_of_a_batch_decide_its_windows():
    some = crops([400] * 40)

    def windows(first: int = 0, epochs: int = 2, seed: int = 3) -> list[CropBatch]:
        places = iter([divmod(first, 5), (first // 5 + 1, 0)])
        loader = Batches(some.draw, all_clips(some), batch_size=7, seed=seed, place=lambda: next(places))
        assert len(loader) == 5
        return [batch for epoch in range(epochs) for batch in loader]

    def same(first: list[CropBatch], second: list[CropBatch]) -> bool:
        assert len(first) == len(second)
        return all(
            torch.equal(a[key], b[key]) for a, b in zip(first, second, strict=True) for key in ("waveform", "counted")
        )

    whole = windows()
    assert len(whole) == 10
    assert same(whole, windows())
    for first in (1, 4):
        assert same(windows(first), whole[first:])  # (seed, epoch, batch) alone: resumed as uninterrupted
    assert same(windows(5, 1), whole[5:])
    assert not same(whole[:5], whole[5:]) and not same(whole, windows(seed=4))


def test_conditions_are_those_of_the_clips():
    some = crops([400, 100, 300, 50, 400])
    clips, starts, ends = some.tiles(all_clips(some))
    for batch, chosen in [
        (some.take(clips, starts, ends), clips),
        (some.draw(np.array([4, 1, 1, 3]), np.random.default_rng(0)), np.array([4, 1, 1, 3])),
    ]:
        assert batch["conditions"].keys() == {"label", "speaker"}
        assert batch["conditions"]["label"].dtype == torch.int64
        assert batch["conditions"]["label"].tolist() == (chosen % 2).tolist()
        assert batch["conditions"]["speaker"].tolist() == (chosen % 3).tolist()
    assert crops([400], conditions={}).draw(np.array([0]), np.random.default_rng(0))["conditions"] == {}


@pytest.mark.parametrize("is_drawn", [False, True])
def test_frames_of_a_window_are_those_of_the_whole_clip(is_drawn):
    hop, n_fft = 10, 64
    margin = -(-n_fft // 2 // hop) * hop
    features = LogMel(
        sample_rate=8000, n_fft=n_fft, win_length=n_fft, hop_length=hop, n_mels=5, center=True, pad_mode="constant"
    ).double()
    lengths = [50, 120, 133, 200, 300, 400]
    some = crops(lengths, hop_length=hop, margin=margin)
    if is_drawn:
        clips = np.repeat(all_clips(some), 5)
        batch = some.draw(clips, np.random.default_rng(0))
        first = batch["waveform"][:, margin].numpy()
        starts = np.array([np.flatnonzero(clip(some, n) == x)[0] for n, x in zip(clips, first, strict=True)])
    else:
        clips, starts, ends = some.tiles(all_clips(some))
        batch = some.take(clips, starts, ends)
    assert (starts > 0).any()
    n_frames = batch["counted"].shape[1] // hop
    frames = features(to_float(batch["waveform"]).double())[..., margin // hop :][..., :n_frames]
    assert frames.shape[-1] == n_frames
    for number, start, window in zip(clips, starts, frames, strict=True):
        whole = np.pad(clip(some, number), (0, WINDOW + margin))  # silence behind it, as the window has
        expected = features(to_float(torch.from_numpy(whole)).double())[..., start // hop :][..., :n_frames]
        torch.testing.assert_close(window, expected, rtol=0, atol=1e-9)
