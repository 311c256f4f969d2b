"""`audionet calibrate`."""

from typing import TYPE_CHECKING

from audionet.cli.main import complain
from audionet.cli.parsing import Several

if TYPE_CHECKING:
    from audionet.evaluate import DetectionCalibration


def calibrate(
    model: str,
    *,
    negatives: Several,
    positives: str | None = None,
    false_alarms_per_hour: float = 0.5,
    output: str | None = None,
    leave_out_suspects: bool = False,
    device: str = "cpu",
) -> int:
    """Set the thresholds of a detector so that its false alarms stay at a rate, and write them into the bundle.

    The lowest thresholds are taken that keep to the rate, for all keywords together, on recordings in which no keyword
    is said: of your room, of the television, of people who talk about something else. Few hours say little; how many
    are needed is printed. Places that may hold a keyword are listed, to be listened to.

    Args:
        model: Name of a shipped bundle (see `audionet models list`) or path of one.
        negatives: Folder of recordings of any length in which no keyword is said, searched at any depth; one or more.
        positives: Folder that holds a folder of recordings for each keyword, to tell how many are rejected.
        false_alarms_per_hour: The wanted rate, of all keywords together.
        output: Bundle to write (.safetensors), which must not be there yet; the model itself where it is left out. It
            is needed for a shipped model, which stays as it is.
        leave_out_suspects: Take the places that may hold a keyword for such, and not for false alarms.
        device: Device that computes: cpu, cuda, cuda:1, mps.

    Example:
        audionet calibrate digits --negatives room --output digits_here.safetensors
        audionet calibrate digits --negatives room --positives recordings --output digits_there.safetensors
    """
    from audionet import bundle
    from audionet.checks import check_positive
    from audionet.evaluate.thresholds import calibrate_detection, target_of, write_thresholds
    from audionet.inference import Recognizer

    check_positive(false_alarms_per_hour=false_alarms_per_hour)
    target = target_of(model, output)
    recognizer = Recognizer(bundle.load(model, "recognition"), device)
    found = calibrate_detection(
        recognizer,
        negatives,
        positives=positives,
        false_alarms_per_hour=false_alarms_per_hour,
        leave_out_suspects=leave_out_suspects,
    )
    for error in found.errors:
        complain(error)
    _show(found)
    write_thresholds(model, found, target)
    print(f"\n{target}: use it with  audionet detect {target} FILE")
    return 1 if found.errors else 0


def _show(found: "DetectionCalibration") -> None:
    """Print the thresholds with what they do, how sure that is, and where a keyword may be said."""
    from audionet.console import print_table
    from audionet.report.detection import alarms, caution, rejects

    rejected = found.rejects
    rows = [("KEYWORD", "THRESHOLD", "FALSE ALARMS", *(("REJECTED",) if rejected else ()))]
    for keyword, threshold in found.thresholds.items():
        n_alarms = sum(alarm.keyword == keyword for alarm in found.alarms)
        said = rejects(*rejected[keyword]) if keyword in rejected else "-"
        rows.append((keyword, f"{threshold:.4g}", alarms(n_alarms, found.hours), *((said,) if rejected else ())))
    print_table(rows)
    print(f"\nfalse alarms of all keywords in {found.hours:.2f} h: {alarms(len(found.alarms), found.hours)}")
    print(*filter(None, [caution(found.hours, len(found.alarms), found.wanted)]), sep="\n")
    if found.suspects:
        what = "left out, as if it were said there" if found.left_out else "listen whether it is said there"
        print(f"\n{len(found.suspects)} places sound like a keyword; {what}:")
        places = [(found.negatives.tracks[each.place].path, each) for each in found.suspects[:_MOST]]
        print_table([(str(path), f"{each.time:.1f} s", each.keyword, f"{each.score:.3f}") for path, each in places])


_MOST = 20  # places that are listed
