"""How good generated audio is: by likelihood, by what our recogniser makes of it, and by its spectrogram.

The recogniser's figures are those of the SC09 literature (DiffWave, Kong et al., 2021, appendix; SaShiMi, Goel et al.,
2022, appendix), with our recogniser in place of theirs: they compare only under the same recogniser.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn

from audionet.features.frontend import Framing, check_waveform
from audionet.features.functional import stft
from audionet.inference import Recognizer
from audionet.models.wavenet.network import WaveNet

RESOLUTIONS = ((1024, 600, 120), (2048, 1200, 240), (512, 240, 50))
"""FFT size, window and hop in samples (Yamamoto et al., Parallel WaveGAN, 2020, table 1)."""

MAGNITUDE_FLOOR = 10**-3.5
"""What spectral magnitudes are raised to before the logarithm: a little above the rounding noise of 16 bits."""

_LINEAR = (nn.Linear, nn.Conv1d, nn.Conv2d)


# ---- likelihood --------------------------------------------------------------------------------------------


@torch.inference_mode()
def bits_per_sample(
    model: WaveNet,
    waveforms: Tensor,
    *,
    conditions: Mapping[str, Tensor] | None = None,
    frames: Tensor | None = None,
    lengths: Tensor | Sequence[int] | None = None,
    batch_size: int = 8,
) -> float:
    """Return how many bits a sample of recordings takes, on average over all their samples.

    Each clip goes through whole, so that every sample is predicted from all that the network can see of its past.

    Args:
        model: The WaveNet that predicts them, on any device.
        waveforms: (clip, time), float in [-1, 1], each from its start.
        conditions: Positions (clip,) in each category's values.
        frames: Local conditioning, (clip, n_bands, frame).
        lengths: Samples of each clip, (clip,); what lies behind is padding and does not count. None for all.
        batch_size: Clips at once; memory grows with it and with their length.

    Raises:
        ValueError: Something has another shape than said, or samples are not finite.
    """
    if waveforms.ndim != 2 or 0 in waveforms.shape or not waveforms.is_floating_point():
        raise ValueError(
            f"waveforms: expected float samples (clip, time), got {waveforms.dtype} {tuple(waveforms.shape)}"
        )
    if not (finite := waveforms.isfinite().all(-1)).all():
        raise ValueError(f"waveforms: clips {_some(~finite)} hold NaN or Inf; find where they come from")
    n_clips, time = waveforms.shape
    lengths = torch.full((n_clips,), time) if lengths is None else torch.as_tensor(lengths).cpu()
    for name, rows in {**(conditions or {}), "frames": frames, "lengths": lengths}.items():
        if rows is not None and len(rows) != n_clips:
            raise ValueError(f"{name}: {len(rows)} for {n_clips} clips; give one a clip")
    if wrong := [length for length in lengths.tolist() if not 1 <= length <= time]:
        raise ValueError(f"lengths: expected 1 to {time} samples, got {wrong[0]}")
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")

    device, distribution, total = next(model.parameters()).device, model.distribution, 0.0
    for start in range(0, n_clips, batch_size):
        batch = slice(start, start + batch_size)
        n_samples = int(lengths[batch].max())
        samples = distribution.from_waveform(waveforms[batch, :n_samples].to(device))
        outputs = model(
            samples,
            {name: positions[batch].to(device) for name, positions in (conditions or {}).items()},
            None if frames is None else frames[batch].to(device),
            length=lengths[batch].to(device),
        )
        is_real = (torch.arange(n_samples) < lengths[batch, None]).to(device)
        total += distribution.bits(outputs[is_real], samples[is_real]).double().sum().item()
    return total / int(lengths.sum())


# ---- by the recogniser -------------------------------------------------------------------------------------


def summarize(
    recognizer: Recognizer,
    generated: Iterable[np.ndarray | Tensor],
    training: Iterable[np.ndarray | Tensor],
    sample_rate: int,
    *,
    labels: Sequence[str] | None = None,
) -> dict[str, float]:
    """Return every figure that the recogniser gives generated clips, by the name of its function below.

    For the figures of perfection, give the real test clips in place of the generated ones.

    Args:
        recognizer: Who judges.
        generated: Waveforms (time,) or (channel, time), float in [-1, 1], of any lengths.
        training: The real clips that the generator learned from, likewise.
        sample_rate: Of both, in Hz.
        labels: What each generated clip was meant to say; None for an unconditional generator, which has no accuracy.

    Raises:
        ValueError: A waveform cannot be recognised, a label is unknown, or there are too few clips of a kind.
    """
    if unknown := sorted(set(labels or ()) - set(recognizer.labels)):
        raise ValueError(f"labels: the recogniser does not know {', '.join(unknown)}, only {list(recognizer.labels)}")
    features, probabilities = features_and_probabilities(recognizer, generated, sample_rate)
    real_features, real_probabilities = features_and_probabilities(recognizer, training, sample_rate)
    figures = {
        "frechet_distance": frechet_distance(features, real_features),
        "inception_score": inception_score(probabilities),
        "modified_inception_score": modified_inception_score(probabilities),
        "am_score": am_score(real_probabilities.mean(0), probabilities),
    }
    if labels is not None:
        positions = [recognizer.labels.index(label) for label in labels]
        figures["class_accuracy"] = class_accuracy(probabilities, positions)
    return figures


@torch.inference_mode()
def features_and_probabilities(
    recognizer: Recognizer, waveforms: Iterable[np.ndarray | Tensor], sample_rate: int, *, batch_size: int = 64
) -> tuple[Tensor, Tensor]:
    """Return what a recogniser sees in waveforms and what it takes them for.

    The features are the input of the network's last layer, the one with an output a label, averaged over positions
    where that layer still has several: for a linear layer before an average it is the same.

    Args:
        recognizer: Its network, front-end and labels are used.
        waveforms: (time,) or (channel, time) each, float in [-1, 1], of any lengths.
        sample_rate: Of the waveforms, in Hz.
        batch_size: Clips that go through the network at once.

    Returns:
        Features (clip, n_features) and probabilities (clip, n_labels), float64 on the CPU.

    Raises:
        ValueError: There is no waveform, one cannot be recognised, or the network's last layer is not linear.
    """
    bundle, last = recognizer.bundle, {}

    def keep(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        x = inputs[0].movedim(-1, 1) if isinstance(layer, nn.Linear) else inputs[0]  # (clip, n_features, ...)
        last["features"] = x.reshape(*x.shape[:2], -1).mean(-1)

    def clip(number: int, waveform: np.ndarray | Tensor) -> np.ndarray:
        try:
            return recognizer.to_clip(waveform, sample_rate)
        except ValueError as error:
            raise ValueError(f"clip {number}: {error}") from None

    numbered = enumerate(waveforms)
    features, logits = [], []
    assert bundle.front_end is not None  # a recogniser's bundle has one
    layers = [layer for layer in bundle.model.module.modules() if isinstance(layer, _LINEAR)]
    hooks = [layer.register_forward_hook(keep) for layer in layers if len(layer.weight) == len(bundle.labels)]
    try:
        while clips := [clip(number, waveform) for number, waveform in islice(numbered, batch_size)]:
            batch = torch.from_numpy(np.stack(clips)[:, None]).to(recognizer.device, torch.float32)
            logits.append(bundle.model.module(bundle.front_end.module(batch)).double().cpu())
            if not last:
                raise ValueError(f"{bundle.model.name}: its last layer is not linear, so it has no features to compare")
            features.append(last["features"].double().cpu())
    finally:
        for hook in hooks:
            hook.remove()
    if not logits:
        raise ValueError("waveforms: got none; give at least one")
    return torch.cat(features), torch.cat(logits).softmax(-1)


def class_accuracy(probabilities: Tensor, labels: Tensor | Sequence[int]) -> float:
    """Return the share of clips that the recogniser takes for what they were meant to say.

    Args:
        probabilities: (clip, n_labels).
        labels: Position of each clip's intended label, (clip,).

    Raises:
        ValueError: These are no probabilities, or the labels do not fit them.
    """
    probabilities = _checked(probabilities)
    labels = torch.as_tensor(labels, device=probabilities.device)
    if labels.shape != probabilities.shape[:1]:
        raise ValueError(f"labels: {tuple(labels.shape)} for {len(probabilities)} clips; give one a clip")
    n_labels = probabilities.shape[1]
    if labels.is_floating_point() or not ((labels >= 0) & (labels < n_labels)).all():
        raise ValueError(f"labels: expected positions 0 to {n_labels - 1}, got {labels.unique().tolist()}")
    return (probabilities.argmax(-1) == labels).double().mean().item()


def frechet_distance(features_a: Tensor, features_b: Tensor) -> float:
    """Fit a Gaussian to each of two sets of features and return the squared Fréchet distance between them, the FID.

    |mean_a - mean_b|² + tr(C_a + C_b - 2 (C_a C_b)^½), Heusel et al., 2017, eq. 6; C divides by clips - 1. Between the
    generated and the training clips, as SaShiMi's evaluation takes it.

    Args:
        features_a: (clip, n_features).
        features_b: (clip, n_features), of another number of clips if you like.

    Returns:
        0 for equal Gaussians; more the further apart they are.

    Raises:
        ValueError: The features are not finite, of different widths, or of so few clips that a covariance is singular.
    """
    if features_a.ndim != 2 or features_b.ndim != 2 or features_a.shape[1] != features_b.shape[1]:
        raise ValueError(
            "features: expected (clip, n_features) twice, of one width; "
            f"got {tuple(features_a.shape)} and {tuple(features_b.shape)}"
        )
    means, factors = [], []
    for features in (features_a.double(), features_b.double()):
        n_clips, n_features = features.shape
        if n_clips <= n_features:
            raise ValueError(
                f"{n_clips} clips are too few for the covariance of {n_features} features; "
                f"give at least {n_features + 1}, better several times as many"
            )
        if not (finite := features.isfinite().all(-1)).all():
            raise ValueError(f"features: clips {_some(~finite)} hold NaN or Inf")
        means.append(features.mean(0))
        factors.append(torch.linalg.qr((features - means[-1]) / math.sqrt(n_clips - 1), mode="r").R)
    # With C = Rᵀ R, the eigenvalues of C_a C_b are the squared singular values of R_a R_bᵀ: nothing squared has to be
    # rooted again, which would leave half the digits and could meet negative numbers.
    a, b = factors
    spread = a.square().sum() + b.square().sum() - 2 * torch.linalg.matrix_norm(a @ b.mT, "nuc")
    return ((means[0] - means[1]).square().sum() + spread).clamp(min=0).item()


def inception_score(probabilities: Tensor) -> float:
    """Return exp(E_x KL(p(y|x) || p(y))), the IS (Salimans et al., 2016, section 4); p(y) is the mean over all clips.

    (SaShiMi's code takes p(y) from one random half of the clips and x from the other.)

    Args:
        probabilities: (clip, n_labels), p(y|x) of the generated clips.

    Returns:
        1 if all clips are taken for the same, up to n_labels if they are clear and evenly spread.

    Raises:
        ValueError: These are no probabilities.
    """
    probabilities = _checked(probabilities)
    return math.exp(_divergence(probabilities, probabilities.mean(0)).mean())


def modified_inception_score(probabilities: Tensor) -> float:
    """Return exp(E_x E_x' KL(p(y|x) || p(y|x'))), the mIS (Gurumurthy et al., DeLiGAN, 2017).

    Over all pairs of clips, each with itself among them. (SaShiMi's code draws 10,000 of the pairs.)

    Args:
        probabilities: (clip, n_labels), p(y|x) of the generated clips.

    Returns:
        1 if all clips are taken for the same; without bound, and infinite if a label is impossible for one clip and
        possible for another.

    Raises:
        ValueError: These are no probabilities.
    """
    probabilities = _checked(probabilities)
    mean, mean_log = probabilities.mean(0), probabilities.log().mean(0)
    # Taken apart, the mean over all pairs needs no pairs.
    cross_entropy = -torch.where(mean > 0, mean * mean_log, 0.0).sum()
    return (cross_entropy - torch.special.entr(probabilities).sum(-1).mean()).exp().item()


def am_score(train_label_distribution: Tensor, probabilities: Tensor) -> float:
    """Return KL(p_train(y) || p(y)) + E_x H(p(y|x)) in nats, the AM score (Zhou et al., 2018).

    Args:
        train_label_distribution: (n_labels,), the mean of the recogniser's probabilities over the training clips.
        probabilities: (clip, n_labels), p(y|x) of the generated clips; p(y) is their mean.

    Returns:
        0 if each clip is clear and the labels are spread as in training; more is worse.

    Raises:
        ValueError: These are no probabilities, or not of the same labels.
    """
    probabilities = _checked(probabilities)
    if train_label_distribution.shape != probabilities.shape[1:]:
        raise ValueError(
            f"train_label_distribution: expected ({probabilities.shape[1]},), as probabilities has labels; "
            f"got {tuple(train_label_distribution.shape)}"
        )
    (train,) = _checked(train_label_distribution[None])
    entropy = torch.special.entr(probabilities).sum(-1).mean()
    return (_divergence(train, probabilities.mean(0)) + entropy).item()


# ---- by the spectrogram ------------------------------------------------------------------------------------


def stft_distance(generated: Tensor, reference: Tensor) -> Tensor:
    """Return the multi-resolution STFT distance of a vocoder's sound (Yamamoto et al., Parallel WaveGAN, 2020, eq. 6).

    For each of `RESOLUTIONS` the spectral convergence (eq. 4) and the mean absolute difference of the natural
    logarithms of the magnitudes (eq. 5) are added (eq. 3), then the three are averaged. Magnitudes under
    `MAGNITUDE_FLOOR` count as that in the logarithm.

    Args:
        generated: (..., time), float in [-1, 1].
        reference: The true sound, the same shape.

    Returns:
        (...), one distance a clip, differentiable; 0 for equal sound.

    Raises:
        ValueError: The shapes differ, samples are not finite, a clip is shorter than 1025 samples or the reference of
            one is silent.
    """
    if generated.shape != reference.shape:
        raise ValueError(
            f"generated has shape {tuple(generated.shape)}, reference {tuple(reference.shape)}: "
            "cut both to the same samples"
        )
    for name, waveform in (("generated", generated), ("reference", reference)):
        check_waveform(waveform, name=name)
    distances = []
    for n_fft, win_length, hop_length in RESOLUTIONS:
        window = torch.hann_window(win_length, dtype=reference.dtype, device=reference.device)
        framing = Framing.centered(n_fft, hop_length=hop_length)
        produced, true = (
            stft(framing.pad(waveform), window, n_fft=n_fft, hop_length=hop_length, power=1)
            for waveform in (generated, reference)
        )
        norm = true.square().sum((-2, -1)).sqrt()
        if (silent := norm == 0).any():
            raise ValueError(f"reference: clips {_some(silent)} are silent, which nothing can be compared with")
        convergence = torch.linalg.matrix_norm(true - produced) / norm
        logarithms = [magnitude.clamp(min=MAGNITUDE_FLOOR).log() for magnitude in (true, produced)]
        distances.append(convergence + (logarithms[0] - logarithms[1]).abs().mean((-2, -1)))
    return torch.stack(distances).mean(0)


# ---- shared ------------------------------------------------------------------------------------------------


def _divergence(p: Tensor, q: Tensor) -> Tensor:
    """KL(p || q) in nats over the last axis; where p is 0, q does not matter."""
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(-1)


def _checked(probabilities: Tensor) -> Tensor:
    """Return probabilities (clip, n_labels) as float64, or raise a ValueError."""
    if probabilities.ndim != 2 or 0 in probabilities.shape:
        raise ValueError(f"probabilities: expected (clip, n_labels), got {tuple(probabilities.shape)}")
    probabilities = probabilities.double()
    fits = (probabilities >= 0).all(-1) & ((probabilities.sum(-1) - 1).abs() < 1e-3)  # NaN fits neither
    if not fits.all():
        raise ValueError(
            f"probabilities: rows {_some(~fits)} are not in [0, 1] with the sum 1; logits become so by .softmax(-1)"
        )
    return probabilities


def _some(is_meant: Tensor) -> str:
    """The positions of the first few of those meant."""
    positions = is_meant.flatten().nonzero().flatten().tolist()
    return ", ".join(map(str, positions[:3])) + (f" and {len(positions) - 3} more" if len(positions) > 3 else "")
