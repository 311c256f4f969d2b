"""Where a paper gives a number of parameters at its input size, ours equals it, to the paper's rounding."""

from collections.abc import Mapping
from typing import NamedTuple

import pytest
import torch

from audionet import models


class Row(NamedTuple):
    """One network of a paper.

    Attributes:
        name: Its name in the registry.
        arguments: Its arguments, of the paper's input.
        n_parameters: Its parameters.
        source: Who gives the number.
        rounding: What their number is rounded to.
        statistics: Whether their number has batch normalisation's running means and variances in it.
    """

    name: str
    arguments: Mapping[str, object]
    n_parameters: int
    source: str
    rounding: int = 1
    statistics: bool = False


DIGIT = {"n_classes": 10, "n_bands": 32, "n_frames": 32}  # the picture of MNIST with its margin
PICTURE = {"n_classes": 1000, "in_channels": 3, "n_bands": 224, "n_frames": 224}  # of ImageNet
CIFAR = {"n_classes": 10, "in_channels": 3, "n_bands": 32}

COLOURED = {"n_classes": 1000, "in_channels": 3, "n_bands": 224, "patch": 4}

EARLY = [
    Row("fully_connected", DIGIT | {"hidden": ()}, 10_250, "the definition: 10 templates of 32 x 32, and 10 biases"),
    Row("lenet", DIGIT | {"n_classes": 0}, 60_000, "the paper, section II.B: all that is learned, up to F6"),
    Row(
        "lenet",
        DIGIT | {"connections": "full", "pooling": "average"},
        61_706,
        "the paper's layers with all connections and a linear classifier, as in Dive into Deep Learning, section 7.6",
    ),
    Row(
        "alexnet",
        PICTURE | {"n_bands": 227, "n_frames": 227, "stride": 4},
        60_965_224,
        "the authors' layers, as in Caffe's bvlc_alexnet; 60 million in the paper",
    ),
    Row("alexnet", PICTURE | {"stride": 4, "groups": 1}, 61_100_840, "torchvision, after arXiv 1404.5997"),
    Row("zfnet", PICTURE | {"strides": (2, 2)}, 62_357_608, "the sum over the paper's figure 3, which gives no total"),
    Row("vgg", PICTURE | {"depth": 11}, 132_863_336, "torchvision; 133 million in the paper's table 2"),
    Row("vgg", PICTURE | {"depth": 13}, 133_047_848, "torchvision; 133 million in the paper's table 2"),
    Row("vgg", PICTURE | {"depth": 16}, 138_357_544, "torchvision; 138 million in the paper's table 2"),
    Row("vgg", PICTURE | {"depth": 19}, 143_667_240, "torchvision; 144 million in the paper's table 2"),
    Row("vgg", PICTURE | {"depth": 11, "norm": "batch"}, 132_866_088, "torchvision's 132,868,840 less 2,752 biases"),
    Row(
        "xnor",
        PICTURE | {"stride": 4},
        62_387_912,
        "the sum over AlexNet's layers without groups: weights, batch normalisation and the classifier's biases",
    ),
    Row("all_conv", CIFAR, 1_369_738, "the sum over the paper's tables 1 and 2; 1.4 million in table 3"),
    Row("all_conv", CIFAR | {"reduction": "convolution_and_max"}, 1_400_000, "the paper's table 3", 100_000),
]

ANY_PICTURE = {"n_classes": 1000, "in_channels": 3}  # for networks whose parameters do not depend on its size

INCEPTION = [
    # The rows of the paper's table 1 sum to 6.8 million, and few of them agree with its columns.
    Row("googlenet", ANY_PICTURE, 6_998_552, "the network of Caffe's model zoo without its auxiliary classifiers"),
    Row("googlenet", ANY_PICTURE | {"auxiliary": True}, 13_378_280, "the same with them"),
    # Slim's count has the first convolution's bias for its normalisation, and of the others' 9,952 channels the running
    # means and variances for the factors; the classifier is ours. The paper's text says 13.6 million, which is not what
    # its figure 5 gives.
    Row("bn_inception", ANY_PICTURE, 10_173_112 + 128 - 9_952 + 1_025_000, "TensorFlow slim's test of inception_v2"),
    Row("inception_v3", ANY_PICTURE, 23_834_568, "timm and torchvision without the auxiliary classifier"),
    Row("inception_v3", ANY_PICTURE | {"auxiliary": True}, 27_161_264, "timm and torchvision with it"),
    Row("inception_v4", ANY_PICTURE, 42_679_816, "timm"),
    Row("inception_resnet", ANY_PICTURE, 55_843_464, "timm's inception_resnet_v2"),
    # Which has a sixth module C, and a classifier of its own.
    Row(
        "inception_resnet",
        ANY_PICTURE | {"version": 1},
        22_564_096 - 1_600_768 + 1_793_000,
        "facenet-pytorch's InceptionResnetV1 before its embedding",
    ),
]

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
    Row("resnet", {"n_classes": 1000, "in_channels": 3, "n_bands": 224, "depth": 18}, 11_689_512, "torchvision"),
    Row("resnet", {"n_classes": 1000, "in_channels": 3, "n_bands": 224, "depth": 34}, 21_797_672, "torchvision"),
    Row("resnet", {"n_classes": 1000, "in_channels": 3, "n_bands": 224, "depth": 50}, 25_557_032, "torchvision"),
    Row("resnet", {"n_classes": 1000, "in_channels": 3, "n_bands": 224, "depth": 101}, 44_549_160, "torchvision"),
    Row("resnet", {"n_classes": 1000, "in_channels": 3, "n_bands": 224, "depth": 152}, 60_192_808, "torchvision"),
    Row(
        "resnet",
        {"n_classes": 1000, "in_channels": 3, "n_bands": 224, "depth": 50, "pre_activation": True},
        25_549_352,
        "timm's resnetv2_50",
    ),
    Row("resnet", {"n_classes": 10, "in_channels": 3, "depth": 20, "shortcut": "A"}, 270_000, "table 6", 10_000),
    Row("resnet", {"n_classes": 10, "in_channels": 3, "depth": 32, "shortcut": "A"}, 460_000, "table 6", 10_000),
    Row("resnet", {"n_classes": 10, "in_channels": 3, "depth": 44, "shortcut": "A"}, 660_000, "table 6", 10_000),
    Row("resnet", {"n_classes": 10, "in_channels": 3, "depth": 56, "shortcut": "A"}, 850_000, "table 6", 10_000),
    Row("resnet", {"n_classes": 10, "in_channels": 3, "depth": 110, "shortcut": "A"}, 1_700_000, "table 6", 100_000),
    Row("keyword_resnet", {"n_classes": 12, "depth": 8}, 110_000, "the paper's tables", 1000),
    Row("keyword_resnet", {"n_classes": 12, "depth": 15}, 238_000, "the paper's tables", 1000),
    Row("keyword_resnet", {"n_classes": 12, "depth": 26}, 438_000, "the paper's tables", 1000),
    Row("keyword_resnet", {"n_classes": 12, "depth": 8, "width": 19 / 45}, 19_900, "the paper's narrow forms", 100),
    Row("keyword_resnet", {"n_classes": 12, "depth": 15, "width": 19 / 45}, 42_600, "the paper's narrow forms", 100),
    Row("keyword_resnet", {"n_classes": 12, "depth": 26, "width": 19 / 45}, 78_400, "the paper's narrow forms", 100),
    Row("ds_cnn", {"n_classes": 12, "n_bands": 10, "size": "S", "norm": "none"}, 22_604, "the bytes, without maps"),
    Row("ds_cnn", {"n_classes": 12, "n_bands": 10, "size": "M", "norm": "none"}, 135_032, "the bytes, without maps"),
    Row("ds_cnn", {"n_classes": 12, "n_bands": 10, "size": "L", "norm": "none"}, 410_700, "the bytes, without maps"),
    Row(
        "matchboxnet",
        {"n_classes": 30, "n_bands": 64, "n_blocks": 3, "n_sub_blocks": 1},
        77_000,
        "tables 2 and 3",
        1_000,
    ),
    Row(
        "matchboxnet",
        {"n_classes": 30, "n_bands": 64, "n_blocks": 3, "n_sub_blocks": 2},
        93_000,
        "tables 2 and 3",
        1_000,
    ),
    Row(
        "matchboxnet",
        {"n_classes": 30, "n_bands": 64, "n_blocks": 6, "n_sub_blocks": 2},
        140_000,
        "tables 2 and 3",
        10_000,
    ),
    Row("convnext", COLOURED | {"size": "atto"}, 3_695_520, "timm; 3.7 million in its paper's table"),
    Row("convnext", COLOURED | {"size": "femto"}, 5_217_784, "timm; 5.2 million"),
    Row("convnext", COLOURED | {"size": "pico"}, 9_045_672, "timm; 9.1 million"),
    Row("convnext", COLOURED | {"size": "nano"}, 15_593_560, "timm; 15.6 million"),
    Row("convnext", COLOURED | {"size": "tiny"}, 28_589_128, "torchvision; 29 million in the paper's table 1"),
    Row("convnext", COLOURED | {"size": "small"}, 50_223_688, "torchvision; 50 million"),
    Row("convnext", COLOURED | {"size": "base"}, 88_591_464, "torchvision; 89 million"),
]


@pytest.mark.parametrize(
    "row", EARLY + INCEPTION + RESIDUAL, ids=lambda row: f"{row.name}-{row.n_parameters}-{row.rounding}"
)
def test_parameter_counts_of_the_papers(row):
    with torch.device("meta"):
        network = models.create(row.name, **row.arguments)
    counted: list[torch.Tensor] = [*network.parameters()]
    counted += [buffer for buffer in network.buffers() if buffer.is_floating_point()] if row.statistics else []
    n_counted = sum(each.numel() for each in counted)
    assert abs(n_counted - row.n_parameters) <= row.rounding / 2, f"{n_counted}, and {row.n_parameters} by {row.source}"
