"""Places of a spectrogram that are chosen: the most relevant ones, or patches at random."""

import torch
from torch import Generator, Tensor

from audionet.checks import check_at_least


def most_relevant(relevance: Tensor, share: float) -> Tensor:
    """Return which places are the most relevant of each map.

    Args:
        relevance: (batch, band, frame).
        share: Share of the places that are chosen, 0 to 1.

    Returns:
        (batch, band, frame) bool, the same number of places of each map.

    Raises:
        ValueError: ``share`` is out of its range.

    Example:
        >>> most_relevant(torch.tensor([[[0.1, 0.7], [0.9, 0.2]]]), 0.5)
        tensor([[[False,  True],
                 [ True, False]]])
    """
    check_at_least(0, 1, share=share)
    places = relevance.flatten(1)
    chosen = places.topk(round(share * places.shape[1]), 1).indices
    return torch.zeros_like(places, dtype=torch.bool).scatter(1, chosen, True).view_as(relevance)


def random_patches(like: Tensor, share: float, patch: tuple[int, int], generator: Generator) -> Tensor:
    """Return places at random that lie together in patches.

    The maps are cut into patches from a corner that is drawn for each map, and patches are chosen until their share is
    reached; the last one is chosen in part.

    Args:
        like: (batch, band, frame), for the size.
        share: Share of the places that are chosen, 0 to 1.
        patch: Bands and frames of a patch.
        generator: Draws them, on the CPU.

    Returns:
        (batch, band, frame) bool, the same number of places of each map.

    Raises:
        ValueError: ``share`` is out of its range, or a patch is empty.

    Example:
        >>> chosen = random_patches(torch.zeros(2, 40, 101), 0.2, (8, 10), torch.Generator().manual_seed(0))
        >>> chosen.shape, chosen.sum((1, 2))
        (torch.Size([2, 40, 101]), tensor([808, 808]))
    """
    check_at_least(1, whole=True, patch=min(patch))
    batch, n_bands, n_frames = like.shape
    band = (torch.arange(n_bands) + torch.randint(patch[0], (batch, 1), generator=generator)) // patch[0]
    frame = (torch.arange(n_frames) + torch.randint(patch[1], (batch, 1), generator=generator)) // patch[1]
    height, width = n_bands // patch[0] + 2, n_frames // patch[1] + 2
    drawn = torch.rand(batch, height * width, generator=generator, dtype=torch.float64)
    scores = drawn.gather(1, (band[:, :, None] * width + frame[:, None, :]).flatten(1)).view(batch, n_bands, n_frames)
    return most_relevant(scores, share).to(like.device)
