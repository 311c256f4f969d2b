"""Evaluation of generated audio: runs a network over clips and hands arrays to `audionet.metrics`."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import cast

import numpy as np
import torch
from torch import Tensor

from audionet import metrics
from audionet.checks import check_at_least, check_no_misfits, check_rows, check_that
from audionet.inference import Recognizer
from audionet.models import RecognitionNetwork, WaveNet


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
        conditions: For each category the index of each clip's value, (clip,).
        frames: Local conditioning, (clip, n_bands, frame).
        lengths: Samples of each clip, (clip,). What lies behind is padding and does not count. None for all.
        batch_size: Clips at once; memory grows with it and with their length.

    Raises:
        ValueError: An argument is not as described, or samples are not finite.

    Example:
        >>> generator = audionet.load_generator("digits")
        >>> recording, _ = audionet.load_audio("seven.wav", sample_rate=generator.sample_rate)
        >>> conditions = {"label": torch.tensor([7]), "speaker": torch.tensor([1])}  # "seven", "jackson"
        >>> round(bits_per_sample(generator.wavenet, recording, conditions=conditions), 1)  # another voice
        6.8
    """
    lengths = _checked_lengths(waveforms, lengths)
    n_clips = len(waveforms)
    for name, rows in {**(conditions or {}), "frames": frames}.items():
        if rows is not None:
            check_that(len(rows) == n_clips, name, f"{n_clips}, one a clip", len(rows))
    check_at_least(1, batch_size=batch_size)
    device, distribution, total = next(model.parameters()).device, model.distribution, 0.0
    for start in range(0, n_clips, batch_size):
        batch = slice(start, start + batch_size)
        n_samples = int(lengths[batch].max())
        samples = distribution.from_waveform(waveforms[batch, :n_samples].to(device))
        outputs = model(
            samples,
            {name: indices[batch].to(device) for name, indices in (conditions or {}).items()},
            None if frames is None else frames[batch].to(device),
            length=lengths[batch].to(device),
        )
        is_real = (torch.arange(n_samples) < lengths[batch, None]).to(device)
        total += distribution.bits(outputs[is_real], samples[is_real]).double().sum().item()
    return total / int(lengths.sum())


def _checked_lengths(waveforms: Tensor, lengths: Tensor | Sequence[int] | None) -> Tensor:
    """Return the samples of each clip of sound recordings, (clip,), or raise a ValueError."""
    kind = waveforms.dtype, tuple(waveforms.shape)
    fits = waveforms.ndim == 2 and 0 not in waveforms.shape and waveforms.is_floating_point()
    check_that(fits, "waveforms", "float samples (clip, time)", kind)
    check_rows(waveforms.isfinite().all(-1), "waveforms", "finite samples")
    n_clips, time = waveforms.shape
    lengths = torch.full((n_clips,), time) if lengths is None else torch.as_tensor(lengths).cpu()
    check_that(len(lengths) == n_clips, "lengths", f"{n_clips}, one a clip", len(lengths))
    wrong = [length for length in lengths.tolist() if not 1 <= length <= time]
    check_no_misfits(wrong, "lengths", f"1 to {time} samples")
    return lengths


def summarize(
    recognizer: Recognizer,
    generated: Iterable[np.ndarray | Tensor],
    training: Iterable[np.ndarray | Tensor],
    sample_rate: int,
    *,
    labels: Sequence[str] | None = None,
) -> dict[str, float]:
    """Return every figure that a recogniser gives generated clips, by the name of its function in `audionet.metrics`.

    For the figures of perfection, give the real test clips in place of the generated ones.

    Args:
        recognizer: The recogniser that judges.
        generated: Waveforms (time,) or (channel, time), float in [-1, 1], of any lengths.
        training: The real clips that the generator learned from, likewise.
        sample_rate: Sample rate of both, in Hz.
        labels: What each generated clip was meant to say. None for an unconditional generator, which has no accuracy.

    Raises:
        ValueError: A waveform cannot be recognised, a label is unknown, or there are too few clips of a kind.
    """
    unknown = sorted(set(labels or ()) - set(recognizer.labels))
    check_no_misfits(unknown, "labels", f"those of the recogniser, {', '.join(recognizer.labels)}")
    embeddings, probabilities = embeddings_and_probabilities(recognizer, generated, sample_rate)
    real_embeddings, real_probabilities = embeddings_and_probabilities(recognizer, training, sample_rate)
    figures = {
        "frechet_distance": metrics.frechet_distance(embeddings, real_embeddings),
        "inception_score": metrics.inception_score(probabilities),
        "modified_inception_score": metrics.modified_inception_score(probabilities),
        "am_score": metrics.am_score(real_probabilities.mean(0), probabilities),
    }
    if labels is not None:
        label_indices = [recognizer.labels.index(label) for label in labels]
        figures["class_accuracy"] = metrics.class_accuracy(probabilities, label_indices)
    return figures


@torch.inference_mode()
def embeddings_and_probabilities(
    recognizer: Recognizer, waveforms: Iterable[np.ndarray | Tensor], sample_rate: int, *, batch_size: int = 64
) -> tuple[Tensor, Tensor]:
    """Return the embeddings that a recogniser's network makes of waveforms, and the probabilities of its classes.

    Args:
        recognizer: The recogniser. Its network has ``embed`` and ``head``: see `audionet.models.RecognitionNetwork`.
        waveforms: (time,) or (channel, time) each, float in [-1, 1], of any lengths.
        sample_rate: Sample rate of the waveforms, in Hz.
        batch_size: Clips that go through the network at once.

    Returns:
        Embeddings (clip, channels) and probabilities (clip, n_classes), float64 on the CPU.

    Raises:
        ValueError: There is no waveform, one cannot be recognised, or the network makes no embeddings.

    Example:
        >>> recognizer = audionet.load_recognizer("digits")
        >>> embeddings, probabilities = embeddings_and_probabilities(recognizer, [waveform], sample_rate)
        >>> embeddings.shape, probabilities.argmax().item()
        (torch.Size([1, 128]), 7)
    """
    fits = hasattr(recognizer.network, "embed") and hasattr(recognizer.network, "head")
    advice = "give it both, as audionet.models.RecognitionNetwork says"
    check_that(fits, "recognizer", "a network with embed and head", recognizer.bundle.model.name, advice)
    network = cast(RecognitionNetwork, recognizer.network)
    embeddings, logits = [], []
    numbered = enumerate(waveforms)
    while clips := [_clip(recognizer, *each, sample_rate) for each in islice(numbered, batch_size)]:
        batch = torch.from_numpy(np.stack(clips)[:, None]).to(recognizer.device, torch.float32)
        embedding = network.embed(recognizer.front_end(batch))
        embeddings.append(embedding.double().cpu())
        logits.append(network.head(embedding).double().cpu())
    check_that(logits, "waveforms", "at least one", logits)
    return torch.cat(embeddings), recognizer.probabilities(torch.cat(logits))


def _clip(recognizer: Recognizer, number: int, waveform: np.ndarray | Tensor, sample_rate: int) -> np.ndarray:
    try:
        return recognizer.to_clip(waveform, sample_rate)
    except ValueError as error:
        raise ValueError(f"clip {number}: {error}") from None
