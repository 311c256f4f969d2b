"""What a server takes: how much, how long, how often, how many at once, and from which pages."""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import urlsplit

_MOST_CLIENTS = 10_000  # whose rates are remembered


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of a server.

    Attributes:
        max_bytes: Bytes of a request.
        max_chunk: Bytes of one message of a stream.
        body_seconds: Time in which a request must have arrived, and a stream must go on.
        generated_seconds: Longest sound that is generated.
        stream_seconds: Longest stream, in seconds of its sound.
        requests_per_minute: Requests and new streams of one client; as many may come at once after a quiet minute.
        at_once: Requests that are worked on at the same time, each in a thread.
        waiting: Further ones that wait for their turn; the next is refused.
        streams: Streams that are open at the same time.
    """

    max_bytes: int = 20_000_000
    max_chunk: int = 1_000_000
    body_seconds: float = 30.0
    generated_seconds: float = 10.0
    stream_seconds: float = 86_400.0
    requests_per_minute: float = 240.0
    at_once: int = 2
    waiting: int = 16
    streams: int = 16


class Rates:
    """How often each client asks: a bucket of tokens each, which fills up at the rate.

    Args:
        per_minute: Requests of one client; a full bucket holds as many.

    Example:
        >>> rates = Rates(2)
        >>> [rates.wait("a", now=0.0) for _ in range(3)]
        [0.0, 0.0, 30.0]
        >>> rates.wait("b", now=0.0), rates.wait("a", now=30.0)
        (0.0, 0.0)
    """

    def __init__(self, per_minute: float) -> None:
        self.per_minute = per_minute
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, and when there were as many

    def wait(self, client: str, *, now: float) -> float:
        """Return the seconds after which a client may ask: 0 for now, which counts.

        Args:
            client: Its address.
            now: Time in seconds, of a clock that only goes forward.
        """
        tokens, since = self._buckets.pop(client, (self.per_minute, now))
        tokens = min(tokens + (now - since) * self.per_minute / 60, self.per_minute)
        missing = max(1 - tokens, 0.0)
        self._buckets[client] = (tokens if missing else tokens - 1, now)
        while len(self._buckets) > _MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return missing * 60 / self.per_minute


def is_own_host(header: str, bound: str) -> bool:
    """Tell whether a request names this server, by an address or the name that it was started with.

    A page of another site may let a name of its own point here (DNS rebinding); the browser then sends that name.

    Args:
        header: Host of the request, such as "localhost:8000".
        bound: What the server listens on, such as "127.0.0.1".

    Example:
        >>> [is_own_host(host, "127.0.0.1") for host in ("localhost:8000", "127.0.0.1", "evil.example:8000")]
        [True, True, False]
        >>> is_own_host("192.168.0.7:8000", "0.0.0.0"), is_own_host("192.168.0.7:8000", "127.0.0.1")
        (True, False)
    """
    try:
        name = urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return False
    if name in ("localhost", bound.lower()):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback or not is_loopback(bound)
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches a server on a host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_own_origin(origin: str | None, host: str) -> bool:
    """Tell whether the page that asks is of this server; programs other than browsers name no page.

    Example:
        >>> [is_own_origin(page, "localhost:8000") for page in (None, "http://localhost:8000", "https://evil.example")]
        [True, True, False]
    """
    return origin is None or urlsplit(origin).netloc.lower() == host.lower()
