"""Generators of different uses, seeds and numbers are different; one of the same is the same."""

import itertools
from typing import Any

import numpy as np
import pytest

from audionet.randomness import random_generator


def first_words(*arguments: object) -> tuple[int, ...]:
    return tuple(random_generator(*arguments).integers(2**63, size=4).tolist())  # type: ignore[arg-type]


def test_the_same_arguments_give_the_same_numbers() -> None:
    assert first_words(3, "order", 1) == first_words(3, "order", 1) == first_words(np.int64(3), "order", np.int32(1))


def test_no_two_uses_share_a_generator() -> None:
    """NumPy pads seeds with zeros and cuts them into words of 32 bits, so (0, 1), (0, 1, 0) and 2**32 would be one."""
    numbers = [(), (0,), (0, 0), (0, 1), (1,), (1, 0), (10,), (2**32,)]
    seeds = [0, 1, 10, 2**32, 2**32 + 1, 2**63 - 1]
    drawn = [first_words(seed, use, *place) for seed, use, place in itertools.product(seeds, "ab", numbers)]
    assert len(set(drawn)) == len(drawn)
    same: tuple[Any, ...] = ((0, 1), (0, 1, 0), 2**32)
    padded = {tuple(np.random.default_rng(seed).integers(2**63, size=4)) for seed in same}
    assert len(padded) == 1


@pytest.mark.parametrize("seed", [-1, 2**63, 2**70, 1.0, True, "1", None])
def test_what_is_no_seed_is_refused(seed: object) -> None:
    with pytest.raises(ValueError, match=r"seed: expected a whole number from 0 to 2\*\*63 - 1, got"):
        random_generator(seed, "order")  # type: ignore[arg-type]
