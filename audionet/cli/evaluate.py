"""`audionet evaluate`."""

from typing import TYPE_CHECKING

from audionet.cli.main import complain
from audionet.cli.parsing import PositiveInt, Several, Share

if TYPE_CHECKING:
    from audionet.evaluate import DetectionEvaluation, Evaluation
    from audionet.inference import Recognizer
    from audionet.metrics import OperatingPoint


def evaluate(
    model: str,
    folder: str | None = None,
    *,
    positives: str | None = None,
    negatives: Several = (),
    threshold: Share | None = None,
    errors: PositiveInt = 10,
    json: bool = False,
    report: str | None = None,
    lenient: bool = False,
    device: str = "cpu",
) -> int:
    """Tell how good a recogniser is on a folder of recordings, with a folder of them for each label.

    With --positives and --negatives instead of the folder, tell how good a detector it is: how many keywords are
    rejected at how many false alarms per hour, by keyword, speaker and room, and how long after their ends they are
    reported.

    Args:
        model: Name of a shipped bundle (see `audionet models list`) or path of one.
        folder: Folder that holds a folder of recordings for each label, whose name may be spelled otherwise (Lights_On
            for "lights on"). Labels that the model does not know count as unknown words.
        positives: Folder that holds a folder of recordings for each keyword. Folders in these are rooms, and names that
            begin with SPEAKER_nohash_ tell the speaker; so may a card.yaml. A label track of Audacity beside a
            recording (1.txt beside 1.wav) tells where the word ends.
        negatives: Folder of recordings of any length in which no keyword is said, searched at any depth; one or more.
            The folders in it are rooms.
        threshold: Probability below which the answer is "none of these", or no keyword is reported, 0 to 1; the
            bundle's where it is left out.
        errors: Number of confusions and of errors to print, the most confident first.
        json: Print one JSON object with all answers instead.
        report: Path of a page to write, with the confusion matrix and the worst errors to hear, or the DET curves.
        lenient: Of a damaged or cut-off file, hear what is whole, and say what is wrong, instead of leaving it out.
        device: Device that computes: cpu, cuda, cuda:1, mps.

    Example:
        audionet evaluate digits recordings
        audionet evaluate digits recordings --threshold 0.5 --report digits.html
        audionet evaluate digits --positives recordings --negatives room
    """
    from audionet import bundle
    from audionet.checks import check_that
    from audionet.inference import Recognizer

    is_detection = positives is not None and bool(negatives) and folder is None
    is_recognition = folder is not None and positives is None and not negatives
    got = [
        name for name, given in (("FOLDER", folder), ("--positives", positives), ("--negatives", negatives)) if given
    ]
    expected = "either a folder of class folders, or both --positives and --negatives"
    check_that(is_detection or is_recognition, "recordings", expected, " and ".join(got) or "none")
    recognizer = Recognizer(bundle.load(model, "recognition"), device)
    if folder is not None:
        return _recognition(recognizer, model, folder, threshold, errors, json, report, lenient)
    assert positives is not None
    return _detection(recognizer, model, positives, negatives, threshold, json, report)


def _recognition(
    recognizer: "Recognizer",
    model: str,
    folder: str,
    threshold: float | None,
    errors: int,
    json: bool,
    report: str | None,
    lenient: bool,
) -> int:
    """Tell how good a recogniser is."""
    from json import dumps

    from audionet.evaluate import evaluate_folder

    found = evaluate_folder(recognizer, folder, threshold=threshold, lenient=lenient)
    for error in found.errors:
        complain(error)
    if json:
        print(dumps(_as_json(found)))
    else:
        _show(found, errors)
    if report is not None:
        from audionet.report import write_evaluation

        page = write_evaluation(report, found, recognizer, model=model)
        if not json:
            print(f"report  {page}")
    return 1 if found.errors else 0


def _detection(
    recognizer: "Recognizer",
    model: str,
    positives: str,
    negatives: Several,
    threshold: float | None,
    json: bool,
    report: str | None,
) -> int:
    """Tell how good a detector is."""
    from json import dumps

    from audionet.console import print_table
    from audionet.evaluate import evaluate_detection
    from audionet.report.detection import detection_lines, detection_rows, write_detection

    levels = None if threshold is None else dict.fromkeys(recognizer.thresholds, threshold)
    found = evaluate_detection(recognizer, positives, negatives, thresholds=levels)
    for error in found.errors:
        complain(error)
    if json:
        print(dumps(_detection_as_json(found)))
    else:
        print_table(
            [tuple(cell.upper() for cell in row) if n == 0 else row for n, row in enumerate(detection_rows(found))]
        )
        print("", *detection_lines(found), sep="\n")
    if report is not None:
        page = write_detection(report, found, model=model)
        if not json:
            print(f"report  {page}")
    return 1 if found.errors else 0


def _show(found: "Evaluation", most: int) -> None:
    """Print the figures, the scores by label, the confusions and the errors."""
    from audionet.console import print_table

    print(sure(found))
    for line in beside(found):
        print(line)
    taken: dict[str, list[str]] = {}
    for true, given, number in found.confusions:
        taken.setdefault(true, []).append(f"{given} {number}")
    rows = [("LABEL", "CLIPS", "FOUND", "OF ITS ANSWERS RIGHT", "TAKEN FOR")]
    for score in found.scores:
        recall = f"{score.recall:.1%}" if score.support else "-"
        rows.append(
            (score.label, str(score.support), recall, f"{score.precision:.1%}", ", ".join(taken.get(score.label, [])))
        )
    print()
    print_table(rows)
    if worst := found.worst[:most]:
        print("\nThe most confident errors:")
        print_table([(path, f"{true} taken for {given}", f"{share:.1%}") for path, true, given, share in worst])


def sure(found: "Evaluation") -> str:
    """Return the accuracy and how sure it is, in one line."""
    from audionet.report.certainty import interval

    n_right, n = int(found.right.sum()), len(found.right)
    return f"accuracy {found.accuracy:.1%}: {n_right} of {n} right ({interval(n_right, n)})"


def beside(found: "Evaluation") -> list[str]:
    """Return what stands beside the accuracy, a line each: rejected words, other sounds taken for words, speakers."""
    lines = []
    (rejected, n_words), (false, n_others) = found.rejected, found.false_words
    if n_words and (rejected or found.threshold > 0):
        lines.append(f"{rejected} of {n_words} words ({rejected / n_words:.1%}) were answered with no word")
    if n_others:
        lines.append(f"{false} of {n_others} other sounds ({false / n_others:.1%}) were answered with a word")
    speakers = list(found.by_speaker.items())
    if len(speakers) > 1:
        name, (n_right, n) = speakers[0]
        lines.append(f"{len(speakers)} speakers, the worst of whom is {name}: {n_right} of {n} right")
    return lines


def _as_json(found: "Evaluation") -> dict[str, object]:
    """Return all that was found, as JSON values."""
    rows = zip(
        found.paths, found.found, found.answers.given.tolist(), found.answers.probability, found.right, strict=True
    )
    return {
        "accuracy": found.accuracy,
        "interval": found.interval,
        "right": int(found.right.sum()),
        "clips": len(found.right),
        "threshold": found.threshold,
        "words_rejected": found.rejected,
        "others_answered_with_a_word": found.false_words,
        "labels": [score._asdict() for score in found.scores],
        "confusions": found.confusions,
        "speakers": found.by_speaker,
        "answers": [
            {
                "file": path,
                "label": label,
                "answer": found.labels[given],
                "probability": float(share),
                "right": bool(ok),
            }
            for path, label, given, share, ok in rows
        ],
        "errors": [str(error) for error in found.errors],
    }


def _detection_as_json(found: "DetectionEvaluation") -> dict[str, object]:
    """Return all that was found of a detector, as JSON values."""
    from audionet.evaluate import RATES

    names = {"all": found.keywords} | {keyword: [keyword] for keyword in found.keywords}
    figures = {
        name: {
            "at_thresholds": _point_as_json(found.at_thresholds(keywords)),
            "at": [_point_as_json(found.point(rate, keywords)) | {"wanted": rate} for rate in RATES],
            "area": found.area(keywords),
        }
        for name, keywords in names.items()
    }
    late = found.latency
    return {
        "hours": found.negatives.hours,
        "thresholds": found.thresholds,
        "figures": figures,
        "latency": None if late is None else late._asdict(),
        "speakers": {name: [n - n_right, n] for name, (n_right, n) in found.by_speaker.items()},
        "rooms": {name: [n - n_right, n] for name, (n_right, n) in found.by_room.items()},
        "alarms_by_room": found.alarms_by_room,
        "alarms": [
            {
                "file": str(found.negatives.tracks[event.place].path),
                "keyword": event.keyword,
                "time": event.time,
                "score": event.score,
            }
            for event in found.events
        ],
        "errors": [str(error) for error in found.errors],
    }


def _point_as_json(point: "OperatingPoint") -> dict[str, object]:
    return {
        "rejected": point.n_rejected,
        "positives": point.n_positives,
        "rejects_interval": point.rejects_interval,
        "alarms": point.n_alarms,
        "alarms_per_hour": point.false_alarms,
        "alarms_interval": point.alarms_interval,
    }
