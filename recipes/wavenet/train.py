"""Train a network that generates audio: a preset says what on, flags change any value of it (--help lists them).

    own sounds  python recipes/wavenet/train.py --data.root my_drums --output runs/drums    (presets/sounds.yaml)
    one CPU     python recipes/wavenet/train.py --config recipes/wavenet/presets/words.yaml
    one GPU     ... --trainer.accelerator gpu --trainer.devices 1 --trainer.precision bf16-mixed
    four GPUs   ... --trainer.accelerator gpu --trainer.devices 4 --trainer.strategy ddp
    two nodes   torchrun --nnodes 2 --node_rank N --master_addr HOST --nproc_per_node 4 ... --trainer.num_nodes 2
    go on       ... --resume true

Leaves in --output: model.safetensors (the bundle), report.html, README.md (model card), config.yaml, checkpoints, logs.
"""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import audionet  # each name loads what it needs when it is used, so that --help and a wrong flag are answered at once
from audionet import flags


def make_parser():
    """Describe every value that a preset or a flag can set."""
    parser = flags.RecipeParser(description="Train a network that generates audio sample by sample.")
    flags.add_run_arguments(parser, output="runs/wavenet", ema_decay=0.999)
    parser.add_argument("--features", type=flags.Arguments | None, default=None, help="local conditioning, arguments")
    parser.add_argument("--model", type=flags.Arguments, default={"name": "wavenet"}, help="network and arguments")
    parser.add_argument("--n_generated", type=int, default=10, help="clips to generate for the report")
    parser.add_argument("--judge", type=str | None, default=None, help="recogniser that says what it hears in them")
    not_values = {"words_only", "negatives", "progress"}
    flags.add_arguments(parser, "audionet.datasets.corpus:open_corpus", "data", skip=not_values)
    made_here = {"corpus", "seed", "model", "front_end", "context", "hop_length", "margin", "learns_end"}
    flags.add_arguments(parser, "audionet.training.data:CropData", "data", skip=made_here)
    flags.add_arguments(parser, "audionet.training.generation:Generation", "task", skip=made_here)
    return parser


def main(arguments=None):
    """Train, test, and leave the bundle and the report; return the record of the run, with the bundle's path."""
    arguments = sys.argv[1:] if arguments is None else arguments
    named = {"features": audionet.features.FEATURES, "model": audionet.models.MODELS}
    config = flags.parse(make_parser(), arguments, named=named, preset=Path(__file__).parent / "presets/sounds.yaml")
    audionet.training.check_run(config)
    data, parts = make_data_and_parts(config)
    judge = audionet.report.load_judge(config.judge, data.corpus.labels)
    task, trainer = train(config, data, parts)
    record = audionet.training.training_record(
        trainer,
        data.corpus,
        bits_per_sample=round(trainer.callback_metrics["test_bits"].item(), 4),
        seed=config.seed,
        command=audionet.training.command_line(__file__, arguments),
    )
    path = Path(config.output, "model.safetensors")
    if trainer.is_global_zero:  # of several processes one writes
        audionet.bundle.save(path, replace(parts, training=record))
        page = write_report(config, data, parts, path, judge)
        print(audionet.report.summary(record))
        print(f"bundle  {path}    use it: audionet generate {path} --output new.wav")
        print(f"report  {page}    model card: README.md beside it")
    return {**record, "bundle": path}


def make_data_and_parts(config):
    """Open the corpus, build a network that knows its categories, and serve windows with the context that it needs."""
    import torch

    values = config.data.as_dict()
    windows = {name: values.pop(name) for name in ("window_seconds", "conditions", "batch_size", "epoch_batches")}
    corpus = audionet.datasets.open_corpus(**values, words_only=True)
    torch.manual_seed(config.seed)
    model = audionet.bundle.new_part("model", **config.model, categories=corpus.categories(windows["conditions"]))
    front_end = None
    if config.features is not None:
        front_end = audionet.bundle.new_part("front_end", **config.features, sample_rate=corpus.sample_rate)
    needs = audionet.training.windows_for(model.module, front_end and front_end.module)
    data = audionet.training.CropData(corpus, **needs, **windows, seed=config.seed)
    is_told_length = model.module.n_places > 0
    parts = audionet.bundle.Bundle(
        task="generation",
        model=model,
        front_end=front_end,
        sample_rate=corpus.sample_rate,
        clip_length=data.typical_length if is_told_length else corpus.clip_length,
        value_lengths=data.value_lengths if is_told_length else {},
    )
    return data, audionet.bundle.checked(parts)  # now, for after the training it would be too late


def train(config, data, parts):
    """Train and test; return the task and its trainer."""
    task = audionet.training.Generation(
        model=parts.model.module,
        front_end=parts.front_end and parts.front_end.module,
        margin=data.crops.margin,
        **config.task,
    )
    settings = {"output": Path(config.output), "trainer": config.trainer.as_dict()}
    if config.find_learning_rate:
        config.task.learning_rate = audionet.training.find_learning_rate(task, data, **settings)
    trainer = audionet.training.fit_and_test(
        task,
        data,
        monitor="validation_bits" if data.corpus.has_validation else None,
        mode="min",
        resume=config.resume,
        ema_decay=config.ema_decay,
        callbacks=[audionet.training.LogSound(partial(picture, parts, data, config.seed), parts.sample_rate)],
        values=config.as_dict(),
        **settings,
    )
    return task, trainer


def generate(parts, data, seed, count):
    """Generate clips like ones of the test split with the weights of now; return also all that they were made from."""
    import torch

    generator = audionet.inference.Generator(parts, next(parts.model.module.parameters()).device)
    recordings, chosen = data.examples(count)
    frames = None
    if generator.needs_frames:
        frames = torch.cat([generator.frames_of(recording, parts.sample_rate) for recording in recordings])
    made = generator.generate(count=count, seed=seed, frames=frames, **chosen)
    return made, generator, frames, chosen, recordings


def picture(parts, data, seed):
    """Generate a clip; return it, its spectrogram, and what the network expected of a part of it."""
    made, generator, frames, chosen, _ = generate(parts, data, seed, 1)
    return made[0], audionet.report.plot_generated(generator, made, frames=frames, **chosen)


def write_report(config, data, parts, path, judge):
    """Generate clips, write the page that plays them beside recordings, and the model card; return the page's path."""
    made, _, _, chosen, recordings = generate(parts, data, config.seed, config.n_generated)
    return audionet.report.report_generation(
        path,
        corpus=data.corpus,
        made=made,
        recordings=recordings,
        values=chosen,
        settings=config.as_dict(),
        judge=judge,
        heat_map=picture(parts, data, config.seed)[1]["heat map"],
    )


if __name__ == "__main__":
    flags.run_script(main)
