"""The rate that a range test suggests."""

import math

import pytest

from audionet.training.learning_rate import suggest_rate

RATES = [10.0 ** (number / 10 - 5) for number in range(51)]


def test_a_tenth_of_the_rate_with_the_lowest_loss():
    losses = [1 - 0.01 * number if number < 40 else number for number in range(51)]
    assert suggest_rate(RATES, losses) == pytest.approx(RATES[39] / 10)
    losses[45:] = [math.nan] * 6  # diverged
    assert suggest_rate(RATES, losses) == pytest.approx(RATES[39] / 10)
    losses[0] = -1  # not settled yet
    assert suggest_rate(RATES, losses) == pytest.approx(RATES[39] / 10)


@pytest.mark.parametrize("losses", [[float(number) for number in range(51)], [math.nan] * 51, []])
def test_none_where_the_loss_falls_nowhere(losses):
    assert suggest_rate(RATES[: len(losses)], losses) is None
