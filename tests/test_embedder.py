"""The embedder: any sound waveform or file gives the network's embedding, anything else a clear refusal."""

from typing import Any

import numpy as np
import pytest
import torch

import audionet
from audionet import audio, bundle, models
from audionet.bundle import BundleError, Part
from audionet.inference import Embedder

NETWORK = {"n_classes": 0, "n_bands": 20}


@pytest.fixture
def path(write_bundle):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = Part("tcresnet", NETWORK, models.create("tcresnet", **NETWORK))
    return write_bundle(task="embedding", labels=(), model=model, training={"data": "made up"})


@pytest.fixture
def embedder(path):
    return audionet.load_embedder(path)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, shape).astype(np.float32)


def test_an_embedding_is_the_networks(embedder, path):
    loaded = bundle.load(path)
    waveform = noise(8000)
    assert loaded.front_end is not None
    with torch.inference_mode():
        expected = loaded.model.module(loaded.front_end.module(torch.from_numpy(waveform)[None, None]))[0]
    found = embedder.embed(waveform, 8000)
    assert isinstance(embedder, Embedder) and isinstance(audionet.load(path), Embedder)
    assert (found.shape, found.dtype) == ((48,), np.float32)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)
    assert np.abs(found - embedder.embed(noise(8000, seed=1), 8000)).max() > 1e-3


def test_it_hears_what_a_recogniser_hears(embedder, write_bundle, tmp_path):
    recognizer = audionet.load_recognizer(write_bundle(tmp_path / "recogniser.safetensors"))
    waveform = noise(2, 30_000)
    clip = recognizer.to_clip(waveform, 22_050)
    found = embedder.embed(waveform, 22_050)
    np.testing.assert_allclose(found, embedder.embed(clip, 8000), atol=1e-6)
    np.testing.assert_allclose(found, embedder.embed_clips(clip[None])[0], atol=1e-6)


def test_files_batches_and_clips_agree(embedder, tmp_path):
    paths = [tmp_path / f"{number}.wav" for number in range(5)]
    for number, path in enumerate(paths):
        audio.save_audio(path, noise(4000 + 1000 * number, seed=number), 8000)
    one_by_one = [embedder.embed_file(path) for path in paths]
    np.testing.assert_array_equal(embedder.embed_file(paths[0].read_bytes()), one_by_one[0])
    found = list(embedder.embed_files([*paths[:2], tmp_path / "missing.wav", *paths[2:]], batch_size=4))
    assert isinstance(found[2], audio.AudioError) and "missing.wav" in str(found[2])
    # Convolutions of another batch size add in another order.
    np.testing.assert_allclose(np.stack(found[:2] + found[3:]), one_by_one, atol=1e-5)
    clips = np.stack([audio.read_mono(path, 8000, 8000) for path in paths])
    np.testing.assert_allclose(embedder.embed_clips(clips, batch_size=2), one_by_one, atol=1e-5)
    np.testing.assert_allclose(embedder.embed_clips(torch.from_numpy(clips).double()), one_by_one, atol=1e-5)
    # A rounding of 2^-16 at most; the logarithm of quiet bands enlarges it.
    np.testing.assert_allclose(embedder.embed_clips(audio.to_int16(clips)), one_by_one, atol=1e-2)
    assert list(embedder.embed_files([])) == []


def test_a_recogniser_embeds_too(write_bundle):
    loaded = bundle.load(write_bundle())
    assert Embedder(loaded).embed(noise(8000), 8000).shape == (48,)
    recognizer = audionet.load_recognizer(write_bundle())
    with torch.inference_mode():
        network: Any = recognizer.network
        head = network.head(torch.from_numpy(Embedder(loaded).embed(noise(8000), 8000))[None])
    expected = dict(recognizer.recognize(noise(8000), 8000))
    assert head.softmax(-1)[0].tolist() == pytest.approx([expected[label] for label in recognizer.labels], abs=1e-5)


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        (np.zeros(8000, np.float32), r"clips: expected \(clip, time\), float or int16, at least one, got \(\(8000,\)"),
        (np.zeros((0, 8000), np.float32), r"at least one, got \(\(0, 8000\)"),
        (np.zeros((1, 8000), np.int32), "float or int16"),
    ],
)
def test_clips_of_another_form_are_refused(embedder, clips, message):
    with pytest.raises(ValueError, match=message):
        embedder.embed_clips(clips)


def test_bad_input_is_refused(embedder, tmp_path):
    with pytest.raises(ValueError, match=r"sample_rate: .* such as embed\(waveform, sample_rate=16_000\)"):
        embedder.embed(noise(8000))
    with pytest.raises(ValueError, match=r"got 'str'; for a file call embed_file\(path\)"):
        embedder.embed("a.wav", 8000)
    with pytest.raises(ValueError, match=r"sources: expected several files, got 'a.wav'; .*embed_file"):
        list(embedder.embed_files("a.wav"))
    with pytest.raises(ValueError, match="batch_size: expected a whole number of at least 1, got 0"):
        embedder.embed_clips(noise(1, 8000), batch_size=0)
    with pytest.raises(audio.AudioError, match=r"missing\.wav"):
        embedder.embed_file(tmp_path / "missing.wav")
    with pytest.warns(audio.AudioWarning, match="waveform: lasts 3.0 s, and only"):
        embedder.embed(noise(24_000), 8000)


def test_it_says_what_it_is(embedder):
    assert repr(embedder) == "<Embedder: tcresnet on LogMel, clips of 1 s at 8000 Hz, on cpu>"
    with pytest.raises(ValueError, match="device: expected one of cpu"):
        Embedder(embedder.bundle, "tpu")


def test_a_bundle_that_makes_no_embeddings_is_refused(write_bundle, tmp_path):
    with pytest.raises(ValueError, match="bundle: expected a front-end, and a network with embed, got 'wavenet'"):
        Embedder(bundle.load("digits", task="generation"))
    path = write_bundle()
    with pytest.raises(BundleError, match=r"expected 'embedding', got 'recognition'; use it with `audionet recognize`"):
        audionet.load_embedder(path)
    whole = bundle.load(path)
    for changes, message in (
        ({"labels": ()}, r"model: expected n_classes=0, a network without a classifier, got 10"),
        ({"labels": ("yes", "no")}, "labels: expected none for an embedding"),
        ({"labels": (), "front_end": None}, "front_end: expected one, got none"),
    ):
        with pytest.raises(BundleError, match=f"do not fit together for embedding: {message}"):
            write_bundle(tmp_path / "new.safetensors", task="embedding", model=whole.model, **changes)


def test_an_embedding_is_named_by_its_task(path, monkeypatch, tmp_path):
    with pytest.raises(
        BundleError, match="expected 'recognition', got 'embedding'; use it with audionet.load or a rec"
    ):
        audionet.load_recognizer(path)
    monkeypatch.setattr(bundle, "SHIPPED", tmp_path)
    (tmp_path / "embedding").mkdir()
    path.rename(tmp_path / "embedding" / "embedding.safetensors")
    assert bundle.shipped("embedding") == ["embedding"]
    assert isinstance(audionet.load("embedding"), Embedder) and audionet.load_embedder().clip_length == 8000
