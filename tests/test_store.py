import errno
import functools
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from audionet import audio
from audionet.audio import FULL_SCALE
from audionet.datasets import StoreError, open_store, store
from audionet.datasets import build as building
from audionet.datasets.clip import Clip
from audionet.datasets.layouts import FolderLayout
from audionet.datasets.recordings import scan
from tests.hostile_archives import mutate

RATE, LENGTH = 8_000, 400


# ---- what the workers run: they import this module ---------------------------------------------------------------


def tone(path, log=None, seconds=0.0):
    """A waveform that only the path decides; one line in the log for each call."""
    if log:
        with open(log, "a") as file:
            file.write(f"{os.getpid()}\n")
    time.sleep(seconds)
    return np.random.default_rng(list(path.encode())).uniform(-1, 1, LENGTH).astype(np.float32)


def loud(path):
    return np.array([-1.5, -1.0, 0.0, 0.5, 1.0, 1.5], np.float32)


def fails(path, kind):
    if kind == "bug":
        raise ZeroDivisionError(path)
    if kind == "disk":
        raise OSError(errno.ENOSPC, "No space left on device")
    os._exit(7)


def build(folder, log, n_clips, seconds):
    render = functools.partial(tone, log=log, seconds=float(seconds))
    opened = open_(make_clips(int(n_clips)), render, folder=folder, workers=2)
    print(len(opened))


# ------------------------------------------------------------------------------------------------------------------


def make_clips(n_clips):
    splits = ("train", "validation", "test")
    return [Clip(f"{n % 3}/{n}.wav", f"class{n % 3}", f"speaker{n % 5}", splits[n % 3]) for n in range(n_clips)]


def open_(clips, render=tone, *, fingerprint="", sample_rate=RATE, clip_length=LENGTH, workers=1, **arguments):
    return open_store(
        clips,
        render,
        fingerprint=fingerprint,
        sample_rate=sample_rate,
        clip_length=clip_length,
        workers=workers,
        **arguments,
    )


def start(folder, log, n_clips, seconds):
    program = "import sys, test_store; test_store.build(*sys.argv[1:])"
    paths = os.pathsep.join(str(path) for path in (Path(__file__).parent, Path(__file__).parent.parent))
    return subprocess.Popen(
        [sys.executable, "-c", program, str(folder), str(log), str(n_clips), str(seconds)],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def expected(path):
    return np.rint(tone(path) * FULL_SCALE).clip(-FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def calls(log):
    return Path(log).read_text().splitlines() if Path(log).exists() else []


def wait_for(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def corpus(tmp_path):
    """Six real files of different rates, channels and lengths."""
    generator = np.random.default_rng(0)
    root = tmp_path / "corpus"
    for number, (rate, channels, length) in enumerate(
        [(8_000, 1, 400), (8_000, 1, 300), (8_000, 2, 900), (16_000, 1, 800), (44_100, 1, 1500), (8_000, 1, 400)]
    ):
        (root / f"c{number % 2}").mkdir(parents=True, exist_ok=True)
        audio.save_audio(root / f"c{number % 2}/{number}.wav", generator.uniform(-0.9, 0.9, (channels, length)), rate)
    return root


def index_of(root):
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.wav"))
    return [Clip(path, path.split("/")[0], "", "train") for path in paths]


def open_corpus(root, folder, log=None, **arguments):
    render = functools.partial(FolderLayout().render, root=root, sample_rate=arguments.get("sample_rate", RATE))
    return open_(index_of(root), render, folder=folder, fingerprint=scan(root), **arguments)


# ---- contents ----------------------------------------------------------------------------------------------------


def test_holds_what_render_makes(tmp_path):
    clips = make_clips(300)  # more than two chunks
    opened = open_(clips, folder=tmp_path, workers=2)
    assert opened.waveforms.shape == (300, LENGTH) and opened.waveforms.dtype == np.int16
    assert isinstance(opened.waveforms, np.memmap) and not opened.waveforms.flags.writeable
    for waveform, clip in zip(opened.waveforms, clips, strict=True):
        np.testing.assert_array_equal(waveform, expected(clip.path))
    assert opened.paths == [clip.path for clip in clips]
    assert opened.label_names == ("class0", "class1", "class2") and opened.labels.dtype == np.int64
    assert [opened.label_names[label] for label in opened.labels] == [clip.label for clip in clips]
    assert opened.speakers.tolist() == [clip.speaker for clip in clips]
    assert opened.splits.tolist() == [clip.split for clip in clips]
    assert opened.indices("test").tolist() == list(range(2, 300, 3)) and opened.indices("test").dtype == np.int64
    assert (opened.lengths == LENGTH).all() and opened.sample_rate == RATE and len(opened.background) == 0
    with pytest.raises(ValueError, match=r"expected one of train, validation, test, got 'dev'"):
        opened.indices("dev")


def test_clips_what_is_beyond_full_scale_and_keeps_the_length(tmp_path):
    opened = open_([Clip("a", "a", "", "train")], loud, folder=tmp_path, clip_length=8)
    assert opened.waveforms[0].tolist() == [0, -32768, -32768, 0, 16384, 32767, 32767, 0]
    assert opened.lengths.tolist() == [6]


def test_recordings_are_stored_as_read_mono_reads_them(corpus, tmp_path):
    opened = open_corpus(corpus, tmp_path / "store")
    assert len(opened) == 6
    for waveform, path in zip(opened.waveforms, opened.paths, strict=True):
        clip = audio.read_mono(corpus / path, RATE, LENGTH)
        np.testing.assert_array_equal(waveform, np.rint(clip * FULL_SCALE).astype(np.int16))
    assert dict(zip(opened.paths, opened.lengths.tolist(), strict=True))["c0/2.wav"] == 900


def test_sixteen_bit_recordings_come_back_exactly(tmp_path):
    samples = np.array([-32768, -32767, -1, 0, 1, 12345, 32767, -20000], np.int16)
    audio.save_audio(tmp_path / "a.wav", samples[None].astype(np.float32) / FULL_SCALE, RATE)
    render = functools.partial(FolderLayout().render, root=tmp_path, sample_rate=RATE)
    opened = open_([Clip("a.wav", "a", "", "train")], render, folder=tmp_path / "s", clip_length=8)
    np.testing.assert_array_equal(opened.waveforms[0], samples)


def ramp():
    return np.arange(1000, 2000, dtype=np.float32) / FULL_SCALE


def test_silences_are_zeros_in_training_and_scaled_excerpts_elsewhere(tmp_path):
    clips = [
        Clip(f"quiet/{split}/{n}", "quiet", "", split, silence=True) for split in ("train", "test") for n in range(40)
    ]
    clips += make_clips(3)
    opened = open_(clips, folder=tmp_path / "a", background=ramp)
    np.testing.assert_array_equal(opened.background, np.arange(1000, 2000))
    assert not opened.waveforms[:40].any()
    np.testing.assert_array_equal(opened.waveforms[80], expected(clips[80].path))
    silences = opened.waveforms[40:80].astype(float)
    gains = np.diff(silences, axis=1).mean(axis=1)  # of the ramp, whose step is 1
    starts = silences[:, 0] / gains - 1000
    assert (gains > 0).all() and (gains < 1).all() and gains.min() < 0.2 and gains.max() > 0.8
    assert np.ptp(starts) > 300 and starts.min() > -10 and starts.max() < 610

    again = open_(clips[60:], folder=tmp_path / "b", background=ramp)
    np.testing.assert_array_equal(again.waveforms, opened.waveforms[60:])
    with pytest.raises(ValueError, match="background: expected recordings of noise for the class quiet, got none"):
        open_(clips, folder=tmp_path / "c")


# ---- reuse and rebuild -------------------------------------------------------------------------------------------


def test_reused_when_nothing_changed(tmp_path, capfd):
    log = tmp_path / "log"
    render = functools.partial(tone, log=log)
    for _ in range(2):
        opened = open_(make_clips(10), render, folder=tmp_path / "s")
        assert len(calls(log)) == 10
        np.testing.assert_array_equal(opened.waveforms[7], expected(opened.paths[7]))
    assert capfd.readouterr() == ("", "")  # the bar is for terminals


@pytest.mark.parametrize("change", ["content", "time", "added", "removed", "renamed"])
def test_rebuilt_when_a_file_changed(corpus, tmp_path, change):
    folder = tmp_path / "s"
    first = open_corpus(corpus, folder)
    old = first.waveforms.copy()
    (place,) = folder.glob("*hz*")
    file = corpus / "c0/0.wav"
    if change == "content":
        status = file.stat()
        audio.save_audio(file, np.zeros((1, 500)), RATE)
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    elif change == "time":
        os.utime(file, (1, 1))
    elif change == "added":
        audio.save_audio(corpus / "c1/new.wav", np.full((1, 400), 0.25), RATE)
    elif change == "removed":
        file.unlink()
    else:
        file.rename(corpus / "c1/renamed.wav")
    second = open_corpus(corpus, folder)
    (new_place,) = folder.glob("*hz*")  # the old one is gone
    assert new_place != place
    assert second.paths == [clip.path for clip in index_of(corpus)]
    assert (not second.waveforms[0].any()) == (change == "content")
    np.testing.assert_array_equal(first.waveforms, old)  # who has the old one open keeps it


def test_other_arguments_have_stores_of_their_own(corpus, tmp_path):
    opened = open_corpus(corpus, tmp_path / "s")
    assert open_corpus(corpus, tmp_path / "s", sample_rate=16_000).sample_rate == 16_000
    assert open_corpus(corpus, tmp_path / "s", clip_length=200).waveforms.shape == (6, 200)
    assert len(list((tmp_path / "s").glob("*hz*"))) == 3
    np.testing.assert_array_equal(open_corpus(corpus, tmp_path / "s").waveforms, opened.waveforms)


def test_rebuilt_when_damaged(tmp_path):
    for name in ("waveforms.i16", "background.i16", "index.npz"):
        open_(make_clips(5), folder=tmp_path, background=ramp)
        (place,) = tmp_path.glob("*hz*")
        os.truncate(place / name, 100)
        opened = open_(make_clips(5), folder=tmp_path, background=ramp)
        np.testing.assert_array_equal(opened.waveforms[4], expected(opened.paths[4]))
        assert len(opened.background) == 1000


def test_a_damaged_index_is_built_anew(tmp_path):
    open_(make_clips(5), folder=tmp_path)
    (place,) = tmp_path.glob("*hz*")
    good = (place / "index.npz").read_bytes()
    for seed in range(60):
        (place / "index.npz").write_bytes(mutate(good, np.random.default_rng(seed)))
        opened = open_(make_clips(5), folder=tmp_path)
        np.testing.assert_array_equal(opened.waveforms[4], expected(opened.paths[4]))
        assert opened.paths == [clip.path for clip in make_clips(5)] and not opened.skipped


# ---- interruption and company ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_goes_on_after_an_interruption(tmp_path, how):
    folder, log, n_clips = tmp_path / "s", tmp_path / "log", 2000  # 16 chunks
    process = start(folder, log, n_clips, 0.002)
    wait_for(lambda: any(len(file.read_text().splitlines()) >= 4 for file in folder.glob("*.partial/journal")))
    process.send_signal(how)
    assert process.wait() != 0
    workers = set(calls(log))
    assert len(workers) == 2
    assert not [path for path in folder.glob("*hz*") if path.suffix != ".partial"]

    (journal,) = folder.glob("*.partial/journal")
    with journal.open("a") as file:
        file.write("\n[256, [400, 40")  # as a crash would cut it off
    complete = {chunk[0]: len(chunk[1]) for chunk in building.read_journal(journal.parent)}
    assert 2 <= len(complete) < 12
    # The workers of a killed parent may still be there.
    opened = open_(make_clips(n_clips), functools.partial(tone, log=tmp_path / "log2"), folder=folder)
    assert len(calls(tmp_path / "log2")) == n_clips - sum(complete.values())
    for waveform, path in zip(opened.waveforms, opened.paths, strict=True):
        np.testing.assert_array_equal(waveform, expected(path))
    assert sorted(path.name for path in next(folder.glob("*hz*")).iterdir()) == [
        "background.i16",
        "index.npz",
        "waveforms.i16",
    ]

    # They take no new chunk: each worker had one at most that is not in the journal, and one that it had just done.
    assert len(calls(log)) <= sum(complete.values()) + 4 * 128
    if how == signal.SIGINT:
        wait_for(lambda: not any(alive(pid) for pid in workers))
    for pid in filter(alive, workers):  # without work they end by themselves, after 40 s
        os.kill(int(pid), signal.SIGKILL)


def test_two_processes_build_once(tmp_path):
    processes = [start(tmp_path / "s", tmp_path / "log", 300, 0.001) for _ in range(2)]
    for process in processes:
        output, errors = process.communicate()
        assert (process.returncode, output) == (0, "300\n")
        assert not errors or errors.endswith(" here; waiting until it is done\n")
    assert len(calls(tmp_path / "log")) == 300
    opened = open_(make_clips(300), fails, folder=tmp_path / "s")  # renders nothing
    np.testing.assert_array_equal(opened.waveforms[299], expected(opened.paths[299]))


def test_what_is_left_of_an_older_build_is_removed(tmp_path):
    for name in (f"{RATE}hz-{LENGTH}-0123.partial", f"{RATE}hz-{LENGTH}-4567", "16000hz-400-89ab"):
        (tmp_path / name).mkdir()
    open_(make_clips(2), folder=tmp_path)
    (kept,) = [path for path in tmp_path.glob(f"{RATE}hz-{LENGTH}-*")]
    assert (kept / "index.npz").exists() and (tmp_path / "16000hz-400-89ab").exists()


# ---- what goes wrong ---------------------------------------------------------------------------------------------


def spoil(root, paths):
    for path in paths:
        (root / path).write_bytes(b"no sound in here")


def test_bad_files_are_listed_together(corpus, tmp_path):
    spoil(corpus, ["c0/0.wav", "c1/3.wav"])
    for _ in range(2):  # also once it is built
        with pytest.raises(StoreError, match="--data.skip_bad true") as caught:
            open_corpus(corpus, tmp_path / "s")
        lines = str(caught.value).splitlines()
        assert lines[0] == "2 of 6 files cannot be used:" and len(lines) == 4
        assert "c0/0.wav: " in lines[1] and "c1/3.wav: " in lines[2]
        assert lines[1].count("c0/0.wav") == 1


def test_many_bad_files_are_counted(tmp_path):
    root = tmp_path / "corpus"
    root.mkdir()
    for number in range(45):
        (root / f"{number:02}.wav").write_bytes(b"")
    with pytest.raises(StoreError) as caught:
        open_corpus(root, tmp_path / "s", skip_bad=True)  # nothing would be left
    lines = str(caught.value).splitlines()
    assert lines[0] == "45 of 45 files cannot be used:" and lines[21] == "  and 25 more"
    assert "19.wav" in lines[20]


def test_skip_bad_leaves_them_out(corpus, tmp_path):
    good = open_corpus(corpus, tmp_path / "good")
    waveform_of = {path: waveform.copy() for path, waveform in zip(good.paths, good.waveforms, strict=True)}
    length_of = dict(zip(good.paths, good.lengths.tolist(), strict=True))
    spoil(corpus, ["c0/0.wav", "c0/4.wav", "c1/5.wav"])
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"(?s)left out, since 3 of 6 files.*c0/0.wav.*c0/4.wav.*c1/5.wav"):
            opened = open_corpus(corpus, tmp_path / "s", skip_bad=True)
        assert sorted(opened.paths) == ["c0/2.wav", "c1/1.wav", "c1/3.wav"] and len(opened.skipped) == 3
        assert opened.waveforms.shape == (3, LENGTH)
        for number, path in enumerate(opened.paths):
            np.testing.assert_array_equal(opened.waveforms[number], waveform_of[path])
            assert opened.lengths[number] == length_of[path]
            assert opened.label_names[opened.labels[number]] == path.split("/")[0]
    with pytest.raises(StoreError, match="3 of 6 files"):
        open_corpus(corpus, tmp_path / "s")


@pytest.mark.parametrize("workers", [1, 2])
def test_bugs_and_a_full_disk_are_not_taken_for_bad_files(tmp_path, workers):
    clips = make_clips(200)  # two chunks
    with pytest.raises(ZeroDivisionError, match=r"\d+\.wav") as caught:
        open_(clips, functools.partial(fails, kind="bug"), folder=tmp_path, workers=workers)
    if workers == 2:
        assert "test_store.py" in str(caught.value.__cause__)  # where in the worker
    with pytest.raises(StoreError, match="the disk is full; free some space"):
        open_(clips, functools.partial(fails, kind="disk"), folder=tmp_path, workers=workers)
    assert len(open_(clips, folder=tmp_path)) == 200


def test_a_worker_that_crashes_is_not_taken_for_a_bad_file(tmp_path):
    clips = make_clips(500)
    with pytest.raises(
        StoreError, match=r"0/0\.wav to 0/255\.wav: a worker crashed: a file that crashes.* what is built is kept"
    ):
        open_(clips, functools.partial(fails, kind="crash"), folder=tmp_path, workers=2)
    assert len(open_(clips, folder=tmp_path, workers=2)) == 500


def test_too_little_space_is_said_first(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    with pytest.raises(StoreError, match=r"needs 0\.00 GB more and the disk has 0\.00 GB free"):
        open_(make_clips(4), fails, folder=tmp_path)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="choose another folder"):
        open_(make_clips(4), folder=tmp_path / "file")


def test_wrong_arguments(tmp_path):
    with pytest.raises(ValueError, match=r"clips: expected at least one, got \[\]"):
        open_([], folder=tmp_path)
    with pytest.raises(ValueError, match="expected the splits train, validation, test, got dev"):
        open_([Clip("a", "a", "", "dev")], folder=tmp_path)


SCRIPT = """
import os, sys
import numpy as np
from audionet.datasets import StoreError, open_store, store
from audionet.datasets.clip import Clip

def render(path):
    threads = os.environ["OMP_NUM_THREADS"]
    with open("log", "a") as file:
        file.write(f"{os.getpid() == PARENT} {threads} {'torch' in sys.modules}\\n")
    return np.zeros(4, np.float32)

print("started")
PARENT = os.getpid()
clips = [Clip(str(number), "a", "", "train") for number in range(200)]
opened = store.open_store(clips, render, folder="s", fingerprint="", sample_rate=8000, clip_length=4, workers=2)
print(len(opened))
"""


def test_workers_start_no_script_and_load_no_torch(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    root = str(Path(__file__).parent.parent)
    result = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "started\n200\n", "")
    assert calls(tmp_path / "log") == ["False 1 False"] * 200


# ---- size --------------------------------------------------------------------------------------------------------


MEASURE = """
import sys
from pathlib import Path
from audionet.datasets import StoreError, open_store, store
from audionet.datasets.clip import Clip
def bytes_read():
    return int(Path("/proc/self/io").read_text().split("rchar: ")[1].split()[0])
clips = [Clip(f"some_longer_class_name/train/{n}", "some_longer_class_name", f"{n % 2000:08x}", "train", True)
         for n in range(100_000)]
before = bytes_read()
opened = store.open_store(clips, repr, folder=sys.argv[1], fingerprint="", sample_rate=16_000, clip_length=16_000)
read = bytes_read() - before
assert opened.waveforms.shape == (100_000, 16_000) and len(opened.indices("train")) == 100_000
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(read / 2**20, int(status["VmHWM"].split()[0]) / 1024, "torch" in sys.modules)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the resident memory from /proc")
def test_a_store_of_100_000_clips_is_opened_without_reading_its_samples(tmp_path, monkeypatch):
    # It is made with one sample a clip, then stretched to 3.2 GB of a file with a hole.
    monkeypatch.setattr(building, "CHUNK_CLIPS", 20_000)
    name = "some_longer_class_name"
    clips = [Clip(f"{name}/train/{n}", name, f"{n % 2000:08x}", "train", silence=True) for n in range(100_000)]
    open_(clips, folder=tmp_path, sample_rate=16_000, clip_length=1, background=ramp)
    (place,) = tmp_path.glob("*hz*")
    with np.load(place / "index.npz") as file:
        index = {**file, "clip_length": 16_000}
    np.savez(place / "index.npz", **index)
    os.truncate(place / "waveforms.i16", 100_000 * 16_000 * 2)
    place.rename(tmp_path / store.store_name(clips, fingerprint="", sample_rate=16_000, clip_length=16_000))

    root = str(Path(__file__).parent.parent)
    result = subprocess.run(
        [sys.executable, "-c", MEASURE, tmp_path],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    read, resident, torch = result.stdout.split()  # megabytes: read from files, and resident at most
    assert float(read) < 20 and float(resident) < 300 and torch == "False", result.stdout
