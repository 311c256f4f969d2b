"""The process that speaks with Pico: started as a script, it stands on nothing but Python and py-nanotts.

Pico begins each utterance with whatever lies in its memory, so the same words would sound a little different after
other words, and may crash. So each utterance is spoken in a fork of this process, which is as fresh as this one.
Where a system cannot fork, this process ends after each utterance, and its parent starts another.

It reads a line of JSON for each utterance: text, voice, speed, pitch. It answers with a byte, 1 for samples and 0 for
an error, four bytes that say how many bytes follow, and the samples, int16, or the error's text.
"""

import json
import os
import struct
import sys


def main() -> None:
    """Answer the requests on the standard input until it ends."""
    sys.path.insert(0, sys.argv[1])
    import importlib.resources  # noqa: F401  (py-nanotts imports it at the first utterance, so each fork would)

    from py_nanotts import NanoTTS

    engine = NanoTTS()
    for line in sys.stdin.buffer:
        arguments = json.loads(line)
        if not hasattr(os, "fork"):
            _answer(1, engine.speak(**arguments))
            return
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(reading)
                with open(writing, "wb") as pipe:
                    pipe.write(engine.speak(**arguments))
                os._exit(0)
            except BaseException:
                os._exit(1)
        os.close(writing)
        with open(reading, "rb") as pipe:
            samples = pipe.read()
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            _answer(0, f"it crashed with signal {os.WTERMSIG(status)}".encode())
        elif status:
            _answer(0, b"it failed")
        else:
            _answer(1, samples)


def _answer(is_good: int, answer: bytes) -> None:
    sys.stdout.buffer.write(struct.pack("<BI", is_good, len(answer)) + answer)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
