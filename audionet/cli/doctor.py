"""`audionet doctor`."""


def doctor() -> int:
    """Show versions and devices, conflicts between them, and their fixes.

    Example:
        audionet doctor
    """
    from audionet.doctor import diagnose, show

    report = diagnose()
    show(report)
    return 1 if report.problems else 0
