"""What a recogniser reaches on people, beside a figure on synthetic clips."""

from audionet import bundle
from audionet.report.certainty import on_people


def people_figures(*, is_synthetic: bool) -> list[tuple[str, str]]:
    """Return the figures that stand beside the accuracy on test clips, each with its meaning.

    Beside one on synthetic clips, that is what the shipped recogniser of commands reaches on people.
    """
    shipped = on_people(bundle.load("commands", "recognition").training) if is_synthetic else None
    if shipped is None:
        return []
    figure, _, rest = shipped.partition(" ")
    return [(figure, f"is what the shipped recogniser commands reaches on people {rest}")]
