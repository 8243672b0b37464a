#!/usr/bin/env python3
"""75_systemd.py BUILD: the role mysql, a Debian with systemd and MariaDB, where
versions stand beside one another: installed by PXE, its services run, its rows
are state; a version that needs no boot is entered while it runs, one with
another kernel by a boot, and held on trial by a check of the owner's; it goes
down and comes up in order each time."""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "e2e"))
import vm  # noqa: E402

FIRST, APP, KERNEL = (f"D12-F.1.0.{n}" for n in (0, 1, 2))


# ---- versions ----

# A server that is another file and runs as before, and whoever restarts it.
APP_CHANGE = f"""
cp -p usr/sbin/mariadbd m; echo {APP} >>m; mv -f m usr/sbin/mariadbd
mkdir -p var/lib/edeploy/{APP}
printf '#!/bin/sh\\nexec systemctl restart mariadb\\n' \
    >var/lib/edeploy/{APP}/post
chmod 755 var/lib/edeploy/{APP}/post
"""
# as much another kernel as one that boots can be
KERNEL_CHANGE = """
for k in boot/vmlinuz-*; do cp $k k; echo >>k; mv -f k $k; done
"""


def make_tree(old, tree, version, change):
    """The tree `old` with what `change`, shell words, does to it; what changes
    is a file of its own."""
    subprocess.run(vm.as_root("sh", "-ec", f"""
        cp -al {old} {tree}
        cd {tree}
        rm var/lib/edeploy/conf
        printf 'VERS={version}\\nROLE=mysql\\n' >var/lib/edeploy/conf
        {change}"""), check=True)


def same_initrd(t, built):
    """Made once more it is the same file, as in the next build."""
    t.check("the same packages make the same initrd", subprocess.run(
        vm.as_root("unshare", "-m", "sh", "-ec", f"""
            mount -t tmpfs tmpfs {built}/tmp
            mount -t proc proc {built}/proc
            mount --bind /dev {built}/dev
            k=$(ls {built}/usr/lib/modules)
            SOURCE_DATE_EPOCH=1 chroot {built} mkinitramfs -o /tmp/again $k
            cmp {built}/tmp/again {built}/boot/initrd.img-$k
            """)).returncode == 0)


def publish(programs, work, built):
    """(folder for TREES, its public key)"""
    key, top = vm.tree_key(programs), f"{work}/top"
    trees = {FIRST: built, APP: f"{built}.{os.getpid()}.app",
             KERNEL: f"{built}.{os.getpid()}.kernel"}
    try:
        make_tree(built, trees[APP], APP, APP_CHANGE)
        make_tree(trees[APP], trees[KERNEL], KERNEL, KERNEL_CHANGE)
        for version, tree in trees.items():
            vm.run_as_root(f"{programs}/edeployctl", "publish", "mysql",
                           version, tree, "--top", top, "--key", key)
    finally:
        vm.run_as_root("rm", "-rf", trees[APP], trees[KERNEL])
    return f"{top}/trees", f"{key}.pub"


# ---- the host ----

class Host:
    def __init__(self, t, m):
        self.t, self.m = t, m

    def log_in(self):
        """In a shell that edits no lines and pages nothing."""
        if not self.m.log_in():
            return False
        self.m.send("export SYSTEMD_PAGER=cat; exec sh\nPS1=\n")
        return "code=0" in self.run("true")

    def run(self, command, seconds=300):
        return self.m.run(f"{command}; echo code=$?", seconds) or ""

    def seen(self, what, command, *wants, seconds=300):
        """All of these patterns are in what it says."""
        said = self.run(command, seconds)
        return self.t.check(what, all(re.search(w, said, re.M)
                                      for w in wants), said)

    def sql(self, what, words, *wants):
        return self.seen(what, f'mariadb -NB -e "{words}"', "^code=0", *wants)

    def is_well(self, what):
        self.seen(f"{what}: the system runs",
                  "systemctl is-system-running --wait", "^running")
        self.seen(f"{what}: no unit failed",
                  "systemctl --failed --no-legend --plain; echo END",
                  r"\A\s*END")
        self.sql(f"{what}: MariaDB has its rows", "SELECT * FROM t.rows",
                 "^kept$")
        self.seen(f"{what}: they are in the state",
                  "ls /edeploy/state/var/lib/mysql/t", "rows.frm")

    def is_at(self, version, what):
        self.seen(f"{what}: / is {version}",
                  "findmnt -no SOURCE /; edeploy version",
                  re.escape(f"[/edeploy/roots/{version}]"),
                  rf"(^|\s){re.escape(version)}(\s|$)")

    def is_good(self, version):
        self.seen(f"{version} is good",
                  "for n in $(seq 90); do grep -q 'ed_try=.' "
                  "/edeploy/boot.cfg || break; sleep 1; done; edeploy status",
                  rf"^good +{re.escape(version)}$")
        self.seen(f"every file of {version} is as published, or noted",
                  "edeploy verify", "^code=0")

    def boot_id(self):
        said = self.run("cat /proc/sys/kernel/random/boot_id")
        found = re.search(r"^[0-9a-f-]{36}$", said, re.M)
        return found and found.group()

    def boot(self, what):
        at, began = len(self.m.text), time.monotonic()
        self.m.send("reboot\n")
        if not self.t.check(what, self.m.expect(r"login:", 600) and
                            self.log_in(), self.m.tail()):
            return False
        said = re.sub(r"\x1b\[[0-9;]*[mK]", "", self.m.text[at:])
        self.t.show(f"{what}: {time.monotonic() - began:.0f} s")
        self.t.check(f"{what}: it went down and came up without an error",
                     "[  OK  ]" in said and "FAILED" not in said and
                     "stop job is running" not in said, said)
        self.seen(f"{what}: the disk was left in order",
                  "dmesg | grep 'EXT4-fs'",
                  r"(?s)\A(?!.*(recover|orphan|EXT4-fs error)).*EXT4-fs")
        self.seen(f"{what}: the journal holds the boot before",
                  "journalctl -b -1 -o cat | tail -n 100 | grep -i stop",
                  "(?i)stopping.*journal")
        return True


def begins(h):
    h.seen("it comes up", "systemctl is-system-running --wait", "^running")
    h.sql("MariaDB answers", "CREATE DATABASE t; CREATE TABLE t.rows (a "
          "TEXT) ENGINE=InnoDB; INSERT INTO t.rows VALUES ('kept')")
    h.run("echo edited >>/etc/issue; echo '[mysqld]' "
          ">/etc/mysql/mariadb.conf.d/99-mine.cnf")
    h.is_at(FIRST, "installed")
    h.is_well("installed")
    h.is_good(FIRST)
    h.seen("journald is persistent", "journalctl --header | grep 'File path'",
           "/var/log/journal/")
    h.seen("who proves a version ran", "systemctl show edeploy-prove -p "
           "Result -p ExecMainStatus -p ExecMainStartTimestampMonotonic",
           "^Result=success", "^ExecMainStatus=0",
           "^ExecMainStartTimestampMonotonic=[1-9]")
    h.seen("the package manager is at work", "dpkg -l mariadb-server | tail "
           "-n 1; dpkg --verify systemd", "^ii +mariadb-server", "^code=0")


def application(h):
    before = h.boot_id()
    began = time.monotonic()
    h.seen("an application's upgrade", f"edeploy upgrade {APP}", "^code=0")
    h.t.show(f"upgrade while it runs: {time.monotonic() - began:.0f} s")
    h.t.check("without a boot", before and h.boot_id() == before)
    h.is_at(APP, "upgraded live")
    h.seen("the new server runs", "tail -n 1 /proc/$(pidof mariadbd)/exe",
           f"{re.escape(APP)}")
    h.is_well("upgraded live")
    h.is_good(APP)


# What the manual has, and whoever operates this host has the last word.
HEALTH = r"""mkdir -p /etc/edeploy/health.d
printf '%s\n' '#!/bin/sh' 'test -e /run/well || { echo not yet; exit 3; }' \
    'exec mysqladmin --silent ping' >/etc/edeploy/health.d/mysql
chmod 755 /etc/edeploy/health.d/mysql"""


def is_held(h):
    """The owner's check says no, and then yes."""
    h.seen("a check in health.d that fails is named, and the version stays on "
           "trial", "edeploy prove; edeploy status",
           "/etc/edeploy/health.d/mysql: exit 3: not yet",
           "(?i)on trial, not proved yet")
    h.run("touch /run/well")


def kernel(h):
    h.run(HEALTH)
    h.seen("another kernel", f"edeploy upgrade {KERNEL}", "^code=0")
    h.is_at(APP, "before the boot")
    if not h.boot("the kernel's upgrade boots"):
        return
    h.is_at(KERNEL, "upgraded by a boot")
    is_held(h)
    h.is_well("upgraded by a boot")
    h.is_good(KERNEL)
    h.seen("edits are kept", "tail -n 1 /etc/issue; cat "
           "/etc/mysql/mariadb.conf.d/99-mine.cnf; cat /etc/hostname",
           "^edited", r"^\[mysqld\]", "^host3")
    h.seen("who tried what is told", "edeploy status; edeploy history",
           re.escape(APP), re.escape(KERNEL))


def main():
    programs = vm.programs_of(sys.argv[1])
    t, work = vm.Tap(), vm.work_dir("systemd")
    built = f"{vm.tree_top('mysql', FIRST)}/install/{FIRST}/mysql"
    same_initrd(t, built)
    trees, key = publish(programs, work, built)
    vm.example_site(f"{work}/site", script=lambda text:
                    text.replace("'tiny'", "'mysql'"))
    server = vm.Edeployd(programs, f"{work}/site",
                         vm.boot_files(programs, key), work,
                         vm.signed_words(),
                         f"TREES={trees}\n")
    began = time.monotonic()
    m = vm.Vm(work, "systemd", vm.Disk(work, "disk", "8G"),
              pxe=f"http://{vm.HOST}:{server.port}/boot.ipxe")
    h = Host(t, m)
    if t.check("installed, and a login", m.expect(r"\blogin:", 2400) and
               h.log_in(), m.tail()):
        t.show(f"power-on to login: {time.monotonic() - began:.0f} s")
        begins(h)
        if h.boot("it boots again"):
            h.is_well("after a boot")
            application(h)
            kernel(h)
        m.send("poweroff\n")
        t.check("it goes off", m.wait_off(180), m.tail())
    m.stop()
    return t.end()


sys.exit(main())
