#!/usr/bin/env python3
"""check_version.py TREES ROLE VERSION KEYS: is this published version right?
From docs/formats.md alone, with hashlib and the programs zstd and openssl."""
import base64, hashlib, subprocess, sys, tempfile  # noqa: E401
trees, role, version, keys = sys.argv[1:]
DER = bytes.fromhex("302a300506032b6570032100")  # what X.509 puts before a key
OPENSSL = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform",
           "DER", "-inkey", "key", "-sigfile", "sign", "-in", "text"]
read = lambda path: open(f"{trees}/{path}", "rb").read()  # noqa: E731
def digest(data):
    cut = [data[i:i + 65536] for i in range(0, len(data) or 1, 65536)]
    parts = [hashlib.blake2b(x, digest_size=32).digest() for x in cut]
    all_ = b"".join(parts) + len(data).to_bytes(8, "little")
    return parts[0].hex() if len(cut) == 1 else hashlib.blake2b(
        all_, digest_size=32, person=b"edeploy-64k").hexdigest()
def unpack(frames, raw):
    got = subprocess.check_output(["zstd", "-dcq"], input=frames)
    return got if len(got) == int(raw) else sys.exit(f"{len(got)}, not {raw}")
def signed(path):  # its body, and the lines of that
    text, sign = read(path).rsplit(b"sign ", 1)
    body, keyid = text.rsplit(b"key ", 1)
    public = [base64.b64decode(x.split()[1]) for x in open(keys).readlines()[1:]]
    mine, = [k for k in public if digest(k)[:16] == keyid.decode().strip()]
    with tempfile.TemporaryDirectory() as d:
        for name, data in (("key", DER + mine), ("text", text),
                           ("sign", base64.b64decode(sign))):
            open(f"{d}/{name}", "wb").write(data)
        subprocess.run(OPENSSL, cwd=d, check=True, stdout=-3)
    assert sign.endswith(b"\n"), f"{path}: cut"
    return body, [line.split() for line in body.decode().splitlines()]
def pieces(piece_of, path, size, at, want, raw, *_):  # checked; the table
    data, end, at = read(path), 0, int(at)
    assert len(data) == int(size) and digest(data[at:]) == want, path
    lines = [x.split() for x in unpack(data[at:], raw).decode().splitlines()]
    for x in filter(None, map(piece_of, lines)):
        assert digest(data[end:(end := end + int(x[0]))]) == x[2], (path, end)
    assert end == at, f"{path}: pieces end at {end}, not {at}"
    return data[:at], lines
def contents(*words):  # of a pack
    frames, lines = pieces(lambda x: x if len(x) == 3 else None, *words)
    blobs, at = lines[4 + int(lines[2][1]):], 0
    raw = unpack(frames, sum(int(size) for _, size in blobs))
    for short, size in blobs:
        content = digest(raw[at:(at := at + int(size))])
        assert content.startswith(short), f"{words[0]}: content {short}"
        yield content, size
head = dict(signed(f"{role}/{version}/HEAD")[1])
body, seal = signed(f"{role}/{version}/seal-{head['seal']}")
one = {x[0]: x[1:] for x in seal} | {"seal": [digest(body)]}
assert (head["role"], head["version"]) == (role, version), "another version"
assert all(one[x][0] == head[x] for x in head if x[0] != "e"), "HEAD and seal"
frame, (path, size, want, raw) = read(one["manifest"][0]), one["manifest"]
assert len(frame) == int(size) and digest(frame) == want, path
lines = (text := unpack(frame, raw)).splitlines()[4:]
files = [x.decode(errors="replace").split() for x in lines if x[:2] == b"f "]
assert one["root"] == [digest(text), str(len(lines)), str(sum(
    int(f[5]) for f in files))], "the manifest is not the root's"
found = dict(c for x in seal if x[0] == "full" for c in contents(*x[1:]))
assert all(found.get(f[6], "0") == f[5] for f in files), "no pack has a file"
print(f"{role} {version}: {len(lines)} entries, {len(found)} contents: good")
