"""`audionet doctor`."""


def doctor() -> int:
    """Show versions and devices, what does not fit together, and how to fix it.

    Example:
        audionet doctor
    """
    from audionet.doctor import diagnose, show

    report = diagnose()
    show(report)
    return 1 if report.problems else 0
