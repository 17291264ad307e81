"""A small time series store over HTTP that logs in logfmt: write points, query them, compact in the background.

usage: metrics.py PORT
"""
import http.server, json, os, signal, sys, threading, time, urllib.parse, zlib

LOCK = threading.Lock()
SERIES: dict[str, list[tuple[float, float]]] = {}
BLOCKS: list[dict] = []
STARTED = time.monotonic()


def quoted(value):
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return json.dumps(text, ensure_ascii=False) if not text or any(c in text for c in ' ="\n') else text


def log(level, msg, **fields):
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
    rest = "".join(f" {key}={quoted(value)}" for key, value in fields.items())
    sys.stdout.write(f"ts={stamp} level={level} msg={quoted(msg)}{rest}\n")
    sys.stdout.flush()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, status, value):
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        took = (time.monotonic() - self.began) * 1000
        log("info" if status < 400 else "warn", "request served", component="http", method=self.command,
            path=self.path.split("?")[0], status=status, bytes=len(text), took=f"{took:.1f}ms", peer=self.headers.get("X-Real-IP", "-"))

    def do_POST(self):
        self.began = time.monotonic()
        text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode("utf-8", "replace")
        added = refused = 0
        for number, line in enumerate(text.splitlines(), 1):
            try:
                name, value = line.split()
                with LOCK:
                    fresh = name not in SERIES
                    SERIES.setdefault(name, []).append((time.time(), float(value)))
                if fresh:
                    log("debug", "new series", component="head", series=name, total=len(SERIES))
                added += 1
            except ValueError as error:
                refused += 1
                log("warn", "sample refused", component="ingest", line=number, err=str(error))
        log("info", "batch appended", component="ingest", samples=added, refused=refused)
        self.reply(400 if refused and not added else 200, {"added": added, "refused": refused})

    def do_GET(self):
        self.began = time.monotonic()
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        try:
            points = SERIES[query["series"]]
            value = {"mean": lambda v: sum(v) / len(v), "max": max, "min": min}[query.get("fn", "mean")]([v for _, v in points])
            self.reply(200, {"value": value})
        except KeyError as error:
            log("error", "query failed", component="query", query=self.path, err=f"unknown name {error}")
            self.reply(404, {"error": "not found"})

    def log_message(self, *_):
        pass


def compact():
    """Every few seconds the points in memory become a compressed block; old blocks are dropped."""
    while True:
        time.sleep(4)
        with LOCK:
            raw = json.dumps(SERIES).encode()
            samples = sum(len(points) for points in SERIES.values())
            for points in SERIES.values():
                del points[:-5]
        began = time.monotonic()
        packed = zlib.compress(raw)
        block = {"ulid": f"01{zlib.crc32(packed):08X}{len(BLOCKS):04X}", "bytes": len(packed)}
        BLOCKS.append(block)
        log("info", "write block", component="compactor", block=block["ulid"], samples=samples, bytes=len(packed),
            ratio=len(raw) / len(packed), duration=f"{(time.monotonic() - began) * 1000:.2f}ms")
        if len(BLOCKS) > 12:
            gone = BLOCKS.pop(0)
            log("info", "Deleting obsolete block", component="compactor", block=gone["ulid"], reason="retention time exceeded")
        if samples > 900:
            log("warn", "head is large, backpressure on", component="head", samples=samples, limit=900)


def stop(*_):
    log("info", "See you next time!", uptime=f"{time.monotonic() - STARTED:.0f}s", series=len(SERIES), blocks=len(BLOCKS))
    os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    log("info", "Starting metrics store", version="0.4.1", python=sys.version.split()[0], pid=os.getpid())
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    log("info", "Listening", component="http", address=f"127.0.0.1:{sys.argv[1]}")
    threading.Thread(target=compact, daemon=True).start()
    server.serve_forever()
