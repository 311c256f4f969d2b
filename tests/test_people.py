"""What is measured on real people: no one is on both sides of a split, counts are right, what is done stays done."""

from argparse import Namespace
from typing import Any

import numpy as np
import pytest

from audionet.datasets import index, read_card
from benchmarks.people import folds, from_text, splits, table
from benchmarks.people.commands import group_of
from benchmarks.people.recordings import Recordings
from benchmarks.people.results import Book, Result
from benchmarks.people.scores import Count, answered, of_all, of_words, window_starts

LABELS = ["yes", "no", "_unknown_", "_silence_"]
SPEAKERS = [f"{number:x}{number * 7919 % 4096:03x}" for number in range(60)]


def clips():
    """Labels, speakers and paths of clips: three of each of 60 speakers, and 40 silences of nobody."""
    draw = np.random.default_rng(0)
    labels = [LABELS[number] for number in draw.integers(0, 3, 180)] + ["_silence_"] * 40
    speakers = SPEAKERS * 3 + [""] * 40
    paths = [f"{speaker}_nohash_{number}" for number, speaker in enumerate(speakers)]
    return labels, speakers, paths


def test_no_speaker_and_no_file_is_in_both_halves_and_every_clip_is_in_one():
    labels, speakers, paths = clips()
    group = splits.groups(labels, speakers, paths)
    odd, even = (splits.in_half(group, half) for half in splits.HALVES)
    assert (odd ^ even).all()
    names = np.array(speakers)
    assert set(names[odd]) & set(names[even]) == {""}
    assert len(set(names[odd])) == len(set(names[even])) == 31
    assert odd[180:].sum() == even[180:].sum() == 20, "the silences are shared out, too"


def test_the_first_speaker_is_at_an_odd_position_whoever_is_silent():
    group = splits.groups(["_silence_", "yes", "no"], ["", "b", "a"], ["0", "1", "2"])
    assert group.tolist() == [1, 2, 1]


def test_each_speaker_is_tested_in_one_fold():
    labels, speakers, paths = clips()
    number = splits.fold(splits.groups(labels, speakers, paths))
    assert sorted(set(number)) == [0, 1, 2, 3, 4]
    tested = [{speaker for speaker, at in zip(speakers, number, strict=True) if at == fold} - {""} for fold in range(5)]
    assert [len(each) for each in tested] == [12] * 5
    assert set.union(*tested) == set(SPEAKERS)


@pytest.mark.parametrize("number", range(folds.N_FOLDS))
def test_nobody_is_in_two_splits_of_a_fold(number):
    labels, speakers, paths = clips()
    split = folds.split_of(splits.groups(labels, speakers, paths), number)
    people = {
        name: {speaker for speaker, at in zip(speakers, split, strict=True) if at == name} - {""} for name in split
    }
    assert {name: len(each) for name, each in people.items()} == {"train": 44, "validation": 4, "test": 12}
    assert set.union(*people.values()) == set(SPEAKERS)


def test_the_card_of_the_folds_has_their_splits(tmp_path):
    source = tmp_path / "clips"
    for number, speaker in enumerate(SPEAKERS[:24]):
        path = source / ("yes", "_unknown_")[number % 2] / f"{speaker}_nohash_0.flac"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    paths = np.array(sorted(source.glob("*/*.flac")), object)
    recordings = Recordings(
        paths, np.array([path.parent.name for path in paths]), np.array([p.name[:4] for p in paths])
    )
    card = read_card(folds.write_card(recordings, source, tmp_path / "folds"))
    for number in range(folds.N_FOLDS):
        listed = {clip.path: clip.split for clip in index(card, card.default_root, split=f"fold{number}")}
        expected = folds.split_of(group_of(recordings), number)
        assert listed == {
            f"clips/{path.relative_to(source)}": str(at) for path, at in zip(paths, expected, strict=True)
        }


def test_leaving_out_names_each_speaker_once():
    found = dict(splits.left_out(["b", "a", "b"]))
    assert {name: mask.tolist() for name, mask in found.items()} == {
        "a": [False, True, False],
        "b": [True, False, True],
    }


def test_a_draw_is_of_one_speaker_and_fewer_are_the_first_of_more():
    labels = np.array(["one", "two"] * 20)
    own = np.arange(40) < 20
    few, more = (splits.draw(labels, own, k, 3, "ann") for k in (2, 5))
    assert own[more].all() and len(set(more)) == 10
    assert labels[more].tolist() == ["one"] * 5 + ["two"] * 5
    assert few.tolist() == [*more[:2], *more[5:7]]
    assert few.tolist() != splits.draw(labels, own, 2, 4, "ann").tolist()
    assert more.tolist() == splits.draw(labels, own, 5, 3, "ann").tolist()


def test_more_recordings_than_there_are_cannot_be_drawn():
    with pytest.raises(ValueError, match="ann: expected at least 3 recordings of two, got 2; draw fewer"):
        splits.draw(["one"] * 4 + ["two"] * 2, np.ones(6, bool), 3, 0, "ann")


PROBABILITIES = np.array([[0.5, 0.1, 0.3, 0.1], [0.3, 0.2, 0.5, 0.0], [0.1, 0.2, 0.3, 0.4], [0.6, 0.2, 0.1, 0.1]])


def test_all_classes_and_words_alone_are_counted():
    true = ["yes", "yes", "_silence_", "_unknown_"]
    assert of_all(PROBABILITIES, LABELS, true) == Count(2, 4)
    assert of_words(PROBABILITIES, LABELS, true) == Count(2, 2), "of the words alone, the second says yes"


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [(0.0, ["yes", None, None, "yes"]), (0.5, ["yes", None, None, "yes"]), (0.6, [None] * 3 + ["yes"])],
)
def test_an_answer_is_a_word_that_is_probable_enough(threshold, expected):
    assert answered(PROBABILITIES, LABELS, threshold) == expected


@pytest.mark.parametrize("n_samples", [1, 9, 10, 11, 37, 50, 51])
def test_windows_cover_a_recording_and_end_with_it(n_samples):
    length, hop = 10, 4
    starts = window_starts(n_samples, length, hop)
    assert starts == sorted(set(starts)) and starts[0] == 0
    assert starts[-1] == max(n_samples - length, 0)
    assert all(later - earlier <= hop for earlier, later in zip(starts, starts[1:], strict=False))


def test_a_figure_is_there_after_the_process_has_ended_and_a_cut_line_is_passed_over(tmp_path):
    what = {"row": "few", "line": "3 of one speaker", "system": "Google", "subject": "x"}
    Book(tmp_path, "a command").add(Count(9, 10), **what, sample={"draw": 0}, more={"theo": 0.9})
    with (tmp_path / "results.jsonl").open("a") as stream:
        stream.write('{"row": "few", "li')
    book = Book(tmp_path)
    (result,) = book.results
    assert (result.value, result.of, result.made["command"]) == (0.9, 10, "a command")
    assert book.has(**what, sample={"draw": 0}) and not book.has(**what, sample={"draw": 1})
    assert not book.has(**{**what, "subject": "another bundle"}, sample={"draw": 0})
    book.add(Count(8, 10), **what, sample={"draw": 1})
    assert len(Book(tmp_path).results) == 2, "what is added after a cut line is not lost with it"


def test_the_table_pools_samples_and_takes_the_newest_subject(tmp_path, capsys):
    book = Book(tmp_path)
    line = next(line for line in table.LINES if line.least == (0.9, 0.93))
    for subject, counts in (("old", [(1, 10)]), ("new", [(90, 100), (29, 30)])):
        for seed, (right, of) in enumerate(counts):
            book.add(Count(right, of), row=line.row, line=line.line, subject=subject, sample={"seed": seed})
    book.add(Count(80, 100), row=line.row, line=line.line, system="Google")
    book.add(1.5, row="words", line="seconds", unit="s")
    first, second = table.rows(book)
    assert first == [line.text, "91.5 (90.0 – 96.7)", "80.0", "–", "–", "≥ 90: met, ≥ 93: missed, ahead of Google: met"]
    assert second == ["words: seconds", "1.5", "–", "–", "–", ""]


def test_what_is_wanted_is_met_or_missed_or_only_wanted():
    share, points = (Result(row="", line="", value=value, of=of) for value, of in ((0.04, 100), (3.5, 0)))
    none: dict[str, list[Result]] = {"audionet": []}
    google = [Result(row="", line="", value=0.05, of=100)]
    assert table.verdict(table.Line("", "", most=0.05), {"audionet": [share]}) == "≤ 5: met"
    assert table.verdict(table.Line("", "", most=0.03), {"audionet": [share]}) == "≤ 3: missed"
    assert table.verdict(table.Line("", "", most=4), {"audionet": [points]}) == "≤ 4: met"
    assert table.verdict(table.Line("", "", least=(0.9,)), none) == "≥ 90"
    assert (
        table.verdict(table.Line("", "", ahead=True), {"audionet": [share], "Google": google})
        == "ahead of Google: missed"
    )
    assert table.verdict(table.Line("", "", ahead=True), none | {"Google": google}) == "ahead of Google"


def test_each_seed_is_trained_and_then_the_peer_learns_what_the_first_did(monkeypatch, tmp_path):
    trained = []

    def train(run, config, flags):
        trained.append((run.name, config.stem, flags))
        return run / "model.safetensors"

    monkeypatch.setattr(from_text, "Heard", lambda bundle, subject=None: (str(bundle), subject))
    monkeypatch.setattr(from_text, "trained", lambda run, cache, per_label: [("Google", run.name, per_label)])
    given = {"preset": "smoke", "flags": ["--steps", "9"], "output": tmp_path, "seeds": [3, 4], "per_label": 5}
    options = Namespace(**given, model=None, no_peers=False)
    found: list[Any] = list(from_text.trainings(options, "wake", train))
    assert [run for run, _, _ in trained] == ["seed3", "seed4"] and trained[0][1] == "smoke"
    assert trained[1][2] == ["--seed", "4", "--steps", "9"]
    assert [what for _, what in found] == [{"sample": {"seed": 3}}, {"sample": {"seed": 4}}, {}]
    assert found[2][0] == [("Google", "seed3", 5)]
    ((_, subject),) = found[0][0]
    assert subject and subject == found[1][0][0][1]
    options.no_peers = True
    assert len(list(from_text.trainings(options, "wake", train))) == 2
    options.model = "words.safetensors"
    alone: list[Any] = list(from_text.trainings(options, "wake", train))
    assert alone == [([("words.safetensors", None)], {})]
