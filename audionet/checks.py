"""Checks of arguments that many constructors make, in the library's one form of error."""


def check_at_least(minimum: float, **values: float) -> None:
    """Refuse the first value below a minimum, by the name that it is given here.

    Raises:
        ValueError: A value is too small or NaN.

    Example:
        >>> check_at_least(1, n_layers=4, n_cycles=0)
        Traceback (most recent call last):
        ValueError: n_cycles: expected at least 1, got 0
    """
    for name, value in values.items():
        if not value >= minimum:  # also where it is NaN
            raise ValueError(f"{name}: expected at least {minimum:g}, got {value:g}")
