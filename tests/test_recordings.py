import numpy as np
import pytest

from audionet import audio
from audionet.datasets.recordings import read_background, scan


def test_background_is_one_track(tmp_path):
    for number, rate in enumerate((8_000, 16_000)):
        audio.save_audio(tmp_path / f"{number}.wav", np.full((2, 1000), 0.25), rate)
    paths = sorted(tmp_path.iterdir())
    tracks = [audio.read_mono(path, 8_000) for path in paths]
    assert [len(track) for track in tracks] == [1000, 500]
    np.testing.assert_array_equal(read_background(paths, sample_rate=8_000), np.concatenate(tracks))
    assert len(read_background([], sample_rate=8_000)) == 0


def test_background_names_all_bad_recordings(tmp_path):
    audio.save_audio(tmp_path / "good.wav", np.zeros((1, 10)), 8_000)
    (tmp_path / "bad.wav").write_bytes(b"")
    paths = [tmp_path / name for name in ("good.wav", "bad.wav", "nowhere.wav")]
    with pytest.raises(audio.AudioError, match=r"(?s)2 of 3 background recordings.*bad\.wav.*nowhere\.wav"):
        read_background(paths, sample_rate=8_000)


def test_scan_follows_links_but_not_in_circles(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/x.wav").write_bytes(b"1")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus/itself").symlink_to(tmp_path / "corpus")
    before = scan(tmp_path / "corpus")
    (tmp_path / "corpus/linked").symlink_to(tmp_path / "elsewhere")
    assert scan(tmp_path / "corpus") != before
    with pytest.raises(OSError, match="nowhere"):
        scan(tmp_path / "nowhere")


def test_scan_leaves_out_hidden_files(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x.wav").write_bytes(b"1")
    before = scan(tmp_path)
    (tmp_path / ".DS_Store").write_bytes(b"1")
    assert scan(tmp_path) == before
    (tmp_path / "a/y.wav").symlink_to("nowhere.wav")
    assert scan(tmp_path) != before
