"""Embeddings of a folder: which recordings are alike, how they lie, and what is taken for what."""

import sys

import numpy as np
import pytest

from audionet import audio, bundle
from audionet.inference import Embedder
from audionet.insight import PROJECTIONS, embed_folder, most_confused, nearest, project


def groups(n=20, channels=6):
    """Embeddings of three groups far apart, and the group of each."""
    draw = np.random.default_rng(1)
    centers = 10 * np.eye(3, channels)
    group = np.repeat(np.arange(3), n)
    return centers[group] + draw.standard_normal((3 * n, channels)), group


@pytest.fixture
def words(tmp_path):
    draw = np.random.default_rng(0)
    for label in ("high", "low"):
        (tmp_path / "words" / label).mkdir(parents=True)
        for number in range(3):
            sound = (0.1 * draw.standard_normal(4000)).astype(np.float32)
            audio.save_audio(tmp_path / "words" / label / f"ann_nohash_{number}.wav", sound, 8000)
    return tmp_path / "words"


def test_a_folder_is_embedded_as_each_file_is_alone(words, write_bundle):
    (words / "low" / "broken.wav").write_bytes(b"RIFF")
    embedder = Embedder(bundle.load(write_bundle()))
    found = embed_folder(embedder, words, batch_size=2)
    assert found.labels == ["high"] * 3 + ["low"] * 3 and found.n_found == 7
    assert [clip.speaker for clip in found.clips] == ["ann"] * 6
    assert len(found.errors) == 1 and "broken.wav" in str(found.errors[0])
    alone = [embedder.embed_file(words / clip.path) for clip in found.clips]
    np.testing.assert_allclose(found.embeddings, alone, atol=1e-5)


def test_of_many_recordings_some_are_drawn_by_the_seed(words, write_bundle):
    embedder = Embedder(bundle.load(write_bundle()))
    drawn = [embed_folder(embedder, words, most=3, seed=seed) for seed in (0, 0, 1, 2, 3)]
    paths = [[clip.path for clip in each.clips] for each in drawn]
    assert all(len(each) == 3 and each == sorted(each) for each in paths)
    assert paths[0] == paths[1] and len({*map(tuple, paths)}) > 1 and drawn[0].n_found == 6


def test_a_folder_in_which_nothing_can_be_read_is_refused(words, write_bundle):
    for path in words.rglob("*.wav"):
        path.write_bytes(b"RIFF")
    with pytest.raises(ValueError, match="expected a file that can be read, got '6 others'"):
        embed_folder(Embedder(bundle.load(write_bundle())), words)


def test_pca_keeps_the_distances_of_points_on_a_plane():
    plane = np.random.default_rng(0).standard_normal((30, 2))
    turned = plane @ np.linalg.qr(np.random.default_rng(1).standard_normal((5, 5)))[0][:2]
    laid = project(turned, "pca")
    between = [np.linalg.norm(points[:, None] - points, axis=-1) for points in (plane, laid)]
    np.testing.assert_allclose(between[0], between[1], atol=1e-9)
    assert np.var(laid[:, 0]) >= np.var(laid[:, 1])


@pytest.mark.parametrize("method", PROJECTIONS)
@pytest.mark.parametrize("fast", [True, False])
def test_groups_stay_together(method, fast, monkeypatch):
    if fast and method == "tsne":
        pytest.importorskip("openTSNE")
    if not fast:
        monkeypatch.setattr("audionet.insight.neighbors.find_spec", lambda _: None)
    embeddings, group = groups()
    laid = project(embeddings, method, seed=5)
    assert laid.shape == (60, 2) and np.isfinite(laid).all()
    np.testing.assert_array_equal(laid, project(embeddings, method, seed=5))
    gap = np.linalg.norm(laid[:, None] - laid, axis=-1) + np.diag(np.full(60, np.inf))
    assert (group[gap.argmin(1)] == group).mean() > 0.95
    assert ("openTSNE" in sys.modules) or not fast or method == "pca"


@pytest.mark.parametrize("method", PROJECTIONS)
def test_clips_that_are_all_alike_lie_in_one_place(method):
    assert not project(np.ones((6, 4)), method).any()


@pytest.mark.parametrize(
    ("embeddings", "method", "words"),
    [
        (np.ones((6, 4)), "umap", "method: expected one of pca, tsne"),
        (np.ones((1, 4)), "pca", "at least 2 for pca, got 1"),
        (np.ones((4, 4)), "tsne", "at least 5 for tsne, got 4"),
        (np.ones(6), "pca", r"rows of numbers, \(row, column\), got \(6,\)"),
        (np.where(np.eye(6), np.nan, 1), "pca", "finite numbers, got others in rows 0, 1, 2 and 3 more"),
    ],
)
def test_what_cannot_be_laid_out(embeddings, method, words):
    with pytest.raises(ValueError, match=words):
        project(embeddings, method)


def test_the_nearest_are_those_of_the_largest_cosine():
    draw = np.random.default_rng(0)
    clips, others = draw.standard_normal((4, 3)), draw.standard_normal((9, 3))
    found = nearest(clips, others, k=3)
    for row, clip in enumerate(clips):
        cosine = [clip @ other / np.sqrt((clip @ clip) * (other @ other)) for other in others]
        best = sorted(range(9), key=lambda each: -cosine[each])[:3]
        assert found.rows[row].tolist() == best
        np.testing.assert_allclose(found.similarity[row], [cosine[each] for each in best], rtol=1e-6)
    assert nearest(clips, others, k=50).rows.shape == (4, 9)
    assert nearest(np.zeros((1, 3)), others, k=1).similarity.tolist() == [[0.0]]
    with pytest.raises(ValueError, match=r"references: expected \(reference, 3\), got \(2, 4\)"):
        nearest(clips, np.ones((2, 4)))


def test_pairs_are_ranked_by_errors_and_then_by_likeness():
    given = np.array(
        [
            [0.6, 0.4, 0.0, 0.0],
            [0.8, 0.2, 0.0, 0.0],
            [0.1, 0.9, 0.0, 0.0],
            [0.0, 0.7, 0.3, 0.0],
            [0.0, 0.0, 0.9, 0.1],
            [0.0, 0.0, 0.2, 0.8],
            [0.9, 0.0, 0.0, 0.1],
        ]
    )
    true = np.array([0, 0, 1, 2, 2, 3, -1])
    first, second, third = most_confused(given, true, most=3)
    assert (first.first, first.second, first.n_errors, first.clips) == (1, 2, 1, (2, 3))
    assert (second.first, second.second, second.n_errors, second.clips) == (0, 1, 0, (0, 2))
    assert second.mean == pytest.approx((0.3 + 0.1) / 2)
    assert {third.first, third.second} == {2, 3}
    assert most_confused(given[:2], true[:2]) == []
    with pytest.raises(ValueError, match=r"true: expected \(7,\), one a clip, got \(2,\)"):
        most_confused(given, true[:2])
