"""Where a paper gives a number of parameters at its input size, ours equals it, to the paper's rounding."""

from typing import NamedTuple

import pytest
import torch

from audionet import models


class Row(NamedTuple):
    """One network of a paper.

    Attributes:
        name: Its name in the registry.
        arguments: Its arguments, of the paper's input.
        count: Its parameters.
        source: Who gives the count.
        rounding: What the count is rounded to.
        statistics: Whether the count has batch normalisation's running means and variances in it.
    """

    name: str
    arguments: dict[str, object]
    count: int
    source: str
    rounding: int = 1
    statistics: bool = False


EARLY: list[Row] = []

INCEPTION: list[Row] = []

RESIDUAL = [
    Row("tcresnet", {"n_classes": 12}, 66_000, "the paper's table of results", 1000, statistics=True),
    Row("tcresnet", {"n_classes": 12, "width": 1.5}, 145_000, "the paper's table of results", 1000, statistics=True),
    Row("tcresnet", {"n_classes": 12, "depth": 14}, 137_000, "the paper's table of results", 1000, statistics=True),
    Row(
        "tcresnet",
        {"n_classes": 12, "depth": 14, "width": 1.5},
        305_000,
        "the paper's table of results",
        1000,
        statistics=True,
    ),
    Row("bcresnet", {"n_classes": 12, "tau": 1}, 9_232, "the authors' code; 9.2 thousand in the paper"),
    Row("bcresnet", {"n_classes": 12, "tau": 1.5}, 17_154, "the authors' code"),
    Row("bcresnet", {"n_classes": 12, "tau": 2}, 27_284, "the authors' code; 27.3 thousand in the paper"),
    Row("bcresnet", {"n_classes": 12, "tau": 3}, 54_168, "the authors' code; 54.2 thousand in the paper"),
    Row("bcresnet", {"n_classes": 12, "tau": 6}, 187_812, "the authors' code; 188 thousand in the paper"),
    Row("bcresnet", {"n_classes": 12, "tau": 8}, 321_068, "the authors' code; 321 thousand in the paper"),
]


@pytest.mark.parametrize("row", EARLY + INCEPTION + RESIDUAL, ids=lambda row: f"{row.name}-{row.count}-{row.rounding}")
def test_parameter_counts_of_the_papers(row):
    with torch.device("meta"):
        network = models.create(row.name, **row.arguments)
    counted = [*network.parameters()]
    counted += [buffer for buffer in network.buffers() if buffer.is_floating_point()] if row.statistics else []
    n_parameters = sum(each.numel() for each in counted)
    assert abs(n_parameters - row.count) <= row.rounding / 2, f"{n_parameters}, and {row.count} by {row.source}"
