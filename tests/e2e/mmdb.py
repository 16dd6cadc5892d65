"""A writer of databases of places, by the specification of the MaxMind DB format 2.0."""

import ipaddress


def country(code):
    return {"country": {"iso_code": code}}


def network(number):
    return {"autonomous_system_number": number}


def write(path, networks, kind="Test"):
    """Replaces the file by a database of these networks, each with its record."""
    new = path.with_suffix(".new")
    new.write_bytes(database(networks, kind))
    new.rename(path)


def database(networks, kind="Test"):
    nodes, data = [[None, None]], b""
    for text, record in networks.items():
        net = ipaddress.ip_network(text)
        bits, depth = int(net.network_address), net.prefixlen + (96 if net.version == 4 else 0)
        node = 0
        for at in range(depth - 1):
            side = bits >> (127 - at) & 1
            if not isinstance(nodes[node][side], int):
                nodes.append([nodes[node][side]] * 2)
                nodes[node][side] = len(nodes) - 1
            node = nodes[node][side]
        nodes[node][bits >> (128 - depth) & 1] = (len(data),)
        data += value(record)
    count = len(nodes)
    number = lambda branch: count if branch is None else branch if isinstance(branch, int) else count + 16 + branch[0]
    tree = b"".join(number(branch).to_bytes(4, "big") for node in nodes for branch in node)
    metadata = {
        "binary_format_major_version": (2, 16), "binary_format_minor_version": (0, 16),
        "build_epoch": (1_700_000_000, 64), "database_type": kind, "description": {"en": "a test"},
        "ip_version": (6, 16), "languages": [], "node_count": count, "record_size": (32, 16),
    }
    return tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + value(metadata)


def value(it):
    """Encodes a value: a map, an array, a text of at most 284 bytes, a number of 32 bits, or a number with its bits."""
    if isinstance(it, dict):
        return bytes([0xE0 | len(it)]) + b"".join(value(name) + value(of) for name, of in it.items())
    if isinstance(it, list):
        return bytes([len(it), 4]) + b"".join(map(value, it))
    if isinstance(it, int):
        return value((it, 32))
    if isinstance(it, tuple):
        number, bits = it
        begin = {16: b"\xa2", 32: b"\xc4", 64: b"\x08\x02"}[bits]
        return begin + number.to_bytes(bits // 8, "big")
    text = it.encode()
    size = bytes([0x40 | len(text)]) if len(text) < 29 else bytes([0x40 | 29, len(text) - 29])
    return size + text
