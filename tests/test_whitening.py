"""Whitening of embeddings within a class."""

import numpy as np
import pytest
import torch

from audionet.training import whiten


def words(n_words=30, n_clips=20, channels=6, seed=0):
    """Embeddings of words whose voices differ most in a direction that tells no word."""
    generator = np.random.default_rng(seed)
    means = generator.normal(size=(n_words, channels)) * np.array([1, 1, 1, 1, 1, 0.1])
    voices = generator.normal(size=(n_words, n_clips, channels)) * np.array([0.2, 0.2, 0.2, 0.2, 0.2, 5.0])
    embeddings = (means[:, None] + voices + 3).reshape(-1, channels)
    return embeddings, np.repeat(np.arange(n_words), n_clips)


def test_within_a_class_all_directions_vary_alike_and_the_mean_is_zero():
    embeddings, labels = words()
    layer = whiten(embeddings, labels, shrinkage=0.0)
    white = layer(torch.from_numpy(embeddings).float()).detach().numpy()
    np.testing.assert_allclose(white.mean(0), 0, atol=1e-4)
    within = np.concatenate([white[labels == word] - white[labels == word].mean(0) for word in range(30)])
    np.testing.assert_allclose(within.T @ within / (600 - 30), np.eye(6), atol=1e-4)


def test_one_recording_a_word_is_enough_where_it_was_not():
    embeddings, labels = words()
    unseen, same = words(seed=1)[0], words(seed=1)[1]
    layer = whiten(embeddings, labels, shrinkage=0.01)

    def right(x):
        """The share that is nearest to its own word's first clip."""
        first = x[::20]
        return float((torch.cdist(x, first).argmin(1).numpy() == same).mean())

    x = torch.from_numpy(unseen).float()
    assert right(x) < 0.5 and right(layer(x).detach()) > 0.9


def test_shrinkage_bounds_what_is_blown_up():
    embeddings, labels = words()
    embeddings[:, 0] = labels  # never differs within a word
    assert torch.isfinite(whiten(embeddings, labels).weight).all()


@pytest.mark.parametrize(
    ("embeddings", "labels", "shrinkage", "message"),
    [
        (np.zeros(4), [0, 0, 1, 1], 0.3, r"embeddings: expected \(clip, channels\)"),
        (np.full((2, 2), np.nan), [0, 0], 0.3, "embeddings: expected .*finite"),
        (np.eye(2), [0, 0, 1], 0.3, r"labels: expected \(2,\)"),
        (np.eye(2), [0, 1], 0.3, "labels: expected two clips of a word"),
        (np.eye(2), [0, 0], -0.1, "shrinkage: expected at least 0"),
    ],
)
def test_what_cannot_be_whitened_is_refused(embeddings, labels, shrinkage, message):
    with pytest.raises(ValueError, match=message):
        whiten(embeddings, np.array(labels), shrinkage=shrinkage)
