#!/usr/bin/env python3
"""check_more.py TREES ROLE VERSION KEYS: what check_version.py looks at, and
then what only some clients need: the order of the manifest, deltas, marks."""
import re

import check_version as v

PATH_AT = {b"d": 5, b"f": 7, b"h": 1, b"l": 4, b"c": 7, b"b": 7, b"p": 5}
PIECE = {"delta": lambda x: x[1:4] if x[0] == "piece" else None,
         "marks": lambda x: x[2:5] if len(x) == 5 else None}


def plain(word):
    return re.sub(rb"\\x(..)", lambda m: bytes.fromhex(m[1].decode()), word)


def order(lines):
    """Each line behind those before it, below a directory that is there."""
    seen, last = {}, None
    for f in (line.split(b" ") for line in lines):
        name = plain(f[PATH_AT[f[0]]])
        key = [] if name == b"." else [b"."] + name.split(b"/")
        above = b"/".join(key[1:-1]) or b"."
        assert last is None or last < key and seen.get(above) == b"d", name
        assert f[0] != b"h" or seen.get(plain(f[2]), b"d") not in b"dh", name
        seen[name], last = f[0], key


def table(kind, *words):
    """The lines of a file's table, when each of its pieces is right."""
    lines = v.pieces(PIECE[kind], *words)[1]
    assert lines[:2] == [[f"edeploy-{kind}", "1"], ["hash", "blake2b-256-64k"]]
    return lines


order(v.lines)
shorts = {(f[6][:24], f[5]) for f in v.files}
for words in v.seal:
    if words[0] == "delta":
        lines = table(*words)
        assert lines[2:4] == [["from", words[7]], ["to", v.one["root"][0]]]
        assert {(x[2], x[3]) for x in lines if x[0] == "op"} <= shorts, words
    if words[0] == "marks":
        assert {(*x[:2],) for x in table(*words)[3:]} <= shorts, words
print("its deltas and marks: good")
