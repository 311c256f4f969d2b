"""Features on disk are the front-end's, in the folders of their files; what is there already is not made again."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock

from audionet import audio
from audionet.audio import decoding
from audionet.bulk import computing, sources
from audionet.bulk.features import Plan, common_folder, extract, make_plan
from audionet.bulk.outputs import Item, NpyFiles
from audionet.bulk.sources import find_items
from audionet.features import MFCC, LogMel, MelSpectrogram, Spectrogram
from audionet.features.frontend import Framing, FrontEnd
from audionet.parallel import usable_cores

SETTINGS = {"kind": "logmel", "arguments": {"n_mels": 40}}


class Threads(FrontEnd):
    """How many threads torch has; it kills its process where a clip begins with a sample of -1."""

    def __init__(self):
        super().__init__()
        self.framing, self.sample_rate = Framing(span=1, hop_length=1), 16_000

    def frames(self, waveform):
        if (waveform[..., 0] == -1).any():
            os._exit(1)
        return torch.full((*waveform.shape, 1), float(torch.get_num_threads()))


class Process(FrontEnd):
    """The last digits of the process's number."""

    def __init__(self):
        super().__init__()
        self.framing, self.sample_rate = Framing(span=1, hop_length=1), 16_000

    def frames(self, waveform):
        return torch.full((*waveform.shape, 1), float(os.getpid() % 1_000_000))


@pytest.fixture
def corpus(tmp_path):
    """Files of three lengths, in folders; one is stereo and one of another rate."""
    generator = np.random.default_rng(0)
    sizes = {"a/1.wav": 8000, "a/2.wav": 8000, "a/b/3.flac": 6000, "4.wav": 8000, "a/silence.wav": 8000}
    for name, size in sizes.items():
        path = tmp_path / "corpus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        audio.save_audio(path, generator.uniform(-0.5, 0.5, size) * (name != "a/silence.wav"), 16_000)
    audio.save_audio(tmp_path / "corpus/stereo.wav", generator.uniform(-0.5, 0.5, (2, 5000)), 16_000)
    audio.save_audio(tmp_path / "corpus/slow.wav", generator.uniform(-0.5, 0.5, 4000), 8000)
    return tmp_path / "corpus"


def files_in(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))


def run(corpus, output, front_end=None, *, workers=1, **options):
    """Make features: how many there were to make, and the bad ones."""
    options = {"settings": SETTINGS, **options}
    sounds = [path for path in files_in(corpus) if path.suffix in (".wav", ".flac")]
    plan = make_plan(sounds, output, base=corpus, **options)
    results = list(extract(plan, front_end or LogMel(), workers=workers))
    assert sum(n_files for n_files, _ in results) == len(plan.todo)
    return len(plan.todo), dict(pair for _, bad in results for pair in bad)


def expected(path, front_end):
    waveform, _ = audio.load_audio(path, front_end.sample_rate, mono=True)
    return front_end(waveform[0]).numpy()


@pytest.mark.parametrize("workers", [1, 2])
def test_every_file_gets_the_features_of_its_sound(corpus, tmp_path, workers):
    front_end = LogMel()
    assert run(corpus, tmp_path / "out", front_end, workers=workers) == (7, {})
    names = [
        "4.npy",
        "a/1.npy",
        "a/2.npy",
        "a/b/3.npy",
        "a/silence.npy",
        "features.json",
        "slow.npy",
        "sources.jsonl",
        "stereo.npy",
    ]
    assert [path.relative_to(tmp_path / "out").as_posix() for path in files_in(tmp_path / "out")] == names
    for sound in files_in(corpus):
        x = np.load((tmp_path / "out" / sound.relative_to(corpus)).with_suffix(".npy"))
        assert x.dtype == np.float32 and x.flags.c_contiguous
        exact = expected(sound, front_end)
        np.testing.assert_allclose(x, exact, rtol=0, atol=1e-5 * np.abs(exact).max())
    kept = {**SETTINGS, "format": "npy", "base": str(corpus)}
    assert json.loads((tmp_path / "out/features.json").read_text()) == kept


def test_what_is_there_is_not_made_again(corpus, tmp_path):
    out = tmp_path / "out"
    run(corpus, out)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.npy")}
    assert run(corpus, out) == (0, {})
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.npy")} == times

    changed = corpus / "a/1.wav"
    audio.save_audio(changed, np.full(8000, 0.25, np.float32), 16_000)
    os.utime(changed, (1e9, 1e9))  # another recording in its place, which may be an older one
    (out / "a/2.npy").write_bytes(b"")  # as after a power failure
    (out / "4.npy").unlink()
    assert run(corpus, out)[0] == 3
    exact = expected(changed, LogMel())
    np.testing.assert_allclose(np.load(out / "a/1.npy"), exact, rtol=0, atol=1e-5 * np.abs(exact).max())


def test_other_settings_are_noticed_and_touch_nothing(corpus, tmp_path):
    out = tmp_path / "out"
    run(corpus, out)
    before = {path: path.stat().st_mtime_ns for path in files_in(out)}
    for options, words in (
        ({"settings": {**SETTINGS, "arguments": {"n_mels": 64}}}, r'{"n_mels": 64}, got a folder of .* {"n_mels": 40}'),
        ({"settings": {"like": "whisper"}}, r'"whisper", got a folder of like = null; name another folder, or remove'),
    ):
        with pytest.raises(ValueError, match=words):
            run(corpus, out, **options)
    assert {path: path.stat().st_mtime_ns for path in files_in(out)} == before
    (tmp_path / "other").mkdir()
    audio.save_audio(tmp_path / "other/4.wav", np.zeros(1600, np.float32), 16_000)
    with pytest.raises(ValueError, match=r'expected features of base = ".*/other", got a folder of base = ".*"; name'):
        make_plan([tmp_path / "other/4.wav"], out, base=tmp_path / "other", settings=SETTINGS)
    for damaged in ("{", "[]", "[1]"):
        (out / "features.json").write_text(damaged)
        with pytest.raises(ValueError, match="features.json: expected .* got a damaged file"):
            run(corpus, out)


def test_bad_files_are_named_and_the_others_made(corpus, tmp_path):
    (corpus / "text.wav").write_text("words")
    audio.save_audio(corpus / "short.wav", np.zeros(100, np.float32), 16_000)
    plan = make_plan([*files_in(corpus), corpus / "missing.wav"], tmp_path / "out", base=corpus, settings={})
    bad = dict(pair for _, pairs in extract(plan, LogMel(), workers=1) for pair in pairs)
    assert {path: path in reason for path, reason in bad.items()} == {
        str(corpus / name): True for name in ("text.wav", "short.wav", "missing.wav")
    }
    assert "at least 257 samples" in bad[str(corpus / "short.wav")]
    assert "No such file" in bad[str(corpus / "missing.wav")]
    assert len(list((tmp_path / "out").rglob("*.npy"))) == 7
    assert run(corpus, tmp_path / "out", settings={})[0] == 2, "the bad ones are tried again"


def test_names(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    for name in ("a/1.x.wav", "a/b/2.wav"):
        (tmp_path / name).write_bytes(b"12")
    base = common_folder([tmp_path / "a"])
    assert base == str(tmp_path / "a")
    items = find_items([tmp_path / "a/b/2.wav", tmp_path / "a/1.x.wav", tmp_path / "a/b/../1.x.wav"], base)
    assert [(item.key, item.size) for item in items] == [("1.x", 2), ("b/2", 2)]
    assert common_folder([tmp_path / "a/b", tmp_path / "a/1.x.wav"]) == str(tmp_path / "a")
    assert common_folder([tmp_path / "a/b/2.wav"]) == str(tmp_path / "a/b")
    same = [f"{base}/{name}" for name in ("c.wav", "c.flac", "d.wav", "c.wav.mp3", "b/c.wav")]
    assert [item.key for item in find_items(same, base)] == ["b/c", "c.flac", "c.wav", "c.wav.mp3", "d"]


@pytest.mark.parametrize("format", ["npy", "zarr", "parquet"])
def test_files_whose_extensions_alone_differ(tmp_path, format):
    for library in {"zarr": ["zarr"], "parquet": ["pyarrow"]}.get(format, []):
        pytest.importorskip(library)
    for name in ("c.wav", "c.flac"):
        (tmp_path / "in").mkdir(exist_ok=True)
        audio.save_audio(tmp_path / "in" / name, np.zeros(1600, np.float32), 16_000)
    assert run(tmp_path / "in", tmp_path / "out", format=format) == (2, {})
    assert run(tmp_path / "in", tmp_path / "out", format=format) == (0, {})


def make_old(folder):
    """Give files times that are long past, whole ones of 2 s as FAT has them; return those times."""
    for path in files_in(folder):
        os.utime(path, (1e9, 1e9))


def test_a_file_that_is_replaced_by_one_of_the_same_time_and_size_is_noticed(corpus, tmp_path):
    make_old(corpus)
    run(corpus, tmp_path / "out")
    old = (corpus / "4.wav").read_bytes()
    (corpus / "new").write_bytes(old[:-1000] + bytes(1000))
    os.replace(corpus / "new", corpus / "4.wav")
    make_old(corpus)
    assert run(corpus, tmp_path / "out") == (1, {})
    assert run(corpus, tmp_path / "out") == (0, {})


@pytest.mark.parametrize("format", ["npy", "zarr", "parquet"])
def test_other_times_alone_make_nothing_anew(corpus, tmp_path, format):
    for library in {"zarr": ["zarr"], "parquet": ["pyarrow"]}.get(format, []):
        pytest.importorskip(library)
    run(corpus, tmp_path / "out", format=format)
    make_old(corpus)  # a copy without times, or a disk that rounds them
    for path in files_in(tmp_path / "out"):
        os.utime(path, (2e9, 2e9))
    assert run(corpus, tmp_path / "out", format=format) == (0, {})


def test_times_decide_only_where_they_can_tell(corpus, tmp_path, monkeypatch):
    run(corpus, tmp_path / "out")
    read: list[str] = []

    def digest(path):
        read.append(path)
        return "another"

    monkeypatch.setattr(sources, "digest", digest)
    items = find_items(files_in(corpus), corpus)
    assert sources.unchanged(tmp_path / "out", items) == set() and len(read) == 7, "they were just written"

    hour = 3600 * 10**9
    later = [Item(i.key, i.source, i.size, i.modified, i.changed, i.seen + hour) for i in items]
    sources.note(tmp_path / "out", dict.fromkeys(later, "x"))
    assert sources.unchanged(tmp_path / "out", later) == {item.key for item in items} and len(read) == 7


def test_a_full_disk_is_named_by_the_folder(corpus, tmp_path, monkeypatch):
    def full(self, features):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(NpyFiles, "write", full)
    with pytest.raises(OSError, match="No space left") as caught:
        run(corpus, tmp_path / "out")
    assert (caught.value.errno, caught.value.filename) == (28, str(tmp_path / "out"))


def test_lines_that_a_crash_spoiled_are_left_out(tmp_path):
    item = Item("x", "x.wav", 1, 2, 3, 10**18)
    sources.note(tmp_path, {item: "x"})
    with open(tmp_path / "sources.jsonl", "ab") as file:
        file.write(b'\n{"key": "x", "si\n[]\n{"key": 1}\n\xff\0')
    assert sources.unchanged(tmp_path, [item]) == {"x"}
    sources.tidy(tmp_path)
    assert len((tmp_path / "sources.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize("damage", [lambda content: b"", lambda content: content[:-100], lambda content: bytes(99)])
@pytest.mark.parametrize(
    ("format", "names"),
    [
        ("npy", ["4.npy", "a/1.npy"]),
        ("parquet", ["features.parquet"]),
        ("zarr", ["features.zarr/zarr.json", "features.zarr/4/zarr.json", "features.zarr/a/zarr.json"]),
    ],
)
def test_what_a_power_failure_damaged_is_made_again(corpus, tmp_path, format, names, damage):
    for library in {"zarr": ["zarr"], "parquet": ["pyarrow"]}.get(format, []):
        pytest.importorskip(library)
    run(corpus, tmp_path / "out", format=format)
    whole = {path: path.read_bytes() for path in files_in(tmp_path / "out")}
    for name in names:
        (tmp_path / "out" / name).write_bytes(damage((tmp_path / "out" / name).read_bytes()))
    assert run(corpus, tmp_path / "out", format=format) == ({"npy": 2, "parquet": 7, "zarr": 1}[format], {})
    again = {path: path.read_bytes() for path in files_in(tmp_path / "out")}
    assert again.keys() == whole.keys()
    assert all(again[tmp_path / "out" / name] == whole[tmp_path / "out" / name] for name in names)


def test_what_a_killed_run_left_half_written_is_removed(corpus, tmp_path):
    (tmp_path / "out/a").mkdir(parents=True)
    for name in (".0123456789abcdef.partial", "a/.0123456789abcdef.partial"):
        (tmp_path / "out" / name).write_bytes(b"half")
    run(corpus, tmp_path / "out")
    assert not list((tmp_path / "out").rglob(".*.partial"))


def test_chunks_are_neither_too_many_files_nor_too_many_bytes(corpus, tmp_path):
    cases: list[tuple[dict[str, Any], list[int]]] = [
        ({}, [2, 2, 2, 1]),  # four chunks a worker
        ({"chunk_files": 1}, [1] * 7),
        ({"chunk_bytes": 1}, [1] * 7),
        ({"chunk_bytes": 30_000}, [1, 1, 2, 2, 1]),
    ]
    for number, (options, expected) in enumerate(cases):
        plan = make_plan(files_in(corpus), tmp_path / str(number), base=corpus, settings={})
        assert [n for n, _ in extract(plan, LogMel(), workers=1, **options)] == expected


def test_few_files_need_no_workers(corpus, tmp_path):
    """Nor what only pictures and workers need."""
    code = (
        "import sys; from audionet.bulk import extract, make_plan; from audionet.features import LogMel\n"
        f"plan = make_plan(['{corpus}/4.wav'], '{tmp_path}/out', base='{corpus}', settings={{}})\n"
        "print(*extract(plan, LogMel()))\n"
        "print({'joblib', 'librosa', 'matplotlib', 'pandas', 'scipy', 'sklearn'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1]
    )
    assert done.stdout.splitlines() == ["(1, [])", "set()"]


def test_many_files_get_a_worker_for_each_core(corpus, tmp_path):
    def processes(n_copies):
        out = tmp_path / f"out{n_copies}"
        items = [Item(str(n), str(corpus / "4.wav"), 1 << 22, 0) for n in range(n_copies)]
        out.mkdir()
        assert sum(n for n, _ in extract(Plan(NpyFiles(out), items, 0, False), Process())) == n_copies
        return {int(np.load(path)[0, 0]) for path in out.glob("*.npy")}

    assert processes(8) == {os.getpid() % 1_000_000}
    assert (os.getpid() % 1_000_000 in processes(9)) == (usable_cores() == 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_have_one_thread_each(corpus, tmp_path, monkeypatch, workers):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert run(corpus, tmp_path / "out", Threads(), workers=workers)[1] == {}
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    found = {float(value) for path in (tmp_path / "out").rglob("*.npy") for value in np.unique(np.load(path))}
    assert found == {1.0}


def test_a_worker_that_crashes_is_told(corpus, tmp_path):
    audio.save_audio(corpus / "zzz.wav", np.full(1000, -1, np.float32), 16_000)
    with pytest.raises(ValueError, match="a worker crashed: .* for 2 workers; what is done is kept"):
        run(corpus, tmp_path / "out", Threads(), workers=2)
    (corpus / "zzz.wav").unlink()
    assert run(corpus, tmp_path / "out", Threads(), workers=2)[1] == {}
    assert len(list((tmp_path / "out").rglob("*.npy"))) == 7


def test_two_runs_do_not_write_to_one_folder(corpus, tmp_path):
    (tmp_path / "out").mkdir()
    with (
        FileLock(tmp_path / "out/.lock"),
        pytest.raises(ValueError, match="another process is working here; wait until it is done"),
    ):
        run(corpus, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".lock"], "nor record their settings there"


def test_pictures(corpus, tmp_path):
    for path in files_in(corpus)[1:]:
        path.unlink()
    out = tmp_path / "out"
    assert run(corpus, out) == (1, {})
    assert run(corpus, out, with_pictures=True) == (1, {}), "the picture is missing"
    assert (out / "4.png").read_bytes().startswith(b"\x89PNG")
    assert run(corpus, out, with_pictures=True) == (0, {})
    audio.save_audio(corpus / "4.wav", np.zeros(1600, np.float32), 16_000)
    assert run(corpus, out) == (1, {})
    assert not (out / "4.png").exists(), "it showed the former sound"


def test_an_unknown_format_is_refused(corpus, tmp_path):
    with pytest.raises(ValueError, match="format: expected one of npy, zarr, parquet, got 'csv'"):
        run(corpus, tmp_path / "out", format="csv")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("format", "library"), [("zarr", "zarr"), ("parquet", "pyarrow")])
def test_a_missing_library_is_named_with_its_extra(corpus, tmp_path, monkeypatch, format, library):
    for name in [library, *(name for name in sys.modules if name.startswith(f"{library}."))]:
        monkeypatch.setitem(sys.modules, name, None)
    for module in ("zarr_store", "parquet_file"):
        monkeypatch.delitem(sys.modules, f"audionet.bulk.{module}", raising=False)
    with pytest.raises(
        ValueError, match=rf"format: expected {library} for {format}, got .*pip install 'audionet\[{format}\]'"
    ):
        run(corpus, tmp_path / "out", format=format)
    assert not (tmp_path / "out").exists()


def test_a_chunk_of_a_zarr_store_that_is_missing_is_made_again(corpus, tmp_path):
    zarr = pytest.importorskip("zarr", reason="needs the extra audionet[zarr]")
    out = tmp_path / "out"
    assert run(corpus, out, MelSpectrogram(), format="zarr") == (7, {})
    assert run(corpus, out, MelSpectrogram(), format="zarr") == (0, {})  # that of silence, too: zeros
    (chunk, *_) = (path for path in (out / "features.zarr/4/c").rglob("*") if path.is_file())
    chunk.unlink()
    assert run(corpus, out, MelSpectrogram(), format="zarr") == (1, {})
    assert zarr.open_group(out / "features.zarr", mode="r")["4"][:].any()


def test_zarr(corpus, tmp_path):
    zarr = pytest.importorskip("zarr", reason="needs the extra audionet[zarr]")
    out, front_end = tmp_path / "out", LogMel()
    assert run(corpus, out, front_end, format="zarr", workers=2) == (7, {})
    root = zarr.open_group(out / "features.zarr", mode="r")
    assert sorted(root["a"].array_keys()) == ["1", "2", "silence"]
    for sound in files_in(corpus):
        x = root[str(sound.relative_to(corpus).with_suffix(""))]
        exact = expected(sound, front_end)
        np.testing.assert_allclose(x[:], exact, rtol=0, atol=1e-5 * np.abs(exact).max())
        assert x.metadata.dimension_names == ("band", "frame")
    assert run(corpus, out, format="zarr") == (0, {})
    later = (out / "features.zarr/4/zarr.json").stat().st_mtime_ns + 1_000_000
    audio.save_audio(corpus / "4.wav", np.zeros(1600, np.float32), 16_000)
    os.utime(corpus / "4.wav", ns=(later, later))
    assert run(corpus, out, format="zarr") == (1, {})
    assert zarr.open_group(out / "features.zarr", mode="r")["4"].shape == (40, 11)
    assert not list(out.glob(".*.partial"))

    (corpus / "4").mkdir()
    for name, path in (("a", corpus / "a.wav"), ("4", corpus / "4/5.wav")):
        audio.save_audio(path, np.zeros(1600, np.float32), 16_000)
        for target in (out, tmp_path / "new"):
            with pytest.raises(ValueError, match=f"^{name}: expected a file or a folder, got both"):
                run(corpus, target, format="zarr")
        path.unlink()
    assert sorted(zarr.open_group(out / "features.zarr", mode="r")["a"].array_keys()) == ["1", "2", "silence"]


def test_parquet(corpus, tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra audionet[parquet]")
    out, front_end = tmp_path / "out", LogMel()

    def rows():
        table = parquet.read_table(out / "features.parquet").to_pylist()
        return {row["path"]: np.reshape(row["features"], (row["n_bands"], row["n_frames"])) for row in table}

    assert run(corpus, out, front_end, format="parquet", workers=2) == (7, {})
    assert [path.name for path in files_in(out)] == ["features.json", "features.parquet", "sources.jsonl"]
    found = rows()
    assert list(found) == ["4", "a/1", "a/2", "a/b/3", "a/silence", "slow", "stereo"]
    for sound in files_in(corpus):
        exact = expected(sound, front_end)
        x = found[str(sound.relative_to(corpus).with_suffix(""))]
        np.testing.assert_allclose(x, exact, rtol=0, atol=1e-5 * np.abs(exact).max())
    assert run(corpus, out, format="parquet") == (0, {})

    audio.save_audio(corpus / "4.wav", np.zeros(1600, np.float32), 16_000)
    audio.save_audio(corpus / "new.wav", np.zeros(1600, np.float32), 16_000)
    sounds = [path for path in files_in(corpus) if path.suffix in (".wav", ".flac")]
    plan = make_plan(sounds, out, base=corpus, settings=SETTINGS, format="parquet")
    assert [item.key for item in plan.todo] == ["4", "new"]
    interrupted = extract(plan, front_end, workers=1)
    next(interrupted)
    interrupted.close()
    assert rows()["4"].shape == (40, 51), "what was there stays until all is made"
    assert run(corpus, out, format="parquet") == (1, {})
    again = rows()
    assert len(again) == 8 and again["4"].shape == again["new"].shape == (40, 11)
    np.testing.assert_array_equal(again["a/1"], found["a/1"])
    assert not (out / ".parts").exists()

    with pytest.raises(ValueError, match="expected real numbers for a Parquet file, got complex"):
        run(corpus, tmp_path / "complex", Spectrogram(power=None), format="parquet")


def test_names_as_long_as_names_can_be(tmp_path):
    sound = tmp_path / "in" / f"{'x' * 251}.wav"
    sound.parent.mkdir()
    audio.save_audio(tmp_path / "in/short.wav", np.zeros(1600, np.float32), 16_000)
    (tmp_path / "in/short.wav").rename(sound)
    plan = make_plan([sound], tmp_path / "out", base=sound.parent, settings={})
    assert list(extract(plan, LogMel(), workers=1)) == [(1, [])]
    assert (tmp_path / "out" / f"{'x' * 251}.npy").exists()


@pytest.mark.parametrize("with_pictures", [False, True])
def test_a_name_that_is_too_long_with_another_extension_fails_alone(tmp_path, with_pictures):
    (tmp_path / "in").mkdir()
    audio.save_audio(tmp_path / "in/a.wav", np.zeros(1600, np.float32), 16_000)
    audio.save_audio(tmp_path / "in/b.wav", np.zeros(1600, np.float32), 16_000)
    long = tmp_path / "in" / f"{'x' * 252}.au"
    (tmp_path / "in/b.wav").rename(long)
    options = {"base": tmp_path / "in", "settings": {}, "with_pictures": with_pictures}
    for n_todo in (2, 1):
        plan = make_plan([long, tmp_path / "in/a.wav"], tmp_path / "out", **options)
        failures = [failure for _, bad in extract(plan, LogMel(), workers=1) for failure in bad]
        assert (len(plan.todo), [failure.source for failure in failures]) == (n_todo, [str(long)])
        assert "name too long" in failures[0].reason
    assert (tmp_path / "out/a.npy").exists() and (tmp_path / "out/a.png").exists() == with_pictures


def test_an_output_that_is_a_file(corpus):
    with pytest.raises(ValueError, match=r"output: expected a folder, got '.*4\.wav'; that is a file"):
        make_plan([], corpus / "4.wav", base=corpus, settings={})


def test_a_name_that_is_no_text(tmp_path):
    pytest.importorskip("pyarrow", reason="needs the extra audionet[parquet]")
    sound = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.wav")
    with pytest.raises(
        ValueError, match=r"\\udcff.wav': expected a name in UTF-8; rename it, or choose the format npy"
    ):
        make_plan([sound], tmp_path / "out", base=tmp_path, settings={}, format="parquet")


def test_a_long_file_goes_through_in_pieces(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "_BLOCK", 1000)
    monkeypatch.setattr(computing, "_PIECE", 3000)
    front_ends = {
        "a": LogMel(),
        "b": Spectrogram(power=None),
        "c": MFCC(center=False),
        "d": LogMel(subtract_mean="band"),
    }
    for name, front_end in front_ends.items():
        assert run(corpus, tmp_path / name, front_end) == (7, {})
        for path in sorted(corpus.rglob("*.*")):
            x = np.load((tmp_path / name / path.relative_to(corpus)).with_suffix(".npy"))
            # Sums in another order; a logarithm 80 dB under the loudest has four digits left.
            np.testing.assert_allclose(x, expected(path, front_end), rtol=1e-4, atol=1e-4)


def test_what_needs_the_whole_of_a_file_that_is_too_long_says_so(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "_BLOCK", 1000)
    monkeypatch.setattr(computing, "_PIECE", 1000)
    monkeypatch.setattr(computing, "_LONGEST", 7000)
    _, bad = run(corpus, tmp_path / "out", LogMel(subtract_mean="band"))
    assert len(bad) == 5 and len(list((tmp_path / "out").rglob("*.npy"))) == 2
    assert "1.wav: expected at most 0 s with subtract_mean" in bad[str(corpus / "a/1.wav")]


def test_a_lack_of_memory_ends_one_file_only(corpus, tmp_path, monkeypatch):
    def read(source, *arguments, **options):
        if source.endswith("2.wav"):
            raise MemoryError
        yield from audio.read_pieces(source, *arguments, **options)

    monkeypatch.setattr(computing, "read_pieces", read)
    path = str(corpus / "a/2.wav")
    assert run(corpus, tmp_path / "out") == (7, {path: f"{path}: needs more memory than is free; cut it"})


def test_short_files_are_held_by_their_samples(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(computing, "_HELD", 10_000)
    assert run(corpus, tmp_path / "out") == (7, {})
    front_end = LogMel()
    for path in sorted(corpus.rglob("*.*")):
        x = np.load((tmp_path / "out" / path.relative_to(corpus)).with_suffix(".npy"))
        np.testing.assert_array_equal(x, expected(path, front_end))
