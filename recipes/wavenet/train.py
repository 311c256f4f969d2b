"""Train a network that generates audio sample by sample: a preset says what on, the flags change any value of it.

    python recipes/wavenet/train.py --config recipes/wavenet/presets/words.yaml
    python recipes/wavenet/train.py --config recipes/wavenet/presets/fsdd_digits.yaml --data.root my_digits

Leaves in --output: the bundle (model.safetensors), the report (report.html), checkpoints and logs.
"""

import sys
import time
from pathlib import Path
from typing import Any

import lightning
from jsonargparse import ArgumentParser, Namespace

from audionet import features, models
from audionet.datasets.datamodule import CropDataModule
from audionet.tasks import Generation, fit_and_test


def make_parser() -> ArgumentParser:
    """Describe every value that a preset or a flag can set."""
    parser = ArgumentParser(description="Train a network that generates audio sample by sample.")
    parser.add_argument("--config", action="config", help="preset: a YAML file of values")
    parser.add_argument("--output", type=str, default="runs/wavenet", help="folder for all that the run leaves")
    parser.add_argument("--resume", type=bool, default=False, help="go on from the output folder's last checkpoint")
    parser.add_argument("--seed", type=int, default=0, help="decides weights and windows")
    parser.add_argument("--ema_decay", type=float | None, default=0.999, help="average the weights with this decay")
    parser.add_argument("--features", type=dict[str, Any] | None, default=None, help="local conditioning and arguments")
    parser.add_argument("--model", type=dict[str, Any], default={"name": "wavenet"}, help="network and arguments")
    parser.add_class_arguments(CropDataModule, "data", skip={"seed"})
    made_here = {"model", "features", "hop_length", "margin"}
    parser.add_class_arguments(Generation, "task", skip=made_here)
    set_by_us = {"logger", "callbacks", "default_root_dir", "use_distributed_sampler"}
    parser.add_class_arguments(lightning.Trainer, "trainer", skip=set_by_us)
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Train, test, and leave the bundle and the report."""
    arguments = sys.argv[1:] if arguments is None else arguments
    config: Namespace = make_parser().parse_args(arguments)
    output = Path(config.output)
    start = time.perf_counter()
    data = CropDataModule(**config.data, seed=config.seed)
    lightning.seed_everything(config.seed, verbose=False)
    described = dict(config.model)
    from audionet.models.wavenet import WaveNet
    described.pop("name")
    model = WaveNet(**described, categories=data.categories)
    data.fit_to(context=model.receptive_field)
    task = Generation(model=model, **config.task)
    trainer = fit_and_test(
        task,
        data,
        output=output,
        monitor="validation_bits" if data.has_validation else None,
        mode="min",
        resume=config.resume,
        ema_decay=config.ema_decay,
        trainer=config.trainer.as_dict(),
    )
    print(trainer.callback_metrics)


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
