"""What a chip computes of a keyword's network at each step, and whether it can: the layers, and the last ones.

A step takes one stride of the spectrogram. Convolutions keep the frames that they still need, the pooling keeps those
of a clip, and the last layers give the probability of the one keyword.
"""

import operator
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from audionet.checks import check_that
from audionet.inference.folding import fold_norms
from audionet.models.contract import linear_of
from audionet.models.streaming.local import layer_of
from audionet.models.streaming.machine import Machine
from audionet.models.streaming.network import frames_part

ADVICE = "train one with recipes/words/presets/esphome.yaml"

KNOTS = np.array([-4.0, -1.5, 0.0, 1.5, 4.0])
"""Where ln(1 + e**x) is bent; between them it is straight, at most 0.06 from the curve."""

SAME, INPUT, WEIGHT, CONVOLUTION, RELU, SUM = "same", "input", "weight", "convolution", "relu", "sum"

_MODULES: dict[type, str] = {nn.ReLU: RELU, nn.Identity: SAME, nn.Dropout: SAME}
_FUNCTIONS: dict[Any, str] = {
    **{torch.conv1d: CONVOLUTION, operator.add: SUM, torch.relu: RELU, F.relu: RELU},
    F.pad: SAME,  # of which the convolution behind it takes care
}


class Linear(NamedTuple):
    """A linear layer: weight (out, in) and bias (out,)."""

    weight: np.ndarray
    bias: np.ndarray


class KeywordStep(NamedTuple):
    """A network laid out for steps of one stride.

    Attributes:
        network: The network, without batch norms.
        machine: Its convolutions, step by step.
        window: Frames of the network that are pooled: those of a clip.
        layers: What follows the pooling; a ReLU lies between two, a sigmoid behind the last.
        label_index: The keyword, among the classes of the network.
        temperature: What the logits are divided by.
    """

    network: Any
    machine: Machine
    window: int
    layers: tuple[Linear, ...]
    label_index: int
    temperature: float

    def probabilities(self, spectrogram: Tensor) -> Tensor:
        """Return what torch says of every window of a long recording, which a chip says within what `KNOTS` allow.

        Args:
            spectrogram: (1, 1, n_bands, frame).

        Returns:
            (window,), the probability of the keyword.
        """
        frames: Tensor = self.network.frames(spectrogram)[0]
        logits: Tensor = self.network.head(frames.unfold(-1, self.window, 1).mean(-1).T)
        return (logits / self.temperature).softmax(-1)[:, self.label_index]


def keyword_step(network: nn.Module, *, label_index: int, temperature: float, n_frames: int) -> KeywordStep:
    """Lay out a network for steps.

    Args:
        network: The network, on the CPU.
        label_index: The keyword, among the classes of the network; of others there are one or two.
        temperature: What the logits are divided by.
        n_frames: Frames of the spectrogram of a clip.

    Raises:
        ValueError: The network looks at the whole clip, or has a layer that chips do not compute; the message names it.
    """
    folded: Any = fold_norms(network)
    name = type(folded).__name__
    try:
        part = frames_part(folded)
    except ValueError as error:
        raise ValueError(f"{error}; {ADVICE}") from error
    machine = Machine(folded, part, lead=0)
    for node in machine.stages:
        got = f"{name}, whose layer {layer_of(node)} is another"
        check_that(kind_of(folded, node), "network", "one of 1D convolutions, ReLUs and sums", got, ADVICE)
    noise = torch.randn(1, 1, folded.n_bands, n_frames, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        frames, embedding = folded.frames(noise), folded.embed(noise)
    is_mean = torch.allclose(frames.mean(-1), embedding, rtol=1e-4, atol=1e-4)
    check_that(is_mean, "network", "a mean over the frames behind the convolutions", name, ADVICE)
    linear = linear_of(folded)
    weight, bias = (value.detach().numpy() / temperature for value in (linear.weight, linear.bias))
    layers = keyword_layers(weight, bias, label_index)
    return KeywordStep(folded, machine, frames.shape[-1], layers, label_index, temperature)


def keyword_layers(weight: np.ndarray, bias: np.ndarray, label_index: int) -> tuple[Linear, ...]:
    """Return layers behind which a sigmoid is the softmax's probability of one of two or three classes.

    With logits a of the class, b and c, that is the sigmoid of a - c - ln(1 + e**(b - c)), of which chips compute the
    logarithm as a sum of ReLUs, by `KNOTS`.

    Args:
        weight: Of the linear layer that gives the logits, (class, channel).
        bias: (class,).
        label_index: The class.

    Example:
        >>> first, last = keyword_layers(np.eye(3, dtype=np.float32), np.zeros(3, np.float32), 0)
        >>> x = np.array([2.0, 0.5, 0.0])
        >>> logit = last.weight @ np.maximum(first.weight @ x + first.bias, 0) + last.bias
        >>> float(abs(1 / (1 + np.exp(-logit[0])) - np.exp(2) / np.exp(x).sum())) < 0.015
        True
    """
    rows = np.concatenate([weight, bias[:, None]], 1)
    own, *others = rows[label_index], *np.delete(rows, label_index, 0)
    above = own - others[-1]
    if len(others) == 1:
        return (_linear([above]),)
    between = others[0] - others[1]
    shift = np.eye(rows.shape[1])[-1]  # adds to the bias
    hidden = _linear([above, -above, *(between - knot * shift for knot in KNOTS)])
    heights = np.log1p(np.exp(KNOTS))
    heights[[0, -1]] = 0, KNOTS[-1]
    slopes = np.concatenate([[0], np.diff(heights) / np.diff(KNOTS), [1]])
    return hidden, Linear(np.array([[1, -1, *-np.diff(slopes)]], np.float32), np.zeros(1, np.float32))


def kind_of(network: nn.Module, node: fx.Node) -> str | None:
    """Return what an operation of a traced network is for a chip, None if it is nothing that chips compute."""
    match node.op:
        case "placeholder":
            return INPUT
        case "get_attr":
            return WEIGHT
        case "call_module":
            return _MODULES.get(type(network.get_submodule(str(node.target))))
        case "call_method":  # the bands become channels
            is_input = (
                node.target == "squeeze" and node.args[1:] == (1,) and node.all_input_nodes[0].op == "placeholder"
            )
            return SAME if is_input else None
    kind = _FUNCTIONS.get(node.target)
    is_dilated_or_in_groups = kind == CONVOLUTION and node.args[5:] != ((1,), 1)
    is_of_one = kind == SUM and len(node.all_input_nodes) != 2
    return None if is_dilated_or_in_groups or is_of_one else kind


def weight_of(network: nn.Module, node: fx.Node | None) -> np.ndarray | None:
    """Return a weight of a network, by its place in the traced one."""
    if node is None:
        return None
    weight: np.ndarray = attrgetter(str(node.target))(network).detach().numpy()
    return weight


def _linear(rows: list[np.ndarray]) -> Linear:
    """Return the layer of rows (channel + 1,), the last of which is the bias."""
    stacked = np.stack(rows).astype(np.float32)
    return Linear(stacked[:, :-1], stacked[:, -1])
