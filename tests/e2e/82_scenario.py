#!/usr/bin/env python3
"""What a host goes through: an application's upgrade while it runs, its service
restarted; one whose post fails; a kernel's upgrade by a counted boot; and the
way back from both. What people edited and a service's rows are kept all along.
"""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import vm  # noqa: E402

BASE = "D12-F.1.0.0"
FIRST, BAD, APP, KERNEL = (f"D12-S.1.{n}" for n in (0, 1, 2, 3))
# busybox by another name, so that it is the version's own program
DAEMON = "/usr/bin/busyboxd httpd -p 8080 -h /usr/share/tiny"
RESTART = f"#!/bin/sh\nkillall busyboxd\n{DAEMON}\n"
PROVED = "for n in $(seq 60); do grep -q 'ed_try=.' /edeploy/boot.cfg || " \
    "break; edeploy prove; sleep 1; done; "


def make_tree(work, built, version, change):
    """A copy of the built role with what `change`, shell words, does to it."""
    tree = f"{work}/{version}"
    own = f"var/lib/edeploy/{version}"
    subprocess.run(vm.as_root("sh", "-ec", f"""
        cp -a {built}/install/{BASE}/tiny {tree}
        cd {tree}
        echo {version} >usr/share/tiny/version
        cp bin/busybox usr/bin/busyboxd
        mkdir -p {own}
        echo '{RESTART}' >{own}/post
        {change}
        echo {version} >>usr/bin/busyboxd
        chmod 755 {own}/post"""), check=True)
    return tree


def publish(programs, work):
    """The folder for TREES."""
    built, key = vm.tree_top("tiny", BASE), vm.tree_key(programs)
    changes = {FIRST: "", APP: "",
               BAD: f"echo exit 3 >>var/lib/edeploy/{BAD}/post",
               # as much another kernel as one that boots can be
               KERNEL: "for k in boot/vmlinuz-*; do echo >>$k; done"}
    for version in (FIRST, BAD, APP, KERNEL):
        tree = make_tree(work, built, version, changes[version])
        vm.run_as_root(f"{programs}/edeployctl", "publish", "tiny", version,
                       tree, "--top", f"{work}/top", "--key", key)
        vm.run_as_root("rm", "-rf", tree)
    return f"{work}/top/trees", f"{key}.pub"


class Host:
    def __init__(self, t, m):
        self.t, self.m = t, m

    def run(self, command, seconds=240):
        return self.m.run(f"{command}; echo code=$?", seconds) or ""

    def runs(self):
        """The version at /."""
        said = self.m.run("cat /proc/self/mountinfo") or ""
        rows = [line.split() for line in said.splitlines()]
        at = [r[3] for r in rows if len(r) > 5 and r[4] == "/"][-1:]
        return at[0].rsplit("/", 1)[-1] if at else None

    def boot_id(self):
        """Another one at each boot of the kernel."""
        said = self.m.run("cat /proc/sys/kernel/random/boot_id") or ""
        found = re.search(r"^[0-9a-f-]{36}$", said, re.M)
        return found and found.group()

    def boot(self, what):
        self.m.send("reboot\n")
        return self.t.check(what, self.m.expect(r"login:", 240) and
                            self.m.log_in(), self.m.tail())

    def is_kept(self, what):
        said = self.run("cat /etc/issue /etc/hostname /var/lib/db/table")
        self.t.check(f"{what}: edit, name and rows are kept", "mine" in said
                     and "host3" in said and "rows" in said, said)

    def is_at(self, version, what):
        said = self.run("cat /usr/share/tiny/version; edeploy version")
        self.t.check(f"{what}: {version} runs", self.runs() == version and
                     said.count(version) == 2, said)

    def is_good(self, version):
        said = self.run(PROVED + "edeploy status")
        self.t.check(f"{version} is good", re.search(
            rf"^good +{re.escape(version)}$", said, re.M), said)

    def serves_new(self):
        """The service runs the file that is there now."""
        return self.run("cmp /proc/$(pidof busyboxd | cut -d' ' -f1)/exe "
                        "/usr/bin/busyboxd && wget -qO- "
                        "http://127.0.0.1:8080/version")


def begins(h):
    said = h.run("echo mine >/etc/issue; mkdir -p /var/lib/db; echo rows "
                 f">/var/lib/db/table; {DAEMON}")
    h.t.check("a service runs, somebody edits", "code=0" in said, said)
    h.is_at(FIRST, "installed")


def post_fails(h):
    before = h.boot_id()
    said = h.run(f"edeploy upgrade {BAD}")
    h.t.check("a post that fails ends the upgrade", "code=1" in said and
              "post" in said, said)
    h.is_at(FIRST, "and is left again")
    said = h.run("cat /edeploy/boot.cfg")
    h.t.check("the next boot enters what was good", f"ed_good={FIRST}\n" in
              said and "ed_try=\n" in said, said)
    h.t.check("without a boot", h.boot_id() == before and before)
    h.is_kept("a failed upgrade")


def application(h):
    before = h.boot_id()
    said = h.run(f"edeploy upgrade {APP} & sleep 2; kill -9 $!; wait")
    h.t.check("killed in the middle", h.runs() in (FIRST, APP), said)
    if h.runs() == FIRST:
        said = h.run(f"edeploy upgrade {APP}")
        h.t.check("the same command goes on", "code=0" in said, said)
    h.is_at(APP, "the application's upgrade")
    h.t.check("without a boot", h.boot_id() == before and before)
    said = h.serves_new()
    h.t.check("its service was restarted", "code=0" in said and APP in said,
              said)
    h.is_kept("the application's upgrade")
    h.is_good(APP)


def back_live(h):
    before = h.boot_id()
    said = h.run("edeploy rollback")
    h.t.check("rolled back", "code=0" in said, said)
    h.is_at(FIRST, "the way back")
    h.t.check("without a boot", h.boot_id() == before and before)
    h.is_kept("the way back")
    h.run(RESTART.split("\n", 1)[1].replace("\n", "; ") + "true")
    said = h.run("edeploy rollback")
    h.t.check("and forth", "code=0" in said, said)
    h.is_at(APP, "once more")


def kernel(h):
    said = h.run(f"edeploy upgrade {KERNEL}")
    h.t.check("another kernel waits for a boot", "code=0" in said and
              h.runs() == APP, said)
    h.run("echo late edit >/etc/late.conf; "
          "echo 'late:x:1001:1001::/:/bin/sh' >>/etc/passwd")
    if not h.boot("it boots"):
        return
    said = h.run("cat /etc/late.conf; grep late: /etc/passwd; edeploy history")
    h.t.check("what was edited before the boot came along",
              "late edit" in said and "late:x:1001" in said and
              "did not all" not in said, said)
    h.is_at(KERNEL, "the kernel's upgrade")
    h.is_good(KERNEL)
    h.is_kept("the kernel's upgrade")
    said = h.run("edeploy rollback")
    h.t.check("the old kernel is checked, and waits for a boot",
              "code=0" in said and h.runs() == KERNEL, said)
    if not h.boot("the old kernel boots"):
        return
    h.is_at(APP, "the old kernel")
    h.is_good(APP)
    h.is_kept("the old kernel")


def main():
    programs = vm.programs_of(sys.argv[1])
    t, work = vm.Tap(), vm.work_dir("scenario")
    trees, key = publish(programs, work)
    # the script names the version of the first installation
    vm.example_site(f"{work}/site",
                    script=lambda text: text.replace(BASE, FIRST))
    server = vm.Edeployd(programs, f"{work}/site",
                         vm.boot_files(programs, key), work,
                         vm.signed_words() + " LAYOUT=versioned",
                         f"TREES={trees}\n")
    m = vm.Vm(work, "host", vm.Disk(work, "disk"),
              pxe=f"http://{vm.HOST}:{server.port}/boot.ipxe")
    if t.check("installed, and a login", m.expect(r"login:", 600) and
               m.log_in(), m.tail()):
        h = Host(t, m)
        begins(h)
        post_fails(h)
        application(h)
        back_live(h)
        kernel(h)
    m.stop()
    return t.end()


sys.exit(main())
