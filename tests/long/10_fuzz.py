#!/usr/bin/env python3
"""10_fuzz.py BUILD: search on from each corpus with libFuzzer, a while for each
target (FUZZ_SECONDS, 120 unless said), two at a time. What it finds is left in
BUILD-fuzz/found/TARGET/: a file to be put into tests/fuzz/corpus/TARGET/ with
the fix. Prints TAP."""
import concurrent.futures
import glob
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.path.abspath(sys.argv[1]).rstrip("/") + "-fuzz"
SECONDS = int(os.environ.get("FUZZ_SECONDS", "120"))
# undefined behaviour ends a run as a bad address does: else it is only printed
ENV = {**os.environ, "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}


def build():
    """Of all programs, the targets alone."""
    prefix = subprocess.run([f"{TOP}/setup/static-deps"], check=True,
                            capture_output=True, text=True).stdout.strip()
    if not os.path.exists(f"{BUILD}/build.ninja"):
        subprocess.run(["meson", "setup", BUILD, TOP, "-Dfuzz=true",
                        "-Db_sanitize=address,undefined",
                        f"-Dstatic_prefix={prefix}"], check=True,
                       stdout=subprocess.DEVNULL,
                       env={**os.environ, "CC": "clang"})
    names = sorted(os.path.basename(p)[:-len("_fuzz.c")]
                   for p in glob.glob(f"{TOP}/tests/fuzz/*_fuzz.c"))
    subprocess.run(["ninja", "-C", BUILD,
                    *(f"tests/fuzz/fuzz-{n}" for n in names)],
                   check=True, stdout=subprocess.DEVNULL)
    return names


def search(name):
    """(exit code, last lines)."""
    grown, found = f"{BUILD}/corpus/{name}", f"{BUILD}/found/{name}/"
    for folder in (grown, found):
        os.makedirs(folder, exist_ok=True)
    p = subprocess.run(
        [f"{BUILD}/tests/fuzz/fuzz-{name}", f"-max_total_time={SECONDS}",
         "-rss_limit_mb=4096", "-timeout=25", "-print_final_stats=1",
         "-use_value_profile=1", f"-artifact_prefix={found}", grown,
         f"{TOP}/tests/fuzz/corpus/{name}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=SECONDS + 600, env=ENV)
    return p.returncode, p.stdout.decode(errors="replace").splitlines()[-40:]


names = build()
failed = 0
with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
    for i, (name, (code, said)) in enumerate(
            zip(names, pool.map(search, names)), 1):
        runs = [x for x in said if "number_of_executed_units" in x]
        print(f"{'ok' if code == 0 else 'not ok'} {i} - {name}: "
              f"{runs[0].split()[-1] if runs else 'no'} inputs", flush=True)
        if code != 0:
            failed += 1
            print("\n".join("# " + x for x in said), flush=True)
print(f"1..{len(names)}")
sys.exit(1 if failed else 0)
