"""Train a recogniser of single words: a preset says what on, the flags change any value of it.

    python recipes/recognition/train.py --config recipes/recognition/presets/words.yaml
    python recipes/recognition/train.py --config recipes/recognition/presets/words.yaml \
        --data.card null --data.root my_words --trainer.max_epochs 50

Leaves in --output: the bundle (model.safetensors), the report (report.html), checkpoints and logs.
"""

import shlex
import sys
from pathlib import Path
from typing import Any

import lightning
import torch
from jsonargparse import ArgumentParser

import audionet
from audionet import bundle, features, metrics, models, report
from audionet.augment import AUGMENTATIONS, Augment, SpecAugment
from audionet.flags import parse, split_name
from audionet.training import Recognition, fit_and_test, training_record
from audionet.training.data import ClipDataModule


def make_parser() -> ArgumentParser:
    """Describe every value that a preset or a flag can set."""
    parser = ArgumentParser(description="Train a recogniser of single words.")
    parser.add_argument("--config", action="config", help="preset: a YAML file of values")
    parser.add_argument("--output", type=str, default="runs/recognition", help="folder for all that the run leaves")
    parser.add_argument("--resume", type=bool, default=False, help="go on from the output folder's last checkpoint")
    parser.add_argument("--seed", type=int, default=0, help="decides weights, order and augmentation")
    parser.add_argument("--compile", type=bool, default=False, help="compile the network with torch.compile")
    parser.add_argument("--ema_decay", type=float | None, default=None, help="average the weights with this decay")
    parser.add_argument("--features", type=dict[str, Any], default={"name": "LogMel"}, help="front-end and arguments")
    parser.add_argument("--model", type=dict[str, Any], default={"name": "bcresnet"}, help="network and arguments")
    parser.add_argument("--play", type=str | None, default=None, help="bundle whose generated labels the report plays")
    for name in AUGMENTATIONS:
        parser.add_argument(f"--augment.{name}", type=dict[str, Any] | None, default=None, help="its arguments, and p")
    parser.add_argument("--augment_p", type=float, default=1.0, help="share of the clips that are augmented")
    parser.add_argument("--spec_augment", type=dict[str, Any] | None, default=None, help="masks on the spectrogram")
    parser.add_class_arguments(ClipDataModule, "data", skip={"seed"})
    made_here = {"features", "model", "labels", "augment", "spec_augment", "seed"}
    parser.add_class_arguments(Recognition, "task", skip=made_here)
    set_by_us = {"logger", "callbacks", "default_root_dir", "use_distributed_sampler"}
    parser.add_class_arguments(lightning.Trainer, "trainer", skip=set_by_us)
    return parser


def generated_clips(name: str, folder: Path) -> list[report.ReportClip]:
    """Let a shipped bundle speak each of its labels; the recogniser of the same name says what it hears."""
    generator, judge = audionet.load(name, task="generation"), audionet.load(name, task="recognition")
    folder.mkdir(exist_ok=True)
    clips = []
    for label in generator.categories["label"]:
        waveform, file = generator.generate(label=label)[0], folder / f"{label}.wav"
        audionet.save_audio(file, waveform, generator.sample_rate)
        clips.append(report.ReportClip(file, label, judge.recognize(waveform, generator.sample_rate, top_k=3)))
    return clips


def main(arguments: list[str] | None = None) -> None:
    """Train, test, and leave the bundle and the report."""
    arguments = sys.argv[1:] if arguments is None else arguments
    config = parse(make_parser(), arguments, named=("features", "model"))
    output = Path(config.output)

    data = ClipDataModule(**config.data, seed=config.seed)
    lightning.seed_everything(config.seed, verbose=False)
    features_name, features_arguments = split_name({**config.features, "sample_rate": data.sample_rate})
    front_end = features.create(features_name, **features_arguments)
    spectrum = front_end(torch.zeros(1, data.clip_length))
    if spectrum.is_complex():
        raise ValueError(f"--features: {features_name} gives complex numbers here, which no network takes")
    n_bands = spectrum.shape[-2]
    model_name, model_arguments = split_name({"n_bands": n_bands, **config.model, "n_classes": len(data.labels)})
    model = models.create(model_name, **model_arguments)
    if config.compile:
        model.compile(dynamic=False)  # the last batch of a split may be shorter: compiled again, once
    task = Recognition(
        features=front_end,
        model=model,
        labels=data.labels,
        augment=Augment(
            config.augment.as_dict(), sample_rate=data.sample_rate, background=data.background, p=config.augment_p
        ),
        spec_augment=None if config.spec_augment is None else SpecAugment(**config.spec_augment),
        seed=config.seed,
        **config.task,
    )

    trainer = fit_and_test(
        task,
        data,
        output=output,
        monitor="validation_accuracy" if data.has_validation else None,
        resume=config.resume,
        ema_decay=config.ema_decay,
        trainer=config.trainer.as_dict(),
    )
    if not trainer.is_global_zero:
        return

    confusion = task.confusion.numpy()
    record = training_record(
        trainer,
        data=data.card.title,
        accuracy=round(metrics.accuracy(confusion), 4),
        test_clips=int(confusion.sum()),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        seed=config.seed,
        command=shlex.join(["python", "recipes/recognition/train.py", *arguments]),
    )
    path = output / "model.safetensors"
    trained = bundle.Bundle(
        task="recognition",
        model=bundle.Part(model_name, model_arguments, model),
        front_end=bundle.Part(features_name, features_arguments, task.features),
        sample_rate=data.sample_rate,
        clip_length=data.clip_length,
        labels=tuple(data.labels),
        training=record,
    )
    bundle.save(path, trained)
    recognizer = audionet.load(path)  # what is reported is what the bundle says of files
    files = data.export_clips("test", output / "clips", per_label=1)
    page = report.write_recognition(
        output,
        title=f"Recognition: {data.card.title}",
        facts={name.replace("_", " "): str(value) for name, value in record.items() if name != "accuracy"},
        labels=data.labels,
        confusion=confusion,
        history=output / "metrics.csv",
        clips=[report.ReportClip(file, truth, recognizer.recognize_file(file, top_k=3)) for file, truth in files],
        generated=[] if config.play is None else generated_clips(config.play, output / "generated"),
    )
    print(f"test accuracy {record['accuracy']:.1%} on {record['test_clips']} clips")
    print(f"bundle  {path}    use it: audionet recognize {path} FILE...")
    print(f"report  {page}")


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
