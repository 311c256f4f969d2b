"""What the pages of the course share: clips of words, spectrograms, training, a test.

The words are spoken by espeak-ng, which the extra `synth` of audionet installs, in many
voices; those of the test are not heard in training. The clips are kept in audionet's
cache. Recordings of your own join in where the variable AUDIONET_RECORDINGS of the
environment names a folder that holds a folder for each word, such as yes/1.wav.
"""

import os
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet import datasets, features
from audionet.audio import FULL_SCALE

WORDS = ("yes", "no", "left", "right", "stop", "go")
SAMPLE_RATE = 8000  # hertz; a clip is a second
RECORDINGS = "AUDIONET_RECORDINGS"

front_end = features.LogMel(
    sample_rate=SAMPLE_RATE,
    n_mels=40,
    n_fft=512,
    win_length=256,
    hop_length=80,
    scale="db",
    top_db=60,
)


def corpus(clips_per_word: int = 150) -> datasets.Corpus:
    """Return the words, each spoken so many times.

    Eight of ten clips are to train on; the voices of the others are not heard there.
    """
    card = datasets.words_card(
        WORDS, engines=["espeak"], clips_per_label=clips_per_word
    )
    return datasets.open_corpus(
        card, sample_rate=SAMPLE_RATE, words_only=True, progress=False
    )


def clips(words: datasets.Corpus, *splits: str) -> tuple[Tensor, Tensor]:
    """Return the clips of some splits.

    Returns:
        Waveforms (clip, time) in [-1, 1], and the position of each word in WORDS.
    """
    chosen = [index for split in splits for index in words.store.indices(split)]
    waveforms = torch.from_numpy(words.store.waveforms[chosen]) / FULL_SCALE
    return waveforms, torch.from_numpy(words.label_index[chosen])


def recordings() -> tuple[Tensor, Tensor] | None:
    """Return your own recordings of the WORDS as `clips` does; None if there are none.

    Raises:
        ValueError: AUDIONET_RECORDINGS names a folder without one for any of the words.
    """
    folder = os.environ.get(RECORDINGS)
    if not folder:
        return None
    there = [word for word in WORDS if Path(folder, word).is_dir()]
    if not there:
        raise ValueError(
            f"{RECORDINGS}: expected a folder of folders named {', '.join(WORDS)}, "
            f"got {folder!r}; make one for each word"
        )
    words = datasets.open_corpus(
        None, root=folder, sample_rate=SAMPLE_RATE, clip_seconds=1.0, progress=False
    )
    names = [words.labels[index] for index in words.label_index]
    mine = [index for index, name in enumerate(names) if name in there]
    labels = torch.tensor([WORDS.index(names[index]) for index in mine])
    return torch.from_numpy(words.store.waveforms[mine]) / FULL_SCALE, labels


def spectrograms(waveforms: Tensor) -> Tensor:
    """Map waveforms (clip, time) to spectrograms (clip, 1, 40, 101), about -1 to 3."""
    return (front_end(waveforms)[:, None] + 20) / 20


def shifted(waveforms: Tensor, seconds: float) -> Tensor:
    """Move waveforms (clip, time) to a later time, below 0 to an earlier one."""
    n = round(seconds * SAMPLE_RATE)
    return F.pad(waveforms, (n, -n))


def train(
    network: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    *,
    epochs: int = 5,
    rate: float = 1e-3,
    seed: int = 0,
) -> list[float]:
    """Train a network by Adam on batches of 32; return the loss of every step."""
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    generator = torch.Generator().manual_seed(seed)
    losses = []
    network.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(inputs), generator=generator).split(32):
            loss = F.cross_entropy(network(inputs[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


def n_weights(network: nn.Module) -> int:
    """Return how many numbers a network learns."""
    return sum(weight.numel() for weight in network.parameters())


@torch.no_grad()
def accuracy(network: nn.Module, inputs: Tensor, labels: Tensor) -> float:
    """Return the share of inputs of which a network gives the right word."""
    network.eval()
    return (network(inputs).argmax(1) == labels).float().mean().item()
