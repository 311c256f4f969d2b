"""What a recipe leaves for people to read: the report of a run and the card of its model."""

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from torch import Tensor

from audionet.files import whole_file
from audionet.inference import load
from audionet.metrics import Answers
from audionet.report.certainty import cautions
from audionet.report.clips import ReportClip, numbered_folder, numbered_name, save_generated, save_labels
from audionet.report.generation import write_generation
from audionet.report.model_card import write_model_card
from audionet.report.recognition import write_recognition
from audionet.report.tables import WrongAnswer

if TYPE_CHECKING:
    from audionet.datasets.corpus import Corpus
    from audionet.inference import Generator, Recognizer

_MOST_CLIPS = 36  # to listen to
_WORST = 10


def report_recognition(
    bundle: str | os.PathLike[str],
    *,
    corpus: "Corpus",
    answers: Answers,
    settings: Mapping[str, object],
    play: "Generator | None" = None,
    seed: int = 0,
) -> Path:
    """Write the report of a recogniser beside its bundle: report.html, errors.csv, sound files, and README.md.

    Args:
        bundle: Path of the bundle. What is shown of files is what it says of them.
        corpus: Corpus that it was trained and tested on.
        answers: What the test clips were taken for.
        settings: Values of the run, as a preset has them.
        play: A generator whose labels are played and judged, as far as the recogniser knows them; None for none.
        seed: Decides which test clip of each label is played.

    Returns:
        The path of report.html.

    Raises:
        ValueError: metrics.csv beside the bundle cannot be used.
        OSError: A file cannot be written.
    """
    folder, labels = Path(bundle).parent, corpus.labels
    recognizer = load(bundle, task="recognition")
    training = recognizer.bundle.training
    # Where each clip was tested by a classifier that was fitted on the others, there is no test split.
    split = "test" if len(corpus.store.indices("test")) else "train"
    files = corpus.export_clips(split, folder / "clips", per_label=1, seed=seed)
    wrong = answers.wrong()
    errors = [
        WrongAnswer(corpus.store.paths[clip], labels[true], labels[given], probability)
        for clip, true, given, probability in zip(*(column.tolist() for column in wrong), strict=True)
    ]
    _write_errors(folder / "errors.csv", errors)
    page = write_recognition(
        folder,
        title=f"Recognition: {training['data']}",
        facts=_facts(training),
        labels=labels,
        confusion=answers.confusion(len(labels)),
        history=history if (history := folder / "metrics.csv").exists() else None,
        cautions=cautions(training),
        settings=settings,
        counts=corpus.counts(),
        errors=errors,
        clips=[_heard(recognizer, *each) for each in files[:: -(-len(files) // _MOST_CLIPS) or 1]],
        worst=_worst(folder / "errors", corpus, wrong, recognizer),
        generated=[] if play is None else save_labels(folder / "generated", play, recognizer),
    )
    write_model_card(bundle, recognizer.bundle, corpus, _relative(folder, [file for file, _ in files]))
    return page


def report_generation(
    bundle: str | os.PathLike[str],
    *,
    corpus: "Corpus",
    made: Tensor,
    recordings: Tensor,
    values: Mapping[str, Sequence[str]],
    settings: Mapping[str, object],
    judge: "Recognizer | None" = None,
    heat_map: Figure | None = None,
) -> Path:
    """Write the report of a generator beside its bundle: report.html, sound files, and README.md.

    Args:
        bundle: Path of the bundle.
        corpus: Corpus that it was trained and tested on.
        made: Generated clips, (clip, time).
        recordings: A recording of the same values beside each of them, (clip, time).
        values: Values that they were generated from, {category: one for each clip}.
        settings: Values of the run, as a preset has them.
        judge: A recogniser that knows the labels; None for no predictions.
        heat_map: Distributions that the network predicts for a clip.

    Returns:
        The path of report.html.

    Raises:
        ValueError: metrics.csv beside the bundle cannot be used.
        OSError: A file cannot be written.
    """
    folder = Path(bundle).parent
    loaded = load(bundle, task="generation").bundle
    training = loaded.training
    clips = save_generated(folder / "generated", made, loaded.sample_rate, values, judge, recordings)
    page = write_generation(
        folder,
        title=f"Generation: {training['data']}",
        bits=training["bits_per_sample"],
        n_test_clips=training["test_clips"],
        facts=_facts(training),
        history=folder / "metrics.csv",
        cautions=cautions(training),
        settings=settings,
        counts=corpus.counts(),
        clips=clips,
        heat_map=heat_map,
    )
    write_model_card(bundle, loaded, corpus, _relative(folder, [clip.recording for clip in clips if clip.recording]))
    return page


def _facts(training: Mapping[str, object]) -> dict[str, str]:
    hidden = ("accuracy", "bits_per_sample", "test_is_synthetic")
    return {name.replace("_", " "): str(value) for name, value in training.items() if name not in hidden}


def _heard(recognizer: "Recognizer", file: Path, label: str) -> ReportClip:
    return ReportClip(file, label, recognizer.recognize_file(file, top_k=3))


def _worst(folder: Path, corpus: "Corpus", wrong: Answers, recognizer: "Recognizer") -> list[ReportClip]:
    """Write the most confident errors as sound files."""
    numbered_folder(folder)
    clips = []
    for number, (clip, true, given) in enumerate(zip(wrong.clips, wrong.true, wrong.given, strict=True), 1):
        if number <= _WORST:
            path = folder / numbered_name(number, corpus.labels[true], "taken-for", corpus.labels[given])
            corpus.save_clip(clip, path)
            clips.append(_heard(recognizer, path, corpus.labels[true]))
    return clips


def _write_errors(path: Path, errors: Sequence[WrongAnswer]) -> None:
    """Write the wrong answers as a table that spreadsheets read."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(WrongAnswer._fields)
    writer.writerows(error._replace(probability=round(error.probability, 4)) for error in errors)
    with whole_file(path) as file:
        file.write(text.getvalue().encode(errors="backslashreplace"))


def _relative(folder: Path, files: Sequence[Path]) -> str:
    """Return the path of the first file from the folder on, as it is typed there."""
    return files[0].relative_to(folder).as_posix() if files else "recording.wav"
