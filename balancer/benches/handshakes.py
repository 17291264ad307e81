#!/usr/bin/env python3
"""How long a request of a client that is there already takes while many others begin TLS on the same thread at once.

    handshakes.py [--balancer target/release/logkin-balancer] [--many 800] [--rounds 5]

So many connections are open; each sends the first message of a handshake, one behind the other and without waiting, as
after a restart; from then on a client without TLS asks one request after the other for half a second. Shown is the longest
that one of them took, in milliseconds: the median over the rounds, and the worst. Only the standard library is used; needs
openssl. The bound: a tenth of the time that all handshakes take. Exit code 1 if it is not held.
"""
import argparse
import contextlib
import http.server
import resource
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Backend(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def hello():
    """What a client says first."""
    context = ssl.create_default_context()
    said = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), said, server_hostname="localhost").do_handshake()
    return said.read()


def ask(client):
    """how long an answer takes, in milliseconds"""
    begun = time.perf_counter()
    client.sendall(REQUEST)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += client.recv(65536) or sys.exit("the balancer has closed the connection")
    return (time.perf_counter() - begun) * 1000


def round_of(address, tls, many, said):
    """the longest answer during the burst, and when the last handshake was answered, in milliseconds"""
    with contextlib.ExitStack() as open_:
        client = open_.enter_context(socket.create_connection(address))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(50):
            ask(client)
        others = [open_.enter_context(socket.create_connection(tls)) for _ in range(many)]
        time.sleep(0.2)
        begun = time.perf_counter()
        answered = []
        last = threading.Thread(daemon=True, target=lambda: answered.append((others[-1].recv(1), time.perf_counter() - begun)))
        last.start()
        for other in others:
            other.sendall(said)
        longest = 0
        while time.perf_counter() - begun < 0.5:
            longest = max(longest, ask(client))
        last.join(10)
        if not answered or not answered[0][0]:
            sys.exit("the last handshake was not answered")
        return longest, answered[0][1] * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--balancer", default=ROOT / "target/release/logkin-balancer")
    parser.add_argument("--many", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    backend = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    threading.Thread(target=backend.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        key, cert = f"{folder}/key.pem", f"{folder}/cert.pem"
        names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        subprocess.run(["openssl", "req", "-x509", *curve, "-nodes", "-keyout", key, "-out", cert, *names], check=True, capture_output=True)
        taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        address, tls = (listener.getsockname() for listener in taken)
        for listener in taken:
            listener.close()
        ours = [str(args.balancer), "run", "--threads", "1", "--listen", "%s:%d" % address, "--tls-listen", "%s:%d" % tls]
        ours += ["--tls-cert", cert, "--tls-key", key, "--backend", f"127.0.0.1:{backend.server_port}"]
        balancer = subprocess.Popen(ours, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            if "is ready" not in balancer.stdout.readline():
                sys.exit("the balancer does not start; run it by hand to see why")
            rounds = [round_of(address, tls, args.many, hello()) for _ in range(args.rounds)]
        finally:
            balancer.terminate()
            balancer.wait()
    longest, whole = zip(*rounds)
    print(f"{args.many} handshakes at once take {statistics.median(whole):.0f} ms; a request meanwhile at most {statistics.median(longest):.1f} ms (median of {args.rounds}; worst {max(longest):.1f})")
    sys.exit(0 if statistics.median(longest) <= statistics.median(whole) / 10 else 1)


if __name__ == "__main__":
    main()
