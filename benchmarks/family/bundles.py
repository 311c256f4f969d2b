"""Networks of the comparison that learnt from voices alone, as bundles: they have never heard anybody."""

from pathlib import Path

import torch

from audionet.bundle import Bundle, Part, new_part, save
from audionet.checks import check_one_of
from benchmarks.family.job import BUDGETS
from benchmarks.family.members import MEMBERS
from benchmarks.family.streams import FEATURES, from_text
from benchmarks.family.table import TEXT
from benchmarks.family.train import fit, sizes_for
from benchmarks.people import commands

SAMPLE_RATE = 16_000


def from_voices(title: str, seed: int, *, folder: Path, batches: Path, shared: Path) -> Path:
    """Return the bundle of a network of the comparison, trained where there is none yet.

    Args:
        title: The network, by its title in the table.
        seed: Seed of the initial weights and of dropout; the batches are those of seed 0.
        folder: Where the bundle is kept.
        batches: Where the batches are kept.
        shared: Folder of the real recordings, which name the classes.

    Raises:
        ValueError: There is no such network.
    """
    members = {member.title: member for member in MEMBERS}
    check_one_of(members, "title", title)
    path = folder / f"{title}-seed{seed}.safetensors"
    if not path.exists():
        data, said = from_text(batches, shared, 0, *BUDGETS[TEXT]), commands.half(shared, "even").labels
        labels = tuple(str(said[data.test_labels == index][0]) for index in range(data.targets.shape[-1]))
        name, arguments = members[title].name, members[title].arguments
        n_bands, n_frames = data.spectrograms.shape[2:]
        sizes = sizes_for(name, n_classes=len(labels), n_bands=n_bands, n_frames=n_frames)
        network = fit(name, arguments, data, seed).to(memory_format=torch.contiguous_format)
        trained = Bundle(
            task="recognition",
            front_end=new_part("front_end", **FEATURES, sample_rate=SAMPLE_RATE),
            model=Part(name, {**sizes, **arguments}, network),
            labels=labels,
            sample_rate=SAMPLE_RATE,
            clip_length=SAMPLE_RATE,
        )
        save(path, trained)
    return path
