"""Reads TensorBoard event files of a run by nothing of goalpost's, and not by protobuf either: record by record, with both
check sums, and the wire format by hand. Prints a line for every value.

    read_events.py DIRECTORY
"""

import pathlib
import struct
import sys

TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    TABLE.append(byte)


def masked_crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(data):
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        assert struct.unpack_from("<I", data, at + 8)[0] == masked_crc32c(data[at : at + 8]), "check sum of a length"
        record = data[at + 12 : at + 12 + length]
        assert len(record) == length, "a torn record"
        assert struct.unpack_from("<I", data, at + 12 + length)[0] == masked_crc32c(record), "check sum of a record"
        yield record
        at += 16 + length


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return value, at


def fields(data):
    """{number: [raw values]}"""
    result, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
        else:
            size, at = {1: (8, at), 5: (4, at)}[kind] if kind != 2 else varint(data, at)
            value = data[at : at + size]
            at += size
        result.setdefault(key >> 3, []).append(value)
    return result


def double(raw):
    return struct.unpack("<d", raw)[0]


def doubles(raw):
    return struct.unpack(f"<{len(raw) // 8}d", raw)


def text(raw):
    return raw.decode()


def show_hparams(content):
    message = fields(content)
    assert 2 not in message, "a record of the experiment hides the columns of other runs"
    if 3 in message:
        start = fields(message[3][0])
        values = {}
        for raw in start[1]:
            entry = fields(raw)
            value = fields(entry[2][0])
            ((kind, (value,)),) = value.items()
            values[text(entry[1][0])] = {2: double, 3: text, 4: bool}[kind](value)
        assert double(start[5][0]) > 1.6e9
        return f"group {text(start[4][0])!r}, seed {values['seed']}, algorithm {values['agent.algorithm']!r}"
    end = fields(message[4][0])
    assert double(end[2][0]) > 1.6e9
    return f"status {end[1][0]}"


def show(value):
    tag = text(value[1][0])
    plugin = fields(fields(value[9][0])[1][0]) if 9 in value else {}
    if plugin and text(plugin[1][0]) == "hparams":
        return tag, "hparams " + show_hparams(plugin[2][0])
    if plugin:
        return tag, f"{text(plugin[1][0])} {text(fields(value[8][0])[8][0]).count(chr(10))} lines"
    if 5 in value:
        h = fields(value[5][0])
        low, high, count, total, squares = (double(h[i][0]) if i in h else 0.0 for i in range(1, 6))
        limits, buckets = doubles(h[6][0]), doubles(h[7][0])
        assert len(limits) == len(buckets) and list(limits) == sorted(limits) and limits[-1] == high >= low
        assert sum(buckets) == count and squares * count >= total * total * (1 - 1e-9)
        assert low * count - 1e-6 <= total <= high * count + 1e-6
        return tag, f"histogram {count:.0f} numbers, {low:.4f} to {high:.4f}"
    return tag, f"scalar {struct.unpack('<f', value[2][0])[0] if 2 in value else 0.0:.6g}"


def main():
    for file in sorted(pathlib.Path(sys.argv[1]).glob("events.out.tfevents.*")):
        for i, record in enumerate(records(file.read_bytes())):
            event = fields(record)
            assert double(event[1][0]) > 1.6e9, "wall time"
            step = event[2][0] if 2 in event else 0
            if i == 0:
                assert text(event[3][0]) == "brain.Event:2", "the first record"
            for raw in fields(event[5][0]).get(1, []) if 5 in event else []:
                print(step, *show(fields(raw)))


main()
