"""Tables of a report: scores by label and by speaker, clips, wrong answers, and the values of a run."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from audionet.metrics import ClassScores
from audionet.report.certainty import between
from audionet.report.page import section, shown

_SPLITS = {"validation": "validation", "train": "training"}
_MOST_CONFUSIONS, _MOST_SPEAKERS = 15, 20  # that are seen at once


class WrongAnswer(NamedTuple):
    """A test clip that was taken for something else.

    Attributes:
        clip: Path of the clip in its corpus.
        true: Its label.
        given: The label that was found the most probable.
        probability: The probability that it was given.
    """

    clip: str
    true: str
    given: str
    probability: float


def score_table(scores: Sequence[ClassScores], numbers: Sequence[str], counts: Mapping[str, Mapping[str, int]]) -> str:
    """Return the HTML table of the scores of each label, and of its clips in each split.

    Args:
        scores: Scores of each label; one without test clips is listed and not scored.
        numbers: The number of each label that has one in the pictures, "" for the others.
        counts: Clips of the other splits, {label: {split: clips}}; empty if they are not known.
    """
    splits = [split for split in _SPLITS if counts]
    tested = "test clips" if splits else "clips"
    heads = ["label", "precision", "recall", "between", "F1", tested, *map(_SPLITS.get, splits)]
    rows = []
    for score, number in zip(scores, numbers, strict=True):
        shares = [f"{share:.1%}" if score.support else "–" for share in (score.precision, score.recall, score.f1)]
        shares.insert(2, between(round(score.recall * score.support), score.support) if score.support else "–")
        clips = [score.support, *(counts[score.label][split] for split in splits)]
        rows.append([f"{number} {score.label}".strip(), *shares, *map("{:,}".format, clips)])
    if splits:
        totals = [sum(each[split] for each in counts.values()) for split in splits]
        sums = [sum(score.support for score in scores), *totals]
        rows.append(["all", "", "", "", "", *map("{:,}".format, sums)])
    return _table("scores", heads, rows, n_names=1)


def count_table(counts: Mapping[str, Mapping[str, int]]) -> str:
    """Return the HTML table of the clips of each label in each split, {label: {split: clips}}."""
    splits = {"train": "training", "validation": "validation", "test": "test"}
    rows = [[label, *(f"{clips[split]:,}" for split in splits)] for label, clips in counts.items()]
    totals = [f"{sum(clips[split] for clips in counts.values()):,}" for split in splits]
    return _table("scores", ["label", *splits.values()], [*rows, ["all", *totals]], n_names=1)


def confusion_list(confusion: np.ndarray, labels: Sequence[str]) -> str:
    """Return the HTML table of what is taken for what, the most frequent first; without errors, it is empty.

    Args:
        confusion: Counts, (true, predicted).
        labels: Name of each class.
    """
    counts = np.array(confusion)
    heard = counts.sum(1)
    np.fill_diagonal(counts, 0)
    pairs = [divmod(int(place), len(labels)) for place in np.argsort(-counts, axis=None, kind="stable")]
    pairs = [(true, given) for true, given in pairs[:_MOST_CONFUSIONS] if counts[true, given]]
    rows = [
        [
            f"{labels[true]} heard as {labels[given]}",
            f"{counts[true, given]:,.0f} of {heard[true]:,.0f}",
            between(counts[true, given], heard[true]),
        ]
        for true, given in pairs
    ]
    return _table("scores", ["confusion", "clips", "between"], rows, n_names=1) if rows else ""


def speaker_table(right: Mapping[str, tuple[int, int]], counts: Mapping[str, Mapping[str, int]]) -> str:
    """Return the HTML table of the speakers who were tested, the worst first, and a list of the others.

    Args:
        right: Right answers and all answers of each speaker.
        counts: Clips of each speaker in each split, {speaker: {split: clips}}; empty if there is only a test.
    """
    splits = [split for split in _SPLITS if any(each[split] for each in counts.values())]
    worst_first = sorted(right, key=lambda name: (right[name][0] / right[name][1], name))
    rows = []
    for name in worst_first:
        n_right, n = right[name]
        shares = [f"{n_right:,} of {n:,}", f"{n_right / n:.1%}", between(n_right, n)]
        rows.append([name, *shares, *(f"{counts[name][split]:,}" for split in splits)])
    heads = ["speaker", "right", "share", "between", *map(_SPLITS.get, splits)]
    table = _table("scores", heads, rows[:_MOST_SPEAKERS], n_names=1) if rows else ""
    if more := rows[_MOST_SPEAKERS:]:
        table += _folded(f"{len(more)} more", _table("scores", heads, more, n_names=1))
    if others := sorted(counts.keys() - right.keys()):
        heard = [[name, *(f"{counts[name][split]:,}" for split in splits)] for name in others]
        heads = ["speaker", *map(_SPLITS.get, splits)]
        table += _folded(f"{len(others)} who were not tested", _table("scores", heads, heard, n_names=1))
    return table


def name_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return an HTML table whose rows begin with a name."""
    return _table("scores", heads, rows, n_names=1)


def error_table(errors: Iterable[WrongAnswer]) -> str:
    """Return the HTML table of wrong answers."""
    rows = [[error.true, error.given, f"{error.probability:.1%}", error.clip] for error in errors]
    return _table("scores errors", ["true", "taken for", "probability", "clip"], rows, n_names=2)


def settings_part(values: Mapping[str, object]) -> str:
    """Return the HTML part of the values of a run, as a preset has them; without any, it is empty.

    What is not set is left out.
    """
    pairs = "".join(f"<div><dt>{escape(key)}</dt><dd>{escape(str(value))}</dd></div>" for key, value in _flat(values))
    return section("Hyperparameters", f'<dl class="values">{pairs}</dl>') if pairs else ""


def _folded(summary: str, content: str) -> str:
    return f'<details class="inner"><summary>{summary}</summary>{content}</details>'


def _flat(values: Mapping[str, object], prefix: str = "") -> Iterable[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif value is not None:
            yield f"{prefix}{name}", value


def _table(kind: str, heads: Sequence[object], rows: Iterable[Sequence[str]], n_names: int) -> str:
    """Return a table whose first cells of each row are names."""
    head = "".join(f'<th scope="col">{head}</th>' for head in heads)
    body = "".join(
        "<tr>"
        + "".join(f'<th scope="row">{shown(cell)}</th>' for cell in row[:n_names])
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[n_names:])
        + "</tr>"
        for row in rows
    )
    return f'<table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
