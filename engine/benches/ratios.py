#!/usr/bin/env python3
"""What `logkin cluster` takes next to reading the lines at all: time in ratios to grep, one thread to two, packed inputs to
unpacking alone, and peak memory of a file and of a pipe.

    ratios.py [--logkin target/release/logkin] [--lines 5000000] [--rounds 5] [--pipe-gib 7] LOG...

The logs given (by default the specimens of sample-logs) are grown to one file: their lines again and again, each time with
other numbers, addresses, hexadecimal words and times of day, from a fixed seed, so that templates repeat and lines do not.
Everything is measured in turn in each round, on a warm cache, and the medians are compared: a busy neighbour slows all of
it. The ratios that are bounds: grep at most 8, second core at least 1.8, packed at most 1.3, memory under 100 MiB.

Only the standard library is used; needs grep, gzip, zstd, and some four times the size of the log on the disk (--dir).
"""
import argparse
import os
import random
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VARIES = re.compile(
    rb"(?P<keep>\d{4}[-./]\d{2}[-./]\d{2}|\d{2}/(?:\d{2}|[A-Z][a-z]{2})/\d{2,4})"
    rb"|(?P<time>(?<!\d)\d{2}:\d{2}:\d{2}(?!\d))"
    rb"|(?P<ip>(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]))"
    rb"|(?P<hex>\b(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{6,}\b)"
    rb"|(?P<num>(?<![A-Za-z0-9])\d+)"
)


def parts_of(line):
    """literal bytes and (kind, bytes) in turn"""
    parts, at = [], 0
    for match in VARIES.finditer(line):
        if match.lastgroup != "keep":
            parts += [line[at : match.start()], (match.lastgroup, match.group())]
            at = match.end()
    return parts + [line[at:]]


def varied(kind, text, rng):
    if kind == "time":
        second = rng.randrange(86400)
        return b"%02d:%02d:%02d" % (second // 3600, second // 60 % 60, second % 60)
    if kind == "ip":
        return b".".join(b"%d" % (1 + byte % 254) for byte in rng.randbytes(4))
    if kind == "hex":
        return b"%0*x" % (len(text), rng.getrandbits(4 * len(text)))
    # The first digit stays, so that padded numbers and epochs stay plausible.
    rest = len(text) - 1
    return text[:1] + (b"%0*d" % (rest, rng.randrange(10**rest)) if rest else b"")


def grow(logs, lines, out):
    kinds = []
    for log in logs:
        kinds += [parts_of(line + b"\n") for line in Path(log).read_bytes().splitlines()]
    if not kinds:
        sys.exit("the logs have no lines; at least one line was expected")
    rng, written = random.Random(1), 0
    with open(out, "wb", buffering=1 << 20) as file:
        while written < lines:
            for parts in kinds[: lines - written]:
                file.write(b"".join(p if isinstance(p, bytes) else varied(*p, rng) for p in parts))
            written += min(len(kinds), lines - written)


def run(command, stdin=None):
    """seconds and, of the last process, peak MiB"""
    read, write = os.pipe()
    start = time.perf_counter()
    # GNU time is not everywhere; a child of a child has a peak of its own.
    child = os.fork()
    if child == 0:
        os.close(read)
        done = subprocess.run(command, shell=True, stdin=stdin, stdout=subprocess.DEVNULL)
        os.write(write, b"%d %d" % (done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    seconds = time.perf_counter() - start
    code, peak = map(int, os.read(read, 64).split())
    os.close(read)
    if code:
        sys.exit(f"{command} ended with {code}; 0 was expected")
    return seconds, peak / 1024


def piped(command, log, size):
    """the log again and again through a pipe, until so many bytes are through: seconds, peak MiB, bytes"""
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    start, sent = time.perf_counter(), 0
    while sent < size:
        with open(log, "rb") as file:
            while sent < size and (block := file.read(1 << 20)):
                child.stdin.write(block)
                sent += len(block)
    child.stdin.close()
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"{command} ended with {status}; 0 was expected")
    return time.perf_counter() - start, usage.ru_maxrss / 1024, sent


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("logs", nargs="*", help="small logs to grow; a single one of more than 64 MiB is taken as it is")
    parser.add_argument("--logkin", default=ROOT / "target/release/logkin")
    parser.add_argument("--lines", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pipe-gib", type=float, default=7)
    parser.add_argument("--dir", help="for what is made up (default: a temporary folder)")
    args = parser.parse_args()
    logs = args.logs or sorted(str(path) for path in (ROOT / "sample-logs").glob("*.log"))
    with tempfile.TemporaryDirectory(dir=args.dir) as folder:
        log = Path(logs[0])
        if len(logs) > 1 or log.stat().st_size < 64 << 20:
            log = Path(folder) / "grown.log"
            grow(logs, args.lines, log)
        measure(args, log, Path(folder))


def measure(args, log, folder):
    gz, zst = folder / "log.gz", folder / "log.zst"
    subprocess.run(f"gzip -c '{log}' > '{gz}'; zstd -q -c '{log}' > '{zst}'", shell=True, check=True)
    cluster = f"'{args.logkin}' cluster"
    commands = {
        # Its output goes through a pipe: into the null device it would stop at the first match.
        "grep": f"LC_ALL=C grep -c . '{log}' | cat",
        "one": f"{cluster} --threads 1 '{log}'",
        "two": f"{cluster} --threads 2 '{log}'",
        "gzip": f"gzip -dc '{gz}'",
        "gz": f"{cluster} --threads 2 '{gz}'",
        "zstd": f"zstd -q -dc '{zst}'",
        "zst": f"{cluster} --threads 2 '{zst}'",
    }
    with open(log, "rb") as file:
        lines = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    taken = {name: [] for name in commands}
    for _ in range(args.rounds):
        for name, command in commands.items():
            taken[name].append(run(command))
    seconds = {name: statistics.median(s for s, _ in runs) for name, runs in taken.items()}
    peak = {name: max(mib for _, mib in runs) for name, runs in taken.items()}
    print(f"{lines} lines, {log.stat().st_size / 1e6:.0f} MB, {os.cpu_count()} cores, medians of {args.rounds} rounds")
    for name in commands:
        print(f"{name:>5} {seconds[name]:7.2f} s {lines / seconds[name] / 1e6:7.2f} M lines/s  peak {peak[name]:4.0f} MiB")
    packed = {name: seconds[name] / max(seconds[alone], seconds["two"]) for name, alone in (("gz", "gzip"), ("zst", "zstd"))}
    bounds = [
        ("time of grep, times", seconds["two"] / seconds["grep"], "at most", 8),
        ("second core, times", seconds["one"] / seconds["two"], "at least", 1.8),
        ("gz, times the longer of gzip and plain", packed["gz"], "at most", 1.3),
        ("zst, times the longer of zstd and plain", packed["zst"], "at most", 1.3),
        ("peak of a file, MiB", peak["two"], "at most", 100),
    ]
    if args.pipe_gib:
        took, mib, sent = piped([args.logkin, "cluster", "-"], log, args.pipe_gib * 2**30)
        print(f" pipe {took:7.2f} s for {sent / 1e9:.1f} GB, {sent / took / 1e6:.0f} MB/s  peak {mib:4.0f} MiB")
        bounds.append(("peak of a pipe, MiB", mib, "at most", 100))
    kept = True
    for what, value, side, bound in bounds:
        good = value <= bound if side == "at most" else value >= bound
        kept &= good
        print(f"{what}: {value:.2f} ({side} {bound}){'' if good else '  MISSED'}")
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
