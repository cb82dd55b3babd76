"""Where a webhook may point: outside addresses, and those inside that the deployment allows by name.

A name is judged by the addresses that it stands for at the very moment of connecting, and the connection goes to the address
that was judged: a name that changes its meaning in between, or after registration, leads nowhere.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from gis.errors import ParameterInvalid, TargetRefused

LONGEST_URL = 2_000
PORTS = {"http": 80, "https": 443}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], list[str]]

#: IPv6 that carries an IPv4 address to a translator: judged by what it carries.
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True)
class Target:
    """An address taken apart: `path` with its query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What the Host header says."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return shown if self.port == PORTS[self.scheme] else f"{shown}:{self.port}"


@dataclass(frozen=True)
class Allowed:
    """What GRIDBEAT_WEBHOOK_ALLOW names: hosts with port as they stand in a URL, and networks."""

    hosts: frozenset[tuple[str, int]] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Allowed:
        """The list `10.2.0.0/16, hooks.intranet:8443, [fd00::7]:80`; ParameterInvalid for an entry that is neither."""
        hosts: set[tuple[str, int]] = set()
        networks: list[Network] = []
        for entry in filter(None, (part.strip() for part in text.split(","))):
            found = _entry(entry)
            if isinstance(found, tuple):
                hosts.add(found)
            else:
                networks.append(found)
        return cls(frozenset(hosts), tuple(networks))

    def covers(self, target: Target, address: Address) -> bool:
        """Whether the target may stand for this address though it lies inside."""
        if {(target.host, target.port), (str(address), target.port)} & self.hosts:
            return True
        return any(address.version == network.version and address in network for network in self.networks)


def _entry(entry: str) -> Network | tuple[str, int]:
    """What one entry of the list names."""
    try:
        if "/" in entry:
            return ipaddress.ip_network(entry)
        named = urlsplit(f"//{entry}")
        if named.hostname and named.port and not named.username:
            return named.hostname, named.port
    except ValueError:
        pass
    raise ParameterInvalid(
        f"{entry} in GRIDBEAT_WEBHOOK_ALLOW is neither host:port nor a network such as 10.2.0.0/16",
        place="GRIDBEAT_WEBHOOK_ALLOW",
    )


def parse_target(url: object) -> Target:
    """The parts of an http or https address; TargetRefused for anything else, and for one with a user name or a fragment."""
    if not isinstance(url, str) or not 0 < len(url) <= LONGEST_URL or re.search(r"[\x00-\x20\x7f\\]", url):
        raise TargetRefused(f"url is an address of at most {LONGEST_URL} characters without blanks", place="url")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host = host if ":" in host else host.encode("idna").decode()
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        path.encode("ascii")
    except ValueError:  # also UnicodeError
        raise TargetRefused(
            "url cannot be read: non-ASCII is percent-encoded, a port is a number", place="url"
        ) from None
    if parts.scheme not in PORTS or not host or port == 0:
        raise TargetRefused("url begins with http:// or https:// and names a host", place="url")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise TargetRefused("url has no user name, password or fragment; the signature says who we are", place="url")
    return Target(parts.scheme, host, port or PORTS[parts.scheme], path)


def resolve(host: str, port: int) -> list[str]:
    """The addresses that a name stands for now, in the system's order; OSError when it stands for none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def addresses(target: Target, allowed: Allowed, lookup: Resolve | None = None) -> list[str]:
    """The addresses to connect to, every one of them permitted; TargetRefused if any is not, or if there are none."""
    try:
        found = (lookup or resolve)(target.host, target.port)
    except OSError:
        found = []
    if not found:
        raise TargetRefused(f"the name {target.host} is not known to the name service", place="url")
    for text in found:
        address = ipaddress.ip_address(text)
        if is_internal(address) and not allowed.covers(target, address):
            raise TargetRefused(
                f"{target.host} lies inside ({address}): notices go to outside addresses, or to those that "
                "GRIDBEAT_WEBHOOK_ALLOW names",
                place="url",
            )
    return found


def is_internal(address: Address) -> bool:
    """Whether an address is anything but a public one of a single machine: loopback, private, link-local, multicast, reserved.

    IPv4 inside IPv6 (mapped, compatible, 6to4, Teredo, NAT64) is judged by the IPv4 address.
    """
    carried = _carried(address)
    if carried is not None:
        return is_internal(carried)
    special = (
        address.is_private, address.is_loopback, address.is_link_local, address.is_multicast, address.is_reserved,
        address.is_unspecified, not address.is_global, getattr(address, "is_site_local", False),
    )  # fmt: skip
    return any(special)


def _carried(address: Address) -> ipaddress.IPv4Address | None:
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in NAT64 or 1 < int(address) < 1 << 32:  # compatible: ::a.b.c.d
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
