"""Which addresses are public, and what an operator's networks open."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from mill_common.outgoing import is_allowed, is_public, parse_networks

CLOSED = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::7f00:1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "2606:4700::5efe:7f00:1",
    "2606:4700::200:5efe:7f00:1",
    "3ffe::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "100.63.255.255", "172.32.0.1", "223.255.255.254", "2606:4700:4700::1111", "2a00::1"]


@pytest.mark.parametrize("text", CLOSED)
def test_a_special_address_is_not_public(text: str) -> None:
    assert not is_public(ip_address(text))
    assert not is_allowed(ip_address(text), ())


@pytest.mark.parametrize("text", PUBLIC)
def test_an_ordinary_address_is_public(text: str) -> None:
    assert is_public(ip_address(text))


def test_a_network_opens_what_it_names_and_nothing_beside_it() -> None:
    networks = parse_networks("10.1.0.0/16, ::1/128")

    assert is_allowed(ip_address("10.1.2.3"), networks)
    assert is_allowed(ip_address("::1"), networks)
    for beside in ("10.2.0.1", "::ffff:10.1.2.3", "64:ff9b::a01:203", "2002:a01:203::", "::2", "127.0.0.1"):
        assert not is_allowed(ip_address(beside), networks)


def test_an_address_bound_to_an_interface_is_never_allowed() -> None:
    assert is_allowed(ip_address("fe80::1"), parse_networks("fe80::/10"))
    assert not is_allowed(ip_address("fe80::1%eth0"), parse_networks("fe80::/10"))


def test_no_networks_are_an_empty_list() -> None:
    assert parse_networks("") == parse_networks(" , ") == ()


@pytest.mark.parametrize("text", ["10.0.0.1/8", "ten", "10.0.0.0/33", "10.0.0.0-10.0.0.9"])
def test_a_network_that_is_written_wrongly_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"network|host bits"):
        parse_networks(text)
