#!/usr/bin/env python3
"""check_version.py TREES ROLE VERSION KEYS: is this published version right?
Written from docs/formats.md alone, for those who trust none of our code: only
hashlib, and the programs zstd and openssl."""
import base64
import hashlib
import re
import subprocess
import sys
import tempfile

trees, role, version, keys = sys.argv[1:]
DER = bytes.fromhex("302a300506032b6570032100")  # what X.509 puts before a key
PATH_AT = {b"d": 5, b"f": 7, b"h": 1, b"l": 4, b"c": 7, b"b": 7, b"p": 5}
PIECE = {"pack": lambda x: x if len(x) == 3 else None,
         "delta": lambda x: x[1:4] if x[0] == "piece" else None,
         "marks": lambda x: x[2:5] if len(x) == 5 else None}


def digest(data):
    return hashlib.blake2b(data, digest_size=32).hexdigest()


def need(good, what):
    if not good:
        sys.exit(f"{role} {version}: {what}")


def read(path):
    with open(f"{trees}/{path}", "rb") as f:
        return f.read()


def unzstd(frames, raw):
    text = b"" if not frames else subprocess.run(
        ["zstd", "-dcq"], input=frames, check=True, stdout=-1).stdout
    need(len(text) == int(raw), f"{len(text)} bytes in frames, not {raw}")
    return text


def signed(path, kind):
    """A text below a signature: all of it but its end, and its lines."""
    text, sign = read(path).rsplit(b"sign ", 1)
    body, keyid = text.rsplit(b"key ", 1)
    public = [base64.b64decode(x.split()[1]) for x in open(keys).readlines()[1:]]
    mine = [x for x in public if digest(x)[:16] == keyid.decode().strip()]
    with tempfile.TemporaryDirectory() as d:
        for name, data in (("key", DER + b"".join(mine)), ("text", text),
                           ("sign", base64.b64decode(sign))):
            open(f"{d}/{name}", "wb").write(data)
        need(mine and sign.endswith(b"\n") and subprocess.call(
            ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform",
             "DER", "-inkey", f"{d}/key", "-sigfile", f"{d}/sign", "-in",
             f"{d}/text"], stdout=-3, stderr=-3) == 0, f"{path}: signature")
    lines = [x.split() for x in body.decode().splitlines()]
    need(lines[0] == [f"edeploy-{kind}", "1"], f"{path}: not a {kind}")
    return body, lines


def table(kind, path, size, at, table_hash, raw, *_):
    """The pieces of a file, each checked, and the lines of its table."""
    data, at, end = read(path), int(at), 0
    need(len(data) == int(size) and digest(data[at:]) == table_hash, path)
    lines = [x.split() for x in unzstd(data[at:], raw).decode().splitlines()]
    need(lines[:2] == [["edeploy-" + kind, "1"], ["hash", "blake2b-256"]], path)
    for piece in filter(None, map(PIECE[kind], lines)):
        need(digest(data[end:end + int(piece[0])]) == piece[2],
             f"{path}: damaged at {end}")
        end += int(piece[0])
    need(end == at, f"{path}: pieces end at {end}, not {at}")
    return data[:at], lines


def pack(found, *words):
    data, lines = table("pack", *words)
    blobs = lines[4 + int(lines[2][1]):]
    raw, at = unzstd(data, sum(int(size) for _, size in blobs)), 0
    need(["blobs", str(len(blobs))] in lines, f"{words[0]}: count of blobs")
    for short, size in blobs:
        content = digest(raw[at:at + int(size)])
        need(content.startswith(short), f"{words[0]}: content {short}")
        found[content], at = int(size), at + int(size)


def plain(word):
    return re.sub(rb"\\x(..)", lambda m: bytes.fromhex(m[1].decode()), word)


def manifest(path, size, file_hash, raw):
    frame, seen, want, last = read(path), {}, {}, None
    need(len(frame) == int(size) and digest(frame) == file_hash, path)
    text = unzstd(frame, raw)
    top, *lines = text.split(b"bytes ", 1)[1].splitlines()
    for f in (line.split(b" ") for line in lines):
        name = plain(f[PATH_AT[f[0]]])
        key = [] if name == b"." else [b"."] + name.split(b"/")
        need(last is None or last < key and seen.get(b"/".join(key[1:-1]) or
             b".") == b"d", f"{name} is out of order or in no directory")
        need(f[0] != b"h" or seen.get(plain(f[2]), b"d") not in b"dh", name)
        seen[name], last = f[0], key
    files = [x.split(b" ") for x in lines if x[:1] == b"f"]
    need(sum(int(f[5]) for f in files) == int(top), "sum of bytes")
    want = {f[6].decode(): int(f[5]) for f in files if f[5] != b"0"}
    return digest(text), str(len(lines)), top.decode(), want


head = dict(signed(f"{role}/{version}/HEAD", "head")[1])
body, seal = signed(f"{role}/{version}/seal-{head['seal']}", "seal")
one = {x[0]: x[1:] for x in seal}
need(digest(body) == head["seal"] and one["hash"] == ["blake2b-256"], "seal")
need([head["role"], head["version"]] == [role, version], "another version")
for word in "role", "version", "serial", "revision", "root":
    need(one[word][0] == head[word], f"HEAD and seal differ in {word}")
*root, want = manifest(*one["manifest"])
need(one["root"] == root, "the manifest is not the root's")
found, shorts = {}, {(h[:24], str(size)) for h, size in want.items()}
for kind, *words in seal:
    if kind == "full":
        pack(found, *words)
    if kind == "delta":
        lines = table("delta", *words)[1]
        need(lines[2:4] == [["from", words[6]], ["to", root[0]]], "roots")
        need({(x[2], x[3]) for x in lines if x[0] == "op"} <= shorts, "op")
    if kind == "marks":
        need({(*x[:2],) for x in table("marks", *words)[1][3:]} <= shorts, kind)
need(want.items() <= found.items(), "a content of the manifest is in no pack")
print(f"{role} {version}: {root[1]} entries, {root[2]} bytes, {len(want)} "
      "contents: good")
