#!/usr/bin/env python3
"""docs_test.py SOURCE EDEPLOYD EDEPLOYCTL EDEPLOY AGENT LUA-NAMES: what the
documentation says against what the programs do. Standard library only."""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
from tap import check, end  # noqa: E402

SOURCE, EDEPLOYD, CTL, HOST, AGENT, LUA_NAMES = sys.argv[1:]
DOCS = f"{SOURCE}/docs"
PROGRAMS = {"edeployd": EDEPLOYD, "edeployctl": CTL, "edeploy": HOST,
            "edeploy-agent": AGENT}
EVERYWHERE = {"-h", "--help", "--version"}  # lib/cmd.c takes them itself


def same(what, a, b):
    """Two sets that must be one; what is only in either is shown."""
    check(what, a and a == b, f"only in the first: {sorted(a - b)}\n"
          f"only in the second: {sorted(b - a)}")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def run(*argv, **more):
    return subprocess.run(argv, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, **more)


def write(folder, name, text):
    with open(f"{folder}/{name}", "w", encoding="utf-8") as f:
        f.write(text)
    return f"{folder}/{name}"


# ---- manual pages ----

def check_pages():
    for path in sorted(glob.glob(f"{DOCS}/*.[578]")):
        name = os.path.basename(path)
        p = run("mandoc", "-T", "lint", "-W", "warning", path)
        check(f"{name}: mandoc has no complaint", p.returncode == 0,
              p.stdout + p.stderr)
        for other in re.findall(r"^\.Xr (edeploy\S*) (\d)", read(path), re.M):
            check(f"{name}: {other[0]}({other[1]}) is there",
                  os.path.exists(f"{DOCS}/{other[0]}.{other[1]}"))


OPTION = re.compile(r"(?<![\w-])(--?[A-Za-z][a-z-]*)(?=[\s,\]]|$)")


def options(text):
    return set(OPTION.findall(text))


def page_options(text):
    return {"-" + o for o in re.findall(r"\bFl (-?[A-Za-z][a-z-]*)", text)}


def synopsis(page):
    """{command: options} of a page; of a program without commands, None."""
    text = page.split(".Sh SYNOPSIS\n")[1].split("\n.Sh ")[0]
    found = {}
    for call in text.split(".Nm\n")[1:]:
        names = re.match(r"\.Cm (.+)", call)
        for name in names.group(1).split(" | ") if names else [None]:
            found.setdefault(name, set()).update(page_options(call))
    return found


def check_options(name, program):
    page = read(f"{DOCS}/{name}.8")
    p = run(program, "--help")
    check(f"{name} --help", p.returncode == 0 and p.stdout and not p.stderr)
    said = options(p.stdout)
    if name == "edeployd":
        same(f"{name}: options of the page and of --help",
             page_options(page), said)
        return
    calls = synopsis(page)
    commands = set(re.findall(r"^  ([a-z][a-z-]*)  ", p.stdout, re.M))
    same(f"{name}: commands of the page and of --help",
         set(calls) - {None, "help"}, commands)
    for command in sorted(commands):
        p = run(program, "help", command)
        usage = p.stdout.split("\n\n")[0]
        same(f"{name} {command}: options of the page and of its help",
             calls.get(command, set()) | EVERYWHERE,
             options(usage) | said | EVERYWHERE)
        p = run(program, command, "--no-such-option")
        check(f"{name} {command}: an unknown option is wrong usage",
              p.returncode == 2 and p.stderr, f"{p.returncode}\n{p.stderr}")
    all_of_page = page_options(page)
    check(f"{name}: the page has -h, --help, --version",
          EVERYWHERE <= all_of_page, all_of_page)


# ---- Lua ----

STANDARD = ("string", "table", "math", "utf8", "io", "os")


def check_lua():
    names = set(run(LUA_NAMES).stdout.split())
    base = {"assert", "collectgarbage", "error", "getmetatable", "ipairs",
            "load", "next", "pairs", "pcall", "rawequal", "rawget", "rawlen",
            "rawset", "select", "setmetatable", "tonumber", "tostring",
            "type", "xpcall", "_VERSION"}
    own = {n for n in names
           if n.split(".")[0] not in base | {*STANDARD, "disk"} or
           n.startswith("disk.")}
    page = read(f"{DOCS}/edeploy-lua.7")
    told = (set(re.findall(r"\bFn ([a-z_.]+)", page)) |
            set(re.findall(r"^\.It Va (\w+)", page, re.M)))
    same("edeploy-lua(7) and the words that a script finds", told, own)
    text = read(f"{DOCS}/lua.md")
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text,
                                              flags=re.S))
    called = {m.group(1) for s in spans
              for m in [re.match(r"([a-z_]+(?:\.[a-z_]+)?)[({]", s)] if m}
    same("the words of docs/lua.md and those that a script finds",
         (called | {"var", "print"}) - base, own)
    check("docs/lua.md: every word it calls is there", called <= names | own,
          called - names)
    absent = text.split("Absent:")[1].split("\n\n")[0]
    for word in re.findall(r"`([a-z.]+)`", absent):
        check(f"docs/lua.md: {word} is absent, as it says",
              (word in names) == (word in ("run", "error")), word)
    for word in STANDARD:
        check(f"docs/lua.md names {word}", f"`{word}" in text)


# ---- tables of the sources ----

def check_conf(folder):
    table = read(f"{SOURCE}/site/conf.c").split("keys[] = {")[1].split("};")[0]
    keys = set(re.findall(r'\{ "([A-Z]+)"', table))
    page = read(f"{DOCS}/edeploy.conf.5")
    same("edeploy.conf(5) and the keys that are read",
         set(re.findall(r"^\.It Cm ([A-Z]+)$", page, re.M)), keys)
    formats = read(f"{DOCS}/formats.md").split("## /etc/edeploy.conf")[1]
    same("docs/formats.md and the keys that are read",
         set(re.findall(r"^\| ([A-Z]+) \|", formats, re.M)), keys)
    write(folder, "state", "[]\n")
    for key in sorted(keys | {"NOSUCHKEY", "USEPXEMNGR", "PXEMNGRURL",
                              "HEALTHDIR"}):
        value = {"LISTEN": "127.0.0.1:80", "METADATAURL": "http://h/",
                 "CONFIGDIR": folder}.get(key, "/nonexistent")
        site = "" if key == "CONFIGDIR" else f"CONFIGDIR = {folder}\n"
        conf = write(folder, "conf", f"[SERVER]\n{site}{key} = {value}\n")
        p = run(CTL, "check", "-c", conf)
        check(f"the key {key} is {'read' if key in keys else 'refused'}",
              (p.returncode == 0) == (key in keys), p.stdout + p.stderr)


def check_predicates(folder):
    table = read(f"{SOURCE}/specs/predicate.c")
    known = set(re.findall(r'^\t\[TEST_\w+\] = \{ "([a-z]+)"', table, re.M))
    formats = read(f"{DOCS}/formats.md")
    rows = formats.split("| predicate |")[1].split("\n\n")[0]
    same("docs/formats.md and the predicates", set(re.findall(
        r"`([a-z]+)\(", "".join(r.split(" | ")[0] for r in
                                rows.splitlines()))), known)
    page = read(f"{DOCS}/edeploy-specs.5").split(".Ss Predicates")[1]
    same("edeploy-specs(5) and the predicates", set(re.findall(
        r"\bFn ([a-z]+) [A-Z]", page.split(".El")[0])), known)
    for name in sorted(known) + ["nosuch"]:
        write(folder, "state", "[('p', 1)]\n")
        write(folder, "p.configure", "\n")
        write(folder, "p.specs", f"[('a', 'b', 'c', '{name}()')]\n")
        p = run(CTL, "check", "--site", folder)
        check(f"{name}() without arguments is "
              f"{'refused' if name in known else 'text'}",
              (p.returncode == 1) == (name in known), p.stdout + p.stderr)


def check_words():
    table = read(f"{SOURCE}/agent/words.c").split("} table[] = {")[1]
    table = table.split("\n};")[0]
    taken = set(re.findall(r'\{ "(\w+)", \w+, NULL \}', table))
    not_taken = set(re.findall(r'\{ "(\w+)", NOT_TAKEN', table))
    page = read(f"{DOCS}/edeploy-agent.8").split(".Sh KERNEL WORDS")[1]
    told = set()
    for line in re.findall(r"^\.It ([A-Za-z].*)$", page.split("\n.Sh ")[0],
                           re.M):
        told.update(line.split(" , "))
    same("edeploy-agent(8) and the kernel words", told, taken)
    compat = read(f"{DOCS}/compat.md").split("## 1.6")[1].split("\n## ")[0]
    first = {w for row in re.findall(r"^\| ([A-Z][^|]+) \|", compat, re.M)
             for w in row.split(", ")}
    same("docs/compat.md and the kernel words", first | {"console"},
         taken | not_taken)


# ---- facts ----

def told_facts():
    """{(class, property)} of the table."""
    table = read(f"{DOCS}/formats.md").split("| class | name |")[1]
    told = set()
    for row in re.findall(r"^\| ([a-z]+) \| [^|]+ \| (.*) \|$",
                          table.split("\n\n")[0], re.M):
        words = re.sub(r"\([^)]*\)", "", row[1])  # units, examples
        told |= {(row[0], w) for w in re.findall(r"`([^`]+)`", words)}
    return told


def check_facts():
    told = told_facts()
    p = run(AGENT, "detect")
    for what, text in (("of this machine", p.stdout),
                       ("of specs/examples/vm.json",
                        read(f"{SOURCE}/specs/examples/vm.json"))):
        facts = json.loads(text)
        strange = {(f[0], f[2]) for f in facts} - told
        check(f"docs/formats.md tells the facts {what}",
              facts and not strange, strange)
    sources = "".join(read(p) for p in glob.glob(f"{SOURCE}/agent/*.c"))
    lost = {w for pair in told for w in pair if f'"{w}"' not in sources}
    check("docs/formats.md: each word of its facts is one of the probes",
          len(told) > 60 and not lost, lost)


# ---- the wire ----

def calls_of(text):
    """Names in a path are in capitals, or the ellipsis."""
    found = set()
    for method, path in re.findall(r"`(GET|POST|PUT) ([^` ?]+)", text):
        path = path.replace("…/upload.py", "**/upload.py")
        path = path.replace("/trees/…", "/trees/**")
        found.add((method, re.sub(r"/([A-Z]+|…)(?=/|$)", "/*", path)))
    return found


def check_wire():
    table = read(f"{SOURCE}/server/route.c").split("rows[] = {")[1]
    routes = {(m, path): ".local = true" in more for m, path, more in
              re.findall(r'\{ "([A-Z]+)", "([^"]+)",([^}]*)\}',
                         table.split("\n};")[0])}
    text = read(f"{DOCS}/wire.md")
    same("docs/wire.md and the calls that are answered", calls_of(text),
         set(routes))
    operator = text.split("## An operator asks")[1].split("\n## ")[0]
    same("docs/wire.md: the calls of operators are those of the socket",
         calls_of(operator), {r for r, local in routes.items() if local})


# ---- units ----

def check_units(folder):
    """systemd's own opinion, where it is installed."""
    if not shutil.which("systemd-analyze"):
        check("the units # SKIP no systemd here", True)
        return
    text = " ".join(read(f"{DOCS}/security.md").split())
    for path in ("server/edeployd.service", "rsyncd/edeploy-rsyncd.service"):
        name = os.path.basename(path)
        unit = write(folder, name, re.sub(r"(?m)^(ExecStart=)\S+",
                                          r"\g<1>/bin/true",
                                          read(f"{SOURCE}/{path}")))
        p = run("systemd-analyze", "verify", "--man=no", unit)
        check(f"{name}: systemd reads all of it", p.returncode == 0 and
              not p.stderr, p.stderr)
        p = run("systemd-analyze", "security", "--offline=true",
                "--no-pager", unit)
        got = re.search(r"level for \S+: ([\d.]+) ([A-Z]+)", p.stdout)
        told = re.search(f"security {name[:-8]}`[^`]*?" + r"([\d.]+) ([A-Z]+)",
                         text)
        check(f"{name}: docs/security.md tells its exposure", got and told and
              got.groups() == told.groups(), (got, told, p.stderr))


# ---- examples ----

def blocks(text):
    """(heading, text) of indented blocks of a text in Markdown."""
    heading, out = "", []
    for line in text.splitlines() + ["end"]:
        if line.startswith("#"):
            heading = line.strip("# ")
        if line.startswith("    "):
            out.append(line[4:])
        elif not line and out:
            out.append("")
        elif out:
            yield heading, "\n".join(out) + "\n"
            out = []


def page_blocks(page):
    return re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", page, re.M | re.S)


def check_site(what, folder, **files):
    site = tempfile.mkdtemp(dir=folder)
    files = {"state": "[('p', 1)]\n", "p_specs": "[]\n",
             "p_configure": "\n", **files}
    for name, text in files.items():
        write(site, name.replace("_", "."), text)
    for name in re.findall(r"\('(\w+)', (?:\d+|'\*')\)", files["state"]):
        for kind, text in (("specs", "[]\n"), ("configure", "\n")):
            if not os.path.exists(f"{site}/{name}.{kind}"):
                write(site, f"{name}.{kind}", text)
    p = run(CTL, "check", "--site", site)
    check(what, p.returncode == 0 and "error" not in p.stdout,
          p.stdout + p.stderr + str(files))


def check_one(where, kind, text, folder):
    what = f"{where}: the example {text.splitlines()[0][:30]!r} is read"
    if kind == "specs":
        check_site(what, folder, p_specs=text)
    elif kind == "state":
        check_site(what, folder, state=text)
    elif kind == "cmdb":
        check_site(what, folder, p_cmdb=text)
    elif kind == "lua":
        p = run(AGENT, "lint", write(folder, "x.configure", text))
        check(what, p.returncode == 0, p.stdout + p.stderr)
    else:
        facts = write(folder, "facts.json", text)
        site = tempfile.mkdtemp(dir=folder)
        write(site, "state", "[('p', 1)]\n")
        write(site, "p.specs", "[]\n")
        write(site, "p.configure", "\n")
        p = run(CTL, "match", facts, "--site", site)
        check(what, p.returncode == 0, p.stdout + p.stderr)


KINDS = {"Facts": "facts", "Patterns": "specs", "state": "state",
         "CMDB": "cmdb"}


def check_examples(folder):
    seen = set()
    for heading, text in blocks(read(f"{DOCS}/formats.md")):
        if heading in KINDS:
            check_one("docs/formats.md", KINDS[heading], text, folder)
            seen.add(heading)
    same("docs/formats.md has an example of each file", seen, set(KINDS))
    for page, kind in (("edeploy-specs.5", "specs"), ("edeploy-lua.7", "lua"),
                       ("edeploy-state.5", "state"),
                       ("edeploy-cmdb.5", "cmdb")):
        for text in page_blocks(read(f"{DOCS}/{page}")):
            check_one(f"docs/{page}", kind, text.replace("\\e", "\\"), folder)
    for text in re.findall(r"```lua\n(.*?)```", read(f"{DOCS}/lua.md"), re.S):
        check_one("docs/lua.md", "lua", text, folder)


def check_mentions():
    """Commands and files that texts name are there."""
    texts = [*glob.glob(f"{DOCS}/*"), *glob.glob(f"{SOURCE}/README*")]
    commands = {name: set(re.findall(r"^  ([a-z][a-z-]*)  ",
                                     run(path, "--help").stdout, re.M))
                | {"help", "COMMAND"}
                for name, path in PROGRAMS.items() if name != "edeployd"}
    for path in sorted(texts):
        if not os.path.isfile(path):
            continue
        name, text = os.path.relpath(path, SOURCE), read(path)
        strange = {f"{p} {c}" for p, c in re.findall(
            r"(?:^|[`( ]|build/)(edeployctl|edeploy-agent) ([a-z]+)(?=[ `)\n])",
            text) if c not in commands[p] and "`" in text}
        check(f"{name}: the commands that it names are there", not strange,
              strange)
        lost = {f for f in re.findall(
            r"\b((?:docs|server|specs|cmdb|setup|tests|rsyncd|initrd)/"
            r"[\w./-]+\.(?:md|conf|service|py|sh|example|specs|cmdb|8))\b",
            text) if not os.path.exists(f"{SOURCE}/{f}")}
        check(f"{name}: the files that it names are there", not lost, lost)


def main():
    check_pages()
    for name, program in PROGRAMS.items():
        check_options(name, program)
    check_lua()
    with tempfile.TemporaryDirectory() as folder:
        check_conf(folder)
    with tempfile.TemporaryDirectory() as folder:
        check_predicates(folder)
    with tempfile.TemporaryDirectory() as folder:
        check_units(folder)
    check_words()
    check_facts()
    check_wire()
    with tempfile.TemporaryDirectory() as folder:
        check_examples(folder)
    check_mentions()
    return end()


sys.exit(main())
