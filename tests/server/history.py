"""What many asked at once and what they were answered, and the question
whether the oracle says the same in some order that the times allow: each
request is done at one moment between its beginning and its end. One that got
no answer is done at any moment after its beginning, or never."""
import ast
import functools
import itertools
import json
import math
import re
import threading
import time

import oracle

NEVER = math.inf
TRIES_MAX = 100000  # beyond what is asked; an order is found, or hardly is one


def variables(script):
    """{name: value} of a script's `var`, when all are texts and numbers."""
    line = re.search(r"^var = \{(.*)\}$", script, re.M)
    return {k: ast.literal_eval(v) for k, v in re.findall(
        r'\["([^"]+)"\] = ("[^"]*"|-?\d+)', line[1])}


def meaning(status, text):
    """An answer to an upload in the oracle's words."""
    if status == 200 and text == "boot_local()\n":
        return ("local",)
    if status == 200:
        words = variables(text)
        return "script", words["edeploy-profile"], words
    other = {503: ("wait", text), 422: ("nothing fits",), 409: ("over",)}
    return other.get(status, (status, text))


def agree(want, got):
    if want[0] == got[0] == "wait":
        return got[1].startswith(want[1])
    return want == got


def said(seen):
    return frozenset((k, v) for k, some in seen.items() for v in some)


class Op:
    """`act` does it to a site; True when it was answered like that."""

    def __init__(self, begin, end, words, act):
        self.begin, self.end, self.words, self.act = begin, end, words, act
        self.taken, self.index = False, 0

    def __str__(self):
        return " ".join(str(word)[:600] for word in self.words)


class Upload:
    def __init__(self, begin, end, run, facts, answer, machine):
        """`answer`: (status, text), or None."""
        self.begin, self.end, self.run, self.facts = begin, end, run, facts
        self.answer, self.machine = answer, machine

    @functools.cached_property
    def got(self):
        return self.answer and meaning(*self.answer)

    def op(self, facts, seen, ip):
        def lost(site):
            m = site.who(seen)
            if isinstance(m, oracle.Machine) and m.entry:
                return False  # it keeps what it has: nothing to be seen of
            want = site.upload(self.run, facts, seen)
            return want[0] == "script" and (not ip or
                                            want[2].get("ip") == ip)

        def act(site):
            want = site.upload(self.run, facts, seen)
            return agree(want, self.got) and (
                want[0] not in ("script", "local") or not self.machine or
                site.called(site.runs[self.run].machine, self.machine))
        words = "asks", "%x" % self.run, facts, self.got, self.machine
        return Op(self.begin, self.end, words, act if self.got else lost)


class History:
    def __init__(self):
        self.lock = threading.Lock()
        self.uploads, self.others = [], []

    def upload(self, begin, run, facts, status=None, text="", machine=None):
        """What was asked at `begin` (facts as they were sent) is answered now,
        or never: no status, or one of the server's own trouble."""
        never = status in (None, 500)
        u = Upload(begin, NEVER if never else time.monotonic(), run, facts,
                   None if never else (status, text), machine)
        with self.lock:
            self.uploads.append(u)

    def other(self, begin, words, act):
        with self.lock:
            self.others.append(Op(begin, time.monotonic(), words, act))

    def ips(self, seen):
        """{what a machine says: its address}, where nobody gave one back."""
        return {} if self.others else {
            said(seen[u.facts]): u.got[2].get("ip") for u in self.uploads
            if u.got and u.got[0] == "script"}

    def ops(self):
        """A run begins once, whichever of its uploads began it: where some
        were answered with a script and some never, the first answer stands
        for those that have none."""
        read = {u.facts: json.loads(u.facts) for u in self.uploads}
        seen = {text: oracle.identity(facts) for text, facts in read.items()}
        ips, runs = self.ips(seen), {}
        for u in self.uploads:
            runs.setdefault(u.run, []).append(u)
        out = list(self.others)
        for same in runs.values():
            given = [u for u in same if u.got and
                     u.got[0] in ("script", "local")]
            lost = [u for u in same if not u.got]
            if given and lost and all(u.facts == given[0].facts
                                      for u in same):
                first = min(given, key=lambda u: u.end)
                first.begin = min(u.begin for u in same)
                same = [u for u in same if u.got]
            out += [u.op(read[u.facts], seen[u.facts],
                         ips.get(said(seen[u.facts]))) for u in same]
        return out


class Search:
    """Depth first; what changes nothing is done as soon as it agrees, and a
    state from which nothing led on is known when another order comes to it."""

    def __init__(self, site, ops):
        self.site = site
        ops = sorted(ops, key=lambda op: op.begin)
        self.ops = [op for op in ops if op.end < NEVER]
        self.lost = [op for op in ops if op.end == NEVER]
        for i, op in enumerate(self.ops):
            op.index = i
        self.low, self.left = 0, len(self.ops)
        self.order, self.choices = [], []
        self.tries, self.furthest, self.stuck = 0, -1, ""
        self.dead = set()

    def window(self):
        """Those that may be next: begun before any that is left ended."""
        out, horizon = [], NEVER
        while self.low < len(self.ops) and self.ops[self.low].taken:
            self.low += 1
        for op in itertools.islice(self.ops, self.low, None):
            if op.begin > horizon:
                break
            if not op.taken:
                out.append(op)
                horizon = min(horizon, op.end)
        return sorted(out, key=lambda op: op.end), horizon

    def candidates(self):
        """Then, when none of those agrees, what got no answer."""
        now, horizon = self.window()
        yield from now
        for op in self.lost:
            if op.begin > horizon:
                break
            if not op.taken:
                yield op

    def take(self, op):
        op.taken = True
        self.order.append(op)
        self.left -= op.end < NEVER

    def take_back(self, length):
        while len(self.order) > length:
            op = self.order.pop()
            op.taken = False
            if op.end < NEVER:
                self.left += 1
                self.low = min(self.low, op.index)

    def step(self, some):
        """The first of `some` that agrees is done; False: none does."""
        for op in some:
            mark = self.site.mark()
            self.tries += 1
            if op.act(self.site):
                if self.site.mark() == mark:
                    some = iter(())  # no other one is worth a try
                self.choices.append((mark, len(self.order), some))
                self.take(op)
                return True
            self.site.back(mark)
        return False

    def state(self):
        now, _ = self.window()
        lost = len(self.order) + self.left - len(self.ops)
        return tuple(op.index for op in now), lost, self.site.looks()

    def note_stuck(self):
        if len(self.order) <= self.furthest:
            return
        self.furthest = len(self.order)
        now, _ = self.window()
        self.stuck = "\n".join(
            [f"in the best order, after {len(self.ops) - self.left} of "
             f"{len(self.ops)}, nothing fits; the last ones:",
             *(str(op) for op in self.order[-6:]), "those that wait:",
             *(str(op) for op in now)])

    def run(self):
        """None, or why there is no order."""
        some = self.candidates()
        while self.left:
            known = self.dead and self.state() in self.dead
            if not known and self.step(some):
                some = self.candidates()
                if len(self.order) > self.furthest + 50:
                    self.dead.clear()
                continue
            self.note_stuck()
            self.dead.add(self.state())
            if not self.choices or self.tries > TRIES_MAX + 9 * len(self.ops):
                return self.stuck
            mark, length, some = self.choices.pop()
            self.site.back(mark)
            self.take_back(length)
        return None


def site_of(files):
    """The oracle's site of {file name: text}."""
    end = ".specs"
    return oracle.Site(
        {name[:-len(end)]: ast.literal_eval(text)
         for name, text in files.items() if name.endswith(end)},
        [tuple(row) for row in ast.literal_eval(files["state"])],
        {name[:-5]: text for name, text in files.items()
         if name.endswith(".cmdb")})


def replay(history, site):
    """None, with `site` as it is in the end, or how the answers are not those
    of the oracle."""
    return Search(site, history.ops()).run()
