"""The power spectrum of exported front-ends: a Fourier transform in two stages of small matrix products.

With n_fft = rows * columns, sample n = columns * row + column and bin k = first + rows * second,

    X[k] = sum over columns of e(column * second / columns) * (sum over rows of e(n * first / n_fft) * x[n])

where e(t) = exp(-2 pi i t) (Cooley and Tukey, 1965). Samples are real, so bins k and n_fft - k have the same power, and
``first`` up to half of the rows is enough. Of 512 samples that is 35 thousand products a frame; the whole matrix is 263
thousand. onnxruntime's own FFT takes longer than either and, of sizes that are no power of two, is wrong by 6e-4 in a
log-mel.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def factored_power(frames: Tensor, window: Tensor, n_fft: int) -> Tensor:
    """Return the power spectra of windowed real frames.

    Args:
        frames: (clip, frame, frame_length), float.
        window: (frame_length,).
        n_fft: FFT size in samples, at least ``frame_length``; zeros fill up behind the frame.

    Returns:
        (clip, frame, n_fft // 2 + 1)
    """
    n_columns = best_columns(n_fft)
    n_rows, n_first = n_fft // n_columns, n_fft // n_columns // 2 + 1
    if missing := -len(window) % n_columns:
        frames, window = F.pad(frames, (0, missing)), F.pad(window, (0, missing))
    x = frames.transpose(1, 2)  # frames last, so that what moves between the stages are whole stretches of memory
    x = x.reshape(x.shape[0], len(window) // n_columns, n_columns, -1).transpose(1, 2)
    x = first_stage(window, n_fft, n_columns) @ x  # (clip, column, 2 * first, frame)
    x = x.reshape(x.shape[0], n_columns, 2, -1).transpose(1, 2)
    x = x.reshape(x.shape[0], 2 * n_columns, -1)  # (clip, 2 * column, first * frame)
    cosines, sines = waves(n_columns, n_columns, n_columns).to(x)
    real, imaginary = torch.cat([cosines, -sines], 1) @ x, torch.cat([sines, cosines], 1) @ x
    x = real * real + imaginary * imaginary  # (clip, second, first * frame)
    x = x.reshape(x.shape[0], n_columns * n_first, -1)
    k = (n_rows * np.arange(n_columns)[:, None] + np.arange(n_first)).flatten()
    _, places = np.unique(np.minimum(k, n_fft - k), return_index=True)
    return x.index_select(1, torch.from_numpy(places)).transpose(1, 2)


def best_columns(n_fft: int) -> int:
    """Return the number of columns with which the two stages take the fewest products."""
    divisors = [size for size in range(1, n_fft + 1) if n_fft % size == 0]
    return min(divisors, key=lambda size: (n_fft // size // 2 + 1) * (2 * n_fft + (2 * size) ** 2))


def first_stage(window: Tensor, n_fft: int, n_columns: int) -> Tensor:
    """Return the matrix of each column, with the window in it: (column, 2 * first, row), cosines before sines.

    Args:
        window: (frame_length,), a whole number of rows.
        n_fft: FFT size in samples.
        n_columns: Samples of a row.
    """
    cosines, sines = waves(len(window), n_fft // n_columns // 2 + 1, n_fft).to(window)
    matrix = torch.cat([window[:, None] * cosines, window[:, None] * sines], 1)
    return matrix.reshape(-1, n_columns, matrix.shape[1]).permute(1, 2, 0)


def waves(n_rows: int, n_columns: int, n: int) -> Tensor:
    """Return cos(2 pi i j / n) and sin(2 pi i j / n), (2, n_rows, n_columns) in float64."""
    turns = (torch.arange(n_rows)[:, None] * torch.arange(n_columns) % n).double() * (2 * torch.pi / n)
    return torch.stack([turns.cos(), turns.sin()])
