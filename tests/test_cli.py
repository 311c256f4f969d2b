"""The command line, in this process; what only a process of its own can show, in one."""

import inspect
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import audionet
from audionet import __version__, audio, resources
from audionet.cli import main as cli
from audionet.report import inspection

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture
def wav(tmp_path):
    def write(name, seed=0):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        samples = np.random.default_rng(seed).uniform(-0.5, 0.5, 8000).astype(np.float32)
        audio.save_audio(path, samples, 8000)
        return path

    return write


def run(*arguments, **options):
    """Run `audionet` as a process of its own."""
    command = [sys.executable, "-m", "audionet", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, timeout=120, **options)


def call(capsys, *arguments):
    """Run `audionet` in this process: exit code, lines of standard output, lines of standard error."""
    code = cli.main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return code, printed.out.splitlines(), printed.err.splitlines()


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as exit_:
        cli.main(["--help"])
    printed = capsys.readouterr()
    assert exit_.value.code == 0 and printed.err == ""
    for name in cli.COMMANDS:
        assert f"\n  {name} " in printed.out


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_tells_every_argument_and_shows_examples(capsys, name):
    with pytest.raises(SystemExit):
        cli.main([*name.split(), "--help"])
    described, _, examples = capsys.readouterr().out.partition("\nexample:\n")
    command = cli.function_of(name)
    for parameter in inspect.signature(command).parameters.values():
        option = f"--{parameter.name.replace('_', '-')}"
        shown = option if parameter.kind is parameter.KEYWORD_ONLY else parameter.name.upper().removesuffix("S")
        assert re.search(rf"^  {shown}\b.*\s+[A-Z]\w+ ", described, re.MULTILINE), "its help is a sentence"
    assert all(line.startswith(f"    audionet {name}") for line in examples.splitlines()) and examples


# The doctor has no example; train-words learns for minutes, and test_cli_train_words runs it small; listen needs a
# microphone, which test_cli_listen makes up; serve waits for Ctrl-C, which test_serve_http presses.
NOT_RUN = ("doctor", "train-words", "listen", "serve")


@pytest.mark.parametrize("name", [name for name in cli.COMMANDS if name not in NOT_RUN])
def test_the_examples_in_the_help_run(capsys, monkeypatch, tmp_path, name):
    command = cli.function_of(name)
    (tmp_path / "recordings" / "seven").mkdir(parents=True)
    (tmp_path / "room").mkdir()
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, 24_000).astype(np.float32)
    audio.save_audio(tmp_path / "room" / "1.wav", noise, 8000)
    for folder in (tmp_path, tmp_path / "recordings" / "seven"):
        for recording in (REPOSITORY / "tests" / "data").glob("*.wav"):
            shutil.copy(recording, folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUDIONET_CACHE", str(tmp_path / "cache"))  # which an example clears
    if name == "inspect":
        monkeypatch.setattr(inspection, "PARTS", inspection.PARTS[:2])  # test_inspection makes all of the page
    for example in re.findall(r"^    audionet (.*)", inspect.getdoc(command) or "", re.MULTILINE):
        assert cli.main(shlex.split(example)) == 0
        assert capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["data", "--help"],
        *[[*name.split(), "--help"] for name in cli.COMMANDS],
        ["recognise"],
        ["recognize", "digits"],
        ["recognize", "digits", "no/folder", "--top-k", "0"],
        ["generate", "digits", "--outptu", "a.wav"],
        ["features", "a.wav"],
    ],
    ids=" ".join,
)
def test_help_and_errors_in_usage_load_nothing_slow(arguments):
    code = (
        f"import sys\nfrom audionet.cli.main import main\ntry: main({arguments})\nexcept SystemExit: pass\n"
        "slow = {'torch', 'numpy', 'soundfile', 'rich', 'yaml', 'jsonargparse', 'docstring_parser'}\n"
        "print(*slow & sys.modules.keys(), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 0 and done.stderr.splitlines()[-1] == "", done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["recognize", "digits", "a.wav", "--tpo-k", "3"], "--tpo-k: expected an option .*did you mean '--top-k'"),
        (["recognize", "digits", "a.wav", "--jsn"], "--jsn: expected an option .*did you mean '--json'"),
        (["generate", "digits", "--outptu=a.wav"], "--outptu: expected an option .*did you mean '--output'"),
        (["recogniz", "digits"], "did you mean 'recognize'"),
        (["models", "shwo"], "did you mean 'models show'"),
        (["--versoin"], "did you mean '--version'"),
        (["features", "show", "--output", "out"], "; if show is a file of yours, write ./show"),
        (["features", "", "--output", "out"], "FILE: expected text, got ''"),
        (["features", "a.wav", "--output", ""], "--output: expected text, got ''"),
    ],
)
def test_the_nearest_is_named(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "show").mkdir()
    code, lines, errors = call(capsys, *arguments)
    assert (code, lines, len(errors)) == (2, [], 1) and re.search(message, errors[0])


@pytest.mark.parametrize("words", [["-x.wav"], ["--", "-x.wav"], ["a.wav", "--", "-x.wav"], ["./-x.wav", "a.wav"]])
def test_a_file_whose_name_begins_with_a_hyphen(capsys, write_bundle, wav, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    bundle = write_bundle()
    wav("a.wav"), wav("-x.wav")
    code, lines, errors = call(capsys, "recognize", "--top-k", 2, bundle, *words)
    assert (code, errors) == (0, [])
    assert {line.split(": ")[0] for line in lines} == {"-x.wav"} | ({"a.wav"} & {*words})


def test_underscores_and_hyphens_are_the_same(capsys, write_bundle, wav):
    bundle, path = write_bundle(), wav("a.wav")
    assert call(capsys, "recognize", bundle, path, "--top_k", 2) == call(capsys, "recognize", bundle, path, "--top-k=2")
    options = ["--arguments.n_mels=20", "--sample_rate", "8000", "--output"]
    assert call(capsys, "features", path, *options, path.parent / "features")[0] == 0
    assert np.load(path.parent / "features" / "a.npy").shape[0] == 20


def test_a_models_labels_and_an_architectures_arguments(capsys, write_bundle):
    code, lines, errors = call(capsys, "models", "show", write_bundle())
    assert (code, errors) == (0, [])
    assert "labels      zero one two three four five six seven eight nine" in lines
    code, lines, errors = call(capsys, "models", "show", "bcresnet")
    assert (code, errors) == (0, []) and "  --model.n_classes: int, required" in lines
    code, lines, errors = call(capsys, "features", "show", "mfcc")
    assert (code, errors) == (0, []) and "  --features.n_mfcc: int = 40" in lines
    code, lines, errors = call(capsys, "models", "show", "comands")
    assert (code, lines) == (1, []) and "did you mean 'commands'?" in errors[0]
    code, lines, errors = call(capsys, "models", "show", "bcresnt")
    assert (code, lines) == (1, []) and "did you mean 'bcresnet'?" in errors[0]


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion(capsys, shell):
    code, lines, errors = call(capsys, "completion", shell)
    script = "\n".join(lines)
    assert (code, errors) == (0, []) and "--top-k" in script and "verify" in script
    interpreter = shutil.which(shell)
    if interpreter is None:
        pytest.skip(f"needs {shell}")
    assert subprocess.run([interpreter, "-n"], input=script, text=True, capture_output=True).stderr == ""


def test_a_shell_that_is_not_known(capsys):
    assert "did you mean 'bash'?" in call(capsys, "completion", "bsh")[2][0]


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_standard_input(write_bundle, wav, options):
    bundle, path = write_bundle(), wav("a.wav")
    named = run("recognize", bundle, path, *options)
    command = [sys.executable, "-m", "audionet", "recognize", str(bundle), "-", *options]
    piped = subprocess.run(command, input=path.read_bytes(), capture_output=True, cwd=REPOSITORY)
    assert (piped.returncode, piped.stderr) == (0, b"")
    assert piped.stdout.decode() == named.stdout.replace(json.dumps(str(path))[1:-1], "-")


def test_sound_and_features_through_pipes(tmp_path):
    generate = [sys.executable, "-m", "audionet", "generate", "digits", "--seconds", "0.1", "--output"]
    made = subprocess.run([*generate, "-"], capture_output=True, cwd=REPOSITORY, check=True)
    subprocess.run([*generate, str(tmp_path / "a.wav")], cwd=REPOSITORY, check=True)
    assert made.stdout == (tmp_path / "a.wav").read_bytes() and made.stderr.startswith(b"-: 0.10 s, label ")
    features = [sys.executable, "-m", "audionet", "features", "-", "--output", "-", "--arguments.n_mels", "8"]
    piped = subprocess.run(features, input=made.stdout, capture_output=True, cwd=REPOSITORY, check=True)
    expected = audionet.features.LogMel(n_mels=8)(audio.read_mono(made.stdout, 16_000))
    np.testing.assert_array_equal(np.load(io.BytesIO(piped.stdout)), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["features", "-", "--output", "made"], "expected - alone for standard input, with --output -"),
        (["features", "a.wav", "--output", "-"], "expected - alone for standard input, with --output -"),
        (["generate", "digits", "--output", "-", "--count", "2"], "--count: expected 1 where the output is -, got 2"),
        (["generate", "digits", "--output", "a.wav", "--keep-prime"], "--keep-prime: expected a recording to keep"),
    ],
)
def test_what_cannot_go_through_a_pipe(capsys, monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, lines, errors = call(capsys, *arguments)
    assert (code, lines, len(errors)) == (1, [], 1) and message in errors[0]
    assert not [*tmp_path.iterdir()]


def test_a_recording_that_is_continued_may_be_kept(capsys, tmp_path):
    prime, plain, kept = REPOSITORY / "tests" / "data" / "seven.wav", tmp_path / "plain.wav", tmp_path / "kept.wav"
    for path, options in ((plain, []), (kept, ["--keep-prime"])):
        arguments = ["--prime", prime, "--seconds", "0.05", "--output", path]
        assert call(capsys, "generate", "digits", *options, *arguments)[0] == 0
    recording = audio.load_audio(prime, 8000, mono=True)[0]
    expected = np.concatenate([recording, audio.load_audio(plain)[0]], 1)
    np.testing.assert_allclose(audio.load_audio(kept)[0], expected, atol=1 / 32_000)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_names_that_standard_output_cannot_show(write_bundle, wav, encoding):
    bundle, paths = write_bundle(), [wav("привет.wav"), wav("b.wav")]
    done = run("recognize", bundle, *paths, env={**os.environ, "PYTHONIOENCODING": encoding})
    assert (done.returncode, done.stderr, done.stdout.count("%\n")) == (0, "", 2)


def test_recognize_in_its_own_process(write_bundle, wav):
    done = run("recognize", write_bundle(), wav("a.wav"), env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1


def test_recognize_gives_a_label_and_a_probability_a_file(capsys, write_bundle, wav):
    bundle, first, second = write_bundle(), wav("a.wav"), wav("b.wav", seed=1)
    code, lines, errors = call(capsys, "recognize", bundle, first, second)
    assert (code, errors) == (0, [])
    assert [line.split(": ")[0] for line in lines] == [str(first), str(second)]
    label, probability = lines[0].split(": ")[1].split()
    assert label in "zero one two three four five six seven eight nine".split()
    assert 10 <= float(probability.removesuffix("%")) <= 100

    code, lines, errors = call(capsys, "recognize", bundle, first, "--top-k", 3)
    assert lines[0].startswith(f"{first}: {label} {probability}, ")
    assert lines[0].count("%") == 3


def test_recognize_json(capsys, write_bundle, wav, tmp_path):
    path, missing = wav("a.wav"), tmp_path / "missing.wav"
    code, lines, errors = call(capsys, "recognize", "--json", "--top-k=2", write_bundle(), path, missing)
    good, bad = map(json.loads, lines)
    assert code == 1 and len(errors) == 1
    assert good["file"] == str(path)
    assert [set(prediction) for prediction in good["predictions"]] == [{"label", "probability"}] * 2
    assert good["from"] == 0 and good["to"] == good["seconds"] > 0
    assert (good["label"], good["accepted"], good["threshold"]) == (good["predictions"][0]["label"], True, 0.0)
    assert bad.keys() == {"file", "error"} and bad["file"] == str(missing)


def test_recognize_says_none_of_these_below_the_threshold(capsys, write_bundle, wav):
    path = wav("a.wav")
    bundle = write_bundle(threshold=0.999)
    _, (usual,), _ = call(capsys, "recognize", "--threshold", 0, bundle, path)
    label, probability = usual.removeprefix(f"{path}: ").split()
    code, (line,), errors = call(capsys, "recognize", bundle, path)
    assert (code, errors, line) == (0, [], f"{path}: none of these ({label} {probability})")
    _, (line,), _ = call(capsys, "recognize", "--json", "--threshold", 0.99, bundle, path)
    answer = json.loads(line)
    assert (answer["label"], answer["accepted"], answer["threshold"]) == (None, False, 0.99)
    assert answer["predictions"][0]["label"] == label


def test_a_bad_file_does_not_stop_the_others(capsys, write_bundle, wav, tmp_path):
    text = tmp_path / "b.wav"
    text.write_text("words")
    code, lines, errors = call(capsys, "recognize", write_bundle(), wav("a.wav"), text, wav("c.wav"))
    assert code == 1
    assert [Path(line.split(":")[0]).name for line in lines] == ["a.wav", "c.wav"]
    assert len(errors) == 1 and errors[0].startswith(f"audionet: error: {text}: ")


def test_lenient_reads_what_is_whole_and_says_what_is_wrong(capsys, write_bundle, wav, tmp_path):
    cut = wav("clips/cut.wav")
    cut.write_bytes(cut.read_bytes()[:-1001])
    fault = f"{cut}: is cut off: its header promises 16000 bytes of samples, 14999 are there"
    for command in (["recognize", str(write_bundle())], ["features", "--output", str(tmp_path / "out")]):
        assert cli.main([*command, str(cut)]) == 1
        told = capsys.readouterr().err
        assert told.startswith(f"audionet: error: {fault}; ") and "--lenient" in told
        assert cli.main([*command, str(cut), "--lenient"]) == 0
        assert capsys.readouterr().err == f"audionet: warning: {fault}; what is whole was read\n"
    assert np.load(tmp_path / "out" / "cut.npy").shape == (40, 94)


def test_recognize_takes_folders(capsys, write_bundle, wav, tmp_path):
    wav("takes/b.wav"), wav("takes/a.flac"), wav("takes/c.MP3"), wav("takes/._mac.wav")
    (tmp_path / "takes/notes.txt").write_text("not sound")
    code, lines, _ = call(capsys, "recognize", write_bundle(), tmp_path / "takes")
    assert code == 0
    assert [Path(line.split(":")[0]).name for line in lines] == ["a.flac", "b.wav", "c.MP3"]

    (tmp_path / "empty").mkdir()
    code, lines, errors = call(capsys, "recognize", "no such model", tmp_path / "empty")  # it comes first
    assert code == 1 and f"{tmp_path / 'empty'}: expected audio files" in errors[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["recognize", "digits"], "FILE"),
        (
            ["recognize", "digits", "a.wav", "--top-k", "0"],
            "--top-k: expected a whole number above 0, got '0'; see audionet recognize --help",
        ),
        (["recognize", "digits", "a.wav", "--volume", "11"], "--volume"),
        *(
            (["recognize", "digits", "a.wav", "--threshold", value], f"expected a number from 0 to 1, got {value!r}")
            for value in ("1.5", "-1", "nan", "high")
        ),
        (["recognise"], "got 'recognise'; did you mean 'recognize'?"),
        (["features", "a.wav"], "output"),
        (["features", "a.wav", "--output", "out", "--workers", "0"], "--workers"),
        (
            ["features", "a.wav", "--output", "out", "--arguments.n_mels"],
            "--arguments: expected NAME=VALUE, got 'n_mels'",
        ),
        (["data", "get"], "NAME"),
        (["data", "gte", "fsdd"], "did you mean 'data get'?"),
        (["generate", "digits", "--output", "x.wav", "--category", "pitch"], "expected NAME=VALUE, got 'pitch'"),
        (["generate", "digits", "--output", "x.wav", "--seed", "x"], "--seed: expected a whole number, got 'x'"),
        (["generate", "digits", "--output", "x.wav", "--temperature", "x"], "expected a number, got 'x'"),
    ],
)
def test_wrong_usage(capsys, arguments, words):
    code, lines, errors = call(capsys, *arguments)
    assert (code, lines, len(errors)) == (2, [], 1)
    assert errors[0].startswith("audionet: error: ") and words in errors[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["recognize", "nowhere", "a.wav"], "nowhere: expected the path of a .safetensors file"),
        (["recognize", __file__, "a.wav"], "expected a safetensors file"),
        (["data", "get", "nothing"], "got 'nothing'"),
        (["data", "verify", "nothing"], "got 'nothing'"),
        (
            ["copy", "cooking", "somewhere"],
            "recipe: expected one of embedding, recognition, wavenet, words, got 'cooking'",
        ),
        (["features", "a.wav", "--output", "out", "--kind", "bark"], "got 'bark'"),
        (["features", "a.wav", "--output", "out", "--like", "sox"], "'sox'"),
        (["features", "a.wav", "--output", "out", "--like", "librosa", "--kind", "cqt"], "kind: expected one of"),
        (["features", "a.wav", "--output", "out", "--arguments.bark", "3"], "'bark'"),
        (["features", "a.wav", "--output", "out", "--format", "csv"], "expected one of npy, zarr, parquet"),
        (["features", "nowhere/", "--output", "/dev/null/out"], "/dev/null/out"),
    ],
)
def test_failures_are_one_line(capsys, arguments, words):
    code, lines, errors = call(capsys, *arguments)
    assert (code, lines, len(errors)) == (1, [], 1)
    assert errors[0].startswith("audionet: error: ") and words in errors[0]


def test_without_arguments_comes_the_help(capsys):
    with pytest.raises(SystemExit) as exit_:
        cli.main([])
    assert exit_.value.code == 0
    assert "recognize" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["data"], ["data", "--help"]])
def test_a_group_shows_its_commands(capsys, words):
    with pytest.raises(SystemExit) as exit_:
        cli.main(words)
    printed = capsys.readouterr().out
    assert exit_.value.code == 0 and "\n  data verify    Check" in printed and "recognize  " not in printed


def test_version(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"audionet {__version__}\n"


def test_data_list(capsys):
    code, lines, _ = call(capsys, "data", "list")
    names = [line.split()[0] for line in lines]
    assert code == 0 and {"fsdd", "speech_commands_v2", "words"} <= set(names)


def test_data_of_a_corpus_that_is_made(capsys):
    for command in ("get", "verify"):
        code, lines, _ = call(capsys, "data", command, "words")
        assert code == 0 and "made when used" in lines[0]


def test_data_verify_finds_what_is_missing(capsys, tmp_path):
    code, _, errors = call(capsys, "data", "verify", "fsdd", "--root", tmp_path)
    assert code == 1 and str(tmp_path) in errors[0] and "audionet data get fsdd" in errors[0]


def test_models_list(capsys, monkeypatch, write_bundle, tmp_path):
    from audionet import bundle

    folder = tmp_path / "recognition"
    write_bundle(folder / "digits.safetensors")
    write_bundle(folder / "old.safetensors", training={})
    monkeypatch.setattr(bundle, "SHIPPED", tmp_path)
    code, lines, _ = call(capsys, "models", "list")
    assert code == 0
    assert lines[1].split() == ["digits", "recognition", "tcresnet", "10", "labels", "50.0%", "made", "up"]
    assert "not recorded" in lines[2]
    assert "bcresnet" in lines[-1]


@pytest.fixture
def recipes(monkeypatch, tmp_path):
    folder = tmp_path / "recipes"
    for file in ("recognition/train.py", "recognition/presets/smoke.yaml", "recognition/__pycache__/train.pyc"):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(file)
    monkeypatch.setattr(resources, "folder", {"recipes": folder}.__getitem__)


def test_copy(capsys, recipes, tmp_path):
    target = tmp_path / "mine"
    code, lines, _ = call(capsys, "copy", "recognition", target)
    assert code == 0
    copied = sorted(path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file())
    assert copied == ["presets/smoke.yaml", "train.py"]
    assert lines[-1].strip() == f"python {target}/train.py --config {target}/presets/smoke.yaml"


def test_copy_overwrites_nothing(capsys, recipes, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/train.py").write_text("my own work")
    for target in ("mine", "mine/train.py"):
        code, _, errors = call(capsys, "copy", "recognition", tmp_path / target)
        assert code == 1 and "already exists" in errors[0]
    assert (tmp_path / "mine/train.py").read_text() == "my own work"


def test_copy_lists_the_recipes(capsys, recipes, tmp_path):
    code, _, errors = call(capsys, "copy", "../recognition", tmp_path / "mine")
    assert code == 1 and "expected one of recognition, got" in errors[0]


def test_doctor_exit_code(capsys, monkeypatch):
    from audionet import doctor

    report = doctor.Report([doctor.Row("torch", "2.14.1")], [])
    monkeypatch.setattr(doctor, "diagnose", lambda: report)
    assert call(capsys, "doctor")[0] == 0
    report.problems.append(doctor.Problem("torch is odd", "mend it"))
    code, lines, _ = call(capsys, "doctor")
    assert code == 1 and any("torch is odd" in line for line in lines)


def test_interrupt_is_quiet(write_bundle, wav, tmp_path):
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    command = [
        sys.executable,
        "-m",
        "audionet",
        "recognize",
        str(write_bundle()),
        str(wav("a.wav")),
        str(pipe),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY)
    with pipe.open("wb"):  # opens once the recogniser opens it too, which then waits for what is never written
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")


def test_a_reader_that_leaves_is_no_error(write_bundle, wav):
    path = wav("a.wav")
    command = [sys.executable, "-m", "audionet", "recognize", str(write_bundle()), *[str(path)] * 40]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY)
    assert process.stdout and process.stderr
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 1


@pytest.fixture
def digits_generator(tmp_path):
    """A small WaveNet with random weights that knows two labels and two speakers; 0.05 s at 8 kHz."""
    import torch

    from audionet import bundle, models

    arguments = {
        "n_layers": 4,
        "n_cycles": 2,
        "residual_channels": 8,
        "gate_channels": 8,
        "skip_channels": 8,
        "output_channels": 8,
        "categories": {"label": ["no", "yes"], "speaker": ["ann", "bob"]},
    }
    torch.manual_seed(0)
    model = models.create("wavenet", **arguments)
    path = tmp_path / "small.safetensors"
    part = bundle.Part("wavenet", arguments, model)
    bundle.save(path, bundle.Bundle(task="generation", model=part, sample_rate=8000, clip_length=400))
    return path


def test_generate_writes_what_was_asked_for(capsys, digits_generator, tmp_path):
    out = tmp_path / "yes.wav"
    given = ("generate", digits_generator, "--output", out, "--label", "yes", "--seed", "5")
    code, lines, errors = call(capsys, *given)
    assert (code, errors) == (0, [])
    waveform, rate = audionet.load_audio(out)
    assert (waveform.shape, rate) == ((1, 400), 8000)
    speaker = audionet.load_generator(digits_generator).choose(seed=5)["speaker"][0]
    assert lines == [f"{out}: 0.05 s, label yes, speaker {speaker}, seed 5"]

    first = out.read_bytes()
    call(capsys, *given)
    assert out.read_bytes() == first
    call(capsys, *given[:4], "--category", "label=yes", "--category.speaker", speaker, "--seed", "5")
    assert out.read_bytes() == first
    call(capsys, *given[:-1], "6")
    assert out.read_bytes() != first


def test_generate_several_primed_and_for_some_time(capsys, digits_generator, tmp_path):
    prime = tmp_path / "prime.wav"
    audionet.save_audio(prime, np.tile(np.array([0.1, -0.1], np.float32), 50), 8000)
    given = ("generate", digits_generator, "--output", tmp_path / "new.flac", "--count", 3, "--seconds", 0.02)
    code, lines, _ = call(capsys, *given, "--prime", prime, "--temperature", 0.8, "--top-k", 9, "--precision", "int8")
    assert code == 0 and len(lines) == 3
    for number in range(3):
        assert audionet.load_audio(tmp_path / f"new-{number}.flac")[0].shape == (1, 160)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--label", "maybe"), "label: expected one of no, yes, got 'maybe'"),
        (("--speaker", "eve"), "speaker: expected one of ann, bob, got 'eve'"),
        (("--category", "pitch=60"), "pitch"),
        (("--seconds", "0"), "seconds: expected"),
        (("--temperature", "99"), "temperature: expected a number from 0.01 to 10, got 99"),
        (("--precision", "int4"), "precision: expected one of"),
        (("--like", "missing.wav"), "missing.wav"),
        (("--output", "nowhere/x.wav"), "nowhere/x.wav: cannot be written"),
        (("--output", "x.doc"), "extension: expected one of .wav, .flac, .ogg, .mp3, got '.doc'"),
    ],
)
def test_generate_says_what_is_wrong(capsys, digits_generator, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, lines, errors = call(capsys, "generate", digits_generator, "--output", "x.wav", *arguments)
    assert code == 1 and lines == [] and len(errors) == 1 and message in errors[0]
    assert not (tmp_path / "x.wav").exists()


def test_generate_refuses_a_recogniser_and_recognize_a_generator(capsys, digits_generator, write_bundle, tmp_path):
    path = write_bundle(tmp_path / "words.safetensors")
    code, _, errors = call(capsys, "generate", path, "--output", tmp_path / "x.wav")
    assert code == 1 and "task: expected 'generation', got 'recognition'; use it with `audionet recognize`" in errors[0]
    code, _, errors = call(capsys, "recognize", digits_generator, path)
    assert code == 1 and "task: expected 'recognition', got 'generation'; use it with `audionet generate`" in errors[0]


def test_an_interrupted_generation_keeps_what_is_made(capsys, digits_generator, tmp_path, monkeypatch):
    from audionet.inference import Generator

    whole = Generator.stream

    def interrupted(self, *arguments, **named):
        for number, piece in enumerate(whole(self, *arguments, chunk_seconds=0.01, **named)):
            if number == 3:
                raise KeyboardInterrupt
            yield piece

    monkeypatch.setattr(Generator, "stream", interrupted)
    out = tmp_path / "long.wav"
    code, lines, _ = call(capsys, "generate", digits_generator, "--output", out, "--seconds", "60")
    assert code == 130 and lines[0].startswith(f"{out}: 0.03 s")
    assert audionet.load_audio(out)[0].shape == (1, 240)


def test_a_folder_called_like_a_sound_is_none(capsys, write_bundle, wav, tmp_path):
    wav("words/a.wav")
    (tmp_path / "words" / "b.wav").mkdir()
    code, lines, errors = call(capsys, "recognize", write_bundle(), tmp_path / "words")
    assert (code, len(lines), errors) == (0, 1, [])


def test_features_of_folders(capsys, wav, tmp_path):
    from audionet.features import MFCC

    sound, out = wav("takes/a.wav"), tmp_path / "out"
    wav("takes/more/b.flac", seed=1)
    chosen = ("--kind", "mfcc", "--arguments.n_mfcc", 13, "--arguments.top_db=null", "--sample-rate", 8000)
    given = ("features", tmp_path / "takes", "--output", out, *chosen, "--workers", 1)
    code, lines, errors = call(capsys, *given)
    assert (code, lines, errors) == (0, [f"{out}: features of 2 files made"], [])
    waveform, _ = audio.load_audio(sound)
    front_end = MFCC(n_mfcc=13, top_db=None, sample_rate=8000)
    np.testing.assert_allclose(np.load(out / "a.npy"), front_end(waveform[0]).numpy(), atol=1e-3)
    assert np.load(out / "more/b.npy").shape == (13, 51)
    assert json.loads((out / "features.json").read_text()) == {
        "kind": "mfcc",
        "arguments": {"n_mfcc": 13, "top_db": None, "sample_rate": 8000},
        "sample_rate": 8000,
        "hop_length": 160,
        "format": "npy",
        "base": str(tmp_path / "takes"),
    }
    (tmp_path / "takes/bad.wav").write_text("words")
    code, lines, errors = call(capsys, *given)
    assert (code, lines) == (1, [f"{out}: features of 0 files made, 2 were there already, 1 failed"])
    assert len(errors) == 1 and errors[0].startswith(f"audionet: error: {tmp_path / 'takes/bad.wav'}: ")

    code, lines, errors = call(capsys, *given, "--arguments.lifter", 22)
    assert (code, lines) == (1, []) and f"{out}: expected features of arguments = " in errors[0]


def test_features_like_a_tool_with_pictures(capsys, wav, tmp_path):
    out = tmp_path / "out"
    code, _, errors = call(capsys, "features", wav("a.wav"), "--output", out, "--like", "whisper", "--plot")
    assert (code, errors) == (0, [])
    assert np.load(out / "a.npy").shape == (80, 100)  # 1 s, resampled to Whisper's rate
    assert (out / "a.png").read_bytes().startswith(b"\x89PNG")
    settings = json.loads((out / "features.json").read_text())
    assert (settings["like"], settings["sample_rate"]) == ("whisper", 16_000)


MY_NETWORK = """
from audionet import models

class MyNetwork(models.TCResNet):
    pass

models.MODELS.add("my_network", MyNetwork)
"""
WRITE_IT = """
from dataclasses import replace
import my_network
from audionet import bundle

loaded = bundle.load("tiny.safetensors")
mine = my_network.MyNetwork(**loaded.model.arguments)
bundle.save("mine.safetensors", replace(loaded, model=bundle.Part("my_network", loaded.model.arguments, mine)))
"""


def test_a_network_of_ones_own(write_bundle, wav, tmp_path):
    write_bundle(tmp_path / "tiny.safetensors"), wav("a.wav")
    (tmp_path / "my_network.py").write_text(MY_NETWORK)
    places = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": str(REPOSITORY)}}
    subprocess.run([sys.executable, "-c", WRITE_IT], check=True, **places)
    command = [
        sys.executable,
        "-c",
        "import sys; sys.path.remove(''); from audionet.cli.main import main; sys.exit(main())",
    ]
    asked = ["recognize", "mine.safetensors", "a.wav"]
    done = subprocess.run([*command, *asked, "--import", "my_network"], capture_output=True, text=True, **places)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("a.wav: ")
    done = subprocess.run([*command, *asked], capture_output=True, text=True, **places)
    assert done.returncode == 1 and "my_network" in done.stderr and "--import" in done.stderr


def test_a_module_that_is_missing(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for module in ("my_netwrok", "audionet.my_netwrok"):
        code, lines, errors = call(capsys, "models", "list", "--import", module)
        assert (code, lines, len(errors)) == (1, [], 1)
        assert f"import: expected a module in this folder or an installed one, got '{module}'" in errors[0]
    (tmp_path / "imports_nothing.py").write_text("import nothing_that_is_there")
    with pytest.raises(ModuleNotFoundError, match="nothing_that_is_there"):  # the user's own error, with its place
        cli.main(["models", "list", "--import", "imports_nothing"])


def test_names_that_the_encoding_cannot_hold_are_escaped(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-X",
            "utf8=0",
            "-m",
            "audionet",
            "copy",
            "recognition",
            os.fsencode(tmp_path) + b"/K\xc3\xbcche",
        ],
        env={**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        cwd=REPOSITORY,
    )
    assert done.returncode == 0 and b"K\\udcc3\\udcbcche" in done.stdout


def test_an_error_is_one_line(capsys):
    cli.complain(ValueError("many\n  lines"))
    assert capsys.readouterr() == ("", "audionet: error: many lines\n")
