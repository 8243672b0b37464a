"""What a test found, told as TAP: on past a failing row, the plan last."""
import threading


class Tap:
    def __init__(self):
        self.count = self.failed = 0
        self.one_line = threading.Lock()

    def check(self, what, good, saw=""):
        """A row; `saw` is shown, its last 40 lines, where it is not good."""
        if not isinstance(what, str):  # a row that could not fail
            raise TypeError(f"check(what, good, saw), not {what!r}")
        with self.one_line:
            self.count += 1
            self.failed += not good
            print(f"{'ok' if good else 'not ok'} {self.count} - {what}",
                  flush=True)
            if not good:
                for line in str(saw)[-6000:].splitlines()[-40:]:
                    print("# " + line, flush=True)
        return good

    def show(self, text):
        print("# show: " + text, flush=True)

    def end(self):
        """The exit code."""
        print(f"1..{self.count}", flush=True)
        return 1 if self.failed else 0


rows = Tap()
check, end = rows.check, rows.end
