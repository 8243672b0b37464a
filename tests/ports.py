"""A port for a server under test."""
import random
import socket


def free_port():
    """Below those that connections get by themselves: until its server starts,
    nobody who connects takes it, nor a test that runs beside this one."""
    while True:
        port = random.randrange(10000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
