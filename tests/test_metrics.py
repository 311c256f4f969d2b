"""Numbers from arrays: as other libraries give them, in closed form, invariant, and by hand at the edges."""

import math

import librosa
import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import torch
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_confusion_matrix,
    multiclass_f1_score,
    multiclass_precision,
    multiclass_recall,
)

from audionet.metrics import (
    Answers,
    ClassScores,
    accuracy,
    am_score,
    class_accuracy,
    frechet_distance,
    inception_score,
    modified_inception_score,
    per_class,
    stft_distance,
    wilson_interval,
)
from audionet.metrics.generation import MAGNITUDE_FLOOR


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def random_probabilities(n_clips=40, n_classes=5, seed=0):
    return (3 * normal(n_clips, n_classes, seed=seed)).softmax(-1)


# ---- confusion matrix --------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 12])
def test_scores_are_those_of_torchmetrics(n_classes):
    generator = torch.Generator().manual_seed(n_classes)
    true = torch.randint(n_classes - 1, (200,), generator=generator)  # the last class is never present
    guess = torch.randint(1, n_classes, (200,), generator=generator)  # the first is never predicted
    predicted = torch.where(torch.rand(200, generator=generator) < 0.5, true.clamp(min=1), guess)
    confusion = multiclass_confusion_matrix(predicted, true, n_classes)

    scores = per_class(confusion, [f"class {index}" for index in range(n_classes)])

    options = {"num_classes": n_classes, "average": "none", "zero_division": 0}
    for name, reference in (
        ("precision", multiclass_precision),
        ("recall", multiclass_recall),
        ("f1", multiclass_f1_score),
    ):
        ours = [getattr(score, name) for score in scores]
        assert ours == pytest.approx(reference(predicted, true, **options).tolist(), abs=1e-6), name
    assert [score.support for score in scores] == torch.bincount(true, minlength=n_classes).tolist()
    assert accuracy(confusion) == pytest.approx(
        multiclass_accuracy(predicted, true, n_classes, average="micro").item(), abs=1e-6
    )


def test_labels_never_predicted_or_never_present():
    confusion = [
        [3, 0, 1, 0],
        [2, 0, 0, 0],  # never predicted
        [0, 0, 0, 0],  # never present
        [0, 0, 0, 0],  # neither
    ]
    assert per_class(confusion, ["a", "b", "c", "d"]) == [
        ClassScores("a", precision=3 / 5, recall=3 / 4, f1=2 / 3, support=4),
        ClassScores("b", precision=0, recall=0, f1=0, support=2),
        ClassScores("c", precision=0, recall=0, f1=0, support=0),
        ClassScores("d", precision=0, recall=0, f1=0, support=0),
    ]
    assert accuracy(confusion) == 3 / 6


def test_narrow_integers_do_not_overflow():
    confusion = np.array([[200, 100], [0, 200]], np.uint8)
    assert accuracy(confusion) == 0.8
    assert per_class(confusion, ["a", "b"])[0] == ClassScores("a", 1.0, 2 / 3, 0.8, 300)


@pytest.mark.parametrize(
    ("confusion", "words"),
    [
        ([[1, 2, 3], [4, 5, 6]], r"square.*got \(2, 3\)"),
        ([1, 2], r"square.*got \(2,\)"),
        (np.zeros((0, 0)), r"square.*got \(0, 0\)"),
        ([[1, -1], [0, 1]], "finite counts from 0 on"),
        ([[1, float("nan")], [0, 1]], "finite counts from 0 on"),
        ([["a", "b"], ["c", "d"]], "finite counts from 0 on"),
        ([[0, 0], [0, 0]], r"at least one clip, got \[\[0.0, 0.0\]"),
    ],
)
def test_what_is_no_confusion_matrix_is_refused(confusion, words):
    with pytest.raises(ValueError, match=words):
        accuracy(confusion)


def test_labels_must_be_as_many_as_classes():
    with pytest.raises(ValueError, match="labels: expected 2, one a class, got 3"):
        per_class([[1, 0], [0, 1]], ["a", "b", "c"])


# ---- Fréchet distance --------------------------------------------------------------------------------------


def with_moments(mean, covariance, n_clips=50, seed=0):
    """Embeddings whose sample mean and covariance are these exactly."""
    covariance = torch.tensor(covariance, dtype=torch.float64)
    raw = normal(n_clips, len(covariance), seed=seed)
    raw = torch.linalg.qr(raw - raw.mean(0)).Q * math.sqrt(n_clips - 1)  # mean 0, covariance 1
    return raw @ torch.linalg.cholesky(covariance).mT + torch.tensor(mean, dtype=torch.float64)


def test_frechet_distance_of_known_gaussians():
    a = with_moments([1.0, -2.0], [[4.0, 0.0], [0.0, 9.0]])
    b = with_moments([3.0, 1.0], [[1.0, 0.0], [0.0, 25.0]], n_clips=80, seed=1)
    # Covariances that commute: |mean|² + the squared differences of the deviations.
    assert frechet_distance(a, b) == pytest.approx((4 + 9) + (2 - 1) ** 2 + (3 - 5) ** 2, abs=1e-10)
    # In two dimensions tr (C_a C_b)^½ = √(tr C_a C_b + 2 √det C_a C_b).
    first, second = [[2.0, 0.5], [0.5, 1.0]], [[1.0, -0.3], [-0.3, 3.0]]
    product = np.array(first) @ np.array(second)
    expected = 3 + 4 - 2 * math.sqrt(np.trace(product) + 2 * math.sqrt(np.linalg.det(product)))
    c, d = with_moments([0.0, 0.0], first), with_moments([0.0, 0.0], second, seed=1)
    assert frechet_distance(c, d) == pytest.approx(expected, abs=1e-10)


def test_frechet_distance_is_that_of_scipys_matrix_root():
    a = normal(300, 20) @ normal(20, 20, seed=1)
    b = normal(200, 20, seed=2) @ normal(20, 20, seed=3) + 0.5
    root = scipy.linalg.sqrtm(np.cov(a.T) @ np.cov(b.T)).real
    means = a.mean(0) - b.mean(0)
    expected = float(means @ means) + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(a.float(), b.float()) == pytest.approx(expected, rel=1e-5)


def test_frechet_distance_does_not_depend_on_the_view():
    a, b = normal(60, 4), 2 * normal(50, 4, seed=1) + 1
    distance = frechet_distance(a, b)
    rotation = torch.linalg.qr(normal(4, 4, seed=2)).Q
    assert frechet_distance(b, a) == pytest.approx(distance)
    assert frechet_distance(a.flip(0), b.flip(0)) == pytest.approx(distance)
    assert frechet_distance(a @ rotation + 7, b @ rotation + 7) == pytest.approx(distance)
    assert frechet_distance(3 * a, 3 * b) == pytest.approx(9 * distance)


def test_frechet_distance_of_equal_or_degenerate_embeddings():
    a = normal(60, 4)
    a[:, 1] = 5  # a feature that never moves
    a[:, 3] = a[:, 0]
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-12)
    assert frechet_distance(a, a + 2) == pytest.approx(16)
    assert frechet_distance(1e-8 * a, 1e-8 * a + 1e-4) == pytest.approx(4e-8, rel=1e-6)


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (torch.zeros(4, 4), torch.zeros(9, 4), "at least 5 clips for the covariance of 4 channels, got 4"),
        (torch.zeros(9, 4), torch.zeros(1, 4), "at least 5 clips .*got 1"),
        (torch.zeros(9, 4), torch.zeros(9, 3), r"of one width, got \(\(9, 4\), \(9, 3\)\)"),
        (torch.zeros(9), torch.zeros(9), r"got \(\(9,\), "),
        (torch.zeros(9, 4), torch.eye(9)[:, :4] / torch.eye(9)[:, :4], "finite numbers, got others in rows 0"),
    ],
)
def test_embeddings_that_do_not_fit_are_refused(a, b, words):
    with pytest.raises(ValueError, match=words):
        frechet_distance(a, b)


# ---- scores of probabilities -------------------------------------------------------------------------------


def test_scores_are_those_counted_by_scipy():
    probabilities, train = random_probabilities(), random_probabilities(seed=1).mean(0)
    p = probabilities.numpy()
    inception = np.exp(np.mean([scipy.stats.entropy(row, p.mean(0)) for row in p]))
    modified = np.exp(np.mean([scipy.stats.entropy(row, other) for row in p for other in p]))
    am = scipy.stats.entropy(train.numpy(), p.mean(0)) + np.mean([scipy.stats.entropy(row) for row in p])
    assert inception_score(probabilities) == pytest.approx(inception, rel=1e-12)
    assert modified_inception_score(probabilities) == pytest.approx(modified, rel=1e-12)
    assert am_score(train, probabilities) == pytest.approx(am, rel=1e-12)


def test_scores_of_perfect_clips():
    perfect, even = torch.eye(10).repeat(3, 1), torch.full((10,), 0.1)
    assert inception_score(perfect) == pytest.approx(10)
    assert modified_inception_score(perfect) == math.inf
    assert am_score(even, perfect) == pytest.approx(0, abs=1e-6)  # 0.1 in float32
    assert class_accuracy(perfect, torch.arange(10).repeat(3)) == 1


def test_scores_of_clips_that_say_nothing():
    unclear, even = torch.full((7, 10), 0.1, dtype=torch.float64), torch.full((10,), 0.1, dtype=torch.float64)
    assert inception_score(unclear) == pytest.approx(1)
    assert modified_inception_score(unclear) == pytest.approx(1)
    assert am_score(even, unclear) == pytest.approx(math.log(10))


def test_scores_of_clips_that_all_say_the_same():
    same = torch.eye(4)[:1].repeat(6, 1)  # three labels are impossible for all: they do not matter
    assert inception_score(same) == pytest.approx(1)
    assert modified_inception_score(same) == pytest.approx(1)
    assert am_score(torch.tensor([1.0, 0, 0, 0]), same) == pytest.approx(0)
    assert am_score(torch.full((4,), 0.25), same) == math.inf


def test_modified_inception_score_by_hand():
    p, q = 0.9, 0.2
    there = p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
    back = q * math.log(q / p) + (1 - q) * math.log((1 - q) / (1 - p))
    probabilities = torch.tensor([[p, 1 - p], [q, 1 - q]], dtype=torch.float64)
    assert modified_inception_score(probabilities) == pytest.approx(math.exp((there + back) / 4), rel=1e-12)


def test_scores_do_not_depend_on_the_order():
    probabilities, train = random_probabilities(), random_probabilities(seed=1).mean(0)
    shuffled = probabilities.flip(0)
    for score in (inception_score, modified_inception_score):
        assert score(shuffled) == pytest.approx(score(probabilities))
        assert score(probabilities.flip(1)) == pytest.approx(score(probabilities))
        assert score(probabilities.repeat(2, 1)) == pytest.approx(score(probabilities))
    assert am_score(train.flip(0), shuffled.flip(1)) == pytest.approx(am_score(train, probabilities))


def test_class_accuracy():
    probabilities = torch.tensor([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.5, 0.4], [0.0, 0.1, 0.9]])
    assert class_accuracy(probabilities, [0, 1, 2, 2]) == 0.75
    assert class_accuracy(probabilities, torch.tensor([1, 0, 0, 0])) == 0


@pytest.mark.parametrize(
    ("probabilities", "words"),
    [
        (torch.tensor([[0.5, 0.5], [3.0, -2.0]]), "got others in rows 1; .*softmax"),
        (torch.tensor([[0.5, 0.6]]), "got others in rows 0;"),
        (torch.tensor([[0.5, torch.nan]]), "got others in rows 0;"),
        (torch.tensor([0.5, 0.5]), r"expected \(clip, n_classes\), got \(2,\)"),
        (torch.zeros(0, 2), r"got \(0, 2\)"),
    ],
)
def test_what_is_no_probability_is_refused(probabilities, words):
    for score in (
        inception_score,
        modified_inception_score,
        lambda p: am_score(torch.tensor([0.5, 0.5]), p),
        lambda p: class_accuracy(p, [0]),
    ):
        with pytest.raises(ValueError, match=words):
            score(probabilities)


def test_label_indices_that_do_not_fit_are_refused():
    probabilities = random_probabilities(3, 5)
    for label_indices, words in (
        ([0, 1], r"expected \(3,\), one a clip, got \(2,\)"),
        ([0, 1, 5], "from 0 to 4"),
        (torch.tensor([0.0, 1.0, 2.0]), "whole numbers"),
    ):
        with pytest.raises(ValueError, match=words):
            class_accuracy(probabilities, label_indices)
    with pytest.raises(ValueError, match=r"expected \(5,\).*got \(4,\)"):
        am_score(torch.full((4,), 0.25), probabilities)
    with pytest.raises(ValueError, match="got others in rows 0;"):
        am_score(torch.full((5,), 0.25), probabilities)


# ---- spectrogram distance ----------------------------------------------------------------------------------


def sound(*shape, seed=0):
    return (0.1 * normal(*shape, seed=seed)).float()


def test_stft_distance_is_that_of_librosas_spectrograms():
    reference, generated = sound(2, 6000), sound(2, 6000, seed=1)
    expected = []
    for clip, true in zip(generated.numpy(), reference.numpy(), strict=True):
        distances = []
        for n_fft, window, hop in ((1024, 600, 120), (2048, 1200, 240), (512, 240, 50)):
            x, y = (
                np.abs(librosa.stft(w, n_fft=n_fft, win_length=window, hop_length=hop, pad_mode="reflect"))
                for w in (clip, true)
            )
            floored = [np.maximum(magnitude, MAGNITUDE_FLOOR) for magnitude in (x, y)]
            distances.append(np.linalg.norm(y - x) / np.linalg.norm(y) + np.abs(np.log(floored[0] / floored[1])).mean())
        expected.append(np.mean(distances))
    torch.testing.assert_close(stft_distance(generated, reference), torch.tensor(expected).float(), atol=1e-5, rtol=0)


def test_stft_distance_in_closed_form():
    reference = sound(2, 3, 4000)
    assert stft_distance(reference, reference).tolist() == [[0] * 3] * 2
    # Twice as loud: the difference is as large as the reference, each logarithm is ln 2 higher.
    torch.testing.assert_close(
        stft_distance(2 * reference, reference), torch.full((2, 3), 1 + math.log(2)), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(stft_distance(-reference, reference), torch.zeros(2, 3))  # magnitudes alone
    assert stft_distance(reference[0, 0], reference[0, 0]).shape == ()


def test_stft_distance_grows_with_noise_and_has_a_gradient():
    reference = sound(4000)
    noise = sound(4000, seed=1)
    distances = [stft_distance(reference + level * noise, reference) for level in (0.01, 0.1, 1)]
    assert distances == sorted(distances) and distances[0] > 0
    silent = torch.zeros(4000, requires_grad=True)
    stft_distance(silent, reference).backward()
    assert silent.grad is not None and silent.grad.isfinite().all()
    generated = noise.clone().requires_grad_()
    stft_distance(generated, reference).backward()
    assert generated.grad is not None and generated.grad.isfinite().all() and generated.grad.abs().max() > 0


@pytest.mark.parametrize(
    ("generated", "reference", "words"),
    [
        (sound(2, 4000), sound(2, 4001), r"the shape of the reference, \(2, 4001\), got \(2, 4000\); cut both"),
        (sound(2, 4000), sound(2, 4000) * torch.tensor([[1.0], [0.0]]), "sound in each clip, got others in rows 1;"),
        (torch.full((4000,), torch.nan), sound(4000), r"generated: expected finite samples, got nan at \(0,\)"),
        (sound(4000), torch.full((4000,), torch.inf), r"reference: expected finite samples, got inf at \(0,\)"),
        (sound(1024), sound(1024), "at least 1025 samples"),
        (torch.zeros(4000, dtype=torch.int16), torch.zeros(4000, dtype=torch.int16), "int16"),
    ],
)
def test_sounds_that_cannot_be_compared_are_refused(generated, reference, words):
    with pytest.raises(ValueError, match=words):
        stft_distance(generated, reference)


@pytest.mark.parametrize(("n_right", "n_clips"), [(0, 1), (1, 1), (0, 30), (70, 80), (599, 600), (5, 10)])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
def test_the_interval_of_an_accuracy_is_scipy_s(n_right, n_clips, confidence):
    expected = scipy.stats.binomtest(n_right, n_clips).proportion_ci(confidence, "wilson")
    assert wilson_interval(n_right, n_clips, confidence=confidence) == pytest.approx(tuple(expected))


def test_the_interval_of_no_clips_is_refused():
    with pytest.raises(ValueError, match="n_clips: expected at least 1, got 0"):
        wilson_interval(0, 0)
    with pytest.raises(ValueError, match="n_right: expected a number from 0 to 5, got 6"):
        wilson_interval(6, 5)


def test_wrong_answers_come_most_confident_first():
    answers = Answers(np.arange(4), np.array([0, 1, 2, 0]), np.array([1, 1, 0, 2]), np.array([0.5, 0.9, 0.8, 0.8]))
    assert answers.confusion(3).tolist() == [[0, 1, 1], [0, 1, 0], [1, 0, 0]]
    assert answers.wrong().clips.tolist() == [2, 3, 0] and answers.wrong().given.tolist() == [0, 2, 1]
