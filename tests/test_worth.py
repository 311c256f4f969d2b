"""Whether maps show something, and what a recogniser does not mind: on a recogniser whose answers are known."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audionet import insight, plots, save_audio
from audionet.features import LogMel
from audionet.inference import Recognizer, load_recognizer
from audionet.insight.invariance import changed
from audionet.plots.style import png

RATE = 8000


class Louder(nn.Module):
    """Answers in which of three groups of bands it becomes the loudest."""

    n_bands, n_classes = 24, 3

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Identity(), nn.Identity()

    def frames(self, spectrogram: Tensor) -> Tensor:
        frames: Tensor = self.stem(spectrogram).exp()[:, 0]
        return frames

    def embed(self, spectrogram: Tensor) -> Tensor:
        rises = self.stem(spectrogram - spectrogram.mean(3, keepdim=True))
        return torch.stack([part.mean((1, 2)).amax(1) for part in rises.split(8, 2)], 1)

    def forward(self, spectrogram: Tensor) -> Tensor:
        logits: Tensor = self.head(self.embed(spectrogram))
        return logits


@pytest.fixture
def recognizer(write_bundle: Callable[..., Path]) -> Recognizer:
    """Return a recogniser of the tones below."""
    made = load_recognizer(write_bundle(clip_length=4000, labels=("low", "middle", "high", *"defghij")))
    made.network, made.labels = Louder(), ("low", "middle", "high")
    made.front_end = LogMel(sample_rate=RATE, n_mels=24)
    return made


@pytest.fixture
def short_tones(tmp_path: Path) -> Path:
    """Write four recordings of a tone of 0.2 s in the middle of half a second for each of three pitches."""
    seconds = np.arange(4000) / RATE
    generator = np.random.default_rng(0)
    for label, hertz in (("low", 300), ("middle", 1000), ("high", 2600)):
        (tmp_path / "tones" / label).mkdir(parents=True)
        for number in range(4):
            tone = 0.3 * np.sin(2 * np.pi * hertz * generator.uniform(0.95, 1.05) * seconds)
            tone *= (seconds > 0.15) & (seconds < 0.35)
            sound = (tone + 1e-3 * generator.standard_normal(4000)).astype(np.float32)
            save_audio(tmp_path / "tones" / label / f"{number}.wav", sound, RATE)
    return tmp_path / "tones"


def test_a_method_that_finds_what_decides_is_worth_more_than_chance(recognizer: Recognizer, short_tones: Path) -> None:
    found = insight.measure_worth(recognizer, short_tones, methods=["gradient_input"], share=0.2, n_draws=3)
    assert found.right.all() and found.right.shape == (12,)
    assert found.kept["gradient_input"].all() and not found.removed["gradient_input"].all()
    assert {name: right.shape for name, right in found.random_kept.items()} == dict.fromkeys(
        insight.GRANULARITIES, (3, 12)
    )
    assert all(right.mean() < 1 for right in found.random_kept.values())
    again = insight.measure_worth(recognizer, short_tones, methods=["gradient_input"], share=0.2, n_draws=3)
    assert all(np.array_equal(right, again.random_kept[name]) for name, right in found.random_kept.items())
    png(plots.plot_worth(found, title="tones"))


def test_a_method_is_compared_with_what_is_as_coarse_and_on_what_was_understood() -> None:
    assert insight.COARSENESS.keys() == insight.METHODS.keys() and {*insight.COARSENESS.values()} <= {
        *insight.GRANULARITIES
    }
    right = np.array([True, False, True, True])
    some, all_, none = np.array([True, True, False, True]), np.ones(4, bool), np.zeros(4, bool)
    kept = {"places": none[None], "patches": all_[None], "frames": none[None]}
    removed = dict.fromkeys(kept, all_[None])
    worth = insight.Worth(
        0.2, right, {"saliency": some, "occlusion": some}, {"saliency": none, "occlusion": none}, kept, removed
    )
    assert worth.shows == {"saliency": True, "occlusion": False}
    understood = worth.of_right()
    assert understood.right.tolist() == [True] * 3 and understood.kept["saliency"].tolist() == [True, False, True]
    assert understood.random_kept["patches"].shape == (1, 3)


@pytest.mark.parametrize(("share", "kept", "removed"), [(1.0, True, False), (0.0, False, True)])
def test_all_and_nothing_kept(
    recognizer: Recognizer, short_tones: Path, share: float, kept: bool, removed: bool
) -> None:
    """What is left of a clip of which nothing is kept has no time, and is answered alike whoever chose."""
    found = insight.measure_worth(recognizer, short_tones, methods=["saliency"], share=share, n_draws=1)
    for one, of_all, at_random in (
        (found.kept["saliency"], kept, found.random_kept["places"]),
        (found.removed["saliency"], removed, found.random_removed["frames"]),
    ):
        assert np.array_equal(one, at_random[0])
        assert not of_all or one.all()


def test_methods_and_folders_that_there_are_not(recognizer: Recognizer, short_tones: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="methods: expected one of .*did you mean 'saliency'"):
        insight.measure_worth(recognizer, short_tones, methods=["salience"])
    with pytest.raises(ValueError, match="changes: expected one of .*did you mean 'shift'"):
        insight.measure_invariance(recognizer, short_tones, changes=["shft"])
    with pytest.raises(ValueError, match="nothing there"):
        insight.measure_worth(recognizer, tmp_path / "none")
    for label in ("low", "high"):
        (tmp_path / "silent" / label).mkdir(parents=True)
        save_audio(tmp_path / "silent" / label / "0.wav", np.zeros(4000, np.float32), RATE)
    with pytest.raises(ValueError, match="silent: expected recordings with sound, got '2 of silence'"):
        insight.measure_invariance(recognizer, tmp_path / "silent")


def test_clips_of_a_folder_are_drawn_by_the_seed(recognizer: Recognizer, short_tones: Path) -> None:
    every = insight.heard_clips(recognizer, short_tones)
    assert every.clips.shape == (12, 4000)
    assert [recognizer.labels[label] for label in every.label_indices] == [path.split("/")[0] for path in every.paths]
    some = [insight.heard_clips(recognizer, short_tones, most=5, seed=seed).paths for seed in (0, 0, 1)]
    assert some[0] == some[1] != some[2] and len(some[0]) == 5


# ---- invariance ------------------------------------------------------------------------------------------------------


def test_what_a_recogniser_of_loudness_minds(recognizer: Recognizer, short_tones: Path) -> None:
    found = {each.change: each for each in insight.measure_invariance(recognizer, short_tones)}
    assert [*found] == [*insight.CHANGES]
    for name, curve in found.items():
        assert curve.right.shape == curve.distance.shape == (len(curve.values), 12), name
        if math.isfinite(curve.neutral):
            unchanged = int(np.flatnonzero(curve.values == curve.neutral)[0])
            assert np.array_equal(curve.right[unchanged], curve.right_before)
            assert np.abs(curve.distance[unchanged]).max() < 1e-5
    shift = found["shift"]
    assert shift.accuracy[2:9].min() == 1  # to 120 ms the tone stays in the clip
    assert found["level"].accuracy[2:6].min() == 1
    # A frame is one of the spectrogram: moved along, only those at the ends differ.
    assert shift.frame_distance is not None and shift.frame_distance[2:9].mean() < 0.02
    low, high = found["speed"].holds() or (1.0, 1.0)
    assert low <= 1 <= high and (low, high) != (0.6, 1.5)  # a tone leaves its group of bands
    noise = found["snr"]
    assert noise.distance[0].mean() > noise.distance[-1].mean()
    again = insight.measure_invariance(recognizer, short_tones, changes=["snr"])[0]
    assert np.array_equal(noise.distance, again.distance)
    figure = plots.plot_invariance([*found.values()], title="tones")
    assert len(figure.axes) == 8 and len(png(figure)) > 1000


def test_invariance_ends_at_the_first_loss() -> None:
    right = np.ones((5, 10), bool)
    right[0], right[3, :2] = False, False

    def holds(neutral: float) -> tuple[float, float] | None:
        values = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
        return insight.Invariance("shift", "ms", values, neutral, right, right[2], np.zeros((5, 10))).holds()

    assert holds(0.0) == (-1.0, 0.0)
    assert holds(math.inf) == (2.0, 2.0)
    assert holds(-2.0) is None


def test_changes_do_what_they_are_called() -> None:
    clips = torch.randn(3, RATE, generator=torch.Generator().manual_seed(0)) / 10

    def made(change: str, value: float) -> Tensor:
        return changed(clips, change, value, RATE, torch.Generator().manual_seed(1))

    assert torch.equal(made("shift", 100)[:, 800:], clips[:, :-800]) and not made("shift", 100)[:, :800].any()
    assert torch.equal(made("shift", -100), F.pad(clips[:, 800:], (0, 800)))
    assert torch.allclose(made("level", -20), clips / 10)
    assert made("level", 40).abs().max() == 1
    assert torch.equal(made("speed", 1.0), clips)
    noise = made("snr", 20) - clips
    ratio = 10 * torch.log10(clips.square().mean(1) / noise.square().mean(1))
    assert (ratio - 20).abs().max() < 1.5
    tone = torch.sin(2 * math.pi * 500 * torch.arange(RATE) / RATE)[None]
    faster = changed(tone, "speed", 1.5, RATE, torch.Generator())[0]
    assert int(torch.fft.rfft(faster).abs().argmax()) == pytest.approx(750, abs=2)


# ---- pictures --------------------------------------------------------------------------------------------------------


def test_a_picture_needs_a_curve() -> None:
    with pytest.raises(ValueError, match="curves: expected at least one"):
        plots.plot_invariance([])
