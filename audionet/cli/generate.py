"""`audionet generate`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audionet.cli.main import PositiveInt
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
    like: str | None = None,
    precision: str = "float32",
    device: str = "cpu",
) -> int:
    """Generate sound with a trained WaveNet and save it. Ctrl-C saves the part that is finished.

    Args:
        model: Name of a shipped bundle (see `audionet models list`) or path of one.
        output: File to write (.wav, .flac, .ogg, .mp3); with --count, each gets its number before the extension.
        seconds: Length in seconds; by default that of the clips that the model was trained on.
        label: Label to say, such as seven, if the model was trained on labels; by default it is drawn.
        speaker: Speaker to sound like, if the model was trained on speakers; by default it is drawn.
        category: Value of any other category that the model was trained on, such as pitch=60; may be repeated.
        temperature: Divisor of the log-probabilities: below 1, probable samples become more probable.
        top_k: Draw each sample from the k most probable values only.
        top_p: Draw each sample from the most probable values that together reach this probability only.
        seed: Seed of everything that is drawn.
        count: Number of sounds to make.
        prime: Audio file that the generated sound continues.
        like: Audio file to imitate, for a vocoder or an autoencoder.
        precision: Format of the weights on the CPU: float32, bfloat16 or int8.
        device: Device that computes: cpu, cuda, cuda:1.

    Example:
        audionet generate digits --label seven --speaker jackson --output new.wav
        audionet generate digits --count 3 --seed 1 --output new.flac
    """
    import torch

    from audionet import bundle
    from audionet.audio import check_target, load_audio, save_audio
    from audionet.inference import Generator

    target = Path(output)
    paths = [target.with_stem(f"{target.stem}-{number}") for number in range(count)] if count > 1 else [target]
    for path in paths:
        check_target(path)
    generator = Generator(bundle.load(model, "generation"), device, precision=precision)
    asked = {"label": label, "speaker": speaker, **(category or {})}
    given = {name: value for name, value in asked.items() if value is not None}
    chosen: dict[str, Any] = generator.choose(count, seed=seed, **given)
    pieces = generator.stream(
        seconds,
        count=count,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
        prime=None if prime is None else load_audio(prime, generator.sample_rate, mono=True)[0],
        frames=None if like is None else generator.frames_of(*load_audio(like)),
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
    for number, (path, waveform) in enumerate(zip(paths, torch.cat(made, 1), strict=True)):
        save_audio(path, waveform, generator.sample_rate)
        facts = [f"{name} {values[number]}" for name, values in chosen.items()]
        print(f"{path}: {', '.join([f'{len(waveform) / generator.sample_rate:.2f} s', *facts, f'seed {seed}'])}")
    return code
