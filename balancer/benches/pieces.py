#!/usr/bin/env python3
"""How long requests take whose sender writes one message in several pieces, and whose kernel holds each piece back until the one
before is acknowledged (Nagle's algorithm, which is on unless a program turns it off).

    pieces.py [--balancer target/release/logkin-balancer] [--requests 200]

Once it is the backend that writes its answers so, once the client its requests, each over one connection that is held; through
nginx, through the balancer, and without either. Shown are median and 99th percentile in milliseconds. Only the standard
library is used; needs nginx. The bound: the median through the balancer is at most a tenth of what it is without. Exit code 1
if it is not held.
"""
import argparse
import contextlib
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ANSWER = [b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n", b"Content-Length: 5\r\n\r\n", b"hello"]
REQUEST = [b"POST / HTTP/1.1\r\nHost: localhost\r\n", b"Content-Length: 5\r\n\r\n", b"hello"]


def read_message(lines):
    length = 0
    for line in iter(lines.readline, b"\r\n"):
        if not line:
            return False
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return len(lines.read(length)) == length


def write(connection, pieces, apart):
    for piece in pieces if apart else [b"".join(pieces)]:
        connection.sendall(piece)


def backend(apart):
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def serve(connection):
        lines = connection.makefile("rb")
        while read_message(lines):
            write(connection, ANSWER, apart)

    def accept():
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def nginx(folder, port, upstream):
    temporary = "".join(f"{kind}_temp_path {folder}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    configuration = Path(folder, f"{port}.conf")
    configuration.write_text(
        f"daemon off; pid {folder}/{port}.pid; error_log {folder}/{port}.err; events {{}} http {{ access_log off; {temporary}"
        f"upstream u {{ server 127.0.0.1:{upstream}; keepalive 8; }} server {{ listen 127.0.0.1:{port};"
        " location / { proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ''; } } }"
    )
    return ["nginx", "-c", str(configuration), "-p", folder]


@contextlib.contextmanager
def running(command, port):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(10)


def ask(port, apart, count):
    took = []
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        lines = connection.makefile("rb")
        for _ in range(count):
            begun = time.monotonic()
            write(connection, REQUEST, apart)
            if not read_message(lines):
                sys.exit("the connection was closed")
            took.append((time.monotonic() - begun) * 1e3)
    return statistics.median(took), statistics.quantiles(took, n=100)[98]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--balancer", default=ROOT / "target/release/logkin-balancer", type=Path)
    options.add_argument("--requests", default=200, type=int)
    options = options.parse_args()
    held = True
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        for who, upstream in (("backend", backend(True)), ("client", backend(False))):
            print(f"pieces of the {who}: median and 99th percentile, ms")
            median = {}
            for name in ("without", "nginx", "balancer"):
                port = upstream if name == "without" else free_port()
                addresses = ["--listen", f"127.0.0.1:{port}", "--backend", f"127.0.0.1:{upstream}"]
                command = nginx(folder, port, upstream) if name == "nginx" else [options.balancer, "run", *addresses]
                with contextlib.nullcontext() if name == "without" else running(command, port):
                    median[name], worst = ask(port, who == "client", options.requests)
                print(f"  {name:10}{median[name]:8.2f}{worst:8.2f}", flush=True)
            held = held and median["balancer"] <= median["without"] / 10
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
