"""What is recorded: a host that boots its versions, one that moves live, one
that is converted, a machine that is installed."""
import installed
import real
import running

STORIES = {
    # what records it, what the judge knows of it, what must be entered
    "boot": (real.record, real.Subject, {"V1", "V2", "V3"}),
    "live": (running.record_live, real.Subject, {"V1", "V2", "V4"}),
    "convert": (running.record_convert, running.Converted, {"plain", "V1"}),
    "install": (installed.record, installed.Installed,
                {"", installed.VERSION}),
    "plain": (installed.record_plain, installed.Plain, {"", "plain"}),
}


def record(name):
    return STORIES[name][0]


def subject(name, programs, marks):
    return STORIES[name][1](programs, marks)


def entered(name):
    return STORIES[name][2]
