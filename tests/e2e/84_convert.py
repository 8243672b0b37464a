#!/usr/bin/env python3
"""A host that was installed by rsync as one plain root, as those of the first
eDeploy are, becomes one with versions while it runs: by what was published of
what it runs, which nobody wrote down here. A version that cannot start comes
back to the old root by itself; one that is good is left by `rollback`; and the
next release is an upgrade like any other."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vm  # noqa: E402

FROM, TO = "D12-F.1.0.0", "D12-F.1.0.1"
ROOT = f"/edeploy/roots/{FROM}"
TRUST = "/var/lib/edeploy/trees.pub"
PROVED = "for n in $(seq 60); do grep -q 'ed_try=.' /edeploy/boot.cfg || " \
    "break; edeploy prove; sleep 1; done; "


class Host:
    def __init__(self, t, m):
        self.t, self.m = t, m

    def run(self, command, seconds=240):
        return self.m.run(f"{command}; echo code=$?", seconds) or ""

    def does(self, command, what, *says):
        """It ends well, and says so."""
        said = self.run(command)
        return self.t.check(what, "code=0" in said and
                            all(s in said for s in says), said)

    def refuses(self, command, what, why):
        said = self.run(command)
        self.t.check(what, "code=1" in said and why in said, said)

    def stands_in(self, root, what):
        """What of its file system is at /."""
        said = self.m.run("cat /proc/self/mountinfo") or ""
        rows = [line.split() for line in said.splitlines()]
        at = [r[3] for r in rows if len(r) > 5 and r[4] == "/"][-1:]
        return self.t.check(what, at == [root], at)

    def keeps(self, what, *words):
        said = self.run("cat /etc/issue /etc/hostname /var/lib/db/table")
        self.t.check(f"{what}: edit, name and rows are there", all(
            w in said for w in ("mine", "host3", *words)), said)

    def boot(self, root, what):
        self.m.send("reboot\n")
        return self.t.check(what, self.m.expect(r"login:", 300) and
                            self.m.log_in(), self.m.tail()) and \
            self.stands_in(root, f"{what}: / is {root}")


def prepare(h, key, trees):
    """What somebody does who has such a host, step by step as he is told."""
    h.does("! ls /var/lib/edeploy/tree; echo mine >/etc/issue; "
           "mkdir -p /var/lib/db; echo rows >/var/lib/db/table",
           "nothing here tells what it was installed from")
    h.refuses("edeploy convert", "whom it shall believe is asked for", TRUST)
    with open(key) as f:
        h.run(f"echo '{f.read().strip()}' >{TRUST}")
    h.refuses("edeploy convert", "then what was published", "TREE=")
    h.run(f"echo TREE={trees} >>/var/lib/edeploy/conf")


def convert(h):
    h.does("edeploy convert", "converted while it runs",
           "stands in it already")
    h.stands_in(ROOT, "/ is the version")
    h.keeps("converted", "rows")
    h.does("edeploy status", "the old root is what GRUB goes back to",
           "plain  the root that was converted", f"running   {FROM}")
    h.does("edeploy verify", "every file is as published, or was noted",
           f"{FROM}: right")
    h.does(f"head -n 4 {ROOT}.record/seal", "and the record came", "tiny")
    h.refuses("edeploy convert", "once is enough", "holds versions already")


def falls_back(h):
    """The version's init is gone; nobody helps."""
    h.run(f"echo later >>/var/lib/db/table; rm {ROOT}/sbin/init; sync")
    if not h.boot("/", "what cannot start comes back by itself"):
        return
    h.keeps("the old root", "later")
    h.does("edeploy status; cat /edeploy/log", "it says what runs, and why",
           "running   plain", "no /sbin/init")
    h.refuses(f"edeploy upgrade {TO}", "it is no version", "edeploy convert")


def goes_back(h):
    """A version that was good, and is not wanted all the same."""
    h.does("edeploy convert", "converted once more", "stands in it already")
    h.refuses("edeploy prove", "what no boot has started is not good yet",
              f"{FROM} was entered live, and was never booted")
    if not h.boot(ROOT, "the version that was entered live boots"):
        return
    h.does(PROVED + "edeploy status", "it is good", f"good      {FROM}")
    h.run("echo of the version >/etc/issue; echo last >>/var/lib/db/table")
    h.does("edeploy rollback", "back to the old root", "the old root")
    if not h.boot("/", "the old root boots"):
        return
    h.keeps("rolled back", "later", "last")


def is_good(h):
    h.does("edeploy convert --at-boot", "converted for the next boot",
           "The running system is the old root still")
    h.stands_in("/", "/ is the old root until then")
    if not h.boot(ROOT, "the version boots"):
        return
    said = h.run(PROVED + "edeploy status; cat /proc/cmdline")
    h.t.check("it is good", re.search(
        rf"^good +{re.escape(FROM)}$", said, re.M), said)
    h.t.check("GRUB named it", f"init=/edeploy/init edeploy.root={FROM} "
              "edeploy.gen=" in said, said)
    h.keeps("the version", "later", "last")


def upgrades(h):
    h.does(f"edeploy upgrade {TO}", "it is upgraded as any other")
    h.stands_in(f"/edeploy/roots/{TO}", "the next version is /")
    h.does(PROVED + "edeploy status; cat /usr/share/tiny/version",
           "and is good", f"good      {TO}", f"\n{TO}\n")
    h.keeps("the next version", "later", "last")


def main():
    programs = vm.programs_of(sys.argv[1])
    t, work = vm.Tap(), vm.work_dir("convert")
    trees, key = vm.published(programs, "tiny", FROM, TO)
    vm.example_site(f"{work}/site")
    rsyncd = vm.Rsyncd(vm.tree_top("tiny", FROM, TO), work)
    server = vm.Edeployd(programs, f"{work}/site", vm.boot_files(programs),
                         work, vm.words(rsyncd) + " LAYOUT=plain")
    # who publishes comes later, and is another
    os.makedirs(f"{work}/trees")
    shelf = vm.Edeployd(programs, f"{work}/site", vm.boot_files(programs),
                        f"{work}/trees", vm.signed_words(),
                        f"TREES={trees}\n")
    m = vm.Vm(work, "host", vm.Disk(work, "disk"),
              pxe=f"http://{vm.HOST}:{server.port}/boot.ipxe")
    if t.check("installed by rsync, and a login",
               m.expect(r"login:", 600) and m.log_in(), m.tail()):
        h = Host(t, m)
        h.stands_in("/", "/ is the top of the disk")
        prepare(h, key, f"http://{vm.HOST}:{shelf.port}/trees")
        convert(h)
        falls_back(h)
        goes_back(h)
        is_good(h)
        upgrades(h)
    m.stop()
    return t.end()


sys.exit(main())
