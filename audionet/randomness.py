"""Random numbers: for every use of a seed a generator of its own."""

import hashlib
from numbers import Integral
from typing import TYPE_CHECKING

from audionet.checks import check_that

if TYPE_CHECKING:
    import numpy as np

HIGHEST_SEED = 2**63 - 1  # NumPy and torch both take it


def check_seed(seed: object) -> None:
    """Refuse a number that cannot be a seed.

    Raises:
        ValueError: It is no whole number from 0 to 2**63 - 1.
    """
    fits = isinstance(seed, Integral) and not isinstance(seed, bool) and 0 <= int(seed) <= HIGHEST_SEED
    check_that(fits, "seed", "a whole number from 0 to 2**63 - 1", seed)


def random_generator(seed: int, use: str, *numbers: int) -> "np.random.Generator":
    """Return the generator of one use of a seed, which is independent of those of all other uses.

    It follows from a hash of all arguments. NumPy fills a short list of seeds with zeros instead, so that
    ``default_rng((seed, 1))`` and ``default_rng((seed, 1, 0))`` are one and the same generator.

    Args:
        seed: Seed of the run.
        use: Name of what is drawn, unique in the package, such as "order of an epoch".
        *numbers: Which one of them, such as the epoch.

    Raises:
        ValueError: The seed is out of its range.

    Example:
        >>> first, second = random_generator(0, "examples", 1), random_generator(0, "examples", 1, 0)
        >>> int(first.integers(1000)), int(second.integers(1000))
        (739, 389)
    """
    import numpy as np

    check_seed(seed)
    text = repr((use, *map(int, (seed, *numbers))))
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest(), "big"))
