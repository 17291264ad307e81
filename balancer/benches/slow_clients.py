#!/usr/bin/env python3
"""What 1,000 slow clients do to others: the 99th percentile of a usual client's answer times, alone and while slowhttptest
sends heads (-H), sends bodies (-B) or reads answers (-X) as slowly as it can, and how many instances were busy for them.

    slow_clients.py [--balancer target/release/logkin-balancer] [--logkin target/release/logkin] [--clients 1000]
                    [--seconds 20] [--path /]

Three instances of the web app stand behind the balancer, with default settings. Only the standard library is used; needs
slowhttptest (Debian has it). The bounds: loaded at most twice the quiet percentile, no busy instance. Exit code 1 if one
is not held.
"""
import argparse
import http.client
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ATTACKS = {
    "heads (-H)": ["-H", "-i", "10"],
    "bodies (-B)": ["-B", "-s", "8192", "-x", "10", "-i", "10"],
    "answers (-X)": ["-X", "-w", "10", "-y", "20", "-n", "5", "-z", "32"],
}


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Service:
    """The balancer with three instances, and its metrics."""

    def __init__(self, arguments, folder):
        self.port, self.metrics = free_port(), free_port()
        command = [str(arguments.logkin), "serve", "--listen", "unix:{socket}", "--name", "{name}", "--data-dir", str(folder / "data")]
        config = folder / "balancer.toml"
        config.write_text(
            f'metrics_listen = "127.0.0.1:{self.metrics}"\n[[listen]]\naddress = "127.0.0.1:{self.port}"\n'
            f'[[program]]\nname = "app"\ncommand = {command!r}\nports = [0, 0, 0]\nlog_dir = "{folder}"\n'
        )
        environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder)}
        self.process = subprocess.Popen(
            [str(arguments.balancer), "run", "--config", str(config)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
        )
        if "is ready" not in self.process.stdout.readline():
            sys.exit("the balancer does not start; run it by hand to see why")

    def busy(self):
        """Requests that instances are working on."""
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics, timeout=10)
        connection.request("GET", "/metrics")
        page = connection.getresponse().read().decode()
        return sum(int(count) for count in re.findall(r"^logkin_balancer_backend_in_flight\{.*\} (\d+)$", page, re.M))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def percentile_99(port, path, seconds):
    """Of the answer times of one client, in milliseconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    times, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        begun = time.monotonic()
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            sys.exit(f"a usual client got {answer.status}")
        times.append((time.monotonic() - begun) * 1000)
        time.sleep(0.002)
    return statistics.quantiles(times, n=100)[98]


def least_busy(service, ended, found):
    """How many instances are busy though nobody but slow clients asks: what is busy in every look of a second."""
    while not ended.is_set():
        looks = []
        for _ in range(20):
            looks.append(service.busy())
            time.sleep(0.05)
        found.append(min(looks))


def under(attack, arguments, service):
    url = f"http://127.0.0.1:{service.port}{arguments.path}"
    clients = str(arguments.clients)
    tool = subprocess.Popen(
        ["slowhttptest", *attack, "-c", clients, "-r", clients, "-l", str(arguments.seconds + 10), "-p", "5", "-u", url],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    time.sleep(4)
    ended, found = threading.Event(), []
    looking = threading.Thread(target=least_busy, args=(service, ended, found))
    looking.start()
    loaded = percentile_99(service.port, arguments.path, arguments.seconds)
    ended.set()
    looking.join()
    is_on = tool.poll() is None
    tool.terminate()
    tool.wait()
    return loaded, max(found), is_on


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--balancer", type=Path, default=ROOT / "target/release/logkin-balancer")
    parser.add_argument("--logkin", type=Path, default=ROOT / "target/release/logkin")
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--path", default="/")
    arguments = parser.parse_args()
    is_held = True
    with tempfile.TemporaryDirectory() as folder:
        service = Service(arguments, Path(folder))
        percentile_99(service.port, arguments.path, 2)
        print(f"{'':14} {'quiet p99':>10} {'loaded p99':>11} {'busy instances':>15}")
        for name, attack in ATTACKS.items():
            quiet = percentile_99(service.port, arguments.path, arguments.seconds)
            loaded, busy, is_on = under(attack, arguments, service)
            note = "" if is_on else "  (slowhttptest had ended)"
            print(f"{name:14} {quiet:7.2f} ms {loaded:8.2f} ms {busy:15}{note}", flush=True)
            is_held = is_held and loaded <= 2 * quiet and busy == 0
        service.stop()
    sys.exit(0 if is_held else 1)


if __name__ == "__main__":
    main()
