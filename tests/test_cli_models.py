"""`audionet models show`: a table of layers that adds up, in the sizes that were asked for."""

import pytest

from audionet import insight, models
from audionet.cli.main import main as cli
from audionet.features import LogMel


def shown(capsys, *words: str) -> list[str]:
    assert cli(["models", "show", *words]) == 0
    lines: list[str] = capsys.readouterr().out.splitlines()
    return lines


def test_an_architecture_shows_its_arguments_and_its_layers(capsys):
    lines = shown(capsys, "tcresnet", "--input", "64x201", "--model", "width=2", "--model", "depth=14")
    network = models.create("tcresnet", n_classes=12, n_bands=64, width=2, depth=14)
    table = models.layer_table(network, 201)
    assert any(line.startswith("  --model.depth: int = 8") for line in lines)
    head = next(number for number, line in enumerate(lines) if line.startswith("LAYER"))
    assert lines[head + 1].split("  ")[0] == "stem"
    assert "32 x 201" in lines[head + 1]
    last = lines[-1].split()
    assert last == ["all", f"{sum(each.numel() for each in network.parameters()):,}", f"{sum(x.macs for x in table):,}"]


def test_a_trained_network_shows_its_own_size(capsys):
    lines = shown(capsys, "commands")
    assert "recognition" in lines[0]
    assert any("16 x 20 x 51" in line and "72 ms" in line for line in lines)
    assert any("16 x 20 x 101" in line for line in shown(capsys, "commands", "--input", "40x201"))


def test_a_generator_shows_no_layers(capsys):
    assert not any(line.startswith("LAYER") for line in shown(capsys, "wavenet"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tcresnet", "--input", "40"], "input: expected bands and frames such as 40x101, got '40'"),
        (["tcresnet", "--input", "0x101"], "input: expected bands and frames such as 40x101, got '0x101'"),
        (["commands", "--input", "64x101"], "input: expected 40 bands, its own, got '64x101'; leave the size out"),
        (["commands", "--model", "width=2"], "model: expected no arguments for a trained network"),
        (["tcresnet", "--model", "dpth=14"], "did you mean 'depth'?"),
        (["lenet", "--input", "3x101"], "of which nothing is left at the layer c1"),
        (["tcresnt"], "did you mean 'tcresnet'?"),
    ],
)
def test_what_cannot_be_shown_is_told(capsys, words, message):
    assert cli(["models", "show", *words]) == 1
    assert message in capsys.readouterr().err


def test_what_an_output_sees_is_told_in_milliseconds_and_hertz():
    mel = LogMel(sample_rate=16_000, n_mels=40, n_fft=512, win_length=400, hop_length=160)
    frequencies = mel.axis.frequencies
    assert frequencies is not None
    low, high = (round(float(frequencies[band])) for band in (18, 21))
    milliseconds = (8 * 160 + mel.framing.span) / 16
    assert insight.seen(models.ReceptiveField(4, 9, 2), mel) == (f"{milliseconds:,.0f} ms", f"{low:,}-{high:,} Hz")
    assert insight.seen(models.ReceptiveField(40, 9, 2), mel)[1] == "all"
    assert insight.seen(models.ReceptiveField(4, None, None), mel) == ("the whole clip", "all")
