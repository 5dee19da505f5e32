"""Internet addresses: which of them anybody may reach, and which belong to a network of one's own."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

#: IPv6 addresses whose last four bytes are the IPv4 address that is meant: mapped, and translated by NAT64.
_CARRIERS = tuple(map(IPv6Network, ("::ffff:0:0/96", "64:ff9b::/96")))

#: All of IPv6 that is assigned for use between networks.
_IPV6_UNICAST = IPv6Network("2000::/3")

#: Global by their numbers, and yet nothing that the world offers, or not so in every version of Python: assignments
#: of the protocols, 6to4 relays, the agent of a cloud's machines; Teredo and 6to4, which lead to any IPv4 address;
#: documentation.
_IPV4_SPECIAL = tuple(map(IPv4Network, ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")))
_IPV6_SPECIAL = tuple(map(IPv6Network, ("2001::/23", "2002::/16", "2001:db8::/32", "3fff::/20")))


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the public internet.

    Private, shared, loopback, link-local, multicast, reserved and unspecified ones are not, nor are those of the
    metadata services of clouds; nor is an IPv6 address that carries one of them.
    """
    if isinstance(address, IPv4Address):
        special = any(address in network for network in _IPV4_SPECIAL)
        return address.is_global and not (special or address.is_multicast or address.is_reserved)
    if any(address in network for network in _CARRIERS):
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    return address.is_global and address in _IPV6_UNICAST and not any(address in network for network in _IPV6_SPECIAL)
