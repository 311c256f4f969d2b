"""Train a recogniser of your own words: every engine of their language speaks them, and so do you, if you like.

    from text        python recipes/words/train.py --config recipes/words/presets/words.yaml --data.words '[on, off]'
    in Lithuanian    ... --data.words '[namas, medis]' --data.language lt
    and recordings   ... --data.recordings FOLDER    # class folders, called as the words
    these alone      python recipes/words/train.py --config ... --data.recordings FOLDER
    go on            ... --resume true

`audionet train-words "lights on" "lights off" stop --output lights.safetensors` runs this script. Where recordings are
few, each of them tests a head that has learnt the others; where they are many, the whole network learns most of them.
Leaves in --output: the bundle (model.safetensors), the report (report.html), the model card (README.md), config.yaml,
checkpoints and logs.
"""

import sys
from dataclasses import replace
from pathlib import Path

import audionet  # each name loads what it needs when it is used, so that --help and a wrong flag are answered at once
from audionet import flags


def make_parser():
    """Describe every value that a preset or a flag can set."""
    parser = flags.RecipeParser(description="Train a recogniser of your own words.")
    flags.add_run_arguments(parser, output="runs/own_words")
    add = parser.add_argument
    add("--init", type=str | None, default="embedding", help="bundle whose network learns on; null for a new one")
    add("--features", type=flags.Arguments, default={"name": "LogMel"}, help="front-end of a new network")
    add("--model", type=flags.Arguments, default={"name": "cnn_tdnn"}, help="new network")
    add("--steps", type=int, default=400, help="length of the training")
    add("--freeze", type=bool | None, default=None, help="fit the classifier alone; null if few recordings are all")
    flags.add_augmentations(parser, audionet.augment.KINDS)  # in this order
    flags.add_part(parser, "spec_augment", "audionet.augment:SpecAugment", help="masks on the spectrogram")
    flags.add_arguments(parser, "audionet.datasets.own_words:open_words", "data", skip={"seed", "progress"})
    flags.add_arguments(parser, "audionet.training.data:ClipData", "data", skip={"corpus", "seed"})
    made_here = {"front_end", "model", "n_classes", "augment", "spec_augment", "speech", "seed"}
    flags.add_arguments(parser, "audionet.training.recognition:Recognition", "task", skip=made_here)
    return parser


def main(arguments=None):
    """Speak, learn, test, and leave the bundle and the report; return the record of the run, with the bundle's path."""
    arguments = sys.argv[1:] if arguments is None else arguments
    named = {"features": audionet.features.FEATURES, "model": audionet.models.MODELS}
    config = flags.parse(make_parser(), arguments, named=named)
    audionet.training.check_run(config)
    start = None if config.init is None else audionet.adapt.load_start(config.init)
    if start is not None:
        config.data.sample_rate = start.sample_rate
    values = config.data.as_dict()
    batches = {name: values.pop(name) for name in ("batch_size", "epoch_batches", "recorded_share")}
    corpus = audionet.datasets.open_words(**values, seed=config.seed)
    data = audionet.training.ClipData(corpus, **batches, seed=config.seed)
    parts = audionet.bundle.checked(make_parts(config, corpus, start))
    task = make_task(config, data, parts)
    learnt = learn(config, data, task)
    record = audionet.training.training_record(
        learnt,
        corpus,
        **task.figures,
        seed=config.seed,
        command=audionet.training.command_line(__file__, arguments),
    )
    path = Path(config.output, "model.safetensors")
    if learnt.is_global_zero:  # of several processes one writes
        audionet.bundle.save(path, replace(parts, training=record, **task.calibration._asdict()))
        print(*audionet.report.figures(path), sep="\n")
        print(f"bundle  {path}    use it: audionet recognize {path} FILE...")
        if task.figures["test_clips"]:
            page = audionet.report.report_recognition(
                path, corpus=corpus, answers=task.answers, settings=config.as_dict(), seed=config.seed
            )
            print(f"report  {page}    model card: README.md beside it")
    return {**record, "bundle": path}


def make_parts(config, corpus, start):
    """Take front-end and network from the bundle to start from, or make them; the classifier is new."""
    import torch

    torch.manual_seed(config.seed)
    if start is not None:
        return audionet.adapt.adapt(start, corpus.labels, clip_length=corpus.clip_length)
    front_end = audionet.bundle.new_part("front_end", **config.features, sample_rate=corpus.sample_rate)
    sizes = {"n_bands": front_end.module.n_bands, "n_classes": len(corpus.labels)}
    model = audionet.bundle.new_part("model", **{**sizes, **config.model})
    clips = {"sample_rate": corpus.sample_rate, "clip_length": corpus.clip_length}
    return audionet.bundle.Bundle(task="recognition", model=model, front_end=front_end, labels=corpus.labels, **clips)


def make_task(config, data, parts):
    """Put together what is trained; a subclass of Recognition changes its loss, its optimizer or its input."""
    masks = config.spec_augment
    return audionet.training.Recognition(
        front_end=parts.front_end.module,
        model=parts.model.module,
        n_classes=len(parts.labels),
        augment=audionet.augment.Augment(
            config.augment.as_dict(), sample_rate=parts.sample_rate, background=data.background
        ),
        spec_augment=None if masks is None else audionet.augment.SpecAugment(**masks),
        seed=config.seed,
        **config.task,
    )


def learn(config, data, task):
    """Learn the words; return the trainer, or what stands for it where only the classifier learns the recordings."""
    layout, run = data.corpus.card.layout, {"output": Path(config.output), "values": config.as_dict()}
    freeze = config.freeze
    if freeze is None:  # a whole network is trained on what engines speak, or on many recordings
        freeze = not layout.trains or (layout.few and not config.data.words)
    if not freeze:
        if config.init is not None:
            audionet.training.start_head(task, data)
        audionet.training.set_length(config.trainer, data, config.steps)
        trainer = audionet.training.fit_and_test(
            task,
            data,
            monitor="validation_accuracy",
            trainer=config.trainer.as_dict(),
            resume=config.resume,
            ema_decay=config.ema_decay,
            **run,
        )
        if not layout.few:
            return trainer
    return audionet.training.fit_beside_voices(task, data, **run)


if __name__ == "__main__":
    flags.run_script(main)
