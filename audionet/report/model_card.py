"""The model card of a training run: README.md in the form of the Hugging Face Hub, beside the bundle."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import yaml

from audionet.bundle import Bundle
from audionet.datasets.layouts import SynthesisLayout
from audionet.files import whole_file
from audionet.report.certainty import cautions, interval, knowing, on_people, summary

if TYPE_CHECKING:
    from audionet.datasets.cards import Card
    from audionet.datasets.corpus import Corpus

_LICENSE = re.compile(r"cc-by(-nc)?(-sa|-nd)?-\d\.\d|cc0-1\.0|apache-2\.0|mit")  # as the Hub names them
_RECOGNIZE = """\
recognizer = audionet.load({file}, task="recognition")
print(recognizer.recognize_file({example}, top_k=3))
"""
_GENERATE = """\
generator = audionet.load({file}, task="generation")
made = generator.generate({arguments})
audionet.save_audio("new.wav", made, generator.sample_rate)
"""
_IMITATE = """\
generator = audionet.load({file}, task="generation")
made = generator.generate(frames=generator.frames_of(*audionet.load_audio({example})))
audionet.save_audio("new.wav", made, generator.sample_rate)
"""


def write_model_card(bundle_path: str | os.PathLike[str], bundle: Bundle, corpus: "Corpus", example: str) -> Path:
    """Write README.md beside a bundle: what the model is, how it is used, and what is known of it.

    A README.md that is no card of audionet's stays as it is; then the card is called model_card.md.

    Args:
        bundle_path: Path of the bundle.
        bundle: The bundle, with the record of its training.
        corpus: Corpus that it was trained and tested on.
        example: Path of a sound file, relative to the bundle's folder, that the example of use reads.

    Returns:
        The path of the card.
    """
    bundle_path = Path(bundle_path)
    name = bundle_path.resolve().parent.name
    text = f"---\n{yaml.safe_dump(_front_matter(name, bundle, corpus.card), allow_unicode=True, sort_keys=False)}---\n"
    text += "\n\n".join(
        [
            f"\n# {_plain(name)}",
            _description(bundle),
            f"## Use\n\n```python\nimport audionet\n{_imports(bundle)}\n{_usage(bundle_path.name, bundle, example)}```",
            f"## {'Labels' if bundle.task == 'recognition' else 'Values'}\n\n{_values(bundle)}",
            f"## Training data\n\n{_data(corpus)}",
            f"## Test\n\n{_list(_test(bundle))}",
            f"## Limits\n\n{_list(_limits(bundle))}",
            f"## How it was trained\n\n{_training(bundle.training)}\n",
        ]
    )
    return write_card(bundle_path, text)


def write_card(bundle_path: Path, text: str) -> Path:
    """Write a card as README.md beside a bundle, or as model_card.md beside a README.md that is no card of audionet's.

    Args:
        bundle_path: Path of the bundle.
        text: The card, whose front matter has the line "library_name: audionet".

    Returns:
        The path of the card.
    """
    path = bundle_path.with_name("README.md")
    if path.exists() and "library_name: audionet" not in path.read_text(encoding="utf-8", errors="replace"):
        path = path.with_name("model_card.md")
    with whole_file(path) as file:
        file.write(text.encode(errors="backslashreplace"))
    return path


def _front_matter(name: str, bundle: Bundle, card: "Card") -> dict[str, Any]:
    """Return what the Hub reads: https://huggingface.co/docs/hub/model-cards#model-card-metadata."""
    license = card.license.strip().lower().replace(" ", "-")
    language = card.layout.language.partition("-")[0] if isinstance(card.layout, SynthesisLayout) else None
    dataset = re.sub(r"[^A-Za-z0-9._-]+", "-", card.name).strip("-.") or "recordings"
    task, metric = _hub_task(bundle), _metric(bundle.training)
    return {
        "license": license if _LICENSE.fullmatch(license) else "unknown",
        **({"language": [language]} if language else {}),
        "library_name": "audionet",
        "pipeline_tag": task,
        "tags": ["audionet", bundle.model.name],
        "datasets": [dataset],
        "metrics": [metric["type"]],
        "model-index": [
            {
                "name": name,
                "results": [
                    {
                        "task": {"type": task, "name": task.replace("-", " ").capitalize()},
                        "dataset": {"type": dataset, "name": _title(card), "split": "test"},
                        "metrics": [metric],
                    }
                ],
            }
        ],
    }


def _title(card: "Card") -> str:
    """Return the corpus's title; of a folder without a card its name alone, as its path is nobody else's business."""
    return card.title if card.homepage else card.name


def _hub_task(bundle: Bundle) -> str:
    if bundle.task == "recognition":
        return "audio-classification"
    return "audio-to-audio" if _imitates(bundle) else "text-to-audio"


def _imitates(bundle: Bundle) -> bool:
    """Whether a generator follows a recording."""
    return bundle.front_end is not None or hasattr(bundle.model.module, "encode")


def _metric(training: Mapping[str, Any]) -> dict[str, Any]:
    smoke = ", a smoke test on synthetic clips" if training.get("test_is_synthetic") else ""
    n_clips = training["test_clips"]
    if "accuracy" in training:
        sure = interval(round(training["accuracy"] * n_clips), n_clips)
        return {
            "type": "accuracy",
            "value": training["accuracy"],
            "name": f"Accuracy on {n_clips} clips, {sure}{smoke}",
        }
    return {
        "type": "bits_per_sample",
        "value": training["bits_per_sample"],
        "name": f"Bits per sample of {n_clips} clips{smoke}",
    }


def _description(bundle: Bundle) -> str:
    rate = f"{bundle.sample_rate:,} Hz"
    if bundle.task == "recognition":
        seconds = bundle.clip_length / bundle.sample_rate
        front_end = bundle.front_end.name if bundle.front_end else "waveform"
        return _wrapped(
            f"Names one of {len(bundle.labels)} labels for a recording: {bundle.model.name} on {front_end}, clips of "
            f"{seconds:g} s at {rate}, {bundle.training['parameters']:,} parameters."
        )
    after = "after a recording" if _imitates(bundle) else "sample by sample"
    return _wrapped(
        f"Makes sound at {rate} {after}: {bundle.model.name}, {bundle.training['parameters']:,} parameters."
    )


def _usage(file: str, bundle: Bundle, example: str) -> str:
    if bundle.task == "recognition":
        return _RECOGNIZE.format(file=_quoted(file), example=_quoted(example))
    if _imitates(bundle):
        return _IMITATE.format(file=_quoted(file), example=_quoted(example))
    chosen = [f"{category}={_quoted(values[0])}" for category, values in bundle.categories.items() if values]
    return _GENERATE.format(file=_quoted(file), arguments=", ".join([*chosen, "seed=0"]))


def _quoted(text: str) -> str:
    """Return a text as Python code, in double quotes where it has no quotes itself."""
    code = repr(text)
    return code if {"'", '"'} & {*text} else f'"{code[1:-1]}"'


def _imports(bundle: Bundle) -> str:
    """Return the imports of the user's own parts, which a bundle does not bring along."""
    modules = {type(part.module).__module__ for part in bundle.parts.values()}
    own = sorted(module for module in modules if module.partition(".")[0] not in ("audionet", "__main__"))
    return "".join(f"import {module}  # adds a part of the model; it is not in the bundle\n" for module in own)


def _values(bundle: Bundle) -> str:
    if bundle.task == "recognition":
        return ", ".join(map(_plain, bundle.labels))
    if not bundle.categories:
        return "None: it generates without conditions."
    named = bundle.categories.items()
    return "\n\n".join(f"{_plain(category)}: {', '.join(map(_plain, values))}" for category, values in named)


def _data(corpus: "Corpus") -> str:
    card = corpus.card
    lines = [f"{_plain(_title(card))}. {_plain(card.description)}"]
    lines += [f"{name}: {_plain(text)}" for name, text in _sources(card) if text]
    head = "| label | training | validation | test |\n| --- | ---: | ---: | ---: |"
    rows = [
        f"| {_plain(label)} | {clips['train']} | {clips['validation']} | {clips['test']} |"
        for label, clips in corpus.counts().items()
    ]
    return f"{_list(lines)}\n\n" + "\n".join([head, *rows])


def _sources(card: "Card") -> Sequence[tuple[str, str]]:
    return [("Homepage", card.homepage), ("Citation", card.citation), ("Licence of the data", card.license)]


def _test(bundle: Bundle) -> list[str]:
    """Return what came out of the test, a sentence each."""
    training, people = bundle.training, on_people(bundle.training)
    lines = [f"{summary(training).capitalize()}.", *cautions(training), *knowing(training, bundle.threshold)]
    return lines if people is None else [*lines, f"On people: {people}."]


def _limits(bundle: Bundle) -> list[str]:
    if bundle.task == "generation":
        people = (
            ["Voices belong to people: ask them before it speaks in theirs."] if "speaker" in bundle.categories else []
        )
        return [
            "It makes what resembles its training data. Bits per sample do not say how that sounds: listen.",
            *people,
        ]
    seconds = bundle.clip_length / bundle.sample_rate
    none = (
        "Some silence, noise and words that it has never heard are answered with a word: where no word is as probable "
        f"as {bundle.threshold:g}, the answer is none of them."
        if bundle.threshold
        else "It always names one of its labels, also for silence, noise and words that it has never heard, unless a "
        "label stands for these; with `threshold=0.9` it names a word only where it is that sure."
    )
    return [
        none,
        f"It hears {seconds:g} s; of a longer recording it hears one stretch, of a shorter one also silence.",
        "Other microphones, rooms, accents and languages than those of the training data are likely to be worse.",
    ]


def _training(training: Mapping[str, Any]) -> str:
    names = ("seed", "date", "commit", "versions", "training_seconds")
    facts = [f"{name.replace('_', ' ')}: {_plain(str(training[name]))}" for name in names if name in training]
    return f"```console\n$ {training['command']}\n```\n\n{_list(facts)}"


def _list(lines: Sequence[str]) -> str:
    return "\n".join(fill(line, 120, initial_indent="- ", subsequent_indent="  ", **_WHOLE_WORDS) for line in lines)


def _wrapped(text: str) -> str:
    return fill(text, 120, **_WHOLE_WORDS)


_WHOLE_WORDS: Mapping[str, Any] = {"break_long_words": False, "break_on_hyphens": False}


def _plain(text: str) -> str:
    """Return a text as Markdown that shows it as it is, in one line."""
    return re.sub(r"([\\`*_{}\[\]<>#|~$&])", r"\\\1", " ".join(text.split()))
