"""What decided, laid over the spectrogram: each place has its colour at its own time and frequency."""

import numpy as np
import pytest
import torch
from matplotlib.collections import QuadMesh

from audionet.features import MFCC, LogMel, Waveform
from audionet.plots import plot_relevance


def meshes(figure):
    return [each for each in figure.axes[0].collections if isinstance(each, QuadMesh)]


@pytest.mark.parametrize("front_end", [LogMel(n_mels=20), MFCC(n_mfcc=13)], ids=["hertz", "coefficients"])
def test_a_place_is_coloured_where_it_lies(front_end):
    spectrogram = torch.rand(front_end.n_bands, 50)
    relevance = torch.zeros_like(spectrogram)
    relevance[3, 10], relevance[5, 20] = 2.0, -2.0
    below, above = meshes(plot_relevance(spectrogram, relevance, front_end))
    np.testing.assert_array_equal(below.get_coordinates(), above.get_coordinates())
    drawn = np.asarray(above.get_array()).reshape(relevance.shape)
    np.testing.assert_array_equal(drawn, relevance.numpy())
    colors = above.to_rgba(np.array([2.0, -2.0, 0.0]))
    assert colors[0, 0] > colors[0, 2] and colors[1, 2] > colors[1, 0], "orange for, blue against"
    assert colors[0, 3] > 0.9 and colors[1, 3] > 0.9 and colors[2, 3] == 0


def test_of_a_waveform_stretches_are_coloured():
    samples = torch.sin(torch.arange(800) / 5)[None]
    (above,) = meshes(plot_relevance(samples, samples.abs(), Waveform(sample_rate=8000)))
    assert np.asarray(above.get_array()).shape == (1, 800)


def test_of_a_long_clip_frames_are_averaged():
    front_end = LogMel(n_mels=4)
    relevance = torch.arange(9000.0).expand(4, -1)
    below, above = meshes(plot_relevance(torch.rand(4, 9000), relevance, front_end))
    drawn = np.asarray(above.get_array()).reshape(4, -1)
    assert drawn.shape[1] == below.get_coordinates().shape[1] - 1 < 9000
    np.testing.assert_allclose(drawn.mean(), relevance.mean(), rtol=1e-3)
    assert (np.diff(drawn[0]) > 0).all()


@pytest.mark.parametrize(
    ("relevance", "words"),
    [(torch.zeros(3, 5), r"the spectrogram's size \(4, 5\), got \(3, 5\)"), (torch.full((4, 5), torch.nan), "finite")],
)
def test_what_does_not_fit_is_refused(relevance, words):
    with pytest.raises(ValueError, match=words):
        plot_relevance(torch.zeros(4, 5), relevance, LogMel(n_mels=4))
    assert len(meshes(plot_relevance(torch.rand(4, 5), torch.zeros(4, 5), LogMel(n_mels=4)))) == 2
