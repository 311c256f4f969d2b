"""Train an embedding: numbers by which words of any language are alike or not, whoever speaks.

    one CPU       python recipes/embedding/train.py --config recipes/embedding/presets/multilingual.yaml
    own words     ... --words words.yaml          a file of {language: [words]}
    with people   ... --real_speech FOLDER...     speech that nobody has labelled
    second stage  ... --init runs/embedding/embedding.safetensors --output runs/second --task.learning_rate 1e-3
    go on         ... --resume true

Words of many languages are spoken by all speech synthesisers that are installed. The network learns to tell the words
apart, and to give the numbers that a teacher gives. Leaves in --output: the bundle (embedding.safetensors), its model
card (README.md), config.yaml, checkpoints and logs.
"""

import sys
from dataclasses import replace
from pathlib import Path

import audionet  # each name loads what it needs when it is used, so that --help and a wrong flag are answered at once
from audionet import flags


def make_parser():
    """Describe every value that a preset or a flag can set."""
    parser = flags.RecipeParser(description="Train an embedding of words.")
    flags.add_run_arguments(parser, output="runs/embedding")
    lists = "{language: [words]}, or a YAML or JSON file of it; without it, the most frequent words by wordfreq"
    parser.add_argument("--words", type=str | flags.Arguments | None, default=None, help=lists)
    parser.add_argument("--n_english", type=int, default=1000, help="frequent English words, where no file is given")
    parser.add_argument("--n_other", type=int, default=150, help="frequent words of each other language")
    parser.add_argument("--real_speech", type=str, nargs="*", default=[], help="folders of unlabelled speech")
    parser.add_argument("--teacher", type=str, default="google", help="what is imitated: google or none")
    parser.add_argument("--targets", type=int, default=5400, help="synthetic clips that the teacher hears")
    parser.add_argument("--init", type=str | None, default=None, help="bundle of an embedding to go on from")
    parser.add_argument("--features", type=flags.Arguments, default={"name": "LogMel"}, help="front-end and arguments")
    parser.add_argument("--model", type=flags.Arguments, default={"name": "cnn_tdnn"}, help="network and arguments")
    flags.add_augmentations(parser, audionet.augment.KINDS)  # in this order
    flags.add_part(parser, "band_warp", "audionet.augment:BandWarp", help="another vocal tract, on the spectrogram")
    flags.add_part(parser, "spec_augment", "audionet.augment:SpecAugment", help="masks on the spectrogram")
    flags.add_arguments(parser, "audionet.datasets.spoken:open_spoken", "data", skip={"words", "progress", "seed"})
    not_values = {"corpus", "speech", "targets", "speech_targets", "seed"}
    flags.add_arguments(parser, "audionet.training.embedding_data:EmbeddingData", "batches", skip=not_values)
    made_here = {"front_end", "model", "n_classes", "n_numbers", "augment", "spectrogram_augment", "seed"}
    flags.add_arguments(parser, "audionet.training.embedding:Embedding", "task", skip=made_here)
    return parser


def main(arguments=None):
    """Train, test, and leave the bundle; return the record of the run, with the bundle's path."""
    arguments = sys.argv[1:] if arguments is None else arguments
    named = {"features": audionet.features.FEATURES, "model": audionet.models.MODELS}
    config = flags.parse(make_parser(), arguments, named=named)
    config.trainer.max_steps = min(max(config.trainer.max_steps or 0, 0) or config.task.n_steps, config.task.n_steps)
    audionet.training.check_run(config)
    if config.teacher != "none":
        audionet.training.open_teacher(config.teacher)  # refused now if it is not installed
    parts = make_parts(config)
    data = make_data(config)
    task = make_task(config, data, parts)
    trainer = audionet.training.fit_and_test(
        task,
        data,
        output=Path(config.output),
        monitor=None,
        resume=config.resume,
        ema_decay=config.ema_decay,
        trainer={**config.trainer.as_dict(), "limit_val_batches": 0},  # there is no validation
        values=config.as_dict(),
    )
    record = audionet.training.training_record(
        trainer,
        data.corpus,
        few_shot_accuracy=round(task.few_shot_accuracy, 4),
        test_clips=task.n_tested,
        seed=config.seed,
        command=audionet.training.command_line(__file__, arguments),
    )
    told = {name: config[name] for name in ("real_speech", "teacher", "init")}
    record |= audionet.training.heard(data, **told, n_steps=trainer.global_step)
    path = Path(config.output, "embedding.safetensors")
    if trainer.is_global_zero:  # of several processes one writes
        audionet.bundle.save(path, replace(parts, training=record))
        audionet.training.save_layers(path, task, data.corpus.labels)  # for --init
        audionet.report.write_embedding_card(path)
        print(f"few-shot accuracy {record['few_shot_accuracy']:.1%} on synthetic words that no training heard")
        print(f"bundle  {path}    use it: audionet.load({str(path)!r}), or --init {path}")
    return {**record, "bundle": path}


def make_parts(config):
    """Build the front-end and a network that fits it, or take those of the bundle that the run goes on from."""
    import torch

    torch.manual_seed(config.seed)
    rate = config.data.sample_rate
    clips = {"sample_rate": rate, "clip_length": round(config.data.clip_seconds * rate)}
    if config.init is not None:
        parts = audionet.bundle.load(config.init, task="embedding")
        for part in parts.parts.values():
            part.module.train()
        return replace(parts, **clips)
    front_end = audionet.bundle.new_part("front_end", **config.features, sample_rate=rate)
    sizes = {"n_bands": front_end.module.n_bands, "n_classes": 0}
    model = audionet.bundle.new_part("model", **{**config.model, **sizes})
    return audionet.bundle.checked(audionet.bundle.Bundle(task="embedding", model=model, front_end=front_end, **clips))


def make_data(config):
    """Speak the words, cut the speech of people into pieces, and ask the teacher."""
    words = audionet.datasets.word_lists(config.words, n_english=config.n_english, n_other=config.n_other)
    corpus = audionet.datasets.open_spoken(words, seed=config.seed, **config.data)
    clips = {name: config.data[name] for name in ("sample_rate", "clip_seconds", "workers")}
    speech = audionet.datasets.open_speech(config.real_speech, **clips)
    targets = {}
    if config.teacher != "none":
        told = {"workers": config.data.workers, "seed": config.seed}
        targets["targets"] = audionet.training.teacher_targets(
            config.teacher, corpus.store, most=config.targets, **told
        )
        if speech is not None:
            targets["speech_targets"] = audionet.training.teacher_targets(config.teacher, speech, **told)
    return audionet.training.EmbeddingData(corpus, speech=speech, seed=config.seed, **targets, **config.batches)


def make_task(config, data, parts):
    """Put together what is trained."""
    import torch

    rate, n_bands = parts.sample_rate, parts.front_end.module.n_bands
    masks = [] if config.spec_augment is None else [audionet.augment.SpecAugment(**config.spec_augment)]
    if config.band_warp is not None:
        masks.insert(0, audionet.augment.BandWarp(sample_rate=rate, n_bands=n_bands, **config.band_warp))
    task = audionet.training.Embedding(
        front_end=parts.front_end.module,
        model=parts.model.module,
        n_classes=len(data.corpus.labels),
        n_numbers=data.n_numbers,
        augment=audionet.augment.Augment(config.augment.as_dict(), sample_rate=rate, background=data.background),
        spectrogram_augment=torch.nn.ModuleList(masks),
        seed=config.seed,
        **config.task,
    )
    if config.init is not None:
        audionet.training.load_layers(audionet.bundle.find(config.init), task, data.corpus.labels)
    return task


if __name__ == "__main__":
    flags.run_script(main)
