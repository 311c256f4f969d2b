"""The HTTP server: what it answers, what it refuses, and that nobody's mistakes reach another client."""

import asyncio
import io
import json
import signal
import socket
import subprocess
import sys
import threading
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import numpy as np
import pytest
import soundfile

from audionet import bundle, models
from audionet.bundle import Bundle, Part
from audionet.cli import main as cli
from audionet.inference import Detector, Generator, Recognizer

aiohttp = pytest.importorskip("aiohttp", reason="the extra `serve` is not installed")

from audionet.serve import answers, running  # noqa: E402
from audionet.serve.http import make_app  # noqa: E402
from audionet.serve.limits import Limits, Rates  # noqa: E402
from audionet.serve.streams import to_samples  # noqa: E402

SEVEN = (Path(__file__).parent / "data" / "seven.wav").read_bytes()
PAGE = {"index.html": b"<!DOCTYPE html>", "app.js": b"start();", "ort/a.wasm": b"\0asm"}


@pytest.fixture
def recognizer(write_bundle):
    return Recognizer(bundle.load(write_bundle()))


@pytest.fixture
def generator():
    network = {"categories": {"label": ["one", "two"]}, "n_layers": 2, "n_cycles": 1, "residual_channels": 4}
    model = Part("wavenet", network, models.create("wavenet", **network).eval())
    return Generator(Bundle(task="generation", model=model, front_end=None, sample_rate=8000, clip_length=800))


@asynccontextmanager
async def serving(model, **limits):
    """Serve a network on a free port, and yield a client's session and the address."""
    listening = running.listen("127.0.0.1", 0)
    app = make_app(model, name="tiny", page=PAGE, host="127.0.0.1", limits=Limits(**limits))
    server = asyncio.create_task(running.run(running.serving(app, listening)))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        async with aiohttp.ClientSession() as session:
            yield session, address
    finally:
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)


async def answer(response):
    """Return status and JSON of an answer, which must be marked as such."""
    async with response as got:
        assert got.content_type == "application/json"
        return got.status, await got.json()


# ---- what it answers -------------------------------------------------------------------------------------------------


def test_model_and_recognize(recognizer):
    async def ask():
        async with serving(recognizer) as (session, url):
            status, facts = await answer(session.get(f"{url}/model"))
            assert status == 200
            assert facts["labels"] == [*recognizer.labels]
            assert facts["thresholds"] == dict(recognizer.thresholds)
            return await answer(session.post(f"{url}/recognize?top_k=3&threshold=0", data=SEVEN))

    status, heard = asyncio.run(ask())
    expected = recognizer.recognize_file(SEVEN, top_k=3, threshold=0.0)
    assert (status, heard) == (200, json.loads(json.dumps(expected.facts())))
    assert len(heard["predictions"]) == 3


def test_generate(generator):
    async def ask():
        async with serving(generator) as (session, url):
            asked = {"seconds": 0.05, "seed": 3, "categories": {"label": "two"}}
            async with session.post(f"{url}/generate", json=asked) as got:
                assert (got.status, got.content_type) == (200, "audio/wav")
                return await got.read()

    waveform, rate = soundfile.read(io.BytesIO(asyncio.run(ask())), dtype="float32")
    expected = generator.generate(0.05, seed=3, label="two")[0].numpy()
    assert rate == generator.sample_rate
    np.testing.assert_allclose(waveform, expected, atol=1 / 32768)  # 16 bits


@pytest.mark.parametrize(("sample_format", "kind", "scale"), [("int16", "<i2", 32767), ("float32", "<f4", 1)])
def test_stream_equals_detector(recognizer, sample_format, kind, scale):
    """Chunks over the wire give the events that a detector gives for the same samples."""
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 12_345)
    content = (sound * scale).astype(kind).tobytes()

    async def ask():
        events = []
        async with serving(recognizer) as (session, url):
            async with session.ws_connect(f"{url}/detect?sample_rate=11025&format={sample_format}") as stream:
                for start in range(0, len(content), 4000):
                    await stream.send_bytes(content[start : start + 4000])
                await stream.send_str("end")
                while "done" not in (message := await stream.receive_json()):
                    events.append(message)
            return events, message

    recognizer.threshold = 0.05  # random weights are never sure
    events, done = asyncio.run(ask())
    expected = Detector(recognizer).detect(to_samples(content, sample_format), 11_025)
    assert expected
    assert events == [each._asdict() for each in expected]
    assert done == {"done": True, "seconds": 12_345 / 11_025}


def test_page(recognizer):
    async def ask():
        async with serving(recognizer) as (session, url):
            for path, kind in (("/", "text/html"), ("/app.js", "text/javascript"), ("/ort/a.wasm", "application/wasm")):
                async with session.get(url + path) as got:
                    assert (got.status, got.content_type) == (200, kind)
                    assert await got.read() == PAGE[path[1:] or "index.html"]
                    assert "default-src 'self'" in got.headers["Content-Security-Policy"]
                    tag = got.headers["ETag"]
                async with session.get(url + path, headers={"If-None-Match": tag}) as got:
                    assert got.status == 304
            for path in ("/none", "/../pyproject.toml", "/ort/"):
                assert (await answer(session.get(url + path)))[0] == 404

    asyncio.run(ask())


# ---- what it refuses -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status", "word"),
    [
        ({"Host": "evil.example"}, 403, "Host"),
        ({"Host": "127.0.0.1.evil.example:80"}, 403, "Host"),
        ({"Host": "192.168.0.7"}, 403, "Host"),
        ({"Host": "[::1"}, 403, "Host"),
        ({"Origin": "https://evil.example"}, 403, "Origin"),
        ({"Origin": "null"}, 403, "Origin"),
        ({"Origin": "http://127.0.0.1:1"}, 403, "Origin"),
        ({"Host": "localhost", "Origin": "http://localhost"}, 200, None),
    ],
)
def test_other_origins(recognizer, headers, status, word):
    async def ask():
        async with serving(recognizer) as (session, url):
            got = await answer(session.get(f"{url}/model", headers=headers))
            if word == "Origin":
                with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
                    await session.ws_connect(f"{url}/detect", headers=headers)
            return got

    got, content = asyncio.run(ask())
    assert got == status
    assert word is None or content["error"].startswith(f"{word}: expected")


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/recognize", b"", 400, "empty"),
        ("/recognize", b"no sound at all", 400, "is no WAV"),
        ("/recognize", SEVEN[:2000], 400, "is cut off"),
        ("/recognize?top_k=0", SEVEN, 400, "top_k: expected a whole number of at least 1"),
        ("/recognize?top_k=nan", SEVEN, 400, "top_k"),
        ("/recognize?threshold=2", SEVEN, 400, "threshold: expected"),
        ("/recognize?threshold=much", SEVEN, 400, "threshold: expected a number, got 'much'"),
        ("/recognize?device=cuda", SEVEN, 400, "query: expected top_k and threshold only, got device"),
        ("/generate", b"{}", 404, "POST /recognize"),
        ("/detect", b"", 405, "Method Not Allowed"),
        ("/anything", b"", 404, "Not Found"),
    ],
)
def test_bad_requests(recognizer, path, body, status, words):
    async def ask():
        async with serving(recognizer) as (session, url):
            return await answer(session.post(url + path, data=body))

    got, content = asyncio.run(ask())
    assert got == status
    assert words in content["error"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[1]", "body: expected a JSON object, got 'list'"),
        (b"{", "body: expected a JSON object"),
        (b"[" * 100_000, "body: expected a JSON object"),
        (b"\xff\xfe", "body: expected a JSON object"),
        (b'{"count": 1000}', "expected seconds, temperature, top_k, top_p, seed and categories only, got count"),
        (b'{"categories": {"count": 1000}}', "categories: expected some of label, got count"),
        (b'{"categories": {"label": 7}}', "label: expected one of one, two, got 7"),
        (b'{"categories": {"label": [["one"]]}}', "label: expected one of one, two"),
        (b'{"categories": {"label": "ten"}}', "label: expected one of one, two"),
        (b'{"categories": 3}', "categories: expected an object"),
        (b'{"seconds": 11}', "seconds: expected a number from 0 to 10, got 11"),
        (b'{"seconds": "long"}', "seconds"),
        (b'{"seconds": NaN}', "seconds"),
        (b'{"temperature": 0}', "temperature"),
        (b'{"temperature": "hot"}', "temperature"),
        (b'{"top_k": -1}', "top_k"),
        (b'{"seed": 1.5}', "seed"),
    ],
)
def test_bad_wishes(generator, body, words):
    async def ask():
        async with serving(generator) as (session, url):
            assert (await answer(session.post(f"{url}/recognize", data=SEVEN)))[0] == 404
            return await answer(session.post(f"{url}/generate", data=body))

    status, content = asyncio.run(ask())
    assert status == 400
    assert words in content["error"]


@pytest.mark.parametrize(
    ("query", "message", "words"),
    [
        ("?sample_rate=16000", b"\0\0\0", "chunk: expected whole samples of 2 bytes, got 3 bytes"),
        ("?format=float32", np.full(100, np.nan, "<f4").tobytes(), "expected"),
        ("", "stop", "message: expected binary chunks, or the text \"end\", got 'stop'"),
        ("", None, "expected a chunk within 0.5 s, got none"),
        ("", bytes(200_000), "seconds: expected a number from 0 to 10"),
    ],
)
def test_bad_streams(recognizer, query, message, words):
    async def ask():
        async with serving(recognizer, body_seconds=0.5, stream_seconds=10.0) as (session, url):
            async with session.ws_connect(f"{url}/detect{query}", autoping=True) as stream:
                if isinstance(message, bytes):
                    await stream.send_bytes(message)
                elif message is not None:
                    await stream.send_str(message)
                told = await stream.receive_json()
                assert (await stream.receive()).type == aiohttp.WSMsgType.CLOSE
                return told

    assert words in asyncio.run(ask())["error"]


@pytest.mark.parametrize(
    "query", ["sample_rate=0", "sample_rate=fast", "sample_rate=8000.5", "format=mp3", "rate=8000"]
)
def test_bad_stream_queries(recognizer, query):
    async def ask():
        async with serving(recognizer) as (session, url):
            return await answer(session.get(f"{url}/detect?{query}"))

    status, content = asyncio.run(ask())
    assert status == 400
    assert "expected" in content["error"]


# ---- limits ----------------------------------------------------------------------------------------------------------


def test_oversized(recognizer):
    async def parts():
        for _ in range(10):
            yield bytes(1000)

    async def ask():
        async with serving(recognizer, max_bytes=5000, max_chunk=5000) as (session, url):
            for body in (bytes(5001), parts()):
                status, content = await answer(session.post(f"{url}/recognize", data=body))
                assert status == 413
                assert "expected at most 5000 bytes" in content["error"]
            async with session.ws_connect(f"{url}/detect") as stream:
                await stream.send_bytes(bytes(5002))
                assert (await stream.receive()).data == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
            assert (await answer(session.get(f"{url}/model")))[0] == 200

    asyncio.run(ask())


def test_slow(recognizer):
    """A body that stops half way is told so, and others are served meanwhile."""

    async def ask():
        held = asyncio.Event()

        async def parts():
            yield SEVEN[:1000]
            await held.wait()

        async with serving(recognizer, body_seconds=0.5) as (session, url):
            slow = asyncio.create_task(answer(session.post(f"{url}/recognize", data=parts())))
            assert (await answer(session.post(f"{url}/recognize", data=SEVEN)))[0] == 200
            status, content = await slow
            held.set()
            assert status == 408
            assert "expected all of it within 0.5 s" in content["error"]

    asyncio.run(ask())


def test_too_often(recognizer):
    async def ask():
        async with serving(recognizer, requests_per_minute=2) as (session, url):
            statuses = [(await answer(session.post(f"{url}/recognize", data=SEVEN)))[0] for _ in range(2)]
            async with session.post(f"{url}/recognize", data=SEVEN) as got:
                assert got.status == 429
                assert 0 < int(got.headers["Retry-After"]) <= 30
                assert "expected 2 a minute" in (await got.json())["error"]
            assert (await answer(session.get(f"{url}/model")))[0] == 200
            return statuses

    assert asyncio.run(ask()) == [200, 200]


def test_rates_forget_the_oldest():
    rates = Rates(1)
    for client in range(20_000):
        assert rates.wait(str(client), now=0.0) == 0
    assert rates.wait("19999", now=0.0) == 60
    assert rates.wait("0", now=0.0) == 0, "forgotten"
    assert rates.wait("19999", now=59.0) == pytest.approx(1)


def test_too_many_at_once(recognizer, monkeypatch):
    """What cannot wait is refused at once; the others get their answers, and what needs no network does not wait."""
    go = threading.Event()
    recognize = answers.recognize

    def slowly(*arguments):
        go.wait(30)
        return recognize(*arguments)

    monkeypatch.setattr(answers, "recognize", slowly)

    async def ask():
        async with serving(recognizer, at_once=1, waiting=1) as (session, url):
            asked = [asyncio.create_task(answer(session.post(f"{url}/recognize", data=SEVEN))) for _ in range(4)]
            refused = 0
            for done in asyncio.as_completed(asked):
                status, content = await done
                if status == 503:
                    refused += 1
                    assert "try again later" in content["error"]
                    if refused == 2:
                        assert (await answer(session.get(f"{url}/model")))[0] == 200
                        go.set()
                else:
                    assert (status, refused) == (200, 2)
            assert (await answer(session.post(f"{url}/recognize", data=SEVEN)))[0] == 200, "the places are free again"

    asyncio.run(ask())


def test_too_many_streams(recognizer):
    async def ask():
        async with serving(recognizer, streams=1) as (session, url):
            async with session.ws_connect(f"{url}/detect") as first:
                status, content = await answer(session.get(f"{url}/detect"))
                assert status == 503
                assert "as many streams" in content["error"]
                await first.send_str("end")
                assert (await first.receive_json())["done"]
            async with session.ws_connect(f"{url}/detect"):
                pass

    asyncio.run(ask())


def test_failures_are_told_and_logged(recognizer, monkeypatch, caplog):
    monkeypatch.setattr(answers, "recognize", lambda *_: 1 / 0)

    async def ask():
        async with serving(recognizer) as (session, url):
            return await answer(session.post(f"{url}/recognize", data=SEVEN))

    assert asyncio.run(ask()) == (500, {"error": "the server failed to answer this; its log says why"})
    assert "ZeroDivisionError" in caplog.text


def test_gone_generation_stops(generator, monkeypatch):
    """A thread does not go on to make a sound that nobody waits for."""
    began, stopped = threading.Event(), threading.Event()

    def endless(_, content, *, most_seconds, stop):
        began.set()
        if stop.wait(30):
            stopped.set()
        return b""

    monkeypatch.setattr(answers, "generate", endless)

    async def ask():
        async with serving(generator) as (session, url):
            asked = asyncio.create_task(session.post(f"{url}/generate", data=b"{}").__aenter__())
            await asyncio.to_thread(began.wait, 30)
            asked.cancel()
            assert await asyncio.to_thread(stopped.wait, 30)

    asyncio.run(ask())


# ---- connections -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nA" + b"b" * 100_000 + b"\r\n\r\n"],
)
def test_malformed(recognizer, sent):
    async def ask():
        async with serving(recognizer) as (session, url):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
            writer.write(sent)
            told = await reader.read()
            writer.close()
            assert told == b"" or b" 400 " in told.splitlines()[0]
            assert (await answer(session.get(f"{url}/model")))[0] == 200

    asyncio.run(ask())


def test_silent_connections_end(recognizer, monkeypatch):
    """A hundred connections that ask for nothing keep nobody out, and are closed."""
    monkeypatch.setattr(running, "_SILENT_SECONDS", 0.5)

    async def ask():
        async with serving(recognizer) as (session, url):
            port = int(url.rpartition(":")[2])
            silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(100)]
            silent[0][1].write(b"POST /recognize HTTP/1.1\r\nHos")
            assert (await answer(session.get(f"{url}/model")))[0] == 200
            for reader, writer in silent:
                (got,) = await asyncio.gather(reader.read(), return_exceptions=True)
                assert isinstance(got, ConnectionError) or got == b""
                writer.close()

    asyncio.run(ask())


# ---- the command -----------------------------------------------------------------------------------------------------


def test_port_in_use(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert cli.main(["serve", "digits", "--http", str(port)]) == 1
    assert f"port: expected a free one, got {port}, which another program uses" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--http", "65536"], "port: expected one from 0 to 65535, got 65536"),
        (["--http", "0", "--host", "192.0.2.1"], "host: expected an address of this machine, got '192.0.2.1'"),
        (["--http", "0", "--host", "no host"], "host: expected an address of this machine, got 'no host'"),
    ],
)
def test_bad_addresses(capsys, words, message):
    assert cli.main(["serve", "digits", *words]) == 1
    assert message in capsys.readouterr().err


def test_ctrl_c_ends(write_bundle, tmp_path):
    """The command tells its address, says what there is no page for, answers, and ends without a word."""
    command = ["-m", "audionet", "serve", str(write_bundle()), "--http", "0", "--onnxruntime-web", str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, *command], stdout=pipe, stderr=pipe, text=True) as server:
        assert server.stdout is not None and server.stderr is not None
        try:
            address = server.stdout.readline().partition(": ")[0]
            with build_opener(ProxyHandler({})).open(address, timeout=30) as got:
                assert json.load(got)["network"] == "tcresnet"
            server.send_signal(signal.SIGINT)
            assert server.wait(30) == 0
        finally:
            server.kill()
        error = server.stderr.read()
    assert error.startswith("note: there is no page, only the interface for programs: onnxruntime_web: expected")
    assert len(error.splitlines()) == 1
