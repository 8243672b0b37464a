"""What the end-to-end tests stand on: a virtual machine that boots by PXE or
from its disk with its serial console at hand, and the servers beside it. All
of it is real: QEMU (TCG, by choice: /dev/kvm may be there and hang), iPXE,
edeployd, a stock rsync daemon. Standard library only."""
import atexit
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
from made import (CACHE, ROOT, TOP, TREES, as_root, boot_files,  # noqa: E402, F401
                  build_boot, programs_of, published, run_as_root, tree_key,
                  tree_top)
from ports import free_port  # noqa: E402, F401
from tap import Tap  # noqa: E402, F401

HOST = "192.168.122.2"  # where QEMU's user network has this machine
# Deadlines are those of a machine that has nothing else to do, with room; it
# may be slower, and have other tests to run at the same time.
PATIENCE = 3


# Who ends a test ends its machines.
signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))


class Process:
    """A program that ends with us, and only it."""

    def __init__(self, argv, stdin=subprocess.DEVNULL, **more):
        self.start = lambda: subprocess.Popen(argv, stdin=stdin, **more)
        self.proc = self.start()
        atexit.register(self.stop)

    def stop(self, how=signal.SIGTERM, wait=10):
        if self.proc.poll() is None:
            self.proc.send_signal(how)
            try:
                self.proc.wait(wait)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        return self.proc.returncode


class Rsyncd(Process):
    """Root's, for it reads all of a tree. It ends with its standard input: a
    user could not end it by a signal."""

    GUARD = 'trap : INT TERM; "$@" & cat >/dev/null; kill $!; wait'

    def __init__(self, top, work):
        self.port = free_port()
        conf, log = f"{work}/rsyncd.conf", f"{work}/rsyncd.log"
        text = subprocess.run(as_root(f"{TOP}/rsyncd/conf", top), check=True,
                              capture_output=True, text=True).stdout
        for path, words in ((conf, text), (log, "")):
            with open(path, "w") as f:
                f.write(words)
        super().__init__(
            as_root("sh", "-c", self.GUARD, "rsyncd", "rsync", "--daemon",
                    "--no-detach", f"--config={conf}", "--address=127.0.0.1",
                    f"--port={self.port}", f"--log-file={log}"),
            stdin=subprocess.PIPE)

    def stop(self, how=signal.SIGTERM, wait=10):
        self.proc.stdin.close()
        return self.proc.wait(wait)

    def drop_connections(self):
        """The children that serve one die; how many there were."""
        text = subprocess.run(["ps", "-eo", "pid=,ppid=,comm="], check=True,
                              capture_output=True, text=True).stdout
        rows = [line.split(None, 2) for line in text.splitlines()]
        parents = {pid for pid, ppid, name in rows if name == "rsync"}
        below, dead = {str(self.proc.pid)}, []
        for _ in range(5):  # sudo, sh, the daemon, its children
            below |= {pid for pid, ppid, name in rows if ppid in below}
        for pid, ppid, name in rows:
            if name == "rsync" and pid in below and ppid in parents:
                subprocess.run(as_root("kill", "-KILL", pid), check=False)
                dead.append(pid)
        return len(dead)


class Edeployd(Process):
    """The server with one section over `site`, and edeployctl beside it;
    `more` lines of configuration."""

    def __init__(self, programs, site, boot, work, cmdline, more=""):
        self.programs, self.work, self.site = programs, work, site
        self.conf = f"{work}/edeploy.conf"
        bootdir = f"{work}/boot"
        os.makedirs(bootdir, exist_ok=True)
        for name in ("vmlinuz", "initrd.pxe"):
            os.symlink(f"{boot}/{name}", f"{bootdir}/{name}")
        with open(f"{bootdir}/cmdline", "w") as f:
            f.write(cmdline + "\n")
        with open(self.conf, "w") as f:
            f.write(f"[SERVER]\nCONFIGDIR={site}\nLOGDIR={work}/log\n"
                    f"STOREDIR={work}/store\nBOOTDIR={bootdir}\n"
                    f"LOCKFILE={work}/lock\nSOCKET={work}/sock\n{more}")
        self.port = free_port()
        self.log = open(f"{work}/edeployd.log", "ab")
        super().__init__([f"{programs}/edeployd", "-c", self.conf,
                          "--listen", f"127.0.0.1:{self.port}"],
                         stderr=self.log)
        self.wait_ready()

    def crash(self):
        """Killed, and started again."""
        self.stop(signal.SIGKILL)
        self.proc = self.start()
        self.wait_ready()

    def wait_ready(self):
        for _ in range(200 * PATIENCE):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError(open(f"{self.work}/edeployd.log").read())

    def ctl(self, *words):
        """(exit code, text)"""
        p = subprocess.run([f"{self.programs}/edeployctl", *words, "-c",
                            self.conf], capture_output=True, text=True)
        return p.returncode, p.stdout + p.stderr

    def show(self, name="m1"):
        code, text = self.ctl("show", name, "--json")
        return json.loads(text) if code == 0 else {"error": text}


BLOCK = 1 << 20


def next_data(file, at):
    """The block at or behind `at` that is no hole of the file, or None."""
    try:
        return os.lseek(file.fileno(), at, os.SEEK_DATA) // BLOCK * BLOCK
    except OSError:
        return None


class Disk:
    def __init__(self, work, name, size="6G"):
        self.path = f"{work}/{name}.raw"
        with open(self.path, "wb") as f:
            f.truncate(int(size[:-1]) << 30)

    def sha256(self):
        """Of its bytes that are not zero, and where they are: most of a disk
        is a hole of its file, which takes its time to be read."""
        h, at = hashlib.sha256(), 0
        with open(self.path, "rb", buffering=0) as f:
            while (at := next_data(f, at)) is not None:
                chunk = os.pread(f.fileno(), BLOCK, at)
                if chunk.strip(b"\0"):
                    h.update(b"%d " % at + chunk)
                at += BLOCK
        return h.hexdigest()


class Vm(Process):
    """net: the guest's network; pxe: what its firmware fetches, a URL or a
    file below tftp; None boots the disk; forward: a port of ours that leads
    to `inside`, the guest's ssh; nic: more properties of its network card;
    index: which one of those that the firmware starts from the disk is; extra:
    more words for QEMU."""

    def __init__(self, work, name, disk, pxe=None, tftp=None, memory=1024,
                 uuid="4c4c4544-0031-4a10-8052-b7c04f4c5831", serial="VM1",
                 mac="52:54:00:12:34:56", net="192.168.122.0/24",
                 forward=None, inside=":22", nic="", index=None, extra=()):
        self.log_path = f"{work}/{name}.console"
        self.socket_path = f"{work}/{name}.serial"
        self.words_path = f"{work}/{name}.qemu"
        self.text, self.at = "", 0
        # the DNS address out of the way: x.3 is given to the first machine
        netdev = f"user,id=n0,net={net},dns=192.168.122.250"
        if pxe:
            netdev += f",bootfile={pxe}"
        if tftp:
            netdev += f",tftp={tftp}"
        if forward:
            netdev += f",hostfwd=tcp:127.0.0.1:{forward}-{inside}"
        super().__init__(
            ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg",
             "-m", str(memory), "-display", "none", "-vga", "none",
             "-monitor", "none", "-no-user-config",
             "-uuid", uuid, "-smbios", f"type=1,serial={serial}",
             "-chardev", f"socket,id=c0,path={self.socket_path},server=on,"
             f"wait=off,logfile={self.log_path}",
             "-serial", "chardev:c0", "-netdev", netdev,
             "-device", f"virtio-net-pci,netdev=n0,mac={mac}{nic}",
             "-drive", f"file={disk.path},format=raw,cache=unsafe,id=root,if="
             + ("virtio" if index is None else "none"),
             *([] if index is None else
               ["-device", f"virtio-blk-pci,drive=root,bootindex={index}"]),
             "-boot", "once=n" if pxe else "c", *extra],
            stderr=open(self.words_path, "wb"))
        self.serial = self.connect()

    def connect(self):
        for _ in range(100 * PATIENCE):
            s = socket.socket(socket.AF_UNIX)
            try:
                s.connect(self.socket_path)
                s.settimeout(0.5)
                return s
            except OSError:
                s.close()
                time.sleep(0.1)
        raise RuntimeError("QEMU does not start: " + self.said())

    def read_more(self):
        try:
            data = self.serial.recv(65536)
        except TimeoutError:
            return True
        except OSError:
            return False
        self.text += data.decode(errors="replace")
        return bool(data)

    def expect(self, pattern, seconds):
        """The match object of a regular expression in what the console says
        from here on, or None."""
        end = time.monotonic() + seconds * PATIENCE
        while True:
            m = re.compile(pattern).search(self.text, self.at)
            if m:
                self.at = m.end()
                return m
            if time.monotonic() > end or not self.read_more():
                return None

    def send(self, text):
        try:
            self.serial.sendall(text.encode())
        except OSError:
            pass  # it is off: what is expected next will say so

    def run(self, command, seconds=60):
        """Output of a shell command on the console where a shell waits."""
        mark = f"END{time.monotonic_ns()}"
        self.send(f"{command}; echo {mark[:3]}''{mark[3:]}\n")
        start = self.at
        if not self.expect(mark + r"\r?\n", seconds):
            return None
        body = self.text[start:self.at - len(mark) - 1]
        return body.split("\n", 1)[-1].replace("\r", "").replace(mark, "")

    def log_in(self):
        """At a login prompt, as root: true when a shell waits, in which the
        kernel's own lines do not come between those of commands."""
        self.send("root\n")
        if self.expect("Password:", 30):
            self.send("secret\n")
        if not self.expect(r"[#$] ", 30):
            return False
        self.send("dmesg -n 1; echo QUI''ET\n")
        return self.expect("QUIET", 30) and self.expect(r"[#$] ", 30)

    def said(self):
        """QEMU's own words: noise, unless it failed."""
        with open(self.words_path, errors="replace") as f:
            return f.read()[-2000:]

    def prompt(self):
        """True when a shell of the initrd waits on the console."""
        self.send("\n")
        return self.expect(r"initrd# ", 30)

    def deploy(self, words):
        """Begins a run more of the agent, from the shell of the initrd."""
        self.run(f"echo '{words}' >/tmp/words")
        self.send("EDEPLOY_CONSOLE_SHELL=1 edeploy-agent deploy --cmdline "
                  "/tmp/words &\n")

    def end_deploy(self):
        self.run("kill $!; killall udhcpc; wait")

    def tail(self):
        return self.text[-3000:] + self.said()

    def wait_off(self, seconds):
        """True when the machine switched itself off."""
        end = time.monotonic() + seconds * PATIENCE
        while time.monotonic() < end:
            if self.proc.poll() is not None:
                return True
            if not self.read_more():
                time.sleep(0.2)
        return False


class Monitor:
    """QEMU's QMP: cables are drawn and plugged by it."""

    def __init__(self, work):
        self.path = f"{work}/qmp"
        self.words = ["-qmp", f"unix:{self.path},server=on,wait=off"]

    def connect(self):
        s = socket.socket(socket.AF_UNIX)
        s.connect(self.path)
        self.file = s.makefile("rw")
        self.file.readline()
        self.say("qmp_capabilities")

    def say(self, command, **arguments):
        self.file.write(json.dumps({"execute": command,
                                    "arguments": arguments}) + "\n")
        self.file.flush()
        while "return" not in (line := self.file.readline()):
            if not line or "error" in line:
                raise RuntimeError(line)

    def cable(self, netdev, plugged):
        self.say("set_link", name=netdev, up=plugged)


def work_dir(name):
    path = tempfile.mkdtemp(prefix=f"edeploy-{name}-")
    if not os.environ.get("EDEPLOY_KEEP"):
        atexit.register(shutil.rmtree, path, True)
    return path


# A busy machine loses the ticks that a kernel of QEMU's looks for otherwise.
BUSY = "no_timer_check"


def signed_words():
    """The kernel words that BOOTDIR/cmdline adds, where edeployd has it all."""
    return ("ONSUCCESS=reboot ONFAILURE=halt console=ttyS0,115200 panic=10 "
            + BUSY)


def words(rsyncd):
    """The kernel words that BOOTDIR/cmdline adds."""
    return (f"RSERV={HOST} RSERV_PORT={rsyncd.port} ONSUCCESS=reboot "
            "ONFAILURE=halt console=ttyS0,115200 panic=10 " + BUSY)


def ipxe_menu(folder, name, boot, words):
    """A TFTP folder with an iPXE script of that name that boots the initrd
    with these words."""
    os.makedirs(folder, exist_ok=True)
    for file in ("vmlinuz", "initrd.pxe"):
        if not os.path.exists(f"{folder}/{file}"):
            os.symlink(f"{boot}/{file}", f"{folder}/{file}")
    with open(f"{folder}/{name}", "w") as f:
        f.write("#!ipxe\nkernel vmlinuz initrd=initrd.pxe console=ttyS0 quiet "
                f"{words}\ninitrd initrd.pxe\nboot\n")
    return folder


def example_site(folder, state="[('vm', 2)]", script=lambda text: text):
    """The shipped example with the role tiny and a password."""
    os.makedirs(folder)
    shutil.copy(f"{TOP}/specs/examples/vm.specs", folder)
    with open(f"{TOP}/specs/examples/vm.configure") as f:
        text = f.read().replace("'mysql'", "'tiny'")
    with open(f"{folder}/vm.configure", "w") as f:
        f.write(script(f"grub_options('{BUSY}')\n{text}"))
    secret = subprocess.run(["openssl", "passwd", "-6", "secret"], check=True,
                            capture_output=True, text=True).stdout.strip()
    with open(f"{TOP}/cmdb/examples/vm.cmdb") as f:
        text = f.read()
    with open(f"{folder}/vm.cmdb", "w") as f:
        f.write(text.replace("'hostname'", f"'root_password': '{secret}', "
                             "'hostname'"))
    with open(f"{folder}/state", "w") as f:
        f.write(state + "\n")


def pxelinux(tftp, boot, append):
    """A TFTP folder with pxelinux and a static menu."""
    os.makedirs(f"{tftp}/pxelinux.cfg")
    shutil.copy("/usr/lib/PXELINUX/pxelinux.0", tftp)
    shutil.copy("/usr/lib/syslinux/modules/bios/ldlinux.c32", tftp)
    for name in ("vmlinuz", "initrd.pxe"):
        shutil.copy(f"{boot}/{name}", tftp)
    with open(f"{tftp}/pxelinux.cfg/default", "w") as f:
        f.write("SERIAL 0 115200\nPROMPT 0\nDEFAULT edeploy\n"
                "LABEL edeploy\nKERNEL vmlinuz\n"
                f"APPEND initrd=initrd.pxe {append}\n")
    return tftp
