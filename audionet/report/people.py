"""What a recogniser reaches on people: on real recordings that the user has, and beside a figure on synthetic clips."""

import os
from dataclasses import replace
from html import escape

from audionet import bundle
from audionet.console import note, sentence
from audionet.evaluate import Evaluation, evaluate_folder
from audionet.inference import Recognizer
from audionet.labels import is_word
from audionet.report.certainty import interval, on_people
from audionet.report.evaluation import evaluation_cards, evaluation_errors
from audionet.report.knowing import threshold_sentence


def try_on_people(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> Evaluation | None:
    """Test a bundle on a folder of real recordings, and write what came out into its training record.

    The answer for each recording is the most probable label, whatever the threshold.

    Args:
        path: Path of the bundle, which is written anew with ``people`` in its record: {"accuracy", "clips", "what"},
            and the number of ``speakers`` where they are known.
        folder: Folder that holds a folder of recordings for each label.

    Returns:
        What it answered; None where the folder cannot be used any more. A training has been finished then, so that this
        is said and no error.
    """
    trained = bundle.load(path, "recognition")
    try:
        found = evaluate_folder(Recognizer(trained), folder, threshold=0.0)
    except (ValueError, OSError) as error:
        note(f"not tested on real recordings: {sentence(error)}; `audionet evaluate` does so later")
        return None
    people: dict[str, object] = {"accuracy": round(found.accuracy, 4), "clips": len(found.right)}
    people["what"] = found.folder.resolve().name  # where it lies is nobody else's business
    if found.by_speaker:
        people["speakers"] = len(found.by_speaker)
    bundle.save(path, replace(trained, training={**trained.training, "people": people}))
    return found


def people_figures(found: Evaluation | None, *, is_synthetic: bool) -> list[tuple[str, str]]:
    """Return the figures that stand beside the accuracy on test clips, each with its meaning.

    These are the accuracy on real recordings, where the user has some; and beside one on synthetic clips, what the
    shipped recogniser of commands reaches on people.
    """
    figures = []
    if found is not None:
        n_right, n = int(found.right.sum()), len(found.right)
        meaning = f"on real recordings, {found.folder.resolve().name}: {n_right:,} of {n:,} named right"
        figures.append((f"{found.accuracy:.1%}", f"{meaning}, {interval(n_right, n)}"))
    shipped = on_people(bundle.load("commands", "recognition").training) if is_synthetic else None
    if shipped is not None:
        figure, _, rest = shipped.partition(" ")
        figures.append((figure, f"is what the shipped recogniser commands reaches on people {rest}"))
    return figures


def people_part(found: Evaluation, recognizer: Recognizer) -> str:
    """Return the HTML part of a test on real recordings: confusions, scores, speakers, and the worst errors to hear.

    Args:
        found: What the recogniser answered, whatever the probability.
        recognizer: The recogniser, which says more of the worst errors.
    """
    n_right, n = int(found.right.sum()), len(found.right)
    words = [is_word(label) and label in recognizer.labels for label in found.labels]
    lines = [
        f"{n_right:,} of {n:,} are named right, {interval(n_right, n)}. None of them was trained on.",
        threshold_sentence(found.answers, words, recognizer.threshold),
        *(f"Left out: {error}" for error in found.errors),
    ]
    text = " ".join(filter(None, lines))
    heading = f'<h2>On real recordings: {escape(found.folder.resolve().name)}</h2><p class="note">{escape(text)}</p>'
    cards = "".join(evaluation_cards(found))
    return f'{heading}<div class="grid">{cards}</div>' + evaluation_errors(found, recognizer)
