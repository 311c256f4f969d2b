"""The two layers that learn beside an embedding: kept beside its bundle, for a training that goes on from it."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from audionet.console import note
from audionet.files import whole_file
from audionet.training.embedding import Embedding

FILE = "layers.safetensors"


def save_layers(bundle_path: str | Path, task: Embedding, labels: Sequence[str]) -> Path:
    """Write the layers that name the word and imitate the teacher beside a bundle, which does without them.

    Args:
        bundle_path: Path of the bundle.
        task: What was trained.
        labels: The words, in the order of the layer's outputs.

    Returns:
        The path of the file.
    """
    layers = {"words": task.words, **({} if task.numbers is None else {"numbers": task.numbers})}
    tensors = {
        f"{name}.{key}": tensor.contiguous()
        for name, layer in layers.items()
        for key, tensor in layer.state_dict().items()
    }
    path = Path(bundle_path).with_name(FILE)
    with whole_file(path) as file:
        file.write(save(tensors, metadata={"labels": json.dumps(list(labels))}))
    return path


def load_layers(bundle_path: str | Path, task: Embedding, labels: Sequence[str]) -> int:
    """Go on with the layers that `save_layers` left beside a bundle; those of new words stay as they are.

    Args:
        bundle_path: Path of the bundle.
        task: What is going to be trained.
        labels: Its words.

    Returns:
        How many words were known; 0 where there is no such file, or it is of another network.
    """
    path = Path(bundle_path).with_name(FILE)
    if not path.is_file():
        note(f"{path}: not there, so the words and the teacher are learnt anew")
        return 0
    try:
        with safe_open(str(path), framework="pt") as file:
            before = {label: row for row, label in enumerate(json.loads(file.metadata()["labels"]))}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: expected layers of an embedding, got a damaged file ({error}); remove it") from error
    rows = [(row, before[label]) for row, label in enumerate(labels) if label in before]
    if tensors["words.weight"].shape[1] != task.words.in_features or not rows:
        return 0
    to, of = torch.tensor(rows).T
    with torch.no_grad():
        task.words.weight[to] = tensors["words.weight"][of]
        task.words.bias[to] = tensors["words.bias"][of]
        if task.numbers is not None and "numbers.weight" in tensors:
            if tensors["numbers.weight"].shape == task.numbers.weight.shape:
                task.numbers.weight.copy_(tensors["numbers.weight"])
                task.numbers.bias.copy_(tensors["numbers.bias"])
    return len(rows)
