"""Generation: one sound of one seed, however it is made; and what is asked wrongly is said plainly."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from audionet import bundle, models
from audionet.features import LogMel
from audionet.inference import Generator
from audionet.inference.wavenet.kernel import Kernel
from audionet.inference.wavenet.stepwise import Stepwise
from audionet.models import WaveNet
from audionet.models.wavenet.distributions import Sampling
from audionet.randomness import random_generator

RATE = 8000
CATEGORIES = {"label": ["no", "yes"], "speaker": ["ann", "bob", "cy"]}
SMALL: dict[str, Any] = {
    "n_layers": 6,
    "n_cycles": 2,
    "residual_channels": 8,
    "gate_channels": 12,
    "skip_channels": 10,
    "output_channels": 9,
}
MEL: dict[str, Any] = {"n_mels": 8, "n_fft": 64, "win_length": 64, "hop_length": 16, "pad_mode": "constant"}


def make_bundle(model_name: str = "wavenet", **changes: Any) -> bundle.Bundle:
    """A bundle of a small random network, with local conditioning if it has bands."""
    torch.manual_seed(3)
    arguments = SMALL | {"categories": CATEGORIES} | changes
    model = models.create(model_name, **arguments).eval()
    for parameter in model.parameters():  # a network whose past matters more than at its start
        parameter.data *= 1.5
    has_mel = bool(arguments.get("local_bands"))
    mel = LogMel(sample_rate=RATE, **MEL)
    return bundle.Bundle(
        task="generation",
        model=bundle.Part(model_name, arguments, model),
        front_end=bundle.Part("LogMel", {"sample_rate": RATE, **MEL}, mel) if has_mel else None,
        sample_rate=RATE,
        clip_length=160,
        library_version="0",
    )


@pytest.fixture(scope="module")
def generator() -> Generator:
    return Generator(make_bundle())


def naive(model: WaveNet, prime: Tensor, uniforms: np.ndarray, conditions: dict[str, Tensor], frames: Tensor | None):
    """Draw sample after sample, each from the outputs of the whole network over all that was before."""
    samples, n_primed = prime, prime.shape[1]
    outputs = []
    for step in range(n_primed, uniforms.shape[1]):
        extended = torch.cat([samples, samples.new_zeros(len(samples), 1)], 1)
        last = model(extended, conditions, frames)[:, -1]
        drawn = model.distribution.sample(last, torch.from_numpy(uniforms[:, step]), Sampling(0.9))
        samples = torch.cat([samples, drawn[:, None].to(samples)], 1)
        outputs.append(last)
    return samples[:, n_primed:], torch.stack(outputs, 1)


GRID = list(
    product(("softmax", "logistic_mixture", "gaussian"), (2, 3), (None, CATEGORIES), (0, 8), (0, 7, 60))
)  # receptive fields: 15 and 29


@pytest.mark.parametrize(("output", "kernel_size", "categories", "local_bands", "n_primed"), GRID)
def test_naive_step_by_step_and_compiled_give_the_same(
    output: str, kernel_size: int, categories: Any, local_bands: int, n_primed: int
) -> None:
    local: dict[str, Any] = {"local_bands": local_bands, "local_channels": 5, "upsample": [4, 4]} if local_bands else {}
    made = make_bundle(output=output, kernel_size=kernel_size, categories=categories, **local)
    model: Any = made.model.module
    batch, n_samples = 2, 40
    random = np.random.default_rng(5)
    waveform = torch.from_numpy(random.uniform(-0.5, 0.5, (batch, n_primed)).astype(np.float32))
    prime = model.distribution.from_waveform(waveform)
    uniforms = random.random((batch, n_primed + n_samples, 2))
    conditions = {} if categories is None else {"label": torch.tensor([0, 1]), "speaker": torch.tensor([2, 0])}
    frames = torch.from_numpy(random.normal(size=(batch, 8, 7)).astype(np.float32)) if local_bands else None
    with torch.inference_mode():
        expected, outputs = naive(model, prime, uniforms, conditions, frames)
        bias = model.bias(conditions, frames, batch=batch, time=n_primed + n_samples).between(0, n_primed + n_samples)
    engine: Any
    for engine in (Stepwise(model), Kernel(model)):
        found = np.empty((batch, n_primed + n_samples, model.distribution.n_outputs), np.float32)
        arguments = {"sampling": Sampling(0.9), "forced": prime.numpy(), "outputs": found}
        samples = engine.run(engine.start(batch), bias=bias.detach().numpy(), uniforms=uniforms, **arguments)
        np.testing.assert_allclose(found[:, n_primed:], outputs.numpy(), atol=1e-4, rtol=0)
        if output == "softmax":
            np.testing.assert_array_equal(samples[:, n_primed:], expected.numpy())
        else:
            np.testing.assert_allclose(samples[:, n_primed:], expected.numpy(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("chunk", [1, 3, 50, 159, 1000])
def test_a_stream_of_any_chunks_is_what_is_generated_at_once(generator: Generator, chunk: int) -> None:
    whole = generator.generate(seed=4, label="yes")
    pieces = list(generator.stream(seed=4, label="yes", chunk_seconds=chunk / RATE))
    assert torch.equal(torch.cat(pieces, 1), whole)
    assert [piece.shape[1] for piece in pieces[:-1]] == [chunk] * (len(pieces) - 1)


def test_the_same_seed_gives_the_same_sound_and_another_another(generator: Generator) -> None:
    assert torch.equal(generator.generate(seed=1), generator.generate(seed=1))
    assert not torch.equal(generator.generate(seed=1), generator.generate(seed=2))


def test_a_stream_of_a_batch_is_the_same_in_a_larger_one(generator: Generator) -> None:
    three = generator.generate(seed=7, label=["yes", "no", "yes"], speaker="bob")
    assert torch.equal(generator.generate(seed=7, label="yes", speaker="bob"), three[:1])
    assert torch.equal(generator.generate(seed=7, label=["yes", "no"], speaker="bob"), three[:2])
    assert not torch.equal(three[0], three[2])


def test_what_is_not_asked_for_is_drawn_and_can_be_known(generator: Generator) -> None:
    chosen = generator.choose(6, seed=2, label="no")
    assert chosen["label"] == ["no"] * 6 and len(set(chosen["speaker"])) > 1
    again = generator.generate(seed=2, **chosen)  # type: ignore[arg-type]
    assert torch.equal(again, generator.generate(count=6, seed=2, label="no"))


def test_what_is_drawn_for_a_category_is_no_random_number_of_the_samples(generator: Generator) -> None:
    """The first category once came from the very generator (seed, stream) that draws the samples."""
    for name, values in CATEGORIES.items():
        drawn = [generator.choose(seed=seed)[name][0] for seed in range(60)]
        sources = [random_generator(seed, "samples of a stream", 0) for seed in range(60)]
        of_samples = [values[source.integers(len(values))] for source in sources]
        assert set(drawn) == set(values)
        assert 10 < sum(map(str.__eq__, drawn, of_samples)) < 50


def test_a_generator_says_what_it_is(generator: Generator) -> None:
    assert repr(generator) == "<Generator by label (no, yes) by speaker (ann, bob, cy): wavenet at 8000 Hz, on cpu>"
    assert (generator.sample_rate, generator.categories) == (RATE, CATEGORIES)


def test_new_weights_are_followed() -> None:
    made = make_bundle()
    generator = Generator(made)
    before = generator.generate(seed=0, label="no", speaker="ann")
    with torch.no_grad():
        made.model.module.get_parameter("output.bias")[:] = torch.linspace(-5, 5, 256)
    assert not torch.equal(generator.generate(seed=0, label="no", speaker="ann"), before)


def test_a_prime_is_gone_on_from(generator: Generator) -> None:
    whole = generator.generate(0.03, seed=0, label="yes", speaker="ann")
    primed = generator.generate(0.01, seed=0, label="yes", speaker="ann", prime=whole[0, :160])
    assert torch.equal(primed, whole[:, 160:])  # the random numbers of the prime are drawn, too
    loud = generator.generate(0.01, seed=0, label="yes", speaker="ann", prime=torch.linspace(-1, 1, 160))
    assert not torch.equal(primed, loud)


def test_samples_past_full_scale_are_clipped(generator: Generator) -> None:
    """As resampling of a loud recording makes them; integers as floats are refused."""
    sound = 1.2 * torch.sin(torch.arange(160.0))
    clipped = sound.clamp(-1, 1)
    primed = [generator.generate(0.01, label="yes", speaker="ann", prime=prime) for prime in (sound, clipped)]
    assert torch.equal(*primed)
    expected = [generator.expect(waveform[None], label="yes", speaker="ann") for waveform in (sound, clipped)]
    assert torch.equal(*expected)


@pytest.mark.parametrize("changes", [{}, {"output": "logistic_mixture"}, {"output": "gaussian"}])
def test_sound_is_sound(changes: dict[str, Any]) -> None:
    made = Generator(make_bundle(**changes)).generate(count=3)
    assert made.shape == (3, 160) and made.dtype == torch.float32
    assert made.isfinite().all() and made.abs().max() <= 1


def test_cold_generation_takes_the_most_probable_code(generator: Generator) -> None:
    made = generator.generate(0.01, seed=3, label="no", speaker="cy", top_k=1)
    expected = generator.expect(made, label="no", speaker="cy")[0].argmax(-1)
    assert torch.equal(generator.wavenet.distribution.from_waveform(made[0]), expected)
    assert torch.equal(generator.generate(0.01, seed=8, label="no", speaker="cy", top_k=1), made)


@pytest.mark.parametrize("chunk", [7, 16, 100])
def test_the_place_in_the_clip_is_kept_in_step(chunk: int) -> None:
    """Greedy generation chooses what the whole network, which knows the places by itself, holds most probable."""
    generator = Generator(make_bundle(n_places=3, place_length=16))
    given: dict[str, Any] = {"label": "no", "speaker": ["cy", "ann"], "top_k": 1}
    prime = torch.linspace(-0.5, 0.5, 21)
    pieces = list(generator.stream(0.01, prime=prime, chunk_seconds=chunk / RATE, **given))
    whole = torch.cat([prime.expand(2, -1), *pieces], 1)
    expected = generator.expect(whole, label="no", speaker=["cy", "ann"]).argmax(-1)
    assert torch.equal(generator.wavenet.distribution.from_waveform(whole)[:, 21:], expected[:, 21:])
    model: Any = generator.wavenet
    samples = model.distribution.from_waveform(whole)
    conditions = generator.positions({"label": ["no", "no"], "speaker": ["cy", "ann"]})
    with torch.inference_mode():
        later = model(samples, conditions, start=torch.tensor([16, 32]), length=torch.tensor([500, 500]))
        assert not torch.equal(later[0], model(samples, conditions)[0])  # another place, another expectation
        last = model(samples, conditions, start=torch.tensor([0, 64]), length=torch.tensor([500, 900]))
        torch.testing.assert_close(later[1], last[1])  # the last lasts


def test_each_stream_takes_the_time_that_is_usual_for_what_it_says() -> None:
    lengths = {"label": {"no": 80, "yes": 240}, "speaker": {"ann": 200}}
    generator = Generator(replace(make_bundle(n_places=3, place_length=16), value_lengths=lengths))
    given: dict[str, Any] = {"label": ["no", "yes", "yes"], "speaker": ["ann", "ann", "cy"], "seed": 4}
    made = generator.generate(**given)
    assert made.shape == (3, 300)
    for stream, length in enumerate((100, 300, 240)):  # of 160: a half and five quarters, 1.5 and 1.25, 1.5
        assert made[stream, :length].any() and not made[stream, length:].any()
    assert torch.equal(torch.cat(list(generator.stream(chunk_seconds=37 / RATE, **given)), 1), made)
    alone = generator.generate(label="no", speaker="ann", seed=4)
    assert torch.equal(alone[0], made[0, :100])  # the others' lengths are not its own
    assert generator.generate(0.005, **given).shape == (3, 40)
    assert Generator(replace(make_bundle(), value_lengths=lengths)).generate(**given).shape == (3, 160)


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_smaller_weights_sound_much_alike(precision: str) -> None:
    made = make_bundle()
    given: dict[str, Any] = {"label": "no", "speaker": "cy", "top_k": 1}
    small = Generator(made, precision=precision).generate(0.005, **given)
    exact = Generator(made).generate(0.005, **given)
    assert (small == exact).float().mean() > 0.5


@pytest.mark.parametrize("model_name", ["wavenet", "wavenet_autoencoder"])
def test_a_recording_is_imitated_frame_by_frame(model_name: str) -> None:
    changes: dict[str, Any] = {"local_bands": 8, "local_channels": 5, "upsample": [4, 4]}
    if model_name == "wavenet_autoencoder":
        changes = {"encoder_layers": 2, "encoder_cycles": 1, "encoder_channels": 4, "upsample": [4, 4]}
    generator = Generator(make_bundle(model_name, **changes))
    recording = torch.sin(torch.arange(480) * 0.3) * 0.5
    frames = generator.frames_of(recording, RATE)
    made = generator.generate(frames=frames, seed=0, label="yes", speaker="ann")
    assert made.shape == (1, 16 * frames.shape[2])
    pieces = list(generator.stream(frames=frames, seed=0, label="yes", speaker="ann", chunk_seconds=37 / RATE))
    torch.testing.assert_close(torch.cat(pieces, 1), made)
    assert not torch.equal(generator.generate(frames=-frames, seed=0, label="yes", speaker="ann"), made)
    assert generator.generate(0.01, frames=frames).shape == (1, 80)
    with pytest.raises(ValueError, match="int"):
        generator.frames_of(torch.zeros(480, dtype=torch.int16), RATE)
    with pytest.raises(ValueError, match="16 samples that cover 80000 samples, got 3[01] frames"):
        generator.generate(10.0, frames=frames)
    for wrong in (torch.zeros(1, 3, 9), frames[:0], frames[..., :0], frames[0, 0]):
        with pytest.raises(
            ValueError, match=r"frames: expected \(batch, \d+ bands, frame\) at a hop of 16 samples, got \("
        ):
            generator.generate(frames=wrong)
    with pytest.raises(
        ValueError, match=r"frames: expected \(batch, \d+ bands, frame\) at a hop of 16 samples, got None"
    ):
        generator.generate()
    with pytest.raises(ValueError, match="finite"):
        generator.generate(frames=frames * torch.nan)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"label": "maybe"}, "label: expected one of no, yes, got 'maybe'"),
        ({"label": ["yes", "maybe"]}, "label: expected one of no, yes, got 'maybe'"),
        ({"mood": "glad"}, "mood: expected one of label, speaker, got another category"),
        ({"label": ["yes", "no"], "speaker": ["ann"] * 3}, "count: expected one number of streams, got"),
        ({"seconds": 0}, r"seconds: expected a number from 0.000125 to 3600, got 0"),
        ({"seconds": 1e9}, r"seconds: expected"),
        ({"seconds": float("nan")}, r"seconds: expected"),
        ({"temperature": 0}, r"temperature: expected a number from 0.01 to 10, got 0"),
        ({"temperature": float("nan")}, r"temperature: expected"),
        ({"top_k": 0}, "top_k: expected at least 1"),
        ({"top_p": 1.5}, "top_p: expected more than 0 and at most 1"),
        ({"count": 0}, "expected 1 to 1024"),
        ({"count": 5000}, "expected 1 to 1024"),
        ({"seed": -1}, "seed: expected a whole number from 0 to"),
        ({"prime": torch.zeros(0)}, "prime: expected a float waveform"),
        ({"prime": torch.zeros(0, 9)}, "prime: expected a float waveform"),
        ({"prime": torch.zeros(9, dtype=torch.int16)}, "prime: expected a float waveform"),
        ({"prime": torch.full((9,), 9.0)}, r"prime: expected samples in \[-1, 1\]"),
        ({"prime": torch.full((9,), torch.nan)}, r"prime: expected samples in \[-1, 1\]"),
        ({"frames": torch.zeros(1, 8, 9)}, "frames: expected None, because the network has no local conditioning"),
    ],
)
def test_what_is_asked_wrongly_is_said_at_once(generator: Generator, arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        generator.stream(**arguments)


def test_other_errors(generator: Generator) -> None:
    with pytest.raises(ValueError, match="chunk_seconds: expected at least 0.000125"):
        generator.stream(chunk_seconds=1e-9)
    with pytest.raises(ValueError, match="frames_of: expected a network with local conditioning"):
        generator.frames_of(torch.zeros(100), RATE)
    with pytest.raises(ValueError, match="precision: expected one of float32, bfloat16, int8, got 'int4'"):
        Generator(make_bundle(), precision="int4")
    with pytest.raises(ValueError, match="a Gaussian output has no codes"):
        Generator(make_bundle(output="gaussian")).generate(top_k=3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
@pytest.mark.parametrize("output", ["softmax", "logistic_mixture", "gaussian"])
def test_a_gpu_makes_the_same_sound(output: str) -> None:
    given: dict[str, Any] = {"seed": 3, "label": ["yes", "no"], "speaker": "bob"}
    on_cpu = Generator(make_bundle(output=output)).generate(**given)
    on_gpu = Generator(make_bundle(output=output), "cuda").generate(**given)
    torch.testing.assert_close(on_gpu, on_cpu, atol=1e-4, rtol=0)
