"""The made-up devices that recognisers are measured on: twelve, each the same for every clip and every call."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import signal

from audionet.audio import read_mono
from benchmarks.devices import DEVICES, accuracies, gated, main, through_devices

pytest.importorskip("av")
pytest.importorskip("pyroomacoustics")
RECORDINGS = Path(__file__).parent / "data"
RATE = 16_000


@pytest.fixture(scope="module")
def clips() -> np.ndarray:
    """Two words and digital silence, (3, 16,000) float32."""
    words = [read_mono(RECORDINGS / f"{word}.wav", RATE, RATE) for word in ("seven", "stop")]
    return np.stack([*words, np.zeros(RATE, np.float32)])


@pytest.fixture(scope="module")
def heard(clips: np.ndarray) -> dict[str, np.ndarray]:
    """The clips through all devices."""
    return through_devices(clips, RATE, seed=0)


def test_there_are_twelve_and_each_changes_the_clips(clips: np.ndarray, heard: dict[str, np.ndarray]) -> None:
    assert len(heard) == len(DEVICES) == 12 and "telephone" in heard
    for result in heard.values():
        assert result.shape == clips.shape and result.dtype == np.float32
        assert np.isfinite(result).all() and np.abs(result).max() <= 1
        assert np.abs(result[:2] - clips[:2]).max() > 1e-3
        assert np.abs(result[2]).max() < 0.1


def test_a_clip_is_heard_the_same_again_and_the_seed_changes_the_noise_alone(
    clips: np.ndarray, heard: dict[str, np.ndarray]
) -> None:
    once_more, other = through_devices(clips[:1], RATE, seed=0), through_devices(clips[:1], RATE, seed=1)
    noisy = {"telephone", "laptop", "across_the_room", "cheap_microphone", "dictaphone"}
    for name in DEVICES:
        np.testing.assert_allclose(once_more[name][0], heard[name][0], atol=2e-6)
        assert (name in noisy) == (np.abs(once_more[name] - other[name]).max() > 1e-4), name


def test_what_is_heard_is_still_the_word_at_its_place(clips: np.ndarray, heard: dict[str, np.ndarray]) -> None:
    """Envelopes of a codec or a filter lie where those of the clip do, or a little later."""

    def envelope(waveform: np.ndarray) -> Any:
        smooth = signal.butter(2, 20, fs=RATE, output="sos")
        return signal.sosfiltfilt(smooth, np.abs(waveform.astype(np.float64)))

    for name, result in heard.items():
        for before, after in zip(clips[:2], result[:2], strict=True):
            first, second = (each - each.mean() for each in (envelope(before), envelope(after)))
            likeness = signal.correlate(second, first)
            lag = int(likeness.argmax()) - RATE + 1
            peak = likeness.max() / np.sqrt((first**2).sum() * (second**2).sum())
            assert abs(lag) < RATE * 0.035 and peak > 0.6, (name, lag, peak)


def test_bands_zeros_levels_and_steps_are_what_they_are_called(heard: dict[str, np.ndarray]) -> None:
    hertz = np.fft.rfftfreq(RATE, 1 / RATE)

    def share(name: str, low: float, high: float) -> float:
        power = np.abs(np.fft.rfft(heard[name][:2])) ** 2
        return float(power[:, (hertz >= low) & (hertz < high)].sum() / power.sum())

    for name, edge in (("telephone", 3900), ("mobile", 4100), ("headset", 4100), ("dictaphone", 5600)):
        assert share(name, edge, 8001) < 2e-3, name
    assert share("telephone", 0, 150) < 0.02
    assert (heard["close_gated"][:2] == 0).mean() > 0.2 and np.abs(heard["close_gated"][:2]).max() == 1
    steps = heard["very_quiet"] * 32768
    assert np.array_equal(steps, np.round(steps)) and np.abs(steps).max() == pytest.approx(130, abs=1)
    flat = np.abs(heard["overdriven"][:2]) > 0.6999
    assert flat.mean() > 0.01


def test_the_gate_waits_before_it_closes() -> None:
    levels = np.repeat([0.001, 0.5, 0.02, 0.001, 0.02, 0.5, 0.001], 160 * 10)[None]
    result = gated(levels, RATE, open_db=-10, close_db=-35, hold=0.06)[0]
    is_open = (result != 0).reshape(-1, 160).all(1)
    # Quiet after loud stays open; silence closes it after 60 ms; quiet alone does not open it.
    expected = [0] * 10 + [1] * 20 + [1] * 6 + [0] * 4 + [0] * 10 + [1] * 10 + [1] * 6 + [0] * 4
    assert is_open.astype(int).tolist() == expected


def test_they_take_clips_at_8_khz(clips: np.ndarray) -> None:
    for result in through_devices(signal.decimate(clips[:1], 2, axis=1).astype(np.float32), 8000).values():
        assert result.shape == (1, 8000) and np.isfinite(result).all()


@pytest.mark.parametrize(
    ("waveforms", "rate", "message"),
    [
        (np.zeros(100), RATE, "waveforms: expected finite samples (clip, time), got (100,)"),
        (np.full((1, 100), np.nan), RATE, "waveforms: expected finite samples (clip, time), got (1, 100)"),
        (np.zeros((1, 100)), 4000, "sample_rate: expected at least 8000, got 4000"),
    ],
)
def test_what_is_no_clip_is_refused(waveforms: np.ndarray, rate: int, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        through_devices(waveforms, rate)


def test_the_command_writes_a_folder_for_each_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "words" / "stop").mkdir(parents=True)
    shutil.copy(RECORDINGS / "stop.wav", tmp_path / "words" / "stop" / "one.wav")
    arguments = ["devices", str(tmp_path / "words"), "--output", str(tmp_path / "out"), "--count", "3"]
    monkeypatch.setattr("sys.argv", arguments)
    main()
    written = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.wav")}
    assert written == {f"{name}/stop/one.wav" for name in ("clean", *DEVICES)}


def test_the_table_puts_the_worst_device_last(clips: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    digits = {"clean": clips[:1], **{name: clips[:1] if name != "laptop" else clips[2:] for name in DEVICES}}
    table = accuracies("digits", digits, ["seven"], RATE).splitlines()
    assert table[2] == "| clean | 100.0% | +0.0 |" and table[-1] == "| laptop | 0.0% | -100.0 |" and len(table) == 15
