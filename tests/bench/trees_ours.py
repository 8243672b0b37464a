"""eDeploy's own way: published once, then files that anybody may serve."""
import os

import trees_lab as lab
import trees_ways

ROLE, VERSIONS = "bench", {"A": "1.0", "B": "1.1"}


class Edeploy(trees_ways.Way):
    """`server`: what hands the files out; the same ones for all."""

    def __init__(self, name, port, shelf):
        self.name, self.shelf = name, shelf
        self.url = f"http://{lab.SERVER}:{port}/trees"

    def pull(self, version, into, *more, source=None):
        return [self.shelf.ctl, "pull", ROLE, VERSIONS[version], into,
                "--from", source or self.url, "--trust", self.shelf.trust,
                *more]

    def install(self, folder):
        return self.pull("A", f"{folder}/new")

    def base(self, folder, tree):
        lab.run(*self.pull("A", f"{folder}/base", source=self.shelf.trees))

    def upgrade(self, folder):
        return self.pull("B", f"{folder}/out", "--base", f"{folder}/base",
                         "--share", "link")

    def nochange(self, folder):
        return self.pull("A", f"{folder}/base")

    def verify(self, folder):
        return [self.shelf.ctl, "verify", f"{folder}/base", "--trust",
                self.shelf.trust]

    def result(self, folder, job):
        return f"{folder}/out" if job == "upgrade" \
            else super().result(folder, job)


class Shelf:
    """Both trees published, and the servers' words."""

    def __init__(self, programs, top):
        self.ctl = f"{programs}/edeployctl"
        self.server = f"{programs}/edeployd"
        self.top, self.work = f"{top}/shelf", f"{top}/edeployd"
        self.trees = f"{self.top}/trees"
        self.key, self.trust = f"{top}/trees.key", f"{top}/trees.key.pub"
        self.costs = {}

    def publish(self, bench_lab, trees, repack):
        lab.run(self.ctl, "key", self.key)
        for name, path in trees.items():
            self.cost(bench_lab, f"{name} published", "publish", ROLE,
                      VERSIONS[name], path)
        a, b = self.costs.values()
        self.costs["both published"] = {key: a[key] + b[key] for key in a} | {
            "peak_mb": max(a["peak_mb"], b["peak_mb"])}
        for name in trees if repack else ():
            self.cost(bench_lab, f"{name} repacked", "repack", ROLE,
                      VERSIONS[name])

    def cost(self, bench_lab, what, *words):
        m = bench_lab.measure([[self.ctl, *words, "--top", self.top, "--key",
                                self.key]])
        del m["said"]
        self.costs[what] = m

    def view(self, name):
        return f"{self.top}/install/{VERSIONS[name]}/{ROLE}"

    def views(self):
        """Both trees as stock rsync serves them."""
        return {name: self.view(name) for name in VERSIONS}

    def edeployd(self, port):
        """Words of a server over an empty site."""
        for folder in ("site", "log"):
            os.makedirs(f"{self.work}/{folder}")
        with open(f"{self.work}/site/state", "w") as f:
            f.write("[]\n")
        with open(f"{self.work}/conf", "w") as f:
            f.write(f"[SERVER]\nCONFIGDIR={self.work}/site\n"
                    f"LOGDIR={self.work}/log\nSTOREDIR={self.work}/store\n"
                    f"LOCKFILE={self.work}/lock\nSOCKET={self.work}/sock\n"
                    f"TREES={self.trees}\n")
        return [self.server, "-c", f"{self.work}/conf", "--listen",
                f"{lab.SERVER}:{port}"]
