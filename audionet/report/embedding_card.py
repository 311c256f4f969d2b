"""The model card of an embedding: README.md beside its bundle, in the form of the Hugging Face Hub."""

import os
from pathlib import Path

import yaml

from audionet import bundle
from audionet.report.model_card import write_card


def write_embedding_card(bundle_path: str | os.PathLike[str]) -> Path:
    """Write README.md beside the bundle of an embedding: what it is, what it heard, and who taught it.

    A README.md that is no card of audionet's stays as it is; then the card is called model_card.md.

    Args:
        bundle_path: Path of the bundle, with the record of its training.

    Returns:
        The path of the card.
    """
    path = Path(bundle_path)
    made = bundle.load(path, task="embedding")
    record, seconds = made.training, made.clip_length / made.sample_rate
    front = {"license": "apache-2.0", "library_name": "audionet", "tags": ["audionet", "embedding", made.model.name]}
    text = f"""---
{yaml.safe_dump(front, sort_keys=False)}---

# {path.resolve().parent.name}

Turns a recording of a word into numbers by which words are alike or not, whoever speaks: {made.model.name} on
{made.front_end.name if made.front_end else "waveforms"}, up to {seconds:g} s at {made.sample_rate:,} Hz,
{record["parameters"]:,} parameters.

## Use

```python
import audionet
embedder = audionet.load("{path.name}", task="embedding")
embedding = embedder.embed_file("word.wav")
```

`--init {path.name}` of the recognition recipe learns words from a few recordings on top of it.

## What it heard

- Synthetic words: {record["words"]}.
- Speech synthesisers: {record["engines"]}.
- Speech of people, without labels: {record["real_speech"]}.
- Teacher, whose numbers it learned to give beside the words: {record["teacher"]}.
- It went on from: {record["init"]}.

## Test

- Few-shot accuracy {record["few_shot_accuracy"]:.1%} on {record["test_clips"]} synthetic clips of words that no
  training heard: a smoke test.

## How it was trained

```console
$ {record["command"]}
```

- steps: {record["steps"]}
- seed: {record["seed"]}
- date: {record["date"]}
- versions: {record["versions"]}
- training seconds: {record["training_seconds"]}
"""
    return write_card(path, text)
