"""What tests call close is close, and what they call silent is silent."""

from math import inf

import numpy as np
import pytest
import torch

from tests.sounds import assert_close, relative_error


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_silence_may_be_missed_by_roundings_of_full_scale_and_no_more(dtype):
    silence, eps = torch.zeros(10, dtype=dtype), torch.finfo(dtype).eps
    assert relative_error(silence + eps, silence) == 0
    assert relative_error(silence.double() - 2 * eps, silence) == 0
    assert relative_error(silence + 8 * eps, silence) == inf
    assert relative_error(silence, silence + eps) == (0 if dtype == torch.float64 else 1)  # 1e-7 is a sound
    assert relative_error(silence + 1e-6, silence) == inf


def test_what_is_quiet_is_no_silence():
    quiet = np.full(10, 1e-12)
    assert relative_error(1.5 * quiet, quiet) == pytest.approx(0.5)
    with pytest.raises(AssertionError, match="relative error 0.5, expected at most 0.1"):
        assert_close(1.5 * quiet, quiet, 0.1)
    with pytest.raises(AssertionError, match=r"shape \(9,\), expected \(10,\)"):
        relative_error(quiet[1:], quiet)
