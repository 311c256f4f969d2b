"""Time-domain filterbanks: a front-end of which every weight is learned."""

import torch
from torch import Tensor, nn

from audionet.features.frontend import Axis, format_settings
from audionet.features.functional import check_offset, log_compress
from audionet.features.learned.time_domain import TimeDomain, filter_and_pool, gabor_filters, gabor_from_mel


class ConvFilterbank(TimeDomain):
    """Time-domain filterbanks (Zeghidour et al., Learning filterbanks from raw speech for phone recognition, 2018).

    Complex filters, their squared modulus, a pooling window for each filter, and ln(|x| + offset) (arXiv 1711.01161,
    section 2; the offset there is 1, for 16-bit samples). Every weight is learned. The filters start as Gabor filters
    that approximate mel triangles of height 1, and the windows as squared Hann windows of sum 1. At first, a sine of
    amplitude A at the centre of a filter gives A^2 / 4.

    A frame sees a kernel and a window, less a sample. The waveform is padded once. The paper's code pads the input of
    each convolution, so that its frames at the ends differ.

    Args:
        sample_rate: In hertz.
        n_filters: Number of filters.
        f_min: Lower edge of the first mel triangle in hertz.
        f_max: Upper edge of the last mel triangle in hertz; None for 0.4875 of the sample rate, 7,800 Hz of 16,000.
        kernel_size: Samples of a filter, odd; None for 25 ms.
        win_length: Samples that are pooled, odd; None for 25 ms.
        hop_length: Samples from one frame to the next; None for 10 ms.
        offset: Offset that keeps the logarithm finite.
        center: Whether frame t is centred on sample t * hop_length.
        pad_mode: Padding of centred frames: "constant", zeros, as in the paper, or as for `Framing`.

    Shape:
        (..., time) -> (..., n_filters, frame); frame = 1 + (time - 1) // hop_length when centred.

    Raises:
        ValueError: There is no filter, a length is even, or the edges do not fit the sample rate.

    Example:
        >>> ConvFilterbank()(torch.randn(8, 16_000)).shape
        torch.Size([8, 40, 100])
    """

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        n_filters: int = 40,
        f_min: float = 60.0,
        f_max: float | None = None,
        kernel_size: int | None = None,
        win_length: int | None = None,
        hop_length: int | None = None,
        offset: float = 1e-7,
        center: bool = True,
        pad_mode: str = "constant",
    ) -> None:
        super().__init__(sample_rate, n_filters, kernel_size, win_length, hop_length, center=center, pad_mode=pad_mode)
        check_offset(offset)
        self.offset = offset
        centers, widths = gabor_from_mel(n_filters, sample_rate=sample_rate, f_min=f_min, f_max=f_max)
        self.filters = nn.Parameter(gabor_filters(centers, widths, self.kernel_size))
        window = torch.hann_window(self.win_length + 2, periodic=False)[1:-1] ** 2
        self.pooling = nn.Parameter((window / window.sum()).repeat(n_filters, 1))

    @property
    def kernels(self) -> Tensor:
        """The filters, their real and imaginary parts (2, n_filters, kernel_size)."""
        return self.filters

    def frames(self, waveform: Tensor) -> Tensor:
        """Map a padded waveform (..., time) to (..., frame, n_filters)."""
        x = filter_and_pool(waveform, self.kernels, self.pooling, hop_length=self.framing.hop_length)
        return log_compress(x.abs(), offset=self.offset)

    @property
    def axis(self) -> Axis:
        """The frequency at which the response of each filter is largest."""
        n_fft = 4096
        spectra = torch.fft.fft(torch.complex(*self.filters.detach()), n_fft).abs()
        cycles = torch.fft.fftfreq(n_fft, device=spectra.device)[spectra.argmax(-1)].abs()
        return Axis(quantity="ln power", frequencies=cycles * self.sample_rate)

    def extra_repr(self) -> str:
        """Return the sizes and the offset."""
        return f"{super().extra_repr()}, {format_settings(offset=self.offset)}"
