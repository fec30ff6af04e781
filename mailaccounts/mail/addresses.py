"""Which IP addresses are on the public internet, and which lead into somebody's own network."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
AddressRange = IPv4Network | IPv6Network

GLOBAL_UNICAST = IPv6Network("2000::/3")

# Ranges that ``is_global`` of Python's ipaddress calls global, or did in some version, and that mail servers have no
# business in (IANA special-purpose registries). NAT64 and 6to4 carry an IPv4 address that could be a private one.
NOT_PUBLIC: tuple[AddressRange, ...] = (
    IPv4Network("100.64.0.0/10"),  # shared by carriers, RFC 6598
    IPv4Network("192.0.0.0/24"),  # protocol assignments, RFC 6890
    IPv4Network("192.88.99.0/24"),  # 6to4 relays, RFC 7526
    IPv6Network("64:ff9b::/96"),  # NAT64, RFC 6052
    IPv6Network("64:ff9b:1::/48"),  # local NAT64, RFC 8215
    IPv6Network("2001::/23"),  # protocol assignments, among them Teredo and ORCHID
    IPv6Network("2001:db8::/32"),  # documentation, RFC 3849
    IPv6Network("2002::/16"),  # 6to4, RFC 3056
    IPv6Network("3fff::/20"),  # documentation, RFC 9637
    IPv6Network("fec0::/10"),  # site-local, RFC 3879
)


def parse_address(text: str) -> Address:
    """Reads an address as getaddrinfo prints it; an IPv4-mapped one becomes the IPv4 address it stands for."""
    address = ip_address(text)
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def parse_range(text: str) -> AddressRange:
    """Reads ``10.0.0.0/8`` or a single address; ValueError, with the text in its words, for anything else."""
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is neither an IP address nor a network such as 10.0.0.0/8") from None


def is_public(address: Address) -> bool:
    """Whether ``address`` is an ordinary unicast address on the internet."""
    if isinstance(address, IPv6Address) and address not in GLOBAL_UNICAST:
        return False
    if address.is_multicast or address.is_reserved or not address.is_global:
        return False
    return not inside(address, NOT_PUBLIC)


def inside(address: Address, ranges: tuple[AddressRange, ...]) -> bool:
    """Whether ``address`` is in one of ``ranges``."""
    return any(address.version == network.version and address in network for network in ranges)
