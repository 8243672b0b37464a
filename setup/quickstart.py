"""The last part of ./quickstart: tree, initrd and site, the servers on
loopback, one virtual machine, and what is seen of it. Each call installs a new
disk with a new store; the tree, the initrd and the programs are used again.
Everything stands in build/quickstart/."""
import argparse
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import termios
import time
import tty

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, f"{TOP}/tests/e2e")
import vm  # noqa: E402

VERSION = "D12-F.1.0.0"
HOST = "192.168.122.2"  # this machine, as the guest's network has it
WORK = f"{TOP}/build/quickstart"
PATIENCE_S = {"tiny": 900, "mysql": 2400}
SECONDS = time.monotonic


class Failed(Exception):
    """A sentence for a person."""


def parse_args():
    p = argparse.ArgumentParser(prog="quickstart")
    p.add_argument("--role", default="mysql", choices=sorted(PATIENCE_S))
    p.add_argument("--rsync", action="store_true",
                   help="install by stock rsync, unsigned")
    p.add_argument("--keep", action="store_true",
                   help="machine and servers go on until ^C")
    p.add_argument("--serial", action="store_true",
                   help="show the machine's console")
    p.add_argument("--console", action="store_true",
                   help="be at the console of a kept machine")
    return p.parse_args()


def step(text):
    print(text + " ...", flush=True)


# ---- the site ----

def hash_password(word):
    p = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=word,
                       stdout=subprocess.PIPE, text=True)
    if p.returncode:
        raise Failed("openssl passwd does not work")
    return p.stdout.strip()


def read(path):
    with open(path) as f:
        return f.read()


def write(path, text, mode=0o644):
    with open(path, "w") as f:
        os.fchmod(f.fileno(), mode)
        f.write(text)


def replace(text, old, new, where):
    if old not in text:
        raise Failed(f"{where} has no {old}: it is not the example that "
                     "quickstart knows")
    return text.replace(old, new)


def make_site(folder, role, password):
    """The shipped example as it is, but for role and password."""
    os.makedirs(folder)
    shutil.copy(f"{TOP}/specs/examples/vm.specs", folder)
    script = f"{TOP}/specs/examples/vm.configure"
    write(f"{folder}/vm.configure",
          replace(read(script), "'mysql', 'D12-F.1.0.0'",
                  f"'{role}', '{VERSION}'", script))
    entries = f"{TOP}/cmdb/examples/vm.cmdb"
    secret = hash_password(password)
    write(f"{folder}/vm.cmdb",
          replace(read(entries), "{'hostname'",
                  f"{{'root_password': '{secret}', 'hostname'", entries),
          0o600)
    write(f"{folder}/state", "[('vm', '*')]\n")


# ---- what is seen ----

class Console:
    """What the machine says on its serial line, when it was asked for."""

    def __init__(self, wanted):
        self.wanted, self.shown = wanted, 0

    def show(self, text):
        if self.wanted and len(text) > self.shown:
            sys.stdout.write(text[self.shown:])
            sys.stdout.flush()
        self.shown = len(text)


class Watch(vm.Process):
    """`edeployctl watch`: each phase a line, and a bar on a terminal."""

    def __init__(self, server):
        super().__init__([f"{server.programs}/edeployctl", "watch",
                          "--until-done", "-c", server.conf])

    def over(self):
        """True when the run is done; what went wrong is said already."""
        if self.proc.poll() not in (None, 0):
            time.sleep(1)  # the machine's last words
            raise Failed("the installation failed; what the machine said is "
                         f"in {os.path.relpath(WORK)}/vm.console")
        return self.proc.returncode == 0


def follow(watch, machine, console, patience):
    """Until its own disk shows a login prompt."""
    end = SECONDS() + patience
    starts = waits = False
    while SECONDS() < end:
        found = machine.expect(r"\blogin: ?$", 0.5)
        console.show(machine.text)
        if not starts and "Linux version" in machine.text:
            step("its kernel starts, from the network")
            starts = True
        if watch.over() and not waits:
            step("it starts from its own disk")
            waits = True
        if found and waits:
            return
        if machine.proc.poll() is not None:
            raise Failed("the machine went off:\n" + machine.tail())
    raise Failed(f"no login prompt after {patience} s:\n" + machine.tail())


def decided(seen, password, seconds):
    """What the server says of the machine, from the store and the facts."""
    values = seen.get("vars") or {}
    print(f"""
From power-on to its own login in {seconds:.0f} s.

  profile   {seen.get('profile')}
  entry     {', '.join(f'{k} {values[k]}' for k in ('hostname', 'ip')
                       if k in values)}
  disk      {values.get('disk')}, interface {values.get('eth')} \
({values.get('mac')})
  login     root, password {password}""")


def look_further(keep):
    ctl = "build/edeployctl"
    conf = f"-c {os.path.relpath(WORK)}/edeploy.conf"
    print(f"""
  the site       {os.path.relpath(WORK)}/site
                 {ctl} check {conf}
  the log        {os.path.relpath(WORK)}/vm.console""")
    if keep:
        print(f"""  the server     {ctl} machines {conf}
                 {ctl} show m1 {conf}
  the console    ./quickstart --console (^] leaves it)

It runs until ^C.""")
    else:
        print("  log in         ./quickstart --keep leaves the machine "
              "running\n")


# ---- the console of a kept machine ----

def attach():
    """The terminal is the machine's until ^]."""
    if not sys.stdin.isatty():
        raise Failed("--console wants a terminal")
    path = f"{WORK}/vm.serial"
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect(path)
    except OSError as e:
        raise Failed(f"{path}: {e.strerror}: no machine runs; start one with "
                     "./quickstart --keep")
    before = termios.tcgetattr(0)
    print("at the console; ^] leaves it", flush=True)
    try:
        tty.setraw(0)
        s.sendall(b"\n")
        while True:
            ready, _, _ = select.select([0, s], [], [])
            if s in ready:
                data = s.recv(65536)
                if not data:
                    break
                os.write(1, data)
            if 0 in ready:
                data = os.read(0, 1024)
                if not data or b"\x1d" in data:
                    break
                s.sendall(data)
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        print()


def stay(machine):
    """The console is free for --console; the machine until ^C."""
    machine.serial.close()
    machine.proc.wait()
    print("the machine switched itself off")


# ---- all of it ----

def clean():
    """Machine, disk and store are new each time."""
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    # a unix socket's path holds 107 bytes
    if len(WORK) > 85:
        raise Failed(f"{WORK} is too long a name for sockets: clone into a "
                     "shorter one")


def install(args):
    programs = vm.programs_of(f"{TOP}/build")
    step(f"tree of role {args.role} {VERSION} (minutes, the first time)")
    top = vm.tree_top(args.role, VERSION)
    trees = key = None
    if not args.rsync:
        step("it is published: packed and signed")
        trees, key = vm.published(programs, args.role, VERSION)
    step("kernel and initrd")
    boot = vm.boot_files(programs, key)
    clean()
    password = secrets.token_urlsafe(9)
    make_site(f"{WORK}/site", args.role, password)
    words = "ONSUCCESS=reboot ONFAILURE=halt console=tty0 console=ttyS0,115200"
    if args.rsync:
        step("rsyncd on loopback")
        rsyncd = vm.Rsyncd(top, WORK)
        words += f" RSERV={HOST} RSERV_PORT={rsyncd.port}"
    step("edeployd on loopback")
    server = vm.Edeployd(programs, f"{WORK}/site", boot, WORK, words,
                         f"TREES={trees}\n" if trees else "")
    step("a virtual machine boots by PXE (no KVM: it takes minutes)")
    watch = Watch(server)
    began = SECONDS()
    machine = vm.Vm(WORK, "vm", vm.Disk(WORK, "disk", "8G"),
                    pxe=f"http://{HOST}:{server.port}/boot.ipxe")
    follow(watch, machine, Console(args.serial), PATIENCE_S[args.role])
    decided(server.show("m1"), password, SECONDS() - began)
    look_further(args.keep)
    if args.keep:
        stay(machine)


def main():
    args = parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if args.console:
            attach()
        else:
            install(args)
    except Failed as e:
        sys.exit(f"quickstart: {e}")
    except subprocess.CalledProcessError as e:
        sys.exit(f"quickstart: {' '.join(map(str, e.cmd))}: exit "
                 f"{e.returncode}; its words are above")
    except KeyboardInterrupt:
        print("\nstopped; nothing is left running")
        sys.exit(130)


main()
