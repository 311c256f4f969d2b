"""`audionet generate`."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from audionet.checks import check_that
from audionet.cli.main import source_of
from audionet.cli.parsing import PositiveInt
from audionet.console import progress


def generate(
    model: str,
    *,
    output: str,
    seconds: float | None = None,
    label: str | None = None,
    speaker: str | None = None,
    category: Mapping[str, str] | None = None,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 0,
    count: PositiveInt = 1,
    prime: str | None = None,
    keep_prime: bool = False,
    like: str | None = None,
    precision: str = "float32",
    device: str = "cpu",
) -> int:
    """Generate sound with a trained WaveNet and save it. Ctrl-C saves the part that is finished.

    Args:
        model: Name of a shipped bundle (see `audionet models list`) or path of one.
        output: File to write (.wav, .flac, .ogg, .mp3); with --count, each gets its number before the extension. A
            hyphen (-) writes a WAV file to standard output.
        seconds: Length in seconds; by default that of the clips that the model was trained on.
        label: Label to say, such as seven, if the model was trained on labels; by default it is drawn.
        speaker: Speaker to sound like, if the model was trained on speakers; by default it is drawn.
        category: Value of any other category that the model was trained on, such as pitch=60; may be repeated.
        temperature: Divisor of the log-probabilities: below 1, probable samples become more probable.
        top_k: Draw each sample from the k most probable values only.
        top_p: Draw each sample from the most probable values that together reach this probability only.
        seed: Seed of everything that is drawn.
        count: Number of sounds to make.
        prime: Audio file that the generated sound continues; - for standard input.
        keep_prime: Put the recording that is continued before the generated sound.
        like: Audio file to imitate, for a vocoder or an autoencoder; - for standard input.
        precision: Format of the weights on the CPU: float32, bfloat16 or int8.
        device: Device that computes: cpu, cuda, cuda:1.

    Example:
        audionet generate digits --label seven --speaker jackson --output new.wav
        audionet generate digits --count 3 --seed 1 --output new.flac
        audionet generate digits --prime seven.wav --keep-prime --output longer.wav
    """
    import torch

    from audionet import bundle
    from audionet.audio import load_audio, save_audio
    from audionet.inference import Generator

    targets = _targets(output, count)
    check_that(prime or not keep_prime, "--keep-prime", "a recording to keep", prime, "give --prime FILE")
    generator = Generator(bundle.load(model, "generation"), device, precision=precision)
    asked = {"label": label, "speaker": speaker, **(category or {})}
    given = {name: value for name, value in asked.items() if value is not None}
    chosen: dict[str, Any] = generator.choose(count, seed=seed, **given)
    primed = None if prime is None else load_audio(source_of(prime), generator.sample_rate, mono=True)[0]
    pieces = generator.stream(
        seconds,
        count=count,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
        prime=primed,
        frames=None if like is None else generator.frames_of(*load_audio(source_of(like))),
        **chosen,
    )
    made, code = [], 0
    try:
        with progress("generating", None) as advance:
            for piece in pieces:
                made.append(piece)
                advance(1)
    except KeyboardInterrupt:
        code = 130
    if not made:
        return code
    if keep_prime and primed is not None:
        made.insert(0, primed.expand(count, -1))
    for number, (target, waveform) in enumerate(zip(targets, torch.cat(made, 1), strict=True)):
        save_audio(target, waveform, generator.sample_rate)
        facts = [f"{name} {values[number]}" for name, values in chosen.items()]
        told = ", ".join([f"{len(waveform) / generator.sample_rate:.2f} s", *facts, f"seed {seed}"])
        print(f"{output if output == '-' else target}: {told}", file=sys.stderr if output == "-" else sys.stdout)
    return code


def _targets(output: str, count: int) -> Sequence[Path | BinaryIO]:
    """Return where each of the sounds goes, if it can.

    Raises:
        ValueError: Several sounds cannot go to standard output, or a file cannot be written.
    """
    if output == "-":
        check_that(count == 1, "--count", "1 where the output is -", count, "name a file")
        return [sys.stdout.buffer]
    from audionet.audio import check_target

    path = Path(output)
    paths = [path.with_stem(f"{path.stem}-{number}") for number in range(count)] if count > 1 else [path]
    for each in paths:
        check_target(each)
    return paths
