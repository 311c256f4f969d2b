"""Who is compared: each architecture, at a width with which it can be trained in minutes on two cores."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Member(NamedTuple):
    """One network of the comparison.

    Attributes:
        title: Its name in the table.
        year: Of its paper.
        name: Its name in `audionet.models.MODELS`.
        arguments: Its arguments, beside those that the data tells.
        kind: Its kind in the picture.
    """

    title: str
    year: int
    name: str
    arguments: Mapping[str, Any] = {}
    kind: str = "classic"


MEMBERS = (
    Member("linear model", 1958, "fully_connected", {"hidden": []}, "plain"),
    Member("fully connected, 128 and 128", 1986, "fully_connected", {"hidden": [128, 128]}, "plain"),
    Member("one convolution", 1989, "one_layer", {}, "plain"),
    Member("LeNet-5", 1998, "lenet"),
    Member("AlexNet, width 1/4", 2012, "alexnet", {"width": 0.25, "norm": "batch", "dropout": 0.2}),
    Member("ZFNet, width 1/4", 2013, "zfnet", {"width": 0.25, "norm": "batch", "dropout": 0.2}),
    Member("VGG-11, width 1/4", 2014, "vgg", {"depth": 11, "width": 0.25, "norm": "batch", "dropout": 0.2}),
    Member("VGG-16, width 1/8", 2014, "vgg", {"depth": 16, "width": 0.125, "norm": "batch", "dropout": 0.2}),
    Member("All-CNN-C, width 1/8", 2014, "all_conv", {"width": 0.125, "norm": "batch", "dropout": 0.1}),
    Member("GoogLeNet, width 1/4", 2014, "googlenet", {"width": 0.25, "norm": "batch", "dropout": 0.2}),
    Member("Inception v2, width 1/8", 2015, "bn_inception", {"width": 0.125, "dropout": 0.2}),
    Member("Inception v3, width 1/8", 2015, "inception_v3", {"width": 0.125, "dropout": 0.2}),
    Member("Inception v4, width 1/8", 2016, "inception_v4", {"width": 0.125, "dropout": 0.2}),
    Member("Inception-ResNet v2, width 1/16", 2016, "inception_resnet", {"width": 0.0625, "dropout": 0.2}),
    Member("ResNet-8, width 1/2", 2015, "resnet", {"depth": 8, "width": 0.5}, "residual"),
    Member("ResNet-20, width 1/2", 2015, "resnet", {"depth": 20, "width": 0.5}, "residual"),
    Member("ResNet-18, width 1/4", 2015, "resnet", {"depth": 18, "width": 0.25}, "residual"),
    Member("ResNet-50, width 1/8", 2015, "resnet", {"depth": 50, "width": 0.125}, "residual"),
    Member("XNOR-Net, binary weights", 2016, "xnor", {"width": 0.25}),
    Member("ConvNeXt atto, width 1/4", 2022, "convnext", {"size": "atto", "width": 0.25}, "residual"),
    Member("res8", 2017, "keyword_resnet", {"depth": 8}, "keyword"),
    Member("res15, width 1/5", 2017, "keyword_resnet", {"depth": 15, "width": 0.2}, "keyword"),
    Member("DS-CNN S", 2017, "ds_cnn", {"size": "S"}, "keyword"),
    Member("TC-ResNet8", 2019, "tcresnet", {}, "keyword"),
    Member("TC-ResNet14-1.5", 2019, "tcresnet", {"depth": 14, "width": 1.5}, "keyword"),
    Member("MatchboxNet 3x1x64", 2020, "matchboxnet", {}, "keyword"),
    Member("BC-ResNet-1", 2021, "bcresnet", {"tau": 1}, "keyword"),
    Member("BC-ResNet-3", 2021, "bcresnet", {"tau": 3}, "keyword"),
    Member("CNN-TDNN", 2021, "cnn_tdnn", {}, "keyword"),
)
"""The networks, the oldest of each kind first. What the classics miss, batch normalisation, they are given."""
