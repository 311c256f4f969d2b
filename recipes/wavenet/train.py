"""Train a network that generates audio sample by sample: a preset says what on, the flags change any value of it.

    python recipes/wavenet/train.py --config recipes/wavenet/presets/words.yaml
    python recipes/wavenet/train.py --config recipes/wavenet/presets/fsdd_digits.yaml --data.root my_digits

Leaves in --output: the bundle (model.safetensors), the report (report.html), checkpoints and logs.
"""

import math
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning
import torch
from jsonargparse import ArgumentParser
from matplotlib.figure import Figure

import audionet
from audionet import bundle, features, models, plots, report
from audionet.flags import parse, split_name
from audionet.inference import Generator
from audionet.training import Generation, LogSound, fit_and_test, training_record
from audionet.training.data import CropDataModule


def make_parser() -> ArgumentParser:
    """Describe every value that a preset or a flag can set."""
    parser = ArgumentParser(description="Train a network that generates audio sample by sample.")
    parser.add_argument("--config", action="config", help="preset: a YAML file of values")
    parser.add_argument("--output", type=str, default="runs/wavenet", help="folder for all that the run leaves")
    parser.add_argument("--resume", type=bool, default=False, help="go on from the output folder's last checkpoint")
    parser.add_argument("--seed", type=int, default=0, help="decides weights, windows and what is generated")
    parser.add_argument("--ema_decay", type=float | None, default=0.999, help="average the weights with this decay")
    parser.add_argument("--features", type=dict[str, Any] | None, default=None, help="local conditioning and arguments")
    parser.add_argument("--model", type=dict[str, Any], default={"name": "wavenet"}, help="network and arguments")
    parser.add_argument("--n_generated", type=int, default=10, help="clips to generate for the report")
    parser.add_argument("--judge", type=str | None, default=None, help="recogniser that says what it hears in them")
    parser.add_class_arguments(CropDataModule, "data", skip={"seed"})
    parser.add_class_arguments(Generation, "task", skip={"model", "features", "margin"})
    set_by_us = {"logger", "callbacks", "default_root_dir", "use_distributed_sampler"}
    parser.add_class_arguments(lightning.Trainer, "trainer", skip=set_by_us)
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Train, test, and leave the bundle and the report."""
    arguments = sys.argv[1:] if arguments is None else arguments
    config = parse(make_parser(), arguments, named=("features", "model"))
    output = Path(config.output)
    judge = None if config.judge is None else audionet.load(config.judge, task="recognition")
    data = CropDataModule(**config.data, seed=config.seed)
    lightning.seed_everything(config.seed, verbose=False)
    name, given = split_name(config.model)
    model: Any = models.create(name, **given, categories=data.categories)
    network = bundle.Part(name, {**given, "categories": data.categories}, model)
    front_end, margin = None, 0
    if config.features is not None:
        name, given = split_name({**config.features, "sample_rate": data.sample_rate})
        front_end = bundle.Part(name, given, features.create(name, **given))
        framing = front_end.module.framing
        if framing.hop_length != model.hop_length:
            raise ValueError(f"features.hop_length = {framing.hop_length}: model.upsample makes {model.hop_length}")
        margin = model.hop_length * math.ceil(framing.left / model.hop_length)
    data.fit_to(
        context=model.receptive_field, hop_length=model.step_length, margin=margin, learns_end=not model.n_places
    )
    untrained = bundle.Bundle(
        task="generation",
        model=network,
        front_end=front_end,
        sample_rate=data.sample_rate,
        # A network with places knows how long it is to speak.
        clip_length=data.typical_length if model.n_places else data.clip_length,
        value_lengths=data.value_lengths if model.n_places else {},
    )
    task = Generation(model=model, features=front_end and front_end.module, margin=margin, **config.task)

    def make(count: int) -> tuple[Generator, torch.Tensor, dict[str, list[str]], torch.Tensor | None]:
        """Make clips like ones of the test split, with the weights of now."""
        generator = Generator(untrained, task.device)
        recordings, chosen = data.examples(count)
        frames = None
        if generator.needs_frames:
            frames = torch.cat([generator.frames_of(recording, data.sample_rate) for recording in recordings])
        made = generator.generate(count=count, seed=config.seed, frames=frames, **chosen)
        return generator, made, chosen, frames

    def picture() -> tuple[torch.Tensor, dict[str, Figure]]:
        """Make one clip, its spectrogram, and what was expected of each sample of 50 ms of it."""
        generator, made, chosen, frames = make(1)
        start, stop = data.sample_rate // 10, data.sample_rate * 3 // 20
        expected = generator.expect(made, frames=frames, **chosen)[0, start:stop]
        heat_map = plots.plot_distribution(expected, samples=made[0, start:stop], sample_rate=data.sample_rate)
        return made[0], {"spectrogram": report.plot_clip(made[0], data.sample_rate), "heat map": heat_map}

    trainer = fit_and_test(
        task,
        data,
        output=output,
        monitor="validation_bits" if data.has_validation else None,
        mode="min",
        resume=config.resume,
        ema_decay=config.ema_decay,
        callbacks=[LogSound(picture, data.sample_rate)],
        trainer=config.trainer.as_dict(),
    )
    if not trainer.is_global_zero:
        return

    record = training_record(
        trainer,
        data=data.card.title,
        bits_per_sample=round(trainer.callback_metrics["test_bits"].item(), 4),
        test_clips=len(data.store.indices("test")),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        seed=config.seed,
        command=shlex.join(["python", "recipes/wavenet/train.py", *arguments]),
    )
    path = output / "model.safetensors"
    bundle.save(path, replace(untrained, training=record))
    _, made, chosen, _ = make(config.n_generated)
    (output / "generated").mkdir(exist_ok=True)
    clips = []
    for number, waveform in enumerate(made):
        values = {category: names[number] for category, names in chosen.items()}
        file = output / "generated" / f"{'-'.join([f'{number:02}', *values.values()])}.wav"
        audionet.save_audio(file, waveform, data.sample_rate)
        heard = [] if judge is None else judge.recognize(waveform, data.sample_rate, top_k=3)
        clips.append(report.ReportClip(file, values.pop("label", ""), heard, values))
    page = report.write_generation(
        output,
        title=f"Generation: {data.card.title}",
        bits=record["bits_per_sample"],
        n_test_clips=record["test_clips"],
        facts={name.replace("_", " "): str(value) for name, value in record.items() if name != "bits_per_sample"},
        history=output / "metrics.csv",
        clips=clips,
        heat_map=picture()[1]["heat map"],
    )
    print(f"{record['bits_per_sample']:.3f} bits per sample on {record['test_clips']} test clips")
    print(f"bundle  {path}    use it: audionet generate {path} --output new.wav")
    print(f"report  {page}")


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
