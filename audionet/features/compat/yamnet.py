"""The front-end of YAMNet."""

from audionet.features.frontend import Axis
from audionet.features.mel import mel_frequencies, straight_mel_matrix
from audionet.features.spectral import Filterbank, Logarithm, Spectrogram


class YamnetLogMel(Logarithm):
    """The log-mel spectrogram of YAMNet (features.py in tensorflow/models, research/audioset/yamnet).

    ln(mel + 0.001) of magnitudes, with triangles over mel (tf.signal.linear_to_mel_weight_matrix) and without padding.
    YAMNet pads its clips before that, and cuts the result into patches of 96 frames.

    Args:
        sample_rate: In hertz; YAMNet's is 16,000.
        n_mels: Number of bands.
        f_min: Lower edge of the first band in hertz.
        f_max: Upper edge of the last band in hertz.
        n_fft: FFT size in samples.
        win_length: Samples of a frame.
        hop_length: Samples from one frame to the next.
        offset: Offset that keeps the logarithm finite.
        allow_empty_bands: Whether a band may lie between two FFT bins, which a warning then says; it is always empty.

    Shape:
        (..., time) -> (..., n_mels, 1 + (time - win_length) // hop_length)

    Raises:
        ValueError: The band edges do not fit the sample rate, a band would be empty, or the sizes do not fit.

    Example:
        >>> YamnetLogMel()(torch.randn(15_600)).shape
        torch.Size([64, 96])
    """

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        n_mels: int = 64,
        f_min: float = 125.0,
        f_max: float = 7500.0,
        n_fft: int = 512,
        win_length: int = 400,
        hop_length: int = 160,
        offset: float = 0.001,
        allow_empty_bands: bool = False,
    ) -> None:
        spectrogram = Spectrogram(
            sample_rate=sample_rate,
            n_fft=n_fft,
            win_length=win_length,
            hop_length=hop_length,
            frame_length=win_length,
            power=1.0,
            center=False,
            pad_mode="constant",
        )
        filters = straight_mel_matrix(sample_rate, n_fft, n_mels, f_min, f_max, allow_empty=allow_empty_bands)
        super().__init__(Filterbank(filters, spectrogram), offset=offset)
        self.edges = mel_frequencies(n_mels + 2, f_min=f_min, f_max=f_max)

    @property
    def axis(self) -> Axis:
        """The bands, each where its triangle is highest."""
        return Axis(quantity="ln magnitude", frequencies=self.edges[1:-1])
