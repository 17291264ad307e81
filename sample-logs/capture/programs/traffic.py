"""Mixed clients of the shop behind nginx: browsers, scripts, crawlers, odd ones; IPv4 and IPv6, loopback only.

usage: traffic.py HTTP_PORT SECONDS
"""
import http.client, json, math, random, socket, sys, threading, time, urllib.parse

PORT, SECONDS = int(sys.argv[1]), float(sys.argv[2])
AGENTS = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
    "shop-app/3.2.1 (Android 14; Pixel 7)", "python-requests/2.31.0", "curl/7.88.1", "Go-http-client/1.1",
    "Mozilla/5.0 (compatible; ExampleBot/2.1; +http://bot.example/about)", "", "() { :; }; echo probe", "Müller \"quoted\" \\agent\\", "-",
]
USERS = ["张伟", "王芳", "李娜", "刘洋", "陈静", "杨磊", "赵敏", "黄强", "周婷", "吴昊"]
GOODS = ["茶叶", "青花瓷杯", "竹编篮", "丝绸围巾", "毛笔", "宣纸", "砚台", "折扇", "油纸伞", "紫砂壶"]
PROBES = ["/wp-login.php", "/.env", "/admin/config.php", "/cgi-bin/test.cgi", "/favicon.ico", "/robots.txt", "/old/catalog",
          "/images/logo@2x.png", "/api/v0/status", "/%E4%B8%AD%E6%96%87.html", "/search?q=a%20b%22c"]


def zh(rnd, path):
    return path + "?user=" + urllib.parse.quote(rnd.choice(USERS))


def request(rnd):
    """One of the things clients do: method, path, headers, body."""
    kind = rnd.choices(["page", "asset", "item", "search", "order", "badorder", "points", "query", "login", "zhorder", "zhnext",
                        "zhstock", "zhodd", "probe", "range", "dead", "slow", "redirect", "method", "large", "price", "denied"],
                       [10, 12, 10, 6, 10, 1, 12, 5, 8, 12, 14, 3, 2, 5, 3, 2, 1, 3, 1, 0.5, 1, 1])[0]
    if kind == "page":
        return "GET", rnd.choice(["/", "/index.html", "/about.html", "/catalog/", f"/catalog/?page={rnd.randrange(1, 40)}"]), {}, None
    if kind == "asset":
        return rnd.choice(["GET", "GET", "GET", "HEAD"]), rnd.choice(["/static/app.css", "/static/app.js", "/static/photo.bin", "/static/missing.png"]), {}, None
    if kind == "item":
        return "GET", f"/api/items/{rnd.randrange(1, 430)}", {}, None
    if kind == "search":
        return "GET", f"/api/search?q={rnd.randrange(1, 200)}", {}, None
    if kind == "order":
        return "POST", "/api/orders", {"Content-Type": "application/json"}, json.dumps(
            {"item": rnd.randrange(1, 410), "quantity": rnd.randrange(1, 9), "user": f"u{rnd.randrange(1000, 1400)}"})
    if kind == "badorder":
        return "POST", "/api/orders", {"Content-Type": "application/json"}, rnd.choice(['{"item": 12, "quantity"', "item=4", "", "[1,2"])
    if kind == "points":
        lines = [f"{rnd.choice(['cpu', 'disk', 'net', 'temp'])}.h{rnd.randrange(1, 30)} {rnd.random() * 100:.2f}" for _ in range(rnd.randrange(1, 12))]
        if rnd.random() < 0.12:
            lines.append(rnd.choice(["cpu.h3 NaNNY", "cpu.h9", "disk.h1 1 2", "temp.h4 12,5"]))
        return "POST", "/metrics/write", {}, "\n".join(lines)
    if kind == "query":
        return "GET", f"/metrics/query?series={rnd.choice(['cpu', 'disk', 'net', 'lost'])}.h{rnd.randrange(1, 34)}&fn={rnd.choice(['mean', 'max', 'min', 'p99'])}", {}, None
    if kind == "login":
        return "POST", zh(rnd, "/zh/login") + f"&n={rnd.randrange(4, 16)}", {}, ""
    if kind == "zhorder":
        return "POST", "/zh/order", {}, json.dumps({"用户": rnd.choice(USERS), "商品": rnd.choice(GOODS), "数量": rnd.randrange(1, 8)})
    if kind == "zhnext":
        return "POST", f"/zh/next?n={rnd.randrange(1, 4 + int((time.monotonic() - BEGAN) * 1.3))}", {}, ""
    if kind == "zhstock":
        return "GET", "/zh/stock", {}, None
    if kind == "zhodd":
        return rnd.choice([("POST", "/zh/order", {}, '{"用户": "张伟"'), ("POST", "/zh/login?user=x", {}, ""), ("GET", "/zh/report", {}, None),
                           ("POST", "/zh/order", {}, json.dumps({"用户": rnd.choice(USERS), "商品": "金丝楠木", "数量": "三"}))])
    if kind == "range":
        return "GET", "/static/photo.bin", {"Range": rnd.choice(["bytes=0-1023", "bytes=-500", "bytes=900000-", "bytes=9-3"])}, None
    if kind == "large":
        return "POST", "/upload", {}, "x" * 90_000
    return "GET", {"probe": rnd.choice(PROBES), "dead": f"/legacy/report/{rnd.randrange(1, 90)}", "slow": "/api/slow", "redirect": rnd.choice(["/catalog", "/shop/sale", "/go/home"]),
                   "method": "/static/app.css", "price": f"/api/price?item={rnd.randrange(380, 420)}", "denied": "/internal/status"}[kind], {}, None


def client(number):
    rnd = random.Random(number)
    agent = AGENTS[number % len(AGENTS)]
    v6 = number % 4 == 3
    connection = None
    while time.monotonic() - BEGAN < SECONDS:
        if connection is None:
            source = None if v6 else (f"127.0.{number}.{rnd.randrange(1, 250)}", 0)
            connection = http.client.HTTPConnection("::1" if v6 else "127.0.0.1", PORT, timeout=5, source_address=source)
        method, path, headers, body = request(rnd)
        if path == "/static/app.css" and rnd.random() < 0.2:
            method = rnd.choice(["DELETE", "PUT", "PROPFIND"])
        headers |= {"User-Agent": agent.encode("utf-8"), "Host": "shop.example"}
        if rnd.random() < 0.4:
            headers["Referer"] = rnd.choice(["http://shop.example/", "http://shop.example/catalog/", "http://search.example/?q=tea"])
        try:
            if path == "/api/slow" and rnd.random() < 0.6:
                connection.timeout = 0.2
                connection.close()
            connection.request(method, path, body=body.encode("utf-8") if body is not None else None, headers=headers)
            connection.getresponse().read()
            if rnd.random() < 0.15:
                connection.close()
            connection.timeout = 5
        except (OSError, http.client.HTTPException):
            connection.close()
            connection = None
        wave = 1.2 + math.sin((time.monotonic() - BEGAN) / SECONDS * 4 * math.pi)
        time.sleep(rnd.expovariate(3.2 * wave))


def rude():
    """Requests that are not HTTP, or break off."""
    rnd = random.Random(99)
    while time.monotonic() - BEGAN < SECONDS:
        time.sleep(rnd.expovariate(0.6))
        raw = rnd.choice([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET / HTTP/9.1\r\n\r\n", b"HELLO\r\n\r\n", b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
                          b"GET / HTTP/1.1\r\n\r\n", b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"POST /api/orders HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\nhalf"])
        try:
            with socket.create_connection(("127.0.0.1", PORT), timeout=1) as peer:
                peer.sendall(raw)
                peer.settimeout(0.3)
                peer.recv(100)
        except OSError:
            pass


BEGAN = time.monotonic()
threads = [threading.Thread(target=client, args=(n,)) for n in range(12)] + [threading.Thread(target=rude)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
