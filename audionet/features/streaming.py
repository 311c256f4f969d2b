"""Front-ends on sound that is still coming."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from audionet.features.framing import FrontEnd, check_waveform

State = dict[str, Any]


class Stream:
    """Runs a front-end over chunks of any size: all frames together are those of the whole clip at once.

    A frame is given as soon as its last sample is there, ``latency`` samples behind its place t * hop_length. What
    ``center`` puts before the clip is there from the start (zeros), or as soon as the samples have come that are
    mirrored (reflect); what it puts behind the clip comes with `finish`. With ``center=False`` there is neither.

    Args:
        front_end: Any that has no setting which looks at the whole clip.

    Raises:
        ValueError: It has one.

    Attributes:
        latency: Samples behind t * hop_length that must have come before frame t is given.
        state: What it remembers: tensors and counts, to be kept or moved as one likes.

    Example:
        >>> stream = Stream(LogMel())
        >>> frames = [stream.push(chunk) for chunk in torch.randn(16_000).split(160)] + [stream.finish()]
        >>> torch.cat(frames, -1).shape
        torch.Size([40, 101])
    """

    def __init__(self, front_end: FrontEnd) -> None:
        if setting := front_end.needs_clip:
            raise ValueError(f"{setting} looks at the whole clip, which a stream does not have; switch it off")
        self.front_end = front_end
        self.latency = front_end.framing.latency + front_end.lookahead * front_end.framing.hop_length
        self.state: State = {}

    def push(self, chunk: Tensor) -> Tensor:
        """Take the samples that come next and give the frames that they complete.

        Args:
            chunk: (..., time) in [-1, 1], of any length; the leading shape is the same for all chunks.

        Returns:
            (..., band, frame), without a frame where none is complete.

        Raises:
            ValueError: The chunk is not float, not finite, or of another leading shape than those before.
        """
        frames, self.state = push(self.front_end, self.state, chunk)
        return frames

    def finish(self) -> Tensor:
        """Give the frames that the end of the sound completes; the stream is then ready for another.

        Raises:
            ValueError: The whole sound was shorter than a clip needs to be.
        """
        frames, _ = push(self.front_end, self.state, None)
        self.state = {}
        return frames


def push(front_end: FrontEnd, state: Mapping[str, Any], chunk: Tensor | None) -> tuple[Tensor, State]:
    """Take samples and give the frames that they complete: `Stream.push` as a pure function.

    Args:
        front_end: As for `Stream`.
        state: What the call before returned; empty before the first.
        chunk: (..., time), or None at the end of the sound.

    Returns:
        (..., band, frame), and the state for the next call.
    """
    framing, is_last = front_end.framing, chunk is None
    samples = state.get("samples")
    if chunk is None:
        if samples is None:
            raise ValueError("nothing was pushed, so there is no sound to finish")
        chunk = samples[..., :0]
    check_waveform(chunk, 0)
    if samples is not None:
        if samples.shape[:-1] != chunk.shape[:-1]:
            raise ValueError(f"chunk has shape {tuple(chunk.shape)}: those before were {tuple(samples.shape[:-1])} x n")
        chunk = torch.cat([samples, chunk], -1)
    # Samples kept, with what stands before the clip once that is there, and where among them the next frame begins.
    samples, start, is_begun = chunk, state.get("start", 0), state.get("is_begun", False)
    mirrors = framing.pad_mode == "reflect"
    n_new = 0
    if not is_begun and (is_last or not mirrors or samples.shape[-1] > framing.left):
        if is_last:
            check_waveform(samples, framing.shortest)
        samples, is_begun = replace(framing, span=1, right=0).pad(samples), True
    if is_begun:
        if is_last:
            samples = replace(framing, span=1, left=0).pad(samples)
        n_new = max((samples.shape[-1] - start - framing.span) // framing.hop_length + 1, 0)
    if n_new:
        stop = start + (n_new - 1) * framing.hop_length + framing.span
        x = front_end.frames(samples[..., start:stop])
    else:  # as many bands as there will be
        x = front_end.frames(samples.new_zeros(*samples.shape[:-1], framing.span))[..., :0, :]
    x, inner = front_end.across(x, state.get("across", {}), is_last=is_last)
    start += n_new * framing.hop_length
    # The end of the clip is mirrored from samples that may lie before the next frame.
    n_past = max(min(start, samples.shape[-1] - (framing.right + 1 if mirrors else 0)), 0) if is_begun else 0
    kept = {"samples": samples[..., n_past:], "start": start - n_past, "is_begun": is_begun, "across": inner}
    return x.mT, kept
