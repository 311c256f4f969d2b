"""The data modules: whole clips, and windows of clips, of a corpus."""

import os
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from lightning import LightningModule

from audionet import save_audio
from audionet.audio import find_sounds, read_mono
from audionet.datasets import ClassSelection, Corpus, StoreError, open_corpus, plain_card, read_card
from audionet.datasets.layouts import SynthesisLayout, TableLayout
from audionet.datasets.splits import SpeakerSplit
from audionet.datasets.synthesis import ENGINES
from audionet.registry import import_modules
from audionet.training import ClipData, CropData, fit_and_test


def test_a_plain_folder_becomes_batches(tone_folder: Path) -> None:
    corpus = open_corpus(None, root=tone_folder, sample_rate=8000, clip_seconds=0.5)
    data = ClipData(corpus, batch_size=16)
    assert corpus.labels == ("high", "low", "middle") and corpus.silence is None
    assert (corpus.sample_rate, corpus.clip_length, corpus.has_validation) == (8000, 4000, True)
    sizes = {split: len(corpus.store.indices(split)) for split in ("train", "validation", "test")}
    assert sum(sizes.values()) == 120 and min(sizes.values()) > 0
    batch = next(iter(data.train_dataloader()))
    assert batch["waveform"].shape == (16, 4000)
    index = corpus.store.indices("test")[0]
    clip = next(iter(data.test_dataloader()))
    expected = read_mono(tone_folder / corpus.store.paths[index], 8000, 4000)
    np.testing.assert_array_equal(clip["waveform"][0].numpy() / np.float32(32768), expected)
    assert corpus.labels[clip["label"][0]] == Path(corpus.store.paths[index]).parent.name


def test_test_clips_are_exported_as_files(tone_folder: Path, tmp_path: Path) -> None:
    corpus = open_corpus(None, root=tone_folder, sample_rate=8000, clip_seconds=0.5)
    written = corpus.export_clips("test", tmp_path / "out", per_label=1)
    assert [label for _, label in written] == ["high", "low", "middle"]
    stored = {corpus.store.waveforms[index].tobytes() for index in corpus.store.indices("test")}
    for path, _ in written:
        assert (read_mono(path, 8000, 4000) * 32768).astype(np.int16).tobytes() in stored


def test_no_label_writes_outside_the_folder_or_over_another(tone_folder: Path, tmp_path: Path) -> None:
    corpus = open_corpus(None, root=tone_folder, sample_rate=8000, clip_seconds=0.5)
    cases = (("../../x", "on/off", "N/A"), ("_alpha", "alpha", "Alpha"), ("a" * 300, "a" * 299, ""))
    for number, labels in enumerate(cases):
        place = tmp_path / "exports" / str(number)
        written = replace(corpus, labels=labels).export_clips("test", place / "a" / "b" / "out", per_label=2)
        assert [label for _, label in written] == [label for label in labels for _ in range(2)]
        assert {path for path in place.rglob("*") if path.is_file()} == {path for path, _ in written}
        assert {path.parent.name for path, _ in written} == {"out"}
        for label in labels:
            (first, _), _ = (each for each in written if each[1] == label)
            samples = (read_mono(first, 8000, 4000) * 32768).astype(np.int16).tobytes()
            position = labels.index(label)
            assert samples in {row.tobytes() for row in corpus.store.waveforms[corpus.label_index == position]}


def test_the_name_of_a_speaker_to_test_on_stays_in_the_cache(tone_folder: Path, tmp_path: Path) -> None:
    for speaker in ("../../../out", "a/b", "x" * 300):
        card = replace(
            plain_card(tone_folder),
            layout=TableLayout(table="table.csv", speaker="speaker"),
            split="speaker",
            splits={"speaker": SpeakerSplit()},
        )
        rows = [
            f"{path},{path.split('/')[0]},{speaker if '/0' in path else 'ann'}"
            for path in find_sounds(tone_folder).files
        ]
        (tone_folder / "table.csv").write_text("\n".join(["path,label,speaker", *rows]))
        corpus = open_corpus(card, root=tone_folder, test_speaker=speaker, sample_rate=8000, clip_seconds=0.5)
        assert set(corpus.store.speakers[corpus.store.indices("test")]) == {speaker}
    made = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("waveforms.i16")}
    assert made == {"cache"}


def test_synthetic_speakers_join_the_training_clips_only(tone_folder: Path) -> None:
    pytest.importorskip("espeakng_loader", reason="the extra `synth` is not installed")
    plain = open_corpus(None, root=tone_folder, sample_rate=8000)
    mixed = open_corpus(None, root=tone_folder, sample_rate=8000, synthetic=10, engines=["espeak"])
    assert len(mixed.store.indices("train")) == len(plain.store.indices("train")) + 3 * 10
    for split in ("validation", "test"):
        assert len(mixed.store.indices(split)) == len(plain.store.indices(split))
    assert mixed.labels == plain.labels


def test_recordings_beside_many_made_clips_come_several_times_in_an_epoch(tone_folder: Path) -> None:
    pytest.importorskip("espeakng_loader")
    corpus = open_corpus(root=tone_folder, synthetic=100, engines=["espeak"], negatives=False, workers=1)
    train = corpus.store.indices("train")
    once = ClipData(corpus, recorded_share=0, batch_size=4)
    assert once.items("train")[1].tolist() == train.tolist()
    for share in (0.4, 0.6):
        _, rows = ClipData(corpus, recorded_share=share, batch_size=4).items("train")
        for label in np.unique(corpus.label_index[train]):
            own = rows[corpus.label_index[rows] == label]
            assert np.mean(~corpus.added[own]) == pytest.approx(share, abs=0.1)
            assert len({*own}) == sum(corpus.label_index[train] == label)
    for split in ("validation", "test"):
        assert len({*(rows := once.items(split)[1])}) == len(rows)
    with pytest.raises(ValueError, match="recorded_share: expected a number from 0 to 0.9, got 1"):
        ClipData(corpus, recorded_share=1)


def test_synthetic_speakers_of_a_language_and_of_chosen_engines(tone_folder: Path) -> None:
    pytest.importorskip("espeakng_loader", reason="the extra `synth` is not installed")
    mixed = {
        language: open_corpus(
            root=tone_folder, sample_rate=8000, synthetic=4, language=language, engines=["espeak"], workers=1
        )
        for language in ("fr", "en-gb")
    }
    for language, corpus in mixed.items():
        spoken = [speaker for speaker in corpus.store.speakers if speaker.startswith("espeak:")]
        assert len(spoken) == 3 * 4
        assert {speaker[: len("espeak:") + len(language)] for speaker in spoken} == {f"espeak:{language}"}
    stores = [str(getattr(corpus.store.waveforms, "filename", "")) for corpus in mixed.values()]
    assert stores[0] != stores[1] and all(map(os.path.isfile, stores)), "they do not replace each other"


def test_voices_that_nothing_needs_are_said_to_be_unused(tone_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_corpus(root=tone_folder, sample_rate=8000, language="lt", engines=["espeak"])
    assert "note: tones: language, engines not used, since all clips are recordings" in capsys.readouterr().err


BEEP = """
import numpy as np
from audionet.datasets.synthesis import ENGINES, Engine


class Beep(Engine):
    name, install, sample_rate = "beep", "ask the test", 8000
    catalog = {f"voice{number}": ("qq",) for number in range(10)}

    def _speak(self, text, voice, rate, pitch):
        return np.sin(np.arange(2000 / rate) * pitch * len(text) * 0.1)

    def version(self):
        return "1"


ENGINES.add("beep", Beep)
"""


def test_an_engine_of_the_user_speaks_in_worker_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "beep.py").write_text(BEEP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ENGINES, "_entries", dict(ENGINES._entries))
    import_modules(["beep"])
    layout = SynthesisLayout(words=("low", "higher"), clips_per_label=100, language="qq")
    card = replace(read_card("words"), layout=layout, labels=ClassSelection())
    corpus = open_corpus(card, sample_rate=8000, clip_seconds=0.3, engines=["beep"], workers=2)
    assert len(corpus.store) == 200 and len(corpus.store.silent) == 0


def test_an_engine_that_fails_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    espeak = pytest.importorskip("audionet.datasets.synthesis.voices.espeak")
    pytest.importorskip("espeakng_loader", reason="the extra `synth` is not installed")
    plain = espeak.Espeak._speak

    def stumble(self: object, text: str, voice: str, rate: float, pitch: float) -> np.ndarray:
        if voice.endswith("f3"):
            raise RuntimeError("no breath")
        spoken: np.ndarray = plain(self, text, voice, rate, pitch)
        return spoken

    monkeypatch.setattr(espeak.Espeak, "_speak", stumble)
    card = read_card("words")
    assert isinstance(card.layout, SynthesisLayout)
    card = replace(card, layout=replace(card.layout, words=("yes", "no"), unknown=(), clips_per_label=300))
    card = replace(card, labels=ClassSelection(keep=("yes", "no")))
    with pytest.warns(UserWarning, match=r"left out: espeak failed at \d+ of its 600 utterances, such as .*no breath"):
        corpus = open_corpus(card, sample_rate=8000, engines=["espeak"], workers=1)
    assert 580 < len(corpus.store) < 600 and not any("f3" in path for path in corpus.store.paths)
    monkeypatch.setattr(espeak.Espeak, "_speak", lambda *_: 1 / 0)
    with pytest.raises(StoreError, match="files cannot be used:\n.*division by zero"):
        open_corpus(card, sample_rate=16_000, engines=["espeak"], workers=1)


def test_settings_that_do_not_fit_are_refused(tone_folder: Path) -> None:
    with pytest.raises(ValueError, match="card: expected .* got None; name one .*--data.root"):
        open_corpus(None)
    (tone_folder.parent / "quiet").mkdir()
    with pytest.raises(ValueError, match="no audio files"):
        open_corpus(None, root=tone_folder, background=tone_folder.parent / "quiet")


def test_a_small_corpus_gets_a_smaller_batch(tone_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = open_corpus(None, root=tone_folder, sample_rate=8000)
    n_train = len(corpus.store.indices("train"))
    capsys.readouterr()
    assert ClipData(corpus, batch_size=n_train // 4).batch_size == n_train // 4 and capsys.readouterr().err == ""
    for size in (n_train // 4 + 1, 10**9):
        data = ClipData(corpus, batch_size=size)
        assert len(data.train_dataloader()) == 4
        (line,) = capsys.readouterr().err.splitlines()
        assert line == f"note: batches of {n_train // 4} clips, not of {size}: there are {n_train} training clips"
    with pytest.raises(ValueError, match="batch_size: expected a whole number of at least 1, got 0"):
        ClipData(corpus, batch_size=0)


def test_other_people_s_speech_is_that_of_training_clips_of_all_classes(
    tone_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = ClipData(open_corpus(None, root=tone_folder, sample_rate=8000), batch_size=8)
    store = data.corpus.store
    rows, length = store.indices("train"), store.waveforms.shape[1]
    assert torch.equal(data.speech, torch.from_numpy(store.waveforms[rows].copy()).flatten())
    monkeypatch.setattr("audionet.training.data.MOST_SPEECH", 9)
    few = data.speech.view(9, length)
    drawn = [int((store.waveforms[rows] == clip.numpy()).all(1).argmax()) for clip in few]
    assert {data.corpus.label_index[rows[row]] for row in drawn} == {0, 1, 2}
    silences = np.zeros(len(store), bool)
    silences[rows[:-1]] = True
    monkeypatch.setattr(type(data.corpus), "made_silences", silences)
    assert torch.equal(data.speech, torch.from_numpy(store.waveforms[rows[-1]].copy()))


def test_one_class_is_refused(tone_folder: Path) -> None:
    for label in ("low", "middle"):
        shutil.rmtree(tone_folder / label)
    corpus = open_corpus(None, root=tone_folder, sample_rate=8000)
    with pytest.raises(ValueError, match=r"corpus: expected at least two classes, got \['high'\]; add a folder"):
        ClipData(corpus)


def test_a_corpus_without_test_clips_is_refused_before_training(tone_folder: Path) -> None:
    (tone_folder / "testing_list.txt").write_text("")
    data = ClipData(open_corpus(None, root=tone_folder, sample_rate=8000), batch_size=16)
    with pytest.raises(ValueError, match="corpus: expected clips to test on in this split of tones, got 0; add rec"):
        fit_and_test(LightningModule(), data, output=tone_folder.parent / "out", monitor=None)


def test_a_root_alone_is_the_user_s_folder_and_a_card_that_reads_none_is_refused(tone_folder: Path) -> None:
    assert open_corpus(root=tone_folder, sample_rate=8000).labels == ("high", "low", "middle")
    assert open_corpus("auto", root=tone_folder, sample_rate=8000).card.name == "tones"
    with pytest.raises(ValueError, match="root: expected none with the card words, whose .* --data.card null reads"):
        open_corpus("words", root=tone_folder)
    with pytest.raises(ValueError, match="root: expected a folder .*tones/recordings, got none; .*--data.card null"):
        open_corpus("fsdd", root=tone_folder)
    with pytest.raises(ValueError, match="synthetic: expected none with the card words, whose clips are all synthetic"):
        open_corpus("words", synthetic=100)
    with pytest.raises(ValueError, match="synthetic: expected a whole number of at least 0, got -1"):
        open_corpus(root=tone_folder, synthetic=-1)


def test_a_root_with_a_card_of_its_own_is_read_by_it(digits: Path) -> None:
    corpus = open_corpus(root=digits, sample_rate=8000, clip_seconds=0.1, workers=1)
    assert corpus.card.name == "mini" and corpus.labels == ("zero", "one")


def test_an_empty_root_is_no_folder(tone_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tone_folder)  # as where a variable of the shell is not set
    with pytest.raises(ValueError, match="root: expected a folder, got ''"):
        open_corpus(root="")


@pytest.mark.parametrize("name", ["nowhere", "archive.zip"])
def test_a_root_that_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "archive.zip").touch()
    with pytest.raises(ValueError, match=f"root: expected a folder of class folders, got '.*{name}'; see its path"):
        open_corpus(root=tmp_path / name)


def test_a_word_without_training_clips_is_refused_and_one_without_test_clips_is_named(
    tone_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lists = {name: [f"{name}/{number:02d}.wav" for number in range(40)] for name in ("low", "high")}
    (tone_folder / "testing_list.txt").write_text("\n".join(lists["low"]))
    with pytest.raises(ValueError, match="corpus tones: expected training clips of each class, got none of low; add"):
        open_corpus(root=tone_folder, sample_rate=8000)
    (tone_folder / "testing_list.txt").write_text("\n".join(lists["low"][:3] + lists["high"][:3]))
    capsys.readouterr()
    corpus = open_corpus(root=tone_folder, sample_rate=8000)
    assert corpus.untested == ("middle",)
    assert capsys.readouterr().err == (
        "note: tones: 3 classes (high, low, middle), 120 clips (train 114, validation 0, test 6)\n"
        "note: tones: no test clips, and so no score, of middle\n"
    )
    for first in (3, 0):  # what is left out may be all that a word could learn from, or all of the word
        for number in range(first, 40):
            (tone_folder / "low" / f"{number:02d}.wav").write_bytes(b"RIFF")
        with pytest.warns(UserWarning, match="left out"), pytest.raises(ValueError, match="got none of low; add"):
            open_corpus(root=tone_folder, sample_rate=8000, skip_bad=True)


def test_recordings_that_are_in_two_classes_or_splits_are_named(
    tone_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = (tone_folder / "low" / "00.wav").read_bytes()
    for copy in ("high/00.wav", "low/01.wav", "low/39.wav"):
        (tone_folder / copy).write_bytes(recording)
    for number in (2, 3):  # silence is said on its own
        save_audio(tone_folder / "low" / f"{number:02d}.wav", np.zeros(4000, np.float32), 8000)
    (tone_folder / "testing_list.txt").write_text("low/39.wav\nlow/03.wav\nmiddle/01.wav\nhigh/01.wav\n")
    for _ in range(2):  # built, and opened again
        open_corpus(root=tone_folder, sample_rate=8000)
        assert [line for line in capsys.readouterr().err.splitlines() if "the same" in line] == [
            "note: tones: the same recording is in two classes: "
            "low/00.wav (high/00.wav), low/01.wav (high/00.wav), low/39.wav (high/00.wav)",
            "note: tones: the same recording is in two splits: low/39.wav (high/00.wav)",
        ]


def test_clips_without_sound_are_counted_and_named_and_get_no_noise(
    tone_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        save_audio(tone_folder / "low" / f"{number:02d}.wav", np.full(4000, 0.1 * number, np.float32), 8000)
    for _ in range(2):  # built, and opened again
        corpus = open_corpus(root=tone_folder, sample_rate=8000)
        said = "3 clips hold no sound but keep their labels: low/00.wav, low/01.wav, low/02.wav"
        assert capsys.readouterr().err.splitlines()[1:] == [f"note: tones: {said}"]
    assert not corpus.made_silences.any()
    batches = list(ClipData(corpus).train_dataloader())
    assert len(batches) == 4 and not any(batch["silence"].any() for batch in batches)


def test_the_made_silences_are_the_training_clips_of_the_silence_class() -> None:
    pytest.importorskip("espeakng_loader", reason="the extra `synth` is not installed")
    card = read_card("words")
    assert isinstance(card.layout, SynthesisLayout)
    card = replace(card, layout=replace(card.layout, words=("yes", "no"), unknown=(), clips_per_label=10))
    card = replace(card, labels=replace(card.labels, keep=("yes", "no"), unknown=None))
    corpus = open_corpus(card, sample_rate=8000, engines=["espeak"])
    made = [path for path, is_made in zip(corpus.store.paths, corpus.made_silences, strict=True) if is_made]
    assert made == ["_silence_/train/0", "_silence_/train/1"]


# ---- windows for generation ---------------------------------------------------------------------------------------

CARD = """
name: mini
title: Two digits by two speakers
description: Made up.
homepage: none
license: none
citation: none
sample_rate: 8000
layout:
  kind: pattern
  folder: recordings
  pattern: "(?P<label>[0-9])_(?P<speaker>[a-z]+)_(?P<index>[0-9]+)[.]wav"
  labels: {"0": zero, "1": one}
split: official
splits:
  official: {kind: field, field: index, names: {"0": test, "1": test, "2": validation}, others: train}
  unvalidated: {kind: field, field: index, names: {"0": test, "1": test}, others: train}
  leave_one_speaker_out: {kind: speaker}
labels:
  keep: [zero, one]
"""
WINDOW: dict[str, Any] = {
    "context": 31,
    "window_seconds": 0.04,
    "batch_size": 4,
    "conditions": ["label", "speaker"],
}


def length_of(path: Path) -> int:
    """Samples of the made-up recording: around windows of 320 samples and beyond rows of 800."""
    label, speaker, index = path.stem.split("_")
    return 300 + 80 * int(index) + 10 * int(label) + len(speaker)


@pytest.fixture
def digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a corpus of two labels, two speakers and eight recordings of each, and its card."""
    monkeypatch.setenv("AUDIONET_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "mini"
    (folder / "recordings").mkdir(parents=True)
    (folder / "card.yaml").write_text(CARD)
    generator = np.random.default_rng(0)
    for label in "01":
        for speaker in ("anna", "ben"):
            for index in range(8):
                path = folder / "recordings" / f"{label}_{speaker}_{index}.wav"
                save_audio(path, generator.uniform(-0.5, 0.5, length_of(path)).astype(np.float32), 8000)
    return folder


def digit_corpus(folder: Path, **changes: Any) -> Corpus:
    return open_corpus(folder, root=folder, sample_rate=8000, clip_seconds=0.1, workers=1, **changes)


def crop_data(folder: Path, **changes: Any) -> CropData:
    return CropData(digit_corpus(folder), **WINDOW | changes)


def test_categories_are_what_was_trained_on(digits: Path) -> None:
    data = crop_data(digits)
    assert data.categories == {"label": ["zero", "one"], "speaker": ["anna", "ben"]}
    assert crop_data(digits, conditions=["speaker"]).categories == {"speaker": ["anna", "ben"]}
    assert crop_data(digits, conditions=[]).categories == {}
    assert data.crops.window == 320 and data.corpus.has_validation
    assert not digit_corpus(digits, split="unvalidated").has_validation


def test_windows_carry_the_conditions_of_their_clips(digits: Path) -> None:
    data = crop_data(digits, margin=8)
    by_content = {}
    for number, path in enumerate(data.corpus.store.paths):
        label, speaker, _ = Path(path).stem.split("_")
        samples = data.crops.samples(number)
        assert len(samples) == min(length_of(Path(path)), 800)
        by_content.update(
            {samples[place : place + 40].tobytes(): (label, speaker) for place in range(len(samples) - 40)}
        )
    n_windows = 0
    for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader()):
        for batch in loader:
            assert batch["conditions"].keys() == {"label", "speaker"}
            for number, waveform in enumerate(batch["waveform"].numpy()):
                label, speaker = by_content[waveform[8:48].tobytes()]
                assert batch["conditions"]["label"][number] == int(label)
                assert batch["conditions"]["speaker"][number] == ["anna", "ben"].index(speaker)
                n_windows += 1
    assert n_windows >= 40


@pytest.mark.parametrize("hop_length", [1, 16])
def test_every_sample_of_the_test_clips_is_counted_once(digits: Path, hop_length: int) -> None:
    data = crop_data(digits, hop_length=hop_length)
    for split, loader in (("validation", data.val_dataloader()), ("test", data.test_dataloader())):
        counted: Counter[int] = Counter()
        for batch in loader:
            counted.update(batch["waveform"][batch["counted"]].tolist())
        clips, _ = data.recordings(split)
        expected = Counter((np.concatenate(clips) * 32768).astype(int).tolist())
        assert counted == expected, split


def test_training_begins_at_the_trainer_s_place(digits: Path) -> None:
    def windows(epoch: int, batch: int, **trainer: object) -> list[bytes]:
        data = crop_data(digits)
        loop = SimpleNamespace(batch_idx=batch - 1)
        alone = {"global_rank": 0, "world_size": 1, "training": True, "overfit_batches": 0.0}
        data.trainer = SimpleNamespace(current_epoch=epoch, fit_loop=loop, **alone | trainer)  # type: ignore[assignment]
        return [each["waveform"].numpy().tobytes() for each in data.train_dataloader()]

    first, second = windows(0, 0), windows(1, 0)
    assert len(set(first + second)) == 10  # 2 * 2 * 5 clips
    assert windows(0, 3) == first[3:] and windows(1, 4) == second[4:]
    assert windows(1, 0, overfit_batches=2) == first


def test_without_validation_clips_there_is_no_validation(digits: Path) -> None:
    data = CropData(digit_corpus(digits, split="unvalidated"), **WINDOW)
    assert data.val_dataloader() == [] and len(data.test_dataloader()) > 0


def test_examples_and_recordings_come_with_their_values(digits: Path) -> None:
    data = crop_data(digits)
    waveforms, values = data.examples(4)
    assert waveforms.shape == (4, 800) and waveforms.dtype == torch.float32
    assert values == {"label": ["zero", "zero", "one", "one"], "speaker": ["anna", "ben", "anna", "ben"]}
    recordings, values = data.recordings("test")
    for path, recording, label in zip(
        sorted((digits / "recordings").glob("*_[01].wav")), recordings, values["label"], strict=True
    ):
        np.testing.assert_array_equal(recording, read_mono(path, 8000, length_of(path)))
        assert label == ["zero", "one"][int(path.name[0])]


def test_windows_that_do_not_fit_are_refused(digits: Path, tone_folder: Path) -> None:
    with pytest.raises(ValueError, match="conditions: expected one of label, speaker, got 'pitch'; leave it out"):
        crop_data(digits, conditions=["label", "pitch"])
    with pytest.raises(ValueError, match="conditions: expected what tones names of its clips, got 'speaker'; leave it"):
        open_corpus(None, root=tone_folder, sample_rate=8000).categories(["speaker"])
    without_ben = digit_corpus(digits, split="leave_one_speaker_out", test_speaker="ben")
    with pytest.raises(
        ValueError, match="conditions: expected each speaker among the training clips, got ben; leave it"
    ):
        CropData(without_ben, **WINDOW)
    assert without_ben.categories(["label"]) == {"label": ["zero", "one"]}


def test_usual_lengths_are_the_middle_ones_of_the_training_clips(digits: Path) -> None:
    data = crop_data(digits)
    train = data.corpus.store.indices("train")
    lengths, values = data.corpus.store.lengths[train].clip(max=800), data.values(train)
    assert data.typical_length == int(np.median(lengths))
    assert data.value_lengths == {
        name: {value: int(np.median(lengths[np.array(values[name]) == value])) for value in known}
        for name, known in data.categories.items()
    }
    assert len(set(data.value_lengths["label"].values())) == 2


@pytest.mark.parametrize(
    ("context", "hop_length", "fits"),
    [
        (319, 1, True),
        (320, 1, False),
        (2047, 1, False),
        (270, 50, False),
        (250, 50, True),
        (251, 50, False),
        (31, 320, False),
    ],
)
def test_a_window_must_be_longer_than_its_context(digits: Path, context: int, hop_length: int, fits: bool) -> None:
    if fits:
        data = crop_data(digits, context=context, hop_length=hop_length)
        assert all(batch["counted"].any() for batch in data.train_dataloader())
        assert sum(int(batch["counted"].sum()) for batch in data.test_dataloader()) == sum(
            len(clip) for clip in data.recordings("test")[0]
        )
    else:
        with pytest.raises(ValueError, match=rf"window_seconds: .* field of {context} samples, got .*; give"):
            crop_data(digits, context=context, hop_length=hop_length)


def test_an_epoch_of_few_clips_draws_several_windows_of_each(digits: Path) -> None:
    n_train = len(crop_data(digits).corpus.store.indices("train"))
    for epoch_batches in (1, 7, 100):
        data = crop_data(digits, epoch_batches=epoch_batches)
        loader = data.train_dataloader()
        assert epoch_batches <= len(loader) < epoch_batches + n_train / data.batch_size + 1
        drawn = Counter(loader.items.tolist())
        assert set(drawn) == {*data.corpus.store.indices("train").tolist()} and len({*drawn.values()}) == 1
    with pytest.raises(ValueError, match="epoch_batches: expected a whole number of at least 1, got 0"):
        crop_data(digits, epoch_batches=0)


def test_a_window_holds_a_fifth_of_a_second_beside_its_context_unless_another_is_asked_for(digits: Path) -> None:
    assert crop_data(digits, window_seconds=None, context=100, hop_length=10).crops.window == 1700
