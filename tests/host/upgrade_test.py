#!/usr/bin/env python3
"""The edeploy command against a real rsync daemon on loopback and a system
below a folder: what is kept, added, deleted, recorded, and said after a
failure. Prints TAP. Usage: upgrade_test.py EDEPLOY"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
from ports import free_port  # noqa: E402
from tap import check, end  # noqa: E402

EDEPLOY = os.path.abspath(sys.argv[1])
TOP = tempfile.mkdtemp(prefix="upgrade_test.")
ROOT = TOP + "/root"


def put(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


def get(path):
    try:
        with open(ROOT + path) as f:
            return f.read()
    except FileNotFoundError:
        return None


def call(*words, env=None):
    p = subprocess.run([EDEPLOY, *words, "--root", ROOT], text=True,
                       capture_output=True, timeout=60,
                       env={**os.environ, **(env or {})})
    return p.returncode, p.stdout, p.stderr


def snapshot():
    """Every path with its bytes: what must not change is equal to before."""
    seen = {}
    for base, dirs, files in os.walk(ROOT):
        for name in files:
            path = os.path.join(base, name)
            with open(path, "rb") as f:
                seen[path] = (os.stat(path).st_mode, f.read())
        for name in dirs:
            seen[os.path.join(base, name)] = "dir"
    return seen


def tree(version, files):
    for path, text in files.items():
        put(f"{TOP}/install/{version}/tiny{path}", text)


def metadata(src, dst, **files):
    base = f"{TOP}/metadata/{src}/tiny/{dst}"
    os.makedirs(base, exist_ok=True)
    for name, (text, mode) in files.items():
        put(f"{base}/{name}", text, mode)


def make_site():
    same = "x" * 64
    tree("V1", {"/bin/tool": "tool 1\n", "/etc/app.conf": "app 1\n",
                "/etc/gone.conf": "gone\n", "/lib/same": same,
                "/var/lib/edeploy/V1/exclude": "/var/\n/home/\n/usr/\n"})
    # equal size and time, other bytes: rsync without --checksum is blind
    tree("V2", {"/bin/tool": "tool 2\n", "/etc/app.conf": "app 2\n",
                "/etc/new.conf": "new\n", "/lib/same": "y" * 64,
                "/var/lib/app/seed": "seed 2\n", "/var/lib/app/more": "m\n"})
    tree("V3", {"/bin/tool": "tool 3\n"})
    for version in ("V1", "V2", "V3"):
        shutil.copy(shutil.which("busybox"),
                    f"{TOP}/install/{version}/tiny/bin/sh")
    for version in ("V1", "V2"):
        os.utime(f"{TOP}/install/{version}/tiny/lib/same", (1e9, 1e9))
    exclude = "/etc/app.conf\n/var/\n/home/\n"
    only = "+ /var/\n+ /var/**\n- *\n"
    metadata("V1", "V2", exclude=(exclude, 0o644), add_only=(only, 0o644))
    metadata("V2", "V1", exclude=(exclude, 0o644), add_only=("- *\n", 0o644))
    metadata("V1", "V3", exclude=(exclude, 0o644), add_only=("", 0o644))
    metadata("V1", "V4", add_only=("- *\n", 0o644))
    os.symlink("V2", f"{TOP}/metadata/V1/tiny/V2-alias")


def make_root(port):
    shutil.copytree(f"{TOP}/install/V1/tiny", ROOT, symlinks=True)
    put(ROOT + "/var/lib/edeploy/conf",
        "VERS=V1\nROLE=tiny\nSERV=10.9.8.7\n"
        f"RSERV=127.0.0.1\nRSERV_PORT={port}\nRPATH=install\n")
    put(ROOT + "/var/log/edeploy/vars", "ROLE=tiny\nPROFILE=vm\n")
    put(ROOT + "/etc/app.conf", "edited here\n")
    put(ROOT + "/etc/fstab", "UUID=mine / ext4 defaults 0 1\n")
    put(ROOT + "/usr/sbin/edeploy", "the command itself\n")
    put(ROOT + "/var/lib/edeploy/tree/seal", "of V1\n")
    put(ROOT + "/var/lib/edeploy/tree/manifest.zst", "of V1\n")
    put(ROOT + "/var/lib/app/seed", "grown here\n")
    put(ROOT + "/home/me/notes", "notes\n")
    put(ROOT + "/boot/grub/grub.cfg", "grub\n")


def start_daemon():
    port = free_port()
    me = "root" if os.getuid() == 0 else str(os.getuid())
    put(f"{TOP}/rsyncd.conf",
        f"use chroot = no\nread only = yes\nlist = no\n"
        + (f"uid = {me}\ngid = {me}\n" if os.getuid() == 0 else "")
        + f"[install]\npath = {TOP}/install\nnumeric ids = yes\n"
        f"[metadata]\npath = {TOP}/metadata\n")
    p = subprocess.Popen(["rsync", "--daemon", "--no-detach",
                          f"--config={TOP}/rsyncd.conf", f"--port={port}",
                          "--address=127.0.0.1"],
                         stderr=subprocess.DEVNULL)
    for _ in range(100):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return p, port
        time.sleep(0.05)
    raise SystemExit("Bail out! the rsync daemon does not start")


def look():
    for word, want in (("version", "V1"), ("role", "tiny"),
                       ("profile", "vm")):
        code, out, err = call(word)
        check(word, (code, out) == (0, want + "\n"), out + err)
        code, out, err = call(word, "--json")
        check(word + " json", code == 0 and json.loads(out) == {word: want})
    code, out, err = call("list")
    check("list",
          code == 0 and out.split() == ["V2", "V2-alias", "V3", "V4"],
          out + err)
    code, out, err = call("list", "--json")
    check("list json", json.loads(out)["versions"][0] == "V2", out)
    check("usage is 2", call("upgrade")[0] == 2)
    check("unknown is 2", call("nonsense")[0] == 2)


def verify_and_test():
    before = snapshot()
    code, out, err = call("verify")
    check("verify names the edited file only",
          code == 1 and "etc/app.conf" in out and "bin/tool" not in out,
          out + err)
    check("verify leaves out what is this machine's own",
          "1 change\n" in out, out)
    code, out, err = call("verify", "--json")
    check("verify json",
          code == 1 and [c["path"] for c in json.loads(out)["changes"]] ==
          ["etc/app.conf"], out + err)
    code, out, err = call("test-upgrade", "V2")
    check("test-upgrade shows changes",
          code == 0 and "lib/same" in out and "etc/new.conf" in out
          and "var/lib/app/more" in out,
          out + err)
    check("test-upgrade shows what goes",
          "*deleting" in out and "etc/gone.conf" in out, out)
    check("test-upgrade leaves out what is excluded",
          "app.conf" not in out and "app/seed" not in out, out)
    code, out, err = call("test-upgrade", "V2", "--json")
    check("test-upgrade json",
          code == 0 and any(c["path"] == "lib/same" and c["pass"] == 1
                            for c in json.loads(out)["changes"]), out + err)
    check("verify and test-upgrade change nothing", snapshot() == before)


def refusals():
    before = snapshot()
    for version, say in (("V9", "no way from V1 to V9"),
                         ("V9", "/V9/ is not there (rsync exit 23)"),
                         ("V3", "add_only"), ("V4", "exclude"),
                         ("../V2", "not a version"), ("V1", "already")):
        code, out, err = call("upgrade", version)
        check(f"upgrade {version} is refused", code == 1 and say in err,
              out + err)
    check("a refused upgrade changes nothing",
        snapshot() == {**before, **{
        p: v for p, v in snapshot().items() if "/run" in p}})
    metadata("V1", "V2", pre=("#!/bin/sh\nexit 3\n", 0o755))
    code, out, err = call("upgrade", "V2")
    check("pre can say no", code == 1 and "exit 3" in err, out + err)
    check("after pre said no the host is whole",
          get("/bin/tool") == "tool 1\n" and
          not os.path.exists(ROOT + "/var/lib/edeploy/upgrade"))
    os.unlink(f"{TOP}/metadata/V1/tiny/V2/pre")


def upgrade_with_failure():
    metadata("V1", "V2", post=("#!/bin/sh\nexit 7\n", 0o755))
    code, out, err = call("upgrade", "V2")
    check("a failing post stops", code == 1 and "exit 7" in err, out + err)
    check("and is not recorded", call("version")[1] == "V1\n")
    check("and every call says so",
          "upgrading to V2 since" in call("version")[2], call("version")[2])
    code, out, err = call("upgrade", "V3")
    check("another target is refused meanwhile",
          code == 1 and "edeploy upgrade V2" in err, err)
    metadata("V1", "V2", post=("#!/bin/sh\necho post ran live=$EDEPLOY_LIVE\nexit 100\n", 0o755))
    code, out, err = call("upgrade", "V2")
    check("the same upgrade again ends well",
          code == 0 and "not safe against a power cut" in out
          and "post ran live=\n" in out and "wants a reboot" in err, out + err)


def after_upgrade():
    check("what was recorded of the older tree counts no more",
          get("/var/lib/edeploy/tree/seal") is None and
          get("/var/lib/edeploy/tree/manifest.zst") is not None)
    code, out, err = call("history", "--json")
    rows = [(r["action"], r["from"], r["to"], r["words"]) for r in
            json.loads(out)["history"]]
    check("history",
          rows[-1] == ("upgrade", "V1", "V2", "in place") and
          [r[0] for r in rows] == ["failed", "failed", "upgrade"] and
          "post failed (exit 7)" in rows[1][3], out + err)
    code, out, err = call("status")
    check("status", code == 0 and "running   V2" in out, out + err)
    for word in ("rollback", "gc"):
        check(f"{word} says why not",
              call(word)[0] == 1 and "not laid out in versions" in
              call(word)[2], call(word))
    check("the version is recorded", call("version")[1] == "V2\n")
    check("nothing is under way any more", call("version")[2] == "")
    want = {"/bin/tool": "tool 2\n", "/etc/new.conf": "new\n",
            "/etc/gone.conf": None, "/lib/same": "y" * 64,
            "/etc/app.conf": "edited here\n", "/home/me/notes": "notes\n",
            "/var/lib/app/seed": "grown here\n", "/var/lib/app/more": "m\n",
            "/etc/fstab": "UUID=mine / ext4 defaults 0 1\n",
            "/usr/sbin/edeploy": "the command itself\n",
            "/boot/grub/grub.cfg": "grub\n", "/etc/motd": "Version V2\n"}
    for path, text in want.items():
        check(f"{path} is as it must be", get(path) == text, get(path))
    code, out, err = call("verify")
    check("what an upgrade writes itself is no difference",
          code == 1 and "motd" not in out, out + err)
    check("SERV is kept", "SERV=10.9.8.7\n" in get("/var/lib/edeploy/conf"))
    check("no half fetched metadata is left",
          not [n for n in os.listdir(ROOT + "/var/lib/edeploy")
               if n.startswith(".")])
    code, out, err = call("upgrade", "V1", "--json")
    check("and back again, as json",
        code == 0 and json.loads(out) == {
        "from": "V2", "version": "V1", "reboot": False}, out + err)
    check("the files of V1 are back",
          get("/bin/tool") == "tool 1\n" and get("/etc/gone.conf"))


def left_mark():
    """The power went when all was done but for the mark's own end."""
    put(ROOT + "/var/lib/edeploy/upgrade",
        "TO=V1\nSINCE=2026-01-01T00:00:00Z\nSTEP=post\n")
    code, out, err = call("status")
    check("a mark of an upgrade that has ended is none", code == 0 and
          "mixed" not in out + err, out + err)
    code, out, err = call("upgrade", "V1")
    check("this version is there already", code == 1 and
          "this host is at V1 already" in err, out + err)
    code, out, err = call("upgrade", "V9")
    check("and another one may come", code == 1 and "between" not in err and
          "/V9/ is not there" in err, out + err)
    os.unlink(ROOT + "/var/lib/edeploy/upgrade")


def silence(port):
    """After the daemon went."""
    code, out, err = call("list")
    check("who does not answer is named, and where that is told",
          code == 1 and f":{port}/" in err and "RSERV_PORT in" in err, err)


def main():
    make_site()
    daemon, port = start_daemon()
    try:
        make_root(port)
        look()
        verify_and_test()
        # hooks run in a chroot of the system, which only root can
        if os.getuid() == 0:
            refusals()
            upgrade_with_failure()
            after_upgrade()
            left_mark()
        else:
            check("upgrade # SKIP not root", True)
        daemon.send_signal(signal.SIGTERM)
        daemon.wait()
        silence(port)
    finally:
        daemon.kill()
        daemon.wait()
        shutil.rmtree(TOP)
    return end()


sys.exit(main())
