"""What a recipe leaves for people to read: the report of a run and the card of its model."""

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from torch import Tensor

from audionet.datasets.clip import SPLITS
from audionet.files import whole_file
from audionet.inference import load
from audionet.metrics import Answers
from audionet.report.certainty import cautions
from audionet.report.clips import ReportClip, numbered_folder, numbered_name, save_generated
from audionet.report.generation import write_generation
from audionet.report.model_card import write_model_card
from audionet.report.people import people_figures, people_part
from audionet.report.recognition import write_recognition
from audionet.report.tables import WrongAnswer

if TYPE_CHECKING:
    from audionet.datasets.corpus import Corpus
    from audionet.evaluate import Evaluation
    from audionet.inference import Recognizer

_MOST_CLIPS = 36  # to listen to
_WORST = 10


def report_recognition(
    bundle: str | os.PathLike[str],
    *,
    corpus: "Corpus",
    answers: Answers,
    settings: Mapping[str, object],
    people: "Evaluation | None" = None,
    seed: int = 0,
) -> Path:
    """Write the report of a recogniser beside its bundle: report.html, errors.csv, clips.csv, sounds, and README.md.

    Args:
        bundle: Path of the bundle. What is shown of files is what it says of them.
        corpus: Corpus that it was trained and tested on.
        answers: What the test clips were taken for, with the bundle's temperature.
        settings: Values of the run, as a preset has them.
        people: What the recogniser answered for real recordings, as `try_on_people` returns it; None for none.
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
    rounded = [error._replace(probability=round(error.probability, 4)) for error in errors]
    _write_table(folder / "errors.csv", WrongAnswer._fields, rounded)
    _write_table(folder / "clips.csv", ("label", "split", "speaker", "clips"), _clips_by_kind(corpus))
    is_synthetic = bool(training.get("test_is_synthetic"))
    page = write_recognition(
        folder,
        title=f"Recognition: {training['data']}",
        facts=_facts(training),
        labels=labels,
        answers=answers,
        history=history if (history := folder / "metrics.csv").exists() else None,
        temperature=recognizer.temperature,
        threshold=recognizer.threshold,
        kind="synthetic" if is_synthetic else "",
        beside=people_figures(people, is_synthetic=is_synthetic),
        cautions=cautions(training),
        settings=settings,
        counts=corpus.counts(),
        speakers=corpus.store.speakers[answers.clips].tolist(),
        speaker_counts=_clips_of_speakers(corpus),
        errors=errors,
        clips=[_heard(recognizer, *each) for each in files[:: -(-len(files) // _MOST_CLIPS) or 1]],
        worst=_worst(folder / "errors", corpus, wrong, recognizer),
        people="" if people is None else people_part(people, recognizer),
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
    elsewhere = ("accuracy", "bits_per_sample", "calibration_error", "others_accepted", "words_rejected", "people")
    hidden = (*elsewhere, "test_is_synthetic")
    return {name.replace("_", " "): str(value) for name, value in training.items() if name not in hidden}


def _heard(recognizer: "Recognizer", file: Path, label: str) -> ReportClip:
    return ReportClip(file, label, recognizer.recognize_file(file, top_k=3))


def _worst(folder: Path, corpus: "Corpus", wrong: Answers, recognizer: "Recognizer") -> list[ReportClip]:
    """Write the most confident errors as sound files."""
    numbered_folder(folder)
    clips = []
    for number, (clip, true, given, _) in enumerate(zip(*(column[:_WORST] for column in wrong), strict=True), 1):
        path = folder / numbered_name(number, corpus.labels[true], "taken-for", corpus.labels[given])
        corpus.save_clip(clip, path)
        heard = _heard(recognizer, path, corpus.labels[true])
        speaker = str(corpus.store.speakers[clip])
        clips.append(replace(heard, conditions={"speaker": speaker} if speaker else {}))
    return clips


def _clips_by_kind(corpus: "Corpus") -> list[tuple[str, str, str, int]]:
    """Return the number of clips of each label, split and speaker."""
    store = corpus.store
    numbers = Counter(zip(corpus.label_index.tolist(), store.splits.tolist(), store.speakers.tolist(), strict=True))
    return [(corpus.labels[label], split, speaker, n) for (label, split, speaker), n in sorted(numbers.items())]


def _clips_of_speakers(corpus: "Corpus") -> dict[str, dict[str, int]]:
    """Return the number of clips of each speaker who is known in each split, {speaker: {split: clips}}."""
    store = corpus.store
    numbers = Counter(zip(store.speakers.tolist(), store.splits.tolist(), strict=True))
    known = sorted({*store.speakers.tolist()} - {""})
    return {speaker: {split: numbers[speaker, split] for split in SPLITS} for speaker in known}


def _write_table(path: Path, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table that spreadsheets read."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(heads)
    writer.writerows(rows)
    with whole_file(path) as file:
        file.write(text.getvalue().encode(errors="backslashreplace"))


def _relative(folder: Path, files: Sequence[Path]) -> str:
    """Return the path of the first file from the folder on, as it is typed there."""
    return files[0].relative_to(folder).as_posix() if files else "recording.wav"
