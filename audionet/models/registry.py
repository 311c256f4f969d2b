"""The networks by name."""

from typing import TYPE_CHECKING

from audionet.registry import Registry

if TYPE_CHECKING:
    from torch import nn

MODELS: "Registry[nn.Module]" = Registry(
    "network",
    {
        "alexnet": "audionet.models.alexnet:AlexNet",
        "all_conv": "audionet.models.all_conv:AllConv",
        "bcresnet": "audionet.models.bcresnet:BCResNet",
        "bn_inception": "audionet.models.bn_inception:BNInception",
        "cnn_tdnn": "audionet.models.cnn_tdnn:CNNTDNN",
        "convnext": "audionet.models.convnext:ConvNeXt",
        "ds_cnn": "audionet.models.ds_cnn:DSCNN",
        "fully_connected": "audionet.models.fully_connected:FullyConnected",
        "googlenet": "audionet.models.googlenet:GoogLeNet",
        "inception_resnet": "audionet.models.inception_resnet:InceptionResNet",
        "inception_v3": "audionet.models.inception_v3:InceptionV3",
        "inception_v4": "audionet.models.inception_v4:InceptionV4",
        "keyword_resnet": "audionet.models.keyword_resnet:KeywordResNet",
        "lenet": "audionet.models.lenet:LeNet",
        "matchboxnet": "audionet.models.matchboxnet:MatchboxNet",
        "one_layer": "audionet.models.one_layer:OneLayer",
        "resnet": "audionet.models.resnet:ResNet",
        "tcresnet": "audionet.models.tcresnet:TCResNet",
        "timm": "audionet.models.timm_backbone:TimmBackbone",
        "vgg": "audionet.models.vgg:VGG",
        "wavenet": "audionet.models.wavenet.network:WaveNet",
        "wavenet_autoencoder": "audionet.models.wavenet.autoencoder:WaveNetAutoencoder",
        "wavenet_classifier": "audionet.models.wavenet.classifier:WaveNetClassifier",
        "xnor": "audionet.models.xnor:XNORNet",
        "zfnet": "audionet.models.zfnet:ZFNet",
    },
    group="audionet.models",
)


def create(name: str, **arguments: object) -> "nn.Module":
    """Build the network called ``name``, a key of `MODELS`, with its own arguments.

    Raises:
        ValueError: The name is unknown, or an argument does not fit.

    Example:
        >>> network = create("bcresnet", n_classes=12, n_bands=40)
        >>> network(torch.zeros(2, 1, 40, 101)).shape
        torch.Size([2, 12])
    """
    return MODELS.create(name, **arguments)
