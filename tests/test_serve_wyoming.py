"""Home Assistant's protocol, spoken by the client of the package `wyoming`."""

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong
from wyoming.wake import Detect, Detection, NotDetected

from audionet import load_audio
from audionet.cli import main as cli
from audionet.inference import Detector
from audionet.serve import listen, wyoming
from audionet.serve.work import Work


class Loudness:
    """Hears "loud" in a window whose end is loud, and "high" in one whose end changes its sign often."""

    labels: tuple[str, ...] = ("loud", "high", "_unknown_")
    sample_rate, clip_length = 16_000, 4000
    thresholds: Mapping[str, float] = MappingProxyType({"loud": 0.5, "high": 0.5})

    def clip_probabilities(self, clips: np.ndarray) -> np.ndarray:
        end = clips[:, -1600:]
        is_loud = np.abs(end).mean(1) > 0.1
        is_high = is_loud & ((np.diff(np.sign(end)) != 0).mean(1) > 0.2)
        return np.stack([is_loud & ~is_high, is_high, ~is_loud], axis=1).astype(np.float64)


Talk = Callable[[AsyncTcpClient], Awaitable[None]]


def talk(*talks: Talk, max_clients: int = 4) -> None:
    """Run a server, and clients one after the other, each of which says its part."""

    async def run() -> None:
        start = partial(Detector, Loudness(), smoothing=1)
        listening = listen("127.0.0.1", 0)
        port, work = listening.getsockname()[1], Work(2, 16)
        async with wyoming.serving(lambda names: start(keywords=names), listening, work, max_clients=max_clients):
            for each in talks:
                async with AsyncTcpClient("127.0.0.1", port) as client:
                    await asyncio.wait_for(each(client), 60)

    asyncio.run(run())


async def say(client: AsyncTcpClient, waveform: np.ndarray, rate: int = 16_000) -> None:
    """Send a waveform (time, channel) in chunks of 30 ms."""
    n_channels = waveform.shape[1]
    form = {"rate": rate, "width": 2, "channels": n_channels}
    await client.write_event(AudioStart(**form).event())
    for chunk in np.split(waveform, range(rate * 3 // 100, len(waveform), rate * 3 // 100)):
        pcm = (32767 * chunk).astype("<i2").tobytes()
        await client.write_event(AudioChunk(**form, audio=pcm).event())
    await client.write_event(AudioStop().event())


def burst(hertz: float, rate: int = 16_000, n_channels: int = 1) -> np.ndarray:
    """Return two seconds (time, channel), silent but for a tone from 0.8 to 1.2 s."""
    seconds = np.arange(2 * rate) / rate
    tone = 0.5 * np.sin(2 * np.pi * hertz * seconds) * ((seconds > 0.8) & (seconds < 1.2))
    return np.repeat(tone[:, None], n_channels, axis=1)


async def answer(client: AsyncTcpClient) -> Event:
    event = await client.read_event()
    assert event is not None
    return event


async def refused(client: AsyncTcpClient) -> str:
    """Return why the server closes the connection."""
    reason = Error.from_event(await answer(client)).text
    assert await client.read_event() is None
    return reason


def test_what_there_is() -> None:
    async def describe(client: AsyncTcpClient) -> None:
        await client.write_event(Describe().event())
        (program,) = Info.from_event(await answer(client)).wake
        assert [model.name for model in program.models] == ["loud", "high"] and program.installed
        await client.write_event(Ping(text="here").event())
        assert Pong.from_event(await answer(client)).text == "here"

    talk(describe)


@pytest.mark.parametrize(("rate", "n_channels"), [(16_000, 1), (48_000, 2), (44_100, 1)])
def test_a_keyword_is_told_at_once_and_silence_at_its_end(rate: int, n_channels: int) -> None:
    async def listen(client: AsyncTcpClient) -> None:
        for hertz, keyword in ((100, "loud"), (5000, "high")):  # two streams on one connection
            await say(client, burst(hertz, rate, n_channels), rate)
            detection = Detection.from_event(await answer(client))
            assert detection.name == keyword
            assert detection.timestamp is not None and 800 <= detection.timestamp <= 1500
        await say(client, np.zeros((rate, n_channels)), rate)
        assert NotDetected.is_type((await answer(client)).type)

    talk(listen)


def test_only_the_chosen_keywords_are_told() -> None:
    async def listen(client: AsyncTcpClient) -> None:
        await client.write_event(Detect(names=["high"]).event())
        await say(client, burst(100))
        assert NotDetected.is_type((await answer(client)).type)
        await say(client, burst(5000))
        assert Detection.from_event(await answer(client)).name == "high"

    talk(listen)


def test_what_cannot_be_used_is_refused_and_the_next_client_is_served() -> None:
    async def unknown(client: AsyncTcpClient) -> None:
        await client.write_event(Detect(names=["hihg"]).event())
        assert "did you mean 'high'" in await refused(client)

    async def float_samples(client: AsyncTcpClient) -> None:
        await client.write_event(AudioChunk(rate=16_000, width=4, channels=1, audio=bytes(4000)).event())
        assert "expected whole samples of 16 bits, got '4000 bytes, 32 bits" in await refused(client)

    async def another_rate(client: AsyncTcpClient) -> None:
        for rate in (16_000, 8000):
            await client.write_event(AudioChunk(rate=rate, width=2, channels=1, audio=bytes(4000)).event())
        assert "expected 16000 Hz as before, got 8000" in await refused(client)

    async def too_long(client: AsyncTcpClient) -> None:
        await send(client, b'{"type": "audio-chunk", "payload_length": 99999999999}\n')
        assert "message: expected at most" in await refused(client)

    async def without_type(client: AsyncTcpClient) -> None:
        await send(client, b'{"data": {}}\n')
        assert "message: expected one of Wyoming" in await refused(client)

    async def without_rate(client: AsyncTcpClient) -> None:
        await send(client, json.dumps({"type": "audio-chunk", "data": {}}).encode() + b"\n")
        assert "message: expected one of Wyoming" in await refused(client)

    async def no_json(client: AsyncTcpClient) -> None:
        await send(client, b"GET / HTTP/1.1\r\n\r\n")
        assert await client.read_event() is None

    async def leaves_in_the_middle(client: AsyncTcpClient) -> None:
        await send(client, b'{"type": "audio-chunk", "payload_length": 1000}\n')

    async def other_kinds_are_passed_over(client: AsyncTcpClient) -> None:
        await client.write_event(Event("run-satellite"))
        await say(client, burst(100))
        assert Detection.from_event(await answer(client)).name == "loud"

    talk(unknown, float_samples, another_rate, too_long, without_type, without_rate, no_json, leaves_in_the_middle)
    talk(leaves_in_the_middle, other_kinds_are_passed_over)


async def send(client: AsyncTcpClient, content: bytes) -> None:
    """Send bytes that no client would."""
    assert client._writer is not None
    client._writer.write(content)
    await client._writer.drain()


def test_one_client_too_many_is_told_so() -> None:
    async def come(first: AsyncTcpClient) -> None:
        await first.write_event(Ping().event())
        await answer(first)
        async with AsyncTcpClient("127.0.0.1", first.port) as second:
            assert "clients: expected at most 1 at a time, got 2" in await refused(second)
        await say(first, burst(100))
        assert Detection.from_event(await answer(first)).name == "loud"

    talk(come, max_clients=1)


def test_a_slow_client_is_waited_for_and_others_are_served_meanwhile() -> None:
    async def come(slow: AsyncTcpClient) -> None:
        pcm = (32767 * burst(3000)).astype("<i2").tobytes()
        event = AudioChunk(rate=16_000, width=2, channels=1, audio=pcm).event()
        head = json.dumps({"type": event.type, "data": event.data, "payload_length": len(pcm)}).encode() + b"\n"
        for part in (head[:9], head[9:], pcm[:1001]):  # in the middle of a line, and of a sample
            await send(slow, part)
            await asyncio.sleep(0.01)
        async with AsyncTcpClient("127.0.0.1", slow.port) as quick:
            await say(quick, burst(100))
            assert Detection.from_event(await answer(quick)).name == "loud"
        await send(slow, pcm[1001:])
        assert Detection.from_event(await answer(slow)).name == "high"

    async def come_and_never_read(deaf: AsyncTcpClient) -> None:
        for _ in range(50):
            await deaf.write_event(Describe().event())
        async with AsyncTcpClient("127.0.0.1", deaf.port) as quick:
            await say(quick, burst(100))
            assert Detection.from_event(await answer(quick)).name == "loud"

    talk(come, come_and_never_read)


def test_the_command(write_bundle: Callable[..., Path]) -> None:
    """The command tells its address, hears what the shipped networks know, and ends without a word."""
    command = [sys.executable, "-m", "audionet", "serve", "digits", "--task", "recognition", "--wyoming", "0"]

    async def ask(port: int) -> None:
        async with AsyncTcpClient("127.0.0.1", port) as client:
            waveform, rate = load_audio(Path(__file__).parent / "data" / "seven.wav")
            await say(client, np.pad(waveform.T, ((rate, rate), (0, 0))), rate)
            assert Detection.from_event(await answer(client)).name == "seven"

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None and server.stderr is not None
            told = re.match(r"tcp://127.0.0.1:(\d+): digits; Ctrl-C ends it", server.stdout.readline())
            assert told is not None
            asyncio.run(ask(int(told[1])))
            server.send_signal(signal.SIGINT)
            assert server.wait(60) == 0 and server.stderr.read() == ""
        finally:
            server.kill()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["digits"], "port: expected --http, --wyoming or both, got None; name one: --http 8000"),
        (["digits", "--task", "generation", "--wyoming", "0"], "model: expected a recogniser for --wyoming, got"),
        (["embedding", "--wyoming", "0"], "task: expected"),
        (["digits", "--wyoming", "99999"], "port: expected one from 0 to 65535, got 99999"),
    ],
)
def test_wrong_words(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    assert cli.main(["serve", *words]) == 1
    assert message in capsys.readouterr().err
