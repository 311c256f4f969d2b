"""The spectra of exported models, in two stages, against torch's FFT."""

import pytest
import torch

from audionet.features.fourier import best_columns, factored_power


@pytest.mark.parametrize(
    "n_fft, length", [(512, 512), (512, 400), (512, 401), (400, 400), (1024, 800), (480, 7), (401, 401), (2, 2), (1, 1)]
)
def test_two_stages_are_the_fft(n_fft, length):
    generator = torch.Generator().manual_seed(0)
    frames = torch.randn(2, 3, length, generator=generator, dtype=torch.float64)
    window = torch.rand(length, generator=generator, dtype=torch.float64)
    expected = torch.fft.rfft(frames * window, n_fft).abs().square()
    made = factored_power(frames, window, n_fft)
    assert made.shape == (2, 3, n_fft // 2 + 1)
    torch.testing.assert_close(made, expected, rtol=0, atol=1e-12 * n_fft)  # float64, of powers up to n_fft


def test_stages_are_of_like_size():
    assert [best_columns(n_fft) for n_fft in (256, 400, 512, 1024, 401)] == [8, 16, 16, 16, 1]
