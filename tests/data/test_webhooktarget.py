"""Where a webhook may point: outside; inside only where the deployment says so, by whatever spelling the inside is named."""

from __future__ import annotations

import ipaddress

import pytest

from data.webhooktarget import Allowed, addresses, is_internal, parse_target, resolve
from gis.errors import ParameterInvalid, TargetRefused

INTERNAL = [
    "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.5.4", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",  # noqa: S104
    "239.1.2.3", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fe80::1%1", "fc00::1", "fd12::1",
    "ff02::1", "fec0::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "2002:7f00:1::",
    "2002:a00:1::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2001:db8::1",
]  # fmt: skip
OUTSIDE = ["93.184.215.14", "8.8.8.8", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", INTERNAL)
def test_an_internal_address_is_refused(address: str) -> None:
    assert is_internal(ipaddress.ip_address(address))
    with pytest.raises(TargetRefused, match="lies inside"):
        addresses(parse_target("https://hooks.example.org/"), Allowed(), lambda *_: [address])


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_outside_address_is_taken(address: str) -> None:
    assert addresses(parse_target("https://hooks.example.org/"), Allowed(), lambda *_: [address]) == [address]


def test_one_internal_address_among_others_refuses_the_name() -> None:
    with pytest.raises(TargetRefused):
        addresses(parse_target("https://hooks.example.org/"), Allowed(), lambda *_: ["8.8.8.8", "10.0.0.1"])


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "127.1", "0177.0.0.1", "[::ffff:127.0.0.1]", "0"],
)
def test_every_spelling_of_this_machine_is_refused(host: str) -> None:
    with pytest.raises(TargetRefused):
        addresses(parse_target(f"http://{host}:8080/"), Allowed(), resolve)


def test_a_name_that_stands_for_nothing_is_refused() -> None:
    def unknown(*_: object) -> list[str]:
        raise OSError

    with pytest.raises(TargetRefused, match="not known"):
        addresses(parse_target("https://hooks.example.org/"), Allowed(), unknown)


@pytest.mark.parametrize(
    "url",
    [
        "", "hooks.example.org", "ftp://example.org/", "file:///etc/passwd", "gopher://example.org/", "http://", "http:///x", None, 7,
        "http://user@example.org/", "http://u:p@example.org/", "http://example.org/#a", "http://example.org:99999/", "http://example.org:x/",
        "http://example.org:0/", "http://example.org/a b", "http://example.org/\r\nX: y", "http://example.org\\@127.0.0.1/", "http://例子.example.org/路",
        "http://[::1/", "http://a..b/", "http://example.org/" + "a" * 2_000,
    ],
)  # fmt: skip
def test_what_is_no_plain_web_address_is_refused(url: object) -> None:
    with pytest.raises(TargetRefused):
        parse_target(url)


def test_an_address_is_taken_apart() -> None:
    target = parse_target("https://Hooks.Example.org:8443/a?b=c")
    assert (target.scheme, target.host, target.port, target.path) == ("https", "hooks.example.org", 8443, "/a?b=c")
    assert target.authority == "hooks.example.org:8443"
    assert parse_target("http://example.org").authority == "example.org"
    assert parse_target("http://[2606:2800::1]:81/").authority == "[2606:2800::1]:81"


def test_what_the_deployment_names_is_taken_and_its_neighbours_are_not() -> None:
    allowed = Allowed.parse("hooks.intranet:8443, 10.2.0.0/16,[fd00::7]:80 , 127.0.0.1:9000,")

    def permitted(url: str, address: str) -> bool:
        try:
            return addresses(parse_target(url), allowed, lambda *_: [address]) == [address]
        except TargetRefused:
            return False

    assert permitted("https://hooks.intranet:8443/", "192.168.7.7")
    assert not permitted("https://hooks.intranet/", "192.168.7.7")
    assert permitted("http://any.example.org/", "10.2.3.4")
    assert not permitted("http://any.example.org/", "10.3.0.1")
    assert permitted("http://[fd00::7]/", "fd00::7")
    assert permitted("http://localhost:9000/", "127.0.0.1")
    assert not permitted("http://localhost:9001/", "127.0.0.1")


@pytest.mark.parametrize("entry", ["10.0.0.1/8", "hooks", "hooks:x", "10.0.0.0/40", "a b", "u@h:1", "h:70000"])
def test_an_entry_that_says_nothing_is_refused(entry: str) -> None:
    with pytest.raises(ParameterInvalid, match="GRIDBEAT_WEBHOOK_ALLOW"):
        Allowed.parse(f"10.2.0.0/16,{entry}")
