#!/usr/bin/env python3
"""ctl_test.py EDEPLOYD EDEPLOYCTL EDEPLOY AGENT: what a person sees: help,
wrong usage, JSON, and watch, in a file and in a terminal. Standard library
only."""
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../server"))
import decision  # noqa: E402
from decision import check  # noqa: E402

EDEPLOYD, CTL, HOST, AGENT = map(os.path.abspath, sys.argv[1:5])
STATE = "[('vm', 3)]\n"
CMDB = "".join(f"{{'hostname': 'host{n}'}},\n" for n in (3, 4, 5, 6))
FACTS = [["disk", "vda", "size", "8"],
         ["network", "eth0", "ipv4", "192.168.122.20"],
         ["network", "eth0", "serial", "52:54:00:00:00:99"]]
TREE = {"kind": "phase", "phase": "tree"}


def run(*argv, **more):
    return subprocess.run(argv, capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, **more)


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


# ---- help and wrong usage ----

def check_help():
    for program in (EDEPLOYD, CTL, HOST, AGENT):
        name = os.path.basename(program)
        p = run(program, "--help")
        calls = [["--help"], ["-h"], ["--version"]]
        if name != "edeployd":
            commands = re.findall(r"^  ([a-z][a-z-]*)  ", p.stdout, re.M)
            check(f"{name} has commands", len(commands) > 1, p.stdout)
            calls += [[c, "--help"] for c in commands]
            calls += [["help", c] for c in commands]
        for call in calls:
            p = run(program, *call)
            wide = [x for x in p.stdout.splitlines() if len(x) > 80]
            check(" ".join([name, *call]) + ": on stdout, in 80 columns",
                  p.returncode == 0 and p.stdout and not p.stderr and
                  not wide, p.stderr + str(wide))
        p = run(program, "--no-such-option")
        check(f"{name}: an unknown option is wrong usage", p.returncode == 2
              and not p.stdout and "--help" in p.stderr, p.stderr)


USAGE = [  # words, what the message says
    ([], "usage"),
    (["nosuch"], 'no command "nosuch"'),
    (["help", "nosuch"], 'no command "nosuch"'),
    (["show"], "a word is missing"),
    (["show", "m1", "m2"], "m2 is one word too many"),
    (["show", "m1", "--nosuch"], "--nosuch is not an option of it"),
    (["show", "m1", "-c"], "-c wants a value"),
    (["show", "m1", "--until-done"], "--until-done is not an option of it"),
    (["machines", "--site", "/"], "--site is not an option of it"),
    (["machines", "x"], "x is one word too many"),
    (["check", "--all"], "--all is not an option of it"),
    (["check", "a\x1b[2J"], "a\\x1b[2J is one word too many"),
    (["match"], "a word is missing"),
    (["explain"], "a word is missing"),
    (["watch", "m1", "m2"], "m2 is one word too many"),
    (["cmdb"], "a word is missing"),
    (["state", "vm"], "vm is one word too many"),
    (["replay"], "--site"),
    (["replay", "x.json"], "--site"),
    (["match", "x.json", "--was", "/"], "--was is not an option of it"),
    (["specs", "from"], "a word is missing"),
    (["specs", "of", "m1"], "specs from"),
    (["release"], "a word is missing"),
    (["reinstall"], "a word is missing"),
    (["same", "m1"], "a word is missing"),
    (["distinct", "m1", "m2", "m3"], "m3 is one word too many"),
    (["forget"], "a word is missing"),
]


def check_usage():
    for words, says in USAGE:
        p = run(CTL, *words)
        check(f"edeployctl {' '.join(words)!r} is wrong usage",
              p.returncode == 2 and not p.stdout and says in p.stderr,
              f"{p.returncode} {p.stdout} {p.stderr}")


def check_nobody(folder):
    """No configuration; no server."""
    write(f"{folder}/empty.json", "[]")
    p = run(CTL, "specs", "from", f"{folder}/empty.json")
    check("no profile from no facts", p.returncode == 1 and not p.stdout and
          "say nothing" in p.stderr, p.stderr)
    p = run(CTL, "machines", "-c", f"{folder}/nosuch.conf")
    check("a configuration that is not there is named", p.returncode == 1 and
          f"{folder}/nosuch.conf" in p.stderr, p.stderr)
    os.mkdir(f"{folder}/site")
    with open(f"{folder}/conf", "w") as f:
        f.write(f"[SERVER]\nCONFIGDIR={folder}/site\n"
                f"SOCKET={folder}/sock\n")
    for words in (["machines"], ["show", "m1"], ["release", "m1"],
                  ["reinstall", "m1"]):
        p = run(CTL, *words, "-c", f"{folder}/conf")
        check(f"edeployctl {words[0]} without a server names the socket",
              p.returncode == 1 and f"{folder}/sock" in p.stderr and
              "edeployd" in p.stderr and not p.stdout, p.stderr)


# ---- JSON ----

def check_json(s, facts):
    for words, has in ((["machines"], "machines"), (["show", "m1"], "vars"),
                       (["match", facts], "profile"),
                       (["explain", facts], "profiles"),
                       (["explain", "m1"], "profiles"),
                       (["specs", "from", facts], "specs"),
                       (["specs", "from", "m1"], "specs"),
                       (["reinstall", "m1"], None),
                       (["release", "m2"], None)):
        code, text = s.ctl(*words, "--json")
        try:
            doc = json.loads(text)
        except ValueError:
            doc = text
        check(f"edeployctl {words[0]} --json is one document", code == 0 and
              isinstance(doc, dict) and (has is None or has in doc), text)
    for words, rows in ((["check"], 0), (["state"], 1), (["cmdb", "vm"], 4)):
        code, text = s.ctl(*words, "--json")
        check(f"edeployctl {words[0]} --json is a list of {rows}", code == 0
              and len(json.loads(text)) == rows, text)


# ---- replay ----

def check_replay(folder):
    """A folder of facts against two sites, as a repository's CI does it."""
    for name in ("was", "now", "facts"):
        os.mkdir(f"{folder}/{name}")
    for name in ("was", "now"):
        write(f"{folder}/{name}/state", STATE)
        write(f"{folder}/{name}/vm.specs", "[('disk', '$disk', 'size', '8')]")
        write(f"{folder}/{name}/vm.configure", "log('one')\n")
        write(f"{folder}/{name}/vm.cmdb", f"[{CMDB}]\n")
    write(f"{folder}/facts/b.json", json.dumps(FACTS))
    write(f"{folder}/facts/a.hw", "[('disk', 'sda', 'size', '8'),\n"
          " ('system', 'product', 'serial', 'OTHER1')]\n")
    write(f"{folder}/facts/README", "no facts\n")
    call = [CTL, "replay", f"{folder}/facts", "--was", f"{folder}/was",
            "--site", f"{folder}/now"]
    env = {**os.environ, "TMPDIR": f"{folder}/tmp"}
    os.mkdir(f"{folder}/tmp")
    p = run(*call, env=env)
    check("replay of the same site: 0, and says so", p.returncode == 0 and
          p.stdout == "0 of 2 machines would change\n" and not p.stderr,
          p.stdout + p.stderr)
    write(f"{folder}/now/vm.cmdb", f"[{CMDB}]\n".replace("host4", "web4"))
    write(f"{folder}/now/vm.configure", "log('two')\n")
    p = run(*call, env=env)
    check("replay of a changed one: 1, and for whom", p.returncode == 1 and
          p.stdout.splitlines() == [
              "MACHINE" + " " * (len(folder) + 14) + "WAS  BECOMES  "
              "WHAT CHANGES",
              f"{folder}/facts/b.json host4  vm   vm       "
              "hostname host4 -> web4",
              "vm.configure is another script: 2 machines",
              "1 of 2 machines would change"] and not p.stderr,
          p.stdout + p.stderr)
    p = run(*call, "--json", env=env)
    doc = json.loads(p.stdout or "{}")
    check("--json has the row", p.returncode == 1 and doc["asked"] == 2 and
          [(m["machine"], m["changes"]) for m in doc["machines"]] ==
          [(f"{folder}/facts/b.json", [{"name": "hostname", "was": "host4",
                                        "becomes": "web4"}])], p.stdout)
    write(f"{folder}/now/vm.cmdb", f"[{CMDB}")
    p = run(*call, env=env)
    check("new files with an error: 1, and where", p.returncode == 1 and
          p.stdout.startswith("error: vm.cmdb:") and
          f"{folder}/now" not in p.stdout, p.stdout + p.stderr)
    os.unlink(f"{folder}/now/state")
    for words, says in ((call, "now/state: missing"),
                        ([*call, f"{folder}/was"], "no file NAME.json"),
                        ([*call, f"{folder}/nosuch"], "nosuch"),
                        ([*call, f"{folder}/facts/README"], "README: ")):
        p = run(*words, env=env)
        check("what cannot be asked: 2: " + says, p.returncode == 2 and
              not p.stdout and says in p.stderr, p.stdout + p.stderr)
    check("nothing is left behind", os.listdir(f"{folder}/tmp") == [])


def check_live_replay(s):
    """Of the machines that a server knows, while it serves them."""
    end = time.monotonic() + 30
    while "'host4'}, # 2@2" not in open(f"{s.dir}/site/vm.cmdb").read() and \
            time.monotonic() < end:
        time.sleep(0.1)  # the last release is to be written into the file
    shutil.copytree(f"{s.dir}/site", f"{s.dir}/new")
    p = s.ctl("replay", "--site", f"{s.dir}/new")
    check("replay of the files in force: 0", p[0] == 0 and
          re.fullmatch(r"0 of \d+ machines would change; 1 released or "
                       r"without facts did not ask\n", p[1]), p)
    write(f"{s.dir}/new/vm.cmdb", open(f"{s.dir}/new/vm.cmdb").read()
          .replace("host3", "web3"))
    before = s.ctl("machines", "--json")[1]
    p = s.ctl("replay", "--site", f"{s.dir}/new")
    check("replay of an edited entry: 1, and for whom", p[0] == 1 and
          "\nm1 host3  vm   vm       hostname host3 -> web3\n" in p[1], p)
    check("and nothing has changed", s.ctl("machines", "--json")[1] == before
          and sorted(os.listdir(f"{s.dir}/store"))[-1] == "replay.lock",
          os.listdir(f"{s.dir}/store"))
    p = s.ctl("replay", "--site", f"{s.dir}/new", "--was", f"{s.dir}/site")
    check("--was is for FACTS", p[0] == 2 and "--was" in p[1], p)
    p = s.ctl("replay", "--site", f"{s.dir}/nosuch")
    check("no such folder: 2", p[0] == 2 and "nosuch" in p[1], p)


# ---- watch ----

class Run:
    """The agent's side of one machine's run."""

    def __init__(self, s, n, run=None):
        self.s, self.run, self.n = s, run or n, 0
        status, text, headers = s.upload(self.run, n)
        self.machine = headers["Edeploy-Machine"]
        self.token = headers["Edeploy-Token"]

    def tell(self, *events):
        rows = []
        for e in events:
            self.n += 1
            rows.append({"n": self.n, "at": self.n * 1000, **e})
        status, text, _ = self.s.ask(
            "POST", "/v1/runs/%032x/events" % self.run,
            json.dumps({"events": rows}), Edeploy_Token=self.token)
        if status != 200:
            check("the server takes events", False, text)


def progress(percent):
    return {"kind": "progress", "percent": percent, "bytes": percent * 10**6,
            "bytes_per_s": 5 * 10**6, "eta_s": 100 - percent, "what": "tree"}


def hear_interrupts():
    """Also where the tests themselves run in a background that does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Watch:
    def __init__(self, s, *words, columns=0, env=None):
        argv = [CTL, "watch", *words, "-c", f"{s.dir}/conf"]
        self.text, stdin = "", None
        if columns:
            self.out, out = pty.openpty()
            fcntl.ioctl(out, termios.TIOCSWINSZ,
                        struct.pack("HHHH", 24, columns, 0, 0))
        else:
            self.out, out = os.pipe()
        self.proc = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=out,
            stderr=subprocess.PIPE, text=True, preexec_fn=hear_interrupts,
            env={**os.environ, "TERM": "xterm", "TZ": "UTC", **(env or {})})
        os.close(out)

    def wait(self, words, seconds=20):
        """Until `words` are there; then the text so far."""
        end = time.monotonic() + seconds
        while words not in self.text and time.monotonic() < end:
            if not self.read():
                break
        return words in self.text

    def read(self):
        if not select.select([self.out], [], [], 0.2)[0]:
            return True
        try:
            got = os.read(self.out, 65536)
        except OSError:
            got = b""
        self.text += got.decode(errors="replace")
        return bool(got)

    def end(self, seconds=20):
        """Its exit code, and all of its text."""
        try:
            code = self.proc.wait(seconds)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            code = None
        while select.select([self.out], [], [], 0)[0] and self.read():
            pass
        os.close(self.out)
        self.said = self.proc.stderr.read()
        self.proc.stderr.close()
        self.proc.wait()
        return code


def check_lines(s):
    """In a pipe: lines that stay, and the exit code."""
    w = Watch(s, "--until-done")
    check("watch tells where things stand", w.wait("0 machines, 0 installing"),
          w.text)
    r = Run(s, 1)
    r.tell(TREE, progress(43))
    check("progress is a line", w.wait("43 %  5.0 MB/s  0:57 left\n"), w.text)
    r.tell({"kind": "done", "action": "reboot"})
    check("a run that is done ends it with 0", w.end() == 0, w.said)
    check("without a byte that moves the cursor", "\x1b" not in w.text and
          "\r" not in w.text, repr(w.text))
    check("with its host, each phase, and the end",
          re.search(r"^\d\d:\d\d:\d\d  m1 host3  assigned    vm\n"
                    r"(?s:.*)  m1 host3  tree\n(?s:.*)"
                    r"  m1 host3  done        it reboots into its own disk\n$",
                    w.text, re.M), w.text)
    w = Watch(s, "m1", "--until-done")
    check("of an installed machine it ends at once", w.end() == 0 and
          w.text == "m1 host3 is installed\n", w.text)
    w = Watch(s, "nosuch")
    check("of an unknown machine it fails", w.end() == 1 and
          "nosuch" in w.said, w.said)


def check_failure(s):
    """A failure: 1, with the last words of the command; only its machine."""
    r, other = Run(s, 2), Run(s, 3)
    w = Watch(s, r.machine, "--until-done")
    check("watch MACHINE", w.wait("m2 host4 is assigned"), w.text)
    other.tell(TREE, {"kind": "done", "action": "halt"})
    r.tell({"kind": "failed", "reason": "mkfs.ext4 ended with 1",
            "command": "mkfs.ext4 /dev/vda1", "status": 1,
            "tail": "mke2fs 1.47\nno space\x1b[2J\n", "file": "vm.configure",
            "line": 7})
    check("a failure ends it with 1", w.end() == 1, w.text + w.said)
    check("and shows what the command said last", re.search(
        r"failed      mkfs.ext4 ended with 1\n +\| mke2fs 1.47\n"
        r" +\| no space\\x1b\[2J\n$", w.text), w.text)
    check("nothing of another machine", "m3" not in w.text, w.text)
    code, text = s.ctl("show", "host4")
    check("show has it, too", re.search(
        r"failed    mkfs.ext4 ended with 1\n +\| mke2fs 1.47\n +\| no", text),
        text)
    w = Watch(s, "m2", "--until-done")
    check("a failed machine: 1 at once", w.end() == 1, w.text)


def check_json_lines(s):
    s.ctl("reinstall", "m1")
    w = Watch(s, "--json")
    for run in range(77, 97):  # it says nothing before the first event
        r = Run(s, 1, run)
        if w.wait("\n", 2):
            break
    check("a line comes", "\n" in w.text, w.text)
    w.proc.send_signal(signal.SIGINT)
    check("^C ends it by its signal", w.end() == -signal.SIGINT, w.said)
    rows = [json.loads(x) for x in w.text.splitlines()]
    check("an event a line", rows and all(
        e["machine"] == r.machine and "kind" in e for e in rows), w.text)


def check_terminal(s):
    """Bars move, fit, and leave nothing behind."""
    s.ctl("reinstall", "m1")
    for columns, env, bar, colour in ((80, {}, True, True),
                                      (40, {"NO_COLOR": "1"}, False, False)):
        r = Run(s, 1, 100 + columns)
        w = Watch(s, "m1", "--until-done", columns=columns, env=env)
        w.wait("m1 host3 is")
        r.tell(TREE, progress(50))
        what = f"at {columns} columns: "
        check(what + "progress moves", w.wait("50 %"), w.text)
        check(what + ("a bar" if bar else "no room for a bar"),
              ("[####" in w.text) == bar, w.text)
        r.tell({"kind": "done", "action": "reboot"})
        check(what + "done", w.end() == 0, w.text)
        lines = re.sub(r"\r?\x1b\[[0-9]*[mAJ]", "", w.text).split("\r\n")
        check(what + "no line is longer", max(map(len, lines)) <= columns,
              lines)
        check(what + "colours as wanted", ("\x1b[32m" in w.text) == colour,
              repr(w.text))
        check(what + "what moved is taken away",
              w.text.rindex("\x1b[J") > w.text.rindex("50 %") and
              lines[-1] == "", repr(w.text))
        s.ctl("reinstall", "m1")


def check_restart(s):
    """A server that restarts is waited for."""
    w = Watch(s, "m1", "--until-done")
    w.wait("m1 host3 is")
    s.stop()
    time.sleep(1.5)
    s.start()
    Run(s, 1, 200).tell(TREE, {"kind": "done", "action": "reboot"})
    check("watch outlives a restart of the server", w.end(40) == 0 and
          "reboots" in w.text, w.text + w.said)
    check("and says that it waits", "trying for a minute" in w.said, w.said)


def main():
    check_help()
    check_usage()
    with tempfile.TemporaryDirectory() as folder:
        check_nobody(folder)
        os.mkdir(f"{folder}/replay")
        check_replay(f"{folder}/replay")
    s = decision.Server(EDEPLOYD, CTL, STATE, f"[{CMDB}]\n")
    try:
        check_lines(s)
        check_failure(s)
        check_json_lines(s)
        check_terminal(s)
        check_restart(s)
        facts = f"{s.dir}/facts.json"
        with open(facts, "w") as f:
            json.dump(FACTS, f)
        check_json(s, facts)
        check_live_replay(s)
    finally:
        s.end()
    return decision.end()


sys.exit(main())
