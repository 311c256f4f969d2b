"""Exact intervals of rates and shares, from counts, and how many hours they need."""

from scipy.special import betaincinv, gammaincinv

from audionet.checks import check_at_least, check_positive

_BEYOND = 0.025  # the share beyond either end of an interval of 95%


def poisson_interval(n_events: int, hours: float) -> tuple[float, float]:
    """Return the exact 95% interval of a rate from a count of independent events (Garwood, 1936).

    Args:
        n_events: Events.
        hours: Hours in which they came.

    Returns:
        Lower and upper end, in events per hour.

    Raises:
        ValueError: A number is out of its range.

    Example:
        >>> [round(end, 2) for end in poisson_interval(0, hours=2.0)]
        [0.0, 1.84]
    """
    check_at_least(0, whole=True, n_events=n_events)
    check_positive(hours=hours)
    low = gammaincinv(n_events, _BEYOND) if n_events else 0.0
    return float(low / hours), float(gammaincinv(n_events + 1, 1 - _BEYOND) / hours)


def exact_interval(n_events: int, n_trials: int) -> tuple[float, float]:
    """Return the exact 95% interval of a share from a count of independent trials (Clopper and Pearson, 1934).

    Args:
        n_events: Trials with the event, such as recordings that were rejected.
        n_trials: All trials.

    Returns:
        Lower and upper end, from 0 to 1.

    Raises:
        ValueError: A number is out of its range.

    Example:
        >>> [round(end, 3) for end in exact_interval(0, 100)]
        [0.0, 0.036]
    """
    check_at_least(1, whole=True, n_trials=n_trials)
    check_at_least(0, n_trials, whole=True, n_events=n_events)
    others = n_trials - n_events
    low = betaincinv(n_events, others + 1, _BEYOND) if n_events else 0.0
    high = betaincinv(n_events + 1, others, 1 - _BEYOND) if others else 1.0
    return float(low), float(high)


def hours_needed(rate: float, n_alarms: int = 0) -> float:
    """Return the hours that must pass with so many alarms until the 95% interval is below a rate.

    Args:
        rate: Alarms per hour.
        n_alarms: Alarms in these hours.

    Raises:
        ValueError: A number is out of its range.

    Example:
        >>> round(hours_needed(0.5), 1), round(hours_needed(0.5, n_alarms=1), 1)
        (7.4, 11.1)
    """
    check_positive(rate=rate)
    return poisson_interval(n_alarms, 1.0)[1] / rate
