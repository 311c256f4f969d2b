"""The head of few recordings: the numbers of scikit-learn on directions of embeddings, copies and seeds."""

from typing import Any

import numpy as np
import pytest
import torch

from audionet import augment, features, models
from audionet.training.head import Copies, copies_for, embed_copies, fit_head


def problem(n=60, channels=5, n_classes=4, seed=0):
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, n_classes, n)
    labels[:n_classes] = np.arange(n_classes)
    centres = draw.normal(size=(n_classes, channels))
    # Channels of different scales and means, as those of networks are; all of one length, for which the layer is exact.
    embeddings = (centres[labels] + draw.normal(size=(n, channels))) * 2.0 ** np.arange(-2, channels - 2) + 1
    return 3 * embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True), labels


def of_sklearn(embeddings, labels, weights=None, **arguments):
    pytest.importorskip("sklearn")
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    scale = FunctionTransformer(lambda x: 10 * x / np.linalg.norm(x, axis=1, keepdims=True))
    model = make_pipeline(scale, LogisticRegression(fit_intercept=False, tol=1e-10, max_iter=10_000, **arguments))
    return model.fit(embeddings, labels, logisticregression__sample_weight=weights)


def probabilities(head, embeddings):
    with torch.inference_mode():
        return head.double()(torch.from_numpy(embeddings)).softmax(-1).numpy()


@pytest.mark.parametrize("c", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("balanced", [False, True])
def test_it_is_scikit_learns_logistic_regression(c, balanced):
    embeddings, labels = problem()
    expected = of_sklearn(embeddings, labels, C=c, class_weight="balanced" if balanced else None)
    found = fit_head(embeddings, labels, c=c, balanced=balanced)
    np.testing.assert_allclose(probabilities(found, embeddings), expected.predict_proba(embeddings), atol=2e-5)


def test_weights_are_scikit_learns_and_copies_of_a_clip_count_as_one_together():
    embeddings, labels = problem(n=90)
    weights = np.random.default_rng(3).uniform(0, 2, 90)
    expected = of_sklearn(embeddings, labels, weights, C=0.5)
    found = fit_head(embeddings, labels, weights=weights, c=0.5, balanced=False)
    np.testing.assert_allclose(probabilities(found, embeddings), expected.predict_proba(embeddings), atol=2e-5)
    clip = torch.arange(30).repeat(4)[:100]  # of the last ten, three copies each; of the others four
    rows = torch.from_numpy(embeddings[:30])[clip]
    once = fit_head(embeddings[:30], labels[:30])
    copies = Copies(rows.float(), clip)
    assert copies.n_clips == 30 and copies.weights.sum() == pytest.approx(30)
    same = fit_head(rows, torch.from_numpy(labels[:30])[clip], weights=copies.weights)
    np.testing.assert_allclose(probabilities(once, embeddings), probabilities(same, embeddings), atol=2e-5)


def test_the_same_input_gives_the_same_layer_and_no_random_numbers_matter():
    embeddings, labels = problem()
    torch.manual_seed(1)
    first = fit_head(embeddings, labels)
    torch.manual_seed(2)
    second = fit_head(embeddings, labels)
    assert torch.equal(first.weight, second.weight) and torch.equal(first.bias, second.bias)
    assert first.weight.dtype == torch.float32 and first.weight.requires_grad


def test_balanced_classes_count_alike():
    draw = np.random.default_rng(0)
    angle = np.concatenate([draw.normal(0, 0.2, 190), draw.normal(0.2, 0.2, 10)])
    embeddings = np.stack([np.cos(angle), np.sin(angle)], 1)
    labels = np.repeat([0, 1], [190, 10])
    middle = np.array([[np.cos(0.1), np.sin(0.1)]])
    assert probabilities(fit_head(embeddings, labels, balanced=False), middle)[0, 1] < 0.2
    assert probabilities(fit_head(embeddings, labels), middle)[0, 1] == pytest.approx(0.5, abs=0.1)


def test_the_length_of_an_embedding_tells_no_word():
    embeddings, labels = problem()
    lengths = np.random.default_rng(1).uniform(0.1, 10, (len(embeddings), 1))
    head, other = fit_head(embeddings, labels), fit_head(embeddings * lengths, labels)
    assert np.array_equal(
        probabilities(head, embeddings).argmax(1), probabilities(other, embeddings * lengths.mean()).argmax(1)
    )
    embeddings[0] = 0.0  # as of a dead network
    assert fit_head(embeddings, labels).weight.isfinite().all()


@pytest.mark.parametrize(
    ("embeddings", "labels", "arguments", "message"),
    [
        (np.zeros(4), [0, 1, 0, 1], {}, r"embeddings: expected \(row, channels\)"),
        (np.zeros((0, 4)), [], {}, r"embeddings: expected \(row, channels\)"),
        (np.full((2, 2), np.nan), [0, 1], {}, "embeddings: expected finite numbers, got others in rows 0, 1"),
        (np.zeros((2, 2)), [0, 1], {}, "embeddings: expected some other than zero"),
        (np.eye(2), [0, 1, 1], {}, r"labels: expected \(2,\) whole numbers from 0 on"),
        (np.eye(2), [0.0, 1.0], {}, r"labels: expected \(2,\) whole numbers from 0 on"),
        (np.eye(2), [-1, 1], {}, r"labels: expected \(2,\) whole numbers from 0 on"),
        (np.eye(2), [0, 0], {}, "labels: expected those of 1 classes"),
        (np.eye(2), [0, 5], {"n_classes": 3}, "labels: expected those of 3 classes, got 5"),
        (np.eye(3), [0, 0, 2], {}, r"labels: expected clips of each class, got none of \[1\]; add recordings"),
        (np.eye(2), [0, 1], {"weights": [1.0]}, r"weights: expected \(2,\) finite numbers from 0 on"),
        (np.eye(2), [0, 1], {"weights": [1.0, -1.0]}, r"weights: expected \(2,\) finite numbers from 0 on"),
        (np.eye(2), [0, 1], {"c": 0}, "c: expected more than 0, got 0"),
    ],
)
def test_what_cannot_be_fitted_is_refused(embeddings, labels, arguments, message):
    with pytest.raises(ValueError, match=message):
        fit_head(embeddings, np.array(labels), **arguments)


@pytest.fixture
def parts():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network: Any = models.create("tcresnet", n_classes=0, n_bands=20)
    return {"front_end": features.LogMel(sample_rate=8000, n_mels=20), "network": network}


def clips(n=5):
    return np.random.default_rng(1).integers(-9000, 9000, (n, 4000)).astype(np.int16)


def test_the_first_embeddings_are_those_of_the_clips(parts):
    parts["network"].train()
    numbers = np.array([0, 2, 1, 0, 2])
    gain = augment.Gain(min_db=-0.5, max_db=0.5)  # little, so that a copy is nearest to its own clip
    found = embed_copies(clips(), **parts, augment=gain, n_copies=numbers, batch_size=3)
    assert found.embeddings.shape == (10, 48) and parts["network"].training
    assert found.clip.tolist() == [0, 1, 2, 3, 4, 1, 2, 4, 1, 4]
    network = parts["network"].eval()
    with torch.inference_mode():
        expected = network.embed(parts["front_end"](torch.from_numpy(clips() / np.float32(32768))[:, None]))
    # Batches of another size add in another order.
    torch.testing.assert_close(found.embeddings[:5], expected, atol=1e-5, rtol=0)
    distance = (found.embeddings[5:] - expected[found.clip[5:]]).norm(dim=-1)
    others = torch.cdist(found.embeddings[5:], expected)
    assert distance.min() > 1e-4 and torch.equal(others.argmin(-1), found.clip[5:])
    alone = embed_copies(clips(), **parts)
    torch.testing.assert_close(alone.embeddings, expected, atol=1e-5, rtol=0)


def test_copies_follow_from_the_seed(parts):
    def copies(seed):
        return embed_copies(clips(), **parts, augment=augment.Gain(), n_copies=2, seed=seed).embeddings

    assert torch.equal(copies(0), copies(0)) and not torch.equal(copies(0)[5:], copies(1)[5:])
    assert torch.equal(copies(0)[:5], copies(1)[:5]) and not torch.equal(copies(0)[5:10], copies(0)[10:])


def test_silences_are_filled_with_noise(parts):
    background = torch.randn(9000, generator=torch.Generator().manual_seed(0))
    chain = augment.Augment({"noise": {"max_amplitude": 0.0}}, sample_rate=8000, background=background)
    silence = np.array([True, False])
    found = embed_copies(np.zeros((2, 4000), np.int16), **parts, augment=chain, n_copies=1, silence=silence).embeddings
    assert torch.equal(found[1], found[3]) and not torch.equal(found[0], found[2])


def test_few_recordings_get_more_copies_than_many():
    numbers = [int(copies_for(np.zeros(n, int))[0]) for n in (1, 5, 10, 100, 150, 200, 10_000)]
    assert numbers == [20, 20, 19, 1, 1, 0, 0]
    labels = np.repeat(np.arange(1000), 10)  # of many words, fewer each
    assert (copies_for(labels) == 1).all()


def test_copies_that_cannot_be_made_are_refused(parts):
    with pytest.raises(ValueError, match="n_copies: expected 0 without augmentations, got 2"):
        embed_copies(clips(), **parts, n_copies=2)
    with pytest.raises(ValueError, match=r"waveforms: expected \(clip, time\), at least one, got \(0, 4000\)"):
        embed_copies(clips(0), **parts)
    with pytest.raises(ValueError, match="n_copies: expected a whole number of at least 0, got -1"):
        embed_copies(clips(), **parts, augment=augment.Gain(), n_copies=-1)
