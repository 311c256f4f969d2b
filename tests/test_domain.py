"""The head that tells synthetic from real speech: what helps it, the network unlearns."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from audionet import models
from audionet.training import DomainHead, Recognition, fit_and_test
from tests.test_training import QUIET, assert_same, logged, make, weights

SPEECH = np.random.default_rng(0).integers(-9000, 9000, (40, 4000), np.int16)


class Linear(nn.Module):
    """A network of one layer: two numbers in, an embedding of two."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.head = nn.Linear(2, 2), nn.Linear(2, 2)
        with torch.no_grad():
            self.layer.weight.copy_(torch.eye(2))

    def embed(self, numbers: Tensor) -> Tensor:
        """Return the embedding."""
        embedding: Tensor = self.layer(numbers)
        return embedding


def domain_gradients(weight: float, progress: float = 1.0) -> tuple[Tensor, Tensor]:
    """Return the gradients of the domain's loss for the network and for the head."""
    torch.manual_seed(0)
    network = Linear()
    head = DomainHead(network, SPEECH, weight)
    numbers, is_real = torch.randn(8, 2), torch.arange(8) < 4
    head.loss(network.embed(numbers), is_real, progress).backward()
    first: Any = head.layers[0]
    assert network.layer.weight.grad is not None and first.weight.grad is not None
    return network.layer.weight.grad, first.weight.grad


def test_the_gradient_is_reversed_for_the_network_and_not_for_the_head() -> None:
    network, head = domain_gradients(1.0)
    helps, of_head = domain_gradients(-1 / (2 / (1 + math.exp(-10)) - 1))  # the plain gradient
    torch.testing.assert_close(network, -(2 / (1 + math.exp(-10)) - 1) * helps)
    assert float(helps.abs().sum()) > 0 and torch.equal(head, of_head)
    torch.testing.assert_close(domain_gradients(0.3)[0], 0.3 * network)
    assert not domain_gradients(1.0, progress=0.0)[0].any()  # at the beginning the head learns alone
    assert torch.equal(domain_gradients(1.0, progress=0.0)[1], head)


@pytest.mark.parametrize(("weight", "can_tell"), [(0.0, True), (0.3, False)])
def test_the_head_can_tell_only_while_the_network_may_show(weight: float, can_tell: bool) -> None:
    """Of two numbers, the first says the word and the second the domain."""
    torch.manual_seed(0)
    network = Linear()
    head = DomainHead(network, SPEECH, weight)
    optimizer = torch.optim.SGD([*network.parameters(), *head.parameters()], 0.1, weight_decay=0.02)
    for _ in range(600):
        word, is_real = torch.randint(2, (64,)), torch.rand(64) < 0.5
        signs = torch.stack([word.float(), is_real.float()], 1) * 2 - 1
        embedding = network.embed(signs + 0.3 * torch.randn(64, 2))
        named = nn.functional.cross_entropy(network.head(embedding), word)
        told = head.loss(embedding, is_real, 1.0)
        optimizer.zero_grad()
        (named + told).backward()
        optimizer.step()
    assert named.item() < 0.1  # the word is known either way
    assert told.item() < 0.2 if can_tell else told.item() > 0.85 * math.log(2)


def test_both_kinds_count_alike() -> None:
    head = DomainHead(Linear(), SPEECH, 1.0)
    embedding, is_real = torch.randn(6, 2), torch.tensor([True, False, False, False, False, False])
    repeated = torch.cat([embedding[:1].expand(5, 2), embedding[1:]])
    once, often = head.loss(embedding, is_real, 0.5), head.loss(repeated, torch.arange(10) < 5, 0.5)
    torch.testing.assert_close(once, often)


def test_a_training_with_a_head_is_another_and_repeats_itself(tone_folder: Path, tmp_path: Path) -> None:
    def settings(run: str, epochs: int) -> dict[str, Any]:
        return {"output": tmp_path / run, "monitor": None, "trainer": QUIET | {"max_epochs": epochs}}

    task, data = make(tone_folder, domain_weight=0.5, speech=SPEECH)
    before = weights(task)
    assert task.domain is not None and before.keys() == task.model.state_dict().keys()  # a bundle has no such head
    of_head = [value.detach().clone() for value in task.domain.parameters()]
    fit_and_test(task, data, **settings("run", 2))
    assert all(not torch.equal(value, old) for value, old in zip(task.domain.parameters(), of_head, strict=True))
    losses = [float(value) for _, value in logged(tmp_path / "run", "train_domain_loss")]
    assert len(losses) == 2 * len(data.train_dataloader()) and min(losses) > 0
    again, data = make(tone_folder, domain_weight=0.5, speech=SPEECH)
    fit_and_test(again, data, **settings("again", 2))
    assert_same(weights(again), weights(task))
    plain, data = make(tone_folder)
    fit_and_test(plain, data, **settings("plain", 2))
    assert plain.domain is None
    assert not torch.equal(weights(plain)["stem.weight"], weights(task)["stem.weight"])


def test_what_cannot_be_told_apart_is_refused() -> None:
    model = models.create("tcresnet", n_classes=2, n_bands=4)
    front_end = nn.Identity()
    for speech in (None, SPEECH[:0]):
        with pytest.raises(
            ValueError, match=r"speech: expected real speech, with domain_weight, got 'none'; .*real_speech"
        ):
            Recognition(front_end=front_end, model=model, n_classes=2, domain_weight=0.1, speech=speech)
    with pytest.raises(ValueError, match="domain_weight: expected at least 0, got -1"):
        Recognition(front_end=front_end, model=model, n_classes=2, domain_weight=-1, speech=SPEECH)
    own_loss = models.create("wavenet_classifier", n_classes=2)
    with pytest.raises(ValueError, match="domain_weight: expected 0 for a network with a loss of its own"):
        Recognition(front_end=front_end, model=own_loss, n_classes=2, domain_weight=0.1, speech=SPEECH)
