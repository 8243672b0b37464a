#!/usr/bin/env python3
"""odd_test.py EDEPLOY EDEPLOYCTL: hosts as they are after years: files that
cannot be removed, folders of nobody, mounts where nobody looks. Prints TAP."""
import os
import subprocess
import sys

import versioned_lab as lab
from versioned_lab import check, put

lab.own_namespace()
disk = None
CALM = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}


def run(*words):
    return subprocess.run(words, capture_output=True, text=True, check=False)


def go_on(version):
    """Upgraded, and proved as a boot would."""
    code, out, err = disk.call("upgrade", version, "--allow-downgrade")
    check(f"{version} comes", code == 0 and disk.cfg()["try"] == version,
          out + err)
    disk.prove()
    return out, err


def make_site():
    global disk
    disk = lab.Lab(sys.argv[1], sys.argv[2], 96)
    for version in ("V1", "V2", "V3", "V4", "V5"):
        disk.publish(version)
    disk.install("V1")


def removals():
    """What cannot go keeps neither an upgrade nor the rest from going."""
    locked = disk.root("V1", "/etc/resolv.conf")
    put(locked, "nameserver 192.0.2.1\n")
    shared = disk.root("V1", "/usr/lib/same.so")
    os.makedirs(disk.root("V1", "/etc/locked"))
    put(disk.root("V1", "/etc/locked/f"), "f\n")
    outside = disk.top + "/outside"
    put(outside + "/precious", "data\n")
    go_on("V2")
    check("V2 shares", os.stat(shared).st_ino ==
          os.stat(disk.root("V2", "/usr/lib/same.so")).st_ino)
    run("chattr", "+i", locked, disk.root("V1", "/etc/locked"), shared)
    os.makedirs(disk.root("V1", "/mnt"))
    run("mount", "--bind", outside, disk.root("V1", "/mnt"))
    put(disk.root("backup/x/f"), "somebody's\n")
    put(disk.root("notes.txt"), "somebody's\n")
    go_on("V3")
    code, out, err = disk.call("upgrade", "V4")
    check("an upgrade goes on where an old version cannot go",
          code == 0 and "roots/V1/mnt stays, as something is mounted there" in
          err and "warning" in err, out + err)
    code, out, err = disk.call("rollback")
    check("and is taken back", code == 0, out + err)
    code, out, err = disk.call("gc")
    check("gc fails of it, and takes what it can",
          code == 1 and "unmount" in err and
          not [n for n in disk.names() if n.startswith("V4")], out + err)
    check("nothing that is mounted there was removed",
          os.path.exists(outside + "/precious"))
    run("umount", disk.root("V1", "/mnt"))
    code, out, err = disk.call("gc")
    check("what is immutable goes, too", code == 0 and
          not [n for n in disk.names() if n.startswith("V1")], out + err)
    flags = run("lsattr", disk.root("V2", "/usr/lib/same.so")).stdout
    check("and stays so in the other version", "i" in flags[:20], flags)
    run("chattr", "-i", disk.root("V2", "/usr/lib/same.so"))
    check("names that are nobody's version stay",
          disk.get("backup", "/x/f") == "somebody's\n" and
          "notes.txt" in disk.names(), disk.names())


def container():
    """Mounts of a name space of its own hold a folder of an old version."""
    place = disk.dir + "/volume"
    os.mkdir(place)
    source = disk.root("V3", "/usr/lib")
    p = subprocess.Popen(["unshare", "-m", "--propagation", "private", "sh",
                          "-c", f"mount --bind {source} {place} && echo up && "
                          "exec sleep 1000"], stdout=subprocess.PIPE,
                         text=True)
    p.stdout.readline()
    go_on("V4")
    go_on("V5")
    disk.call("gc")
    check("a container's folder is not taken away",
          os.path.exists(source + "/same.so"), disk.names())
    p.kill()
    p.wait()
    code, out, err = disk.call("gc")
    check("until it has ended",
          code == 0 and not os.path.exists(disk.root("V3")), out + err)


def read(path):
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return None


def upgrade_blind(version, path):
    """(code, stderr) where folder `path` cannot be listed."""
    p = subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", "-P", path,
                        "-e", "inject=getdents64:error=EIO", disk.edeploy,
                        "upgrade", version, "--root", disk.top], text=True,
                       timeout=300, capture_output=True, env=CALM, check=False)
    return p.returncode, p.stderr


def own_data():
    """What no version brought, in the root's top: as /srv, it goes with no
    version."""
    put(disk.root("V1", "/vol/db/rows"), "one\n")
    put(disk.root("V1", "/with blank/f"), "f\n")
    put(disk.root("V1", "/swapfile"), "pages\n", 0o600)
    put(disk.root("V1", "/fixed"), "fixed\n")
    run("chattr", "+i", disk.root("V1", "/fixed"))
    os.symlink("/srv/x", disk.root("V1", "/way"))
    os.makedirs(disk.root("V1", "/nothing/in/it"))
    code, out, err = disk.call("test-upgrade", "V2")
    check("it is told before",
          "vol:\n    no version brought it: it is this host's own" in out and
          "with blank:\n    no version brought it, and a name with" in out and
          "nothing" not in out and max(map(len, out.splitlines())) <= 80, out)
    go_on("V2")
    with open(disk.root("V1", "/vol/db/rows"), "a") as f:
        f.write("two\n")
    put(disk.root("V1", "/vol/db/new"), "new\n")
    check("a folder is one for both, with what came since",
          "state vol\n" in read(disk.root("V2.mounts")) and
          os.path.isdir(disk.root("V2", "/vol")) and
          read(disk.state("/vol/db/rows")) == "one\ntwo\n" and
          read(disk.state("/vol/db/new")) == "new\n",
          read(disk.root("V2.mounts")))
    with open(disk.root("V1", "/swapfile"), "a") as f:
        f.write("more\n")
    check("a file is one inode in both, and a link is there",
          read(disk.root("V2", "/swapfile")) == "pages\nmore\n" and
          os.readlink(disk.root("V2", "/way")) == "/srv/x" and
          read(disk.root("V2", "/fixed")) == "fixed\n")
    code, out, err = disk.call("verify", "V2")
    check("neither is damage", code == 0, out + err)
    code, out, err = disk.call("test-upgrade", "V3")
    check("and no news any more", "vol" not in out, out)
    go_on("V3")
    code, out, err = disk.call("gc")
    check("its version is gone, and the folder has moved", code == 0 and
          "V1" not in disk.names() and
          not os.path.islink(disk.state("/vol")) and
          read(disk.state("/vol/db/rows")) == "one\ntwo\n" and
          read(disk.state("/with blank/f")) == "f\n" and
          "state vol\n" in read(disk.root("V3.mounts")) and
          read(disk.root("V3", "/swapfile")) == "pages\nmore\n", out + err)
    check("an empty one comes along with nobody",
          not os.path.exists(disk.root("V2", "/nothing")))
    put(disk.root("V3", "/vol/hidden"), "by somebody who unmounted it\n")
    code, out, err = disk.call("upgrade", "V4")
    check("two of one name are refused", code == 1 and
          "give one of the two another name" in err and
          disk.cfg()["try"] == "", out + err)
    os.unlink(disk.root("V3", "/vol/hidden"))
    put(disk.root("V3", "/late/f"), "f\n")
    disk.call("upgrade", "V4")
    os.rename(disk.root("V3", "/late"), disk.root("V3", "/later"))
    disk.call("rollback")
    go_on("V4")
    check("one that was given another name meanwhile",
          read(disk.state("/later/f")) == "f\n" and
          "state late\n" not in read(disk.root("V4.mounts")),
          read(disk.root("V4.mounts")))
    disk.write_cfg(int(disk.cfg()["gen"]) + 1, "V4")
    code, out, err = disk.call("gc")
    check("moves, too", code == 0 and read(disk.state("/later/f")) == "f\n" and
          "V3" not in disk.names(), out + err)
    put(disk.root("V4", "/vol2/f"), "before\n")
    disk.call("upgrade", "V5")
    put(disk.root("V4", "/vol3/f"), "behind the upgrade\n")
    put(disk.root("V5", "/vol4/f"), "on trial\n")
    put(disk.root("V5", "/note"), "on trial\n")
    disk.write_cfg(int(disk.cfg()["gen"]) + 1, "V4")
    for path in disk.root("V5"), disk.state(""):
        code, err = upgrade_blind("V5", path)
        check(f"{path} cannot be listed: nothing is lost", code == 1 and
              "Input/output error" in err and
              os.path.exists(disk.root("V5", "/vol4/f")), err)
    code, err = upgrade_blind("V5", disk.root("V5", "/vol4"))
    check("what was made in a version that fell is kept, readable or not",
          code == 0 and read(disk.state("/vol4/f")) == "on trial\n" and
          read(disk.state("/note")) == "on trial\n" and
          "V5 goes, and what no version brought there is kept as" in err and
          "state vol3\n" in read(disk.root("V5.mounts")), out + err)
    put(disk.root("V4", "/vol5/f"), "behind the upgrade\n")
    put(disk.root("V4", "/vol4/f"), "another\n")
    disk.prove()
    disk.write_cfg(int(disk.cfg()["gen"]) + 1, "V5")
    code, out, err = disk.call("gc")
    check("and what was made behind the upgrade",
          code == 0 and "V4" not in disk.names() and
          read(disk.state("/vol5/f")) == "behind the upgrade\n" and
          read(disk.state("/vol4.V4.1/f")) == "another\n" and
          read(disk.state("/vol2/f")) == "before\n", out + err)
    for name in ("vol", "later"):
        subprocess.run(["rm", "-r", disk.state("/" + name)], check=True)
    for version in ("V4", "V3", "V1"):
        run("chattr", "-i", disk.root(version, "/fixed"))


def fall(version, good):
    """It was brought, and is left: the next upgrade takes it up again."""
    code, out, err = disk.call("upgrade", version)
    check(f"{version} is on trial", code == 0, out + err)
    disk.write_cfg(int(disk.cfg()["gen"]) + 1, good)


def swap():
    """The system swaps to a file of its own: nobody takes its names away."""
    path = disk.root("V1", "/swapfile")
    with open(path, "wb") as f:
        f.write(bytes(1 << 20))
    os.chmod(path, 0o600)
    run("mkswap", path)
    if run("swapon", path).returncode:
        check("swap # SKIP may not swap to a file", True)
        return
    try:
        fall("V2", "V1")
        go_on("V2")
        check("a version is taken up again", os.path.samefile(
            path, disk.root("V2", "/swapfile")))
        go_on("V3")
        code, out, err = disk.call("gc")
        check("of an old one nothing but that name stays, and nobody fails",
              code == 0 and os.listdir(disk.root("V1")) == ["swapfile"] and
              "V1.record" in disk.names(), out + err)
        p = run("rm", "-f", path)
        check("for it cannot go", p.returncode == 1, p.stderr)
    finally:
        run("swapoff", disk.root("V3", "/swapfile"))
        run("swapoff", path)
    code, out, err = disk.call("gc")
    check("and goes when it can", code == 0 and
          not [n for n in disk.names() if n.startswith("V1")], out + err)
    check("the file itself stays",
          os.path.getsize(disk.root("V3", "/swapfile")) == 1 << 20)


def immutable():
    """Somebody hardened a version that fell: it can be tried again."""
    fall("V4", "V3")
    added, theirs = (disk.root("V4", p) for p in ("/etc/fixed",
                                                  "/usr/lib/same.so"))
    put(added, "fixed\n")
    run("cp", "-a", theirs, theirs + ".x")
    run("mv", theirs + ".x", theirs)
    for path in added, theirs:
        run("chattr", "+i", path)
    put(disk.root("V4", "/etc.edeploy-merge/shadow"), "left\n")
    go_on("V4")
    code, out, err = disk.call("verify", "V4")
    check("as it should be", code == 0, out + err)
    check("and what a merge left is nobody's own",
          "etc.edeploy-merge" not in read(disk.root("V4.mounts")))


def main():
    try:
        make_site()
        swap()
        immutable()
        disk.close()
        make_site()
        own_data()
        disk.close()
        make_site()
        removals()
        container()
    finally:
        disk.close()
    return lab.end()


sys.exit(main())
