"""Batches are every clip once, shuffled by seed and epoch, dealt out among processes, from any place on."""

from collections import Counter

import numpy as np
import pytest
import torch

from audionet.datasets.batches import Batches, ClipBatch, gather_clips


def batches(**changes: object) -> Batches[ClipBatch]:
    waveforms = np.arange(103, dtype=np.int16)[:, None].repeat(4, 1)
    arguments = {"batch_size": 10, "seed": 3} | changes
    return Batches(gather_clips(waveforms, np.arange(103) * 2), np.arange(1, 103), **arguments)  # type: ignore[arg-type]


def clips(some: Batches[ClipBatch]) -> list[list[int]]:
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


def test_a_pass_begins_at_the_place_that_is_told() -> None:
    whole = batches()
    first, second = clips(whole), clips(whole)
    for (epoch, batch), expected in {(0, 4): first[4:], (1, 0): second, (1, 9): second[9:], (1, 10): []}.items():
        assert clips(batches(place=lambda here=(epoch, batch): here)) == expected


def test_what_is_drawn_is_independent_of_the_order() -> None:
    drawn: list[np.ndarray] = []

    def gather(chosen: np.ndarray, generator: np.random.Generator | None) -> dict[str, object]:
        assert generator is not None
        drawn.append(generator.permutation(100))
        return {"chosen": chosen}

    loader = Batches(gather, np.arange(100), batch_size=10, seed=3)
    order = np.concatenate([np.asarray(batch["chosen"]) for batch in loader])
    assert len({tuple(each) for each in [order, *drawn]}) == 11
