"""A network on a stream gives the frames of the whole recording, however it is cut, for many streams at once."""

import functools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from audionet import models
from audionet.models import FixedStep, Frames, SlidingNetwork, StreamingNetwork
from tests.test_family import SMALL, build, noise, settle

LOCAL = [name for name in SMALL if name not in ("fully_connected", "timm", "wavenet_classifier")]
DEEP = ("bn_inception", "googlenet", "inception_resnet", "inception_v3", "inception_v4")  # which take seconds
TOLERANCE = 1e-5  # of the largest value: other sizes of a product are summed in another order


@functools.cache
def streaming_of(name: str) -> StreamingNetwork:
    network = build(name)
    return StreamingNetwork(settle(network, noise(network, 2)))


def streamed(streaming: StreamingNetwork, spectrogram: Tensor, sizes: list[int]) -> Tensor:
    """Take chunks of these sizes again and again, and the end."""
    state, made, start = streaming.start(len(spectrogram)), list[Frames](), 0
    while start < spectrogram.shape[-1]:
        size = sizes[len(made) % len(sizes)]
        frames, state = streaming.step(spectrogram[..., start : start + size], state)
        made.append(frames)
        start += size
    made.append(streaming.finish(state))
    streams = [torch.cat([frames.of(stream) for frames in made], -1) for stream in range(len(spectrogram))]
    places = [torch.cat([frames.places[stream] for frames in made]) for stream in range(len(spectrogram))]
    for values, place in zip(streams, places, strict=True):
        assert place[place >= 0].tolist() == [*range(values.shape[-1])]
    return torch.stack(streams)


def whole_frames(streaming: StreamingNetwork, spectrogram: Tensor) -> Tensor:
    network: Any = streaming.network
    frames: Tensor = network.frames(spectrogram)
    return frames


def assert_same(actual: Tensor, expected: Tensor) -> None:
    assert float(expected.abs().max()) > 0
    torch.testing.assert_close(actual, expected, rtol=0, atol=TOLERANCE * float(expected.abs().max()))


@pytest.mark.parametrize("name", LOCAL)
@torch.inference_mode()
def test_every_network_in_chunks(name):
    streaming = streaming_of(name)
    spectrogram = noise(streaming.network, 2, 75, seed=1)
    whole = whole_frames(streaming, spectrogram)
    sizes = [40, 3, 7, 0, 1, 24] if name in DEEP else [7, 1, 3, 0, 20]
    assert_same(streamed(streaming, spectrogram, sizes), whole)


@pytest.mark.parametrize("name", ["tcresnet", "ds_cnn", "lenet", "cnn_tdnn"])
@pytest.mark.parametrize("size", [1, 3, 7])
@torch.inference_mode()
def test_chunks_of_one_size_beyond_the_receptive_field(name, size):
    streaming = streaming_of(name)
    spectrogram = noise(streaming.network, 1, 200, seed=1)
    assert_same(streamed(streaming, spectrogram, [size]), whole_frames(streaming, spectrogram))


@pytest.mark.parametrize("name", LOCAL)
@torch.inference_mode()
def test_a_fixed_step_gives_the_same_later(name):
    streaming, n_steps = streaming_of(name), 4
    n_frames = ((streaming.delay + 40) // (n_steps * streaming.stride) + 2) * streaming.stride
    step = FixedStep(streaming, n_frames)
    spectrogram = noise(streaming.network, 2, n_steps * n_frames, seed=1)
    made, state = [], step.start(2)
    for chunk in spectrogram.split(n_frames, -1):
        frames, *state = step(chunk, *state)
        made.append(frames)
    late, n_late = torch.cat(made, -1), step.delay // streaming.stride
    assert step.delay % streaming.stride == 0
    assert not late[..., :n_late].any()
    n_known = late.shape[-1] - n_late
    assert_same(late[..., n_late:], whole_frames(streaming, spectrogram)[..., :n_known])


@pytest.mark.parametrize("name", ["tcresnet", "bcresnet", "ds_cnn", "keyword_resnet", "lenet"])
@torch.inference_mode()
def test_streams_that_stop_and_begin_anew(name):
    streaming = streaming_of(name)
    generator = torch.Generator().manual_seed(0)
    spectrogram = noise(streaming.network, 3, 400, seed=2)
    state = streaming.start(3)
    places, begun = [0, 0, 0], [0, 0, 0]
    made: list[list[Tensor]] = [[], [], []]
    for number in range(30):
        size = int(torch.randint(0, 12, (), generator=generator))
        active = torch.rand(3, generator=generator) < 0.6
        chunk = torch.full((3, 1, 40, size), torch.nan)  # for those that stand still
        for stream in active.nonzero().flatten().tolist():
            chunk[stream] = spectrogram[stream, ..., places[stream] : places[stream] + size]
            places[stream] += size
        frames, state = streaming.step(chunk, state, active)
        for stream in range(3):
            made[stream].append(frames.of(stream))
            assert active[stream] or not made[stream][-1].numel()
        if number in (7, 25):
            which = torch.tensor([number == 7, True, False])
            state = streaming.reset(state, which)
            for stream in which.nonzero().flatten().tolist():
                begun[stream], made[stream] = places[stream], []
    end = streaming.finish(state)
    for stream in range(3):
        whole = whole_frames(streaming, spectrogram[stream : stream + 1, ..., begun[stream] : places[stream]])[0]
        assert_same(torch.cat([*made[stream], end.of(stream)], -1), whole)


@pytest.mark.parametrize("name", ["tcresnet", "bcresnet", "cnn_tdnn", "matchboxnet", "all_conv"])
@torch.inference_mode()
def test_recordings_shorter_than_the_receptive_field(name):
    streaming = streaming_of(name)
    for n_frames in (9, 10, 17):
        spectrogram = noise(streaming.network, 1, n_frames, seed=3)
        assert_same(streamed(streaming, spectrogram, [4]), whole_frames(streaming, spectrogram))


@torch.inference_mode()
def test_a_recording_of_which_nothing_is_left_gives_no_frames():
    streaming = streaming_of("lenet")
    for n_frames in (0, 1, 11):
        assert streamed(streaming, noise(streaming.network, 1, 20)[..., :n_frames], [4]).shape == (1, 16, 0)


@pytest.mark.parametrize("name", ["tcresnet", "ds_cnn", "vgg", "one_layer"])
@torch.inference_mode()
def test_a_frame_comes_with_the_last_that_it_sees(name):
    streaming = streaming_of(name)
    stride, delay = streaming.stride, streaming.delay
    spectrogram = noise(streaming.network, 1, delay + 3 * stride)
    state = streaming.start(1)
    for frame in range(spectrogram.shape[-1]):
        frames, state = streaming.step(spectrogram[..., frame : frame + 1], state)
        is_due = frame >= delay and (frame - delay) % stride == 0
        assert frames.places[0][frames.places[0] >= 0].tolist() == ([(frame - delay) // stride] if is_due else [])
    spectrogram[..., delay] = torch.nan
    seen = whole_frames(streaming, spectrogram).isnan().any(1)[0]
    assert seen[0], "the last frame that it waits for is one that it sees"


@torch.inference_mode()
def test_a_fixed_step_in_onnx(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    for name in ("tcresnet", "bcresnet"):
        streaming = streaming_of(name)
        step = FixedStep(streaming, 8).eval()
        state = step.start(2)
        names = [f"state{number}" for number in range(len(state))]
        path, chunk = str(tmp_path / "step.onnx"), noise(streaming.network, 2, 8)
        with pytest.warns():  # the exporter's own, of shapes that become constants
            torch.onnx.export(
                step,
                (chunk, *state),
                path,
                dynamo=False,
                input_names=["chunk", *names],
                output_names=["frames", *(f"{each}_after" for each in names)],
                dynamic_axes={each: {0: "stream"} for each in ("chunk", *names)},
            )
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        spectrogram = noise(streaming.network, 3, 8 * (streaming.delay // 8 + 6), seed=2)
        state, arrays = step.start(3), [each.numpy() for each in step.start(3)]
        for chunk in spectrogram.split(8, -1):
            frames, *state = step(chunk, *state)
            onnx_frames, *arrays = session.run(None, {"chunk": chunk.numpy(), **dict(zip(names, arrays, strict=True))})
            torch.testing.assert_close(torch.from_numpy(onnx_frames), frames, rtol=1e-4, atol=1e-4)
        assert frames.abs().max() > 0


@torch.inference_mode()
def test_the_weights_are_read_where_they_are():
    network = build("tcresnet").eval()
    streaming = StreamingNetwork(network)
    network.load_state_dict(settle(build("tcresnet", seed=1), noise(network, 2)).state_dict())
    spectrogram = noise(network, 1, 60)
    assert_same(streamed(streaming, spectrogram, [20]), network.frames(spectrogram))
    network.double()
    assert_same(streamed(streaming, spectrogram.double(), [20]), network.frames(spectrogram.double()))


@pytest.mark.parametrize("name", ["tcresnet", "convnext", "cnn_tdnn", "one_layer", "lenet"])
@torch.inference_mode()
def test_a_sliding_window_pools_the_frames_of_the_recording(name):
    streaming, window = streaming_of(name), 5
    network: Any = streaming.network
    sliding = SlidingNetwork(network, window)
    spectrogram = noise(network, 2, streaming.delay + 30 * streaming.stride, seed=4)
    maps = network.maps(spectrogram) if hasattr(network, "maps") else network.frames(spectrogram)
    pool = getattr(network, "pool", getattr(network, "pooling", None)) or (lambda frames: frames.mean(-1))
    state, n_full = sliding.start(2), 0
    for number, chunk in enumerate(spectrogram.split(13, -1)):
        active = torch.tensor([True, number % 3 < 2])
        if not active[1]:
            chunk = chunk.index_fill(0, torch.tensor(1), torch.nan)
        embeddings, state = sliding.step(chunk, state, active)
        last = int(embeddings.places[0])
        if last >= 0:
            n_full += 1
            assert_same(embeddings.values[:1], pool(maps[:1, ..., last - window + 1 : last + 1]))
    assert n_full > 2
    assert int(state.places[1]) < int(state.places[0])
    state = sliding.reset(state, torch.tensor([True, False]))
    embeddings, _ = sliding.step(chunk[..., :1], state)
    assert (embeddings.places >= 0).tolist() == [False, int(state.places[1]) >= window - 1]


class Own(nn.Module):
    """A network of a user, which halves the frames in three ways."""

    n_bands, n_classes = 8, 0

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, (8, 3), stride=(1, 2), padding=(0, 1))
        self.mean = nn.AvgPool1d(3, 2, padding=1, count_include_pad=False)
        self.maximum = nn.MaxPool1d(2, 2)

    def frames(self, spectrogram: Tensor) -> Tensor:
        """Map (batch, 1, 8, frame) to (batch, 4, frame / 8)."""
        x = self.conv(spectrogram).flatten(1, 2)
        x = self.mean(x.sigmoid() + x) * x[..., ::2]
        maps: Tensor = self.maximum(x.view(x.shape[0], x.shape[1], x.shape[-1]))
        return maps

    def forward(self, spectrogram: Tensor) -> Tensor:
        """Map (batch, 1, 8, frame) to (batch, 4)."""
        return self.frames(spectrogram).mean(-1)


@torch.inference_mode()
def test_a_network_of_your_own():
    torch.manual_seed(0)
    streaming = StreamingNetwork(Own().eval())
    spectrogram = noise(streaming.network, 2, 75)
    for n_frames in (75, 74, 70, 5):
        part = spectrogram[..., :n_frames]
        assert_same(streamed(streaming, part, [1, 5]), whole_frames(streaming, part))


def test_what_is_not_local_is_refused_by_its_layer():
    refused: list[tuple[Any, str]] = [
        (build("fully_connected"), "input.0 \\(AdaptiveAvgPool2d\\) looks at all frames"),
        (build("wavenet_classifier"), "on spectrograms, got 'WaveNetClassifier"),
        (models.create("vgg", n_classes=3, width=0.0625, norm="instance"), "body.conv1.0.1 \\(InstanceNorm2d\\)"),
    ]
    for padding_mode in ("reflect", "replicate", "circular"):
        network = models.create("one_layer", n_classes=3, padding_mode=padding_mode)
        refused.append(
            (network, "body.conv1.0 \\(Conv2d\\) looks at all frames, or at their ends'; .* padding with zeros")
        )
    for network, message in refused:
        with pytest.raises(ValueError, match=f"network: expected one .*{message}"):
            StreamingNetwork(network.eval())
    with pytest.raises(ValueError, match=r"network: expected one in evaluation mode, got .* call network.eval\(\)"):
        StreamingNetwork(build("tcresnet").train())


def test_squeeze_over_time_is_refused():
    with pytest.raises(ValueError, match="TimmBackbone, whose layer backbone.*SqueezeExcite"):
        StreamingNetwork(build("timm").eval())


def test_bad_chunks_are_refused():
    streaming = streaming_of("tcresnet")
    state = streaming.start(2)
    for chunk, message in (
        (torch.zeros(2, 1, 41, 5), "n_bands = 40"),
        (torch.zeros(2, 40, 5), "spectrogram: expected"),
        (torch.zeros(3, 1, 40, 5), "chunk: expected 2 streams, as many as the state has, got 3"),
        (
            torch.zeros(2, 1, 40, 5, dtype=torch.float64),
            "chunk: expected torch.float32, the network's, got torch.float64",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            streaming.step(chunk, state)
    with pytest.raises(ValueError, match="active: expected"):
        streaming.step(torch.zeros(2, 1, 40, 5), state, torch.ones(2))
    with pytest.raises(ValueError, match="streams: expected"):
        streaming.reset(state, torch.tensor([True]))
    with pytest.raises(ValueError, match="n_streams: expected"):
        streaming.start(0)
    with pytest.raises(ValueError, match="n_frames: expected a multiple of 8, the stride of the network, got 12"):
        FixedStep(streaming, 12)
    step = FixedStep(streaming, 16)
    with pytest.raises(ValueError, match="chunk: expected 16 frames a step, got 8"):
        step(torch.zeros(1, 1, 40, 8), *step.start(1))
