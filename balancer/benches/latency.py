#!/usr/bin/env python3
"""How long answers take at a rate that is given, through the balancer and through nginx: median and 99th percentile, plain and
over TLS.

    latency.py [--balancer target/release/logkin-balancer] [--rates 10000,20000,30000] [--rounds 5] [--seconds 3]

A load that goes as fast as it can measures itself where the proxy is the faster side: its own core is full, and what waits
there waits for the scheduler. So here both proxies are asked at the same rates, well below what they could do: each client
waits for a time drawn by lot between its requests, so that they come neither in step nor in bursts. The proxy has the first
core; the load and two backends have the last. They take turns, and medians of rounds are compared. Only the standard library is
used; needs nginx, wrk and openssl. The bound: 99th percentile at most 1.2 times that of nginx. Exit code 1 if it is not held.
"""
import argparse
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = 128
HEAD = "daemon off; worker_processes 1; pid {0}/{1}.pid; error_log {0}/{1}.err crit; events {{ worker_connections 4096; }}"
BUFFERS = "".join(f"{kind}_temp_path {{0}}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))


def free_ports(count):
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in taken]
    for listener in taken:
        listener.close()
    return ports


def nginx(folder, name, servers):
    folder = Path(folder) / name
    folder.mkdir()
    config = HEAD.format(folder, name) + " http { access_log off; keepalive_requests 100000000; keepalive_timeout 300s; "
    (folder / "conf").write_text(config + BUFFERS.format(folder) + servers + " }")
    return ["nginx", "-e", f"{folder}/{name}.err", "-p", str(folder), "-c", f"{folder}/conf"]


def start(command, core, port):
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=lambda: os.sched_setaffinity(0, {core})
    )
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return process
        if process.poll() is not None:
            break
        time.sleep(0.05)
    process.kill()
    sys.exit(f"{command[0]} does not start: {process.stderr.read().decode()}")


LOAD = """
local most = tonumber(os.getenv("MOST"))
function init(args) math.randomseed(os.time()) end
function delay() return math.random(0, most) end
function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print("took", latency:percentile(50), latency:percentile(99), summary.requests * 1e6 / summary.duration, failed)
end
"""


def load(url, rate, seconds, core, folder):
    """median and 99th percentile of the answer times in milliseconds, and requests per second"""
    script = Path(folder) / "load.lua"
    script.write_text(LOAD)
    environment = os.environ | {"MOST": str(round(2000 * CLIENTS / rate))}
    command = ["wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds}", "-s", str(script), url]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, preexec_fn=lambda: os.sched_setaffinity(0, {core}))
    took = next((line.split()[1:] for line in done.stdout.splitlines() if line.startswith("took")), None)
    if took is None or took[3] != "0":
        sys.exit(f"{url} did not answer all requests: {done.stdout[-400:]} {done.stderr[-400:]}")
    return float(took[0]) / 1000, float(took[1]) / 1000, float(took[2])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--balancer", default=ROOT / "target/release/logkin-balancer")
    parser.add_argument("--rates", default="10000,20000,30000", help="requests per second of all clients together, less what answers take")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    args = parser.parse_args()
    first, last = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        key, cert = f"{folder}/key.pem", f"{folder}/cert.pem"
        subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        subprocess.run(["openssl", "req", "-x509", *curve, "-nodes", "-keyout", key, "-out", cert, "-days", "2", *subject], check=True, capture_output=True)
        one, two, plain, tls, our_plain, our_tls = free_ports(6)
        said = "y" * 1024
        backends = "".join(f'server {{ listen 127.0.0.1:{port}; location / {{ return 200 "{said}"; }} }} ' for port in (one, two))
        upstream = f"upstream pool {{ server 127.0.0.1:{one}; server 127.0.0.1:{two}; keepalive {CLIENTS}; }} "
        proxied = 'proxy_pass http://pool; proxy_http_version 1.1; proxy_set_header Connection "";'
        front = f"server {{ listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {cert}; ssl_certificate_key {key}; location / {{ {proxied} }} }}"
        ours = [str(args.balancer), "run", "--threads", "1", "--listen", f"127.0.0.1:{our_plain}", "--tls-listen", f"127.0.0.1:{our_tls}"]
        ours += ["--tls-cert", cert, "--tls-key", key, "--backend", f"127.0.0.1:{one}", "--backend", f"127.0.0.1:{two}"]
        for command, core, port in [
            (nginx(folder, "backends", backends), last, two),
            (nginx(folder, "front", upstream + front), first, tls),
            (ours, first, our_tls),
        ]:
            process = start(command, core, port)
            running.callback(process.wait)
            running.callback(process.terminate)
        kept = True
        print(f"{CLIENTS} clients, answers of 1 KiB, medians of {args.rounds} rounds of {args.seconds:g} s; milliseconds")
        for kind, ports in (("plain", (plain, our_plain)), ("TLS", (tls, our_tls))):
            for rate in map(int, args.rates.split(",")):
                taken = ([], [])
                for turn in range(args.rounds):
                    for side in (0, 1) if turn % 2 else (1, 0):
                        scheme, host = ("http", "127.0.0.1") if kind == "plain" else ("https", "localhost")
                        taken[side].append(load(f"{scheme}://{host}:{ports[side]}/", rate, args.seconds, last, folder))
                (their_50, their_99, their_rate), (our_50, our_99, our_rate) = ([statistics.median(column) for column in zip(*side)] for side in taken)
                good = our_99 <= 1.2 * their_99
                kept &= good
                print(
                    f"{kind:>5} {rate:6d}/s  nginx p50 {their_50:5.2f} p99 {their_99:5.2f} of {their_rate:6.0f}/s"
                    f"  ours p50 {our_50:5.2f} p99 {our_99:5.2f} of {our_rate:6.0f}/s"
                    f"  p99 {our_99 / their_99:.2f} times{'' if good else '  MISSED'}",
                    flush=True,
                )
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
