"""The moving average of the weights: it forgets the random first ones, and ends as good as the weights themselves."""

from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from audionet.training import fit_and_test
from audionet.training.averaging import warm_average

QUIET = {"accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False, "log_every_n_steps": 1}
TRUE_WEIGHTS = torch.tensor([[1.0, -2.0, 0.5, 3.0]])


class Line(lightning.LightningModule):
    """Four weights, found by noisy steps from far away; a batch norm has the buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.linear = nn.BatchNorm1d(4, affine=False), nn.Linear(4, 1, bias=False)
        nn.init.constant_(self.linear.weight, 100.0)

    def distance(self) -> float:
        return torch.dist(self.linear.weight, TRUE_WEIGHTS).item()

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        return nn.functional.mse_loss(self.linear(self.norm(batch)), batch @ TRUE_WEIGHTS.T)

    def test_step(self, batch: Tensor, batch_idx: int) -> None:
        self.log("test_distance", self.distance())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.05)


class Numbers(lightning.LightningDataModule):
    """Thirty batches of random numbers an epoch."""

    def train_dataloader(self) -> DataLoader[Tensor]:
        batches: Any = torch.randn(30, 32, 4, generator=torch.Generator().manual_seed(0))
        return DataLoader(batches, batch_size=None)

    test_dataloader = train_dataloader


def trained(output: Path, ema_decay: float | None, n_epochs: int = 4, **changes: Any) -> Line:
    task = Line()
    settings = QUIET | {"max_epochs": n_epochs}
    fit_and_test(task, Numbers(), output=output, monitor=None, ema_decay=ema_decay, trainer=settings, **changes)
    return task


def test_a_short_run_is_as_good_with_an_average_as_without(tmp_path: Path) -> None:
    """With the decay from the first step on, 0.999 ** 120 = 89% of the average would be the weights at the start."""
    plain, averaged = trained(tmp_path / "plain", None), trained(tmp_path / "averaged", 0.999)
    assert Line().distance() > 150
    assert averaged.distance() < max(1.1 * plain.distance(), 0.1)
    assert not torch.equal(averaged.linear.weight, plain.linear.weight)


def test_buffers_are_averaged_and_counters_copied(tmp_path: Path) -> None:
    plain, averaged = trained(tmp_path / "plain", None), trained(tmp_path / "averaged", 0.999)
    for task in (plain, averaged):
        assert task.norm.num_batches_tracked == 120
        torch.testing.assert_close(task.norm.running_var, torch.ones(4), rtol=0, atol=0.2)
    assert not torch.equal(averaged.norm.running_mean, plain.norm.running_mean)  # type: ignore[arg-type]


def test_an_average_that_is_resumed_is_that_of_one_run(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole", 0.99)
    trained(tmp_path / "parts", 0.99, n_epochs=2)
    resumed = trained(tmp_path / "parts", 0.99, resume=True)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_the_memory_grows_with_the_steps_up_to_the_decay() -> None:
    zero, one = torch.tensor(0.0), torch.tensor(1.0)
    update = warm_average(0.9)
    kept = [1 - update(zero, one, torch.tensor(n)).item() for n in (1, 8, 71, 80, 10_000)]
    assert kept == pytest.approx([2 / 11, 9 / 18, 72 / 81, 0.9, 0.9])
    assert update(torch.tensor(3), torch.tensor(4), 5) == 4


@pytest.mark.parametrize("decay", [1.0, 1.5, -0.1, float("nan"), float("inf")])
def test_a_decay_that_never_learns_is_refused(tmp_path: Path, decay: float) -> None:
    with pytest.raises(ValueError, match="ema_decay: expected a number from 0 to below 1, got"):
        trained(tmp_path, decay)
