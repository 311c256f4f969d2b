"""Train a recogniser of single words: a preset says what on, flags change any value of it (--help lists them).

    one CPU     python recipes/recognition/train.py --config recipes/recognition/presets/words.yaml
    own words   ... --data.root my_words --init embedding
    one GPU     ... --trainer.accelerator gpu --trainer.devices 1 --trainer.precision bf16-mixed
    four GPUs   ... --trainer.accelerator gpu --trainer.devices 4 --trainer.strategy ddp
    two nodes   torchrun --nnodes 2 --node_rank N --master_addr HOST --nproc_per_node 4 ... --trainer.num_nodes 2
    go on       ... --resume true
    once more   python recipes/recognition/train.py --config runs/words/config.yaml --output runs/again

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
    parser = flags.RecipeParser(description="Train a recogniser of single words.")
    flags.add_run_arguments(parser, output="runs/recognition")
    parser.add_argument("--compile", type=bool, default=False, help="compile the network with torch.compile")
    parser.add_argument("--features", type=flags.Arguments, default={"name": "LogMel"}, help="front-end and arguments")
    parser.add_argument("--model", type=flags.Arguments, default={"name": "bcresnet"}, help="network and arguments")
    parser.add_argument("--init", type=str | None, default=None, help="bundle to start from: name or path")
    parser.add_argument("--freeze", type=bool | None, default=None, help="of it fit the classifier alone; null if few")
    parser.add_argument("--steps", type=int | None, default=None, help="length of the training; null: fitting the data")
    flags.add_augmentations(parser, audionet.augment.KINDS)  # in this order
    parser.add_argument("--augment_p", type=float, default=1.0, help="share of the clips that are augmented")
    flags.add_part(parser, "spec_augment", "audionet.augment:SpecAugment", help="masks on the spectrogram")
    flags.add_arguments(parser, "audionet.datasets.corpus:open_corpus", "data", skip={"words_only", "progress"})
    flags.add_arguments(parser, "audionet.training.data:ClipData", "data", skip={"corpus", "seed"})
    parser.set_defaults({"data.negatives": None})  # what is no word is learnt, too, from a folder or a word list
    add = parser.add_argument
    add("--data.real_test", type=str | None, default=None, help="folder of class folders, which is only tested")
    add("--data.real_speech", nargs="*", default=[], help="folders of unlabelled speech, for task.domain_weight")
    made_here = {"front_end", "model", "n_classes", "augment", "spec_augment", "speech", "seed"}
    flags.add_arguments(parser, "audionet.training.recognition:Recognition", "task", skip=made_here)
    return parser


def main(arguments=None):
    """Train, test, and leave the bundle and the report; return the record of the run, with the bundle's path."""
    arguments = sys.argv[1:] if arguments is None else arguments
    named = {"features": audionet.features.FEATURES, "model": audionet.models.MODELS}
    config = flags.parse(make_parser(), arguments, named=named)
    start = audionet.adapt.follow(config, arguments)
    audionet.training.check_run(config)
    values = config.data.as_dict()
    batches = {name: values.pop(name) for name in ("batch_size", "epoch_batches", "recorded_share")}
    real_test, _ = values.pop("real_test"), values.pop("real_speech")
    data = audionet.training.ClipData(audionet.datasets.open_corpus(**values), **batches, seed=config.seed)
    if real_test:
        audionet.evaluate.recordings_in(real_test, data.corpus.labels)  # now, for later it would be too late
    parts = make_parts(config, data.corpus, start)
    task = make_task(config, data, parts)
    audionet.bundle.checked(parts)  # likewise
    trainer = train(config, data, task)
    corpus, command = data.corpus, audionet.training.command_line(__file__, arguments)
    record = audionet.training.training_record(trainer, corpus, **task.figures, seed=config.seed, command=command)
    path = Path(config.output, "model.safetensors")
    if trainer.is_global_zero:  # of several processes one writes
        audionet.bundle.save(path, replace(parts, training=record, **task.calibration._asdict()))
        people = real_test and audionet.report.try_on_people(path, real_test)
        print(*audionet.report.figures(path), sep="\n")
        print(f"bundle  {path}    use it: audionet recognize {path} FILE...")
        if task.figures["test_clips"]:
            page = audionet.report.report_recognition(
                path, corpus=corpus, answers=task.answers, settings=config.as_dict(), people=people, seed=config.seed
            )
            print(f"report  {page}    model card: README.md beside it")
    return {**record, "bundle": path}


def make_parts(config, corpus, start):
    """Build the front-end and a network that fits it; where a bundle is started from, with its weights."""
    import torch

    torch.manual_seed(config.seed)
    front_end = audionet.bundle.new_part("front_end", **config.features, sample_rate=corpus.sample_rate)
    sizes = {"n_bands": front_end.module.n_bands, "n_classes": len(corpus.labels)}
    model = audionet.bundle.new_part("model", **{**sizes, **config.model})
    clips = {"sample_rate": corpus.sample_rate, "clip_length": corpus.clip_length}
    audionet.training.check_clip(front_end.module, model.module, **clips)
    if config.compile:
        audionet.training.compile_network(model.module)
    parts = {"front_end": front_end, "model": model}
    if start:
        audionet.adapt.take_weights(parts, start)
    return audionet.bundle.Bundle(task="recognition", **parts, labels=corpus.labels, **clips)


def make_task(config, data, parts):
    """Put together what is trained; a subclass of Recognition changes its loss, its optimizer or its input."""
    corpus, chosen, masks = data.corpus, config.augment.as_dict(), config.spec_augment
    if corpus.silence and chosen["noise"] is None:
        raise ValueError(
            f"augment: expected noise, which fills the silent training clips of {corpus.silence}, got none; "
            "give --augment.noise.max_amplitude 0.1, --data.negatives false, or a card without that class"
        )
    clips = {"sample_rate": corpus.sample_rate, "clip_seconds": corpus.clip_length / corpus.sample_rate}
    speech = audionet.datasets.open_speech(config.data.real_speech, **clips)  # none without folders
    return audionet.training.Recognition(
        front_end=parts.front_end.module,
        model=parts.model.module,
        n_classes=len(corpus.labels),
        augment=audionet.augment.Augment(
            chosen,
            sample_rate=corpus.sample_rate,
            background=data.background,
            speech=data.speech,
            p=config.augment_p,
        ),
        spec_augment=None if masks is None else audionet.augment.SpecAugment(**masks),
        speech=None if speech is None else speech.waveforms,
        seed=config.seed,
        **config.task,
    )


def train(config, data, task):
    """Train and test; return the trainer, or what stands for it where no more than a classifier is fitted."""
    if config.init:
        if audionet.training.is_small(data.corpus) if config.freeze is None else config.freeze:
            return audionet.training.fit_head_only(task, data, output=config.output, values=config.as_dict())
        audionet.training.start_head(task, data)
    audionet.training.set_length(config.trainer, data, config.steps)
    settings = {"output": Path(config.output), "trainer": config.trainer.as_dict()}
    if config.find_learning_rate:
        config.task.learning_rate = audionet.training.find_learning_rate(task, data, **settings)
    return audionet.training.fit_and_test(
        task,
        data,
        monitor="validation_accuracy" if data.corpus.has_validation else None,
        resume=config.resume,
        ema_decay=config.ema_decay,
        values=config.as_dict(),
        **settings,
    )


if __name__ == "__main__":
    flags.run_script(main)
