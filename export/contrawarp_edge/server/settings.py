"""Who may use the service, and how much of it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_ORIGIN = re.compile(r"(https?)://([^\s/?#@]+)")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Limits:
    """What one request may use; all of them together are bounded by that.

    Attributes:
        upload_bytes: Largest body of a request.
        pixels: Most pixels of an uploaded image, before it is decoded.
        examples: Most images, ids and embeddings that one search may name.
        hits: Most hits that one search may ask for.
        metadata_bytes: Longest metadata of an added image, as JSON.
        requests: Most requests at the same time; others are told to come back.
        seconds: Longest time from a request to the start of its response.
        threads: Threads that decode, embed and search, each with the gallery open.
    """

    upload_bytes: int = 16 << 20
    pixels: int = 24_000_000
    examples: int = 32
    hits: int = 200
    metadata_bytes: int = 16 << 10
    requests: int = 32
    seconds: float = 30.0
    threads: int = 2


@dataclass(frozen=True)
class Access:
    """Whose requests are answered.

    Attributes:
        token: What ``Authorization: Bearer`` has to say; nothing is asked if None.
        hosts: Lower-case names by which the service may be addressed, besides
            ``localhost`` and IP addresses. Their pages may make requests, whatever
            their port: proxies pass on another one, or none.
        writable: Whether clients may add and delete images.
    """

    token: str | None = None
    hosts: frozenset[str] = frozenset()
    writable: bool = False

    def knows_host(self, name: str) -> bool:
        """Whether a request may be addressed to a host.

        A page elsewhere can make its own name resolve to this machine (DNS
        rebinding), but never an IP address or ``localhost``.
        """
        return name == "localhost" or name in self.hosts or is_ip_address(name)

    def knows_origin(self, origin: str, address: str) -> bool:
        """Whether a page may make requests.

        Args:
            origin: Of the page, in lower case, as browsers send it.
            address: The host, perhaps with a port, that the request is addressed to.
                Pages that come from there are those of the service itself. Whether
                they came over TLS, only a proxy knows.
        """
        if (parts := _ORIGIN.fullmatch(origin)) is None:
            return False
        scheme, page = parts.groups()
        if hostname(page) in self.hosts:
            return True
        port = _port(page, _PORTS[scheme])
        return (
            port is not None
            and hostname(page) == hostname(address)
            and port == _port(address, _PORTS[scheme])
        )


def hostname(address: str) -> str:
    """The host of ``host:port``, empty if there is none."""
    try:
        return urlsplit(f"//{address}").hostname or ""
    except ValueError:
        return ""


def _port(address: str, default: int) -> int | None:
    try:
        port = urlsplit(f"//{address}").port
    except ValueError:
        return None
    return default if port is None else port


def is_ip_address(host: str) -> bool:
    """Whether a host is an IPv4 or IPv6 address rather than a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens on a host."""
    return host == "localhost" or (
        is_ip_address(host) and ipaddress.ip_address(host).is_loopback
    )
