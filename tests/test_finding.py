import pytest

from audionet.audio import ffmpeg, find_sounds, finding, sounds_among


def make(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


@pytest.fixture
def without_pyav(monkeypatch):
    monkeypatch.setattr(ffmpeg, "is_here", lambda: False)


def test_sound_files_in_upper_and_lower_case(tmp_path):
    make(tmp_path, "b/two.WAV", "a/one.flac", "a/notes.txt", "c/d/three.Mp3", ".hidden.wav", "no_extension")
    (tmp_path / "gone.wav").symlink_to("nowhere.wav")
    sounds = find_sounds(tmp_path)
    assert sounds.files == ["a/one.flac", "b/two.WAV", "c/d/three.Mp3", "gone.wav"]  # a reader says what is wrong
    assert sounds.left_out == {
        ".hidden.wav": "hidden",
        "a/notes.txt": "no sound file by its extension",
        "no_extension": "no sound file by its extension",
    }
    assert find_sounds(tmp_path, "a/*.txt").files == ["a/notes.txt"]


@pytest.mark.usefixtures("without_pyav")
def test_what_cannot_be_read_here_is_left_out_with_the_way_to_read_it(tmp_path):
    make(tmp_path, "a.wav", "b.m4a", "c.AMR")
    sounds = find_sounds(tmp_path)
    assert sounds.files == ["a.wav"] and set(sounds.left_out) == {"b.m4a", "c.AMR"}
    assert "audionet[formats]" in finding.left_out_text(sounds.left_out)


@pytest.mark.usefixtures("without_pyav")
def test_sounds_among_paths(tmp_path, capsys):
    make(tmp_path, "a/two.wav", "a/one.flac", "a/notes.txt", "a/._two.wav", "a/three.m4a", "b/notes.txt", "c/x.m4a")
    given = [tmp_path / "b/notes.txt", tmp_path / "a", tmp_path / "missing.wav"]
    found = [tmp_path / "b/notes.txt", tmp_path / "a/one.flac", tmp_path / "a/two.wav", tmp_path / "missing.wav"]
    assert sounds_among(given) == found  # what is named is taken as it is: whoever reads it says what is wrong
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"note: {tmp_path}/a: left out 1 (hidden): ._two.wav; 1 (no sound file by its extension)")
    assert "notes.txt; 1 (readable only after pip install 'audionet[formats]'" in said and said.endswith(": three.m4a")
    with pytest.raises(
        ValueError,
        match="b: expected audio files such as .*, got none in this folder but 1 .*: notes.txt; name another",
    ):
        sounds_among([tmp_path / "a", tmp_path / "b"])
    with pytest.raises(ValueError, match=r"c: expected audio files .*audionet\[formats\].*: x.m4a; name another"):
        sounds_among([tmp_path / "c"])
