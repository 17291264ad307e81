// A shop's HTTP API that logs one JSON document per line, as services under a log collector do.
// usage: node store.mjs PORT
import http from "node:http";
import { randomUUID } from "node:crypto";

const port = Number(process.argv[2]);
const items = new Map();
for (let id = 1; id <= 400; id++) items.set(id, { id, name: `item-${id}`, stock: 5 + ((id * 37) % 40), price: 100 + ((id * 7919) % 9000) });
const orders = new Map();
const cache = new Map();
let served = 0;

function log(level, msg, fields = {}) {
  process.stdout.write(JSON.stringify({ time: new Date().toISOString(), level, service: "store", msg, ...fields }) + "\n");
}

function body(req, limit = 64 * 1024) {
  return new Promise((resolve, reject) => {
    let size = 0;
    const parts = [];
    req.on("data", (part) => {
      size += part.length;
      if (size > limit) reject(new RangeError(`body larger than ${limit} bytes`));
      else parts.push(part);
    });
    req.on("end", () => resolve(Buffer.concat(parts).toString("utf8")));
    req.on("aborted", () => reject(new Error("client went away")));
  });
}

async function placeOrder(req, context) {
  const order = JSON.parse(await body(req));
  const item = items.get(order.item);
  if (!item) throw Object.assign(new Error(`no item ${order.item}`), { status: 422 });
  if (item.stock < order.quantity) {
    log("warn", "stock too low for order", { ...context, item: item.id, stock: item.stock, wanted: order.quantity });
    item.stock += 60;
    log("info", "restock requested", { item: item.id, quantity: 60, supplier: ["north", "south", "harbour"][item.id % 3] });
    return [409, { error: "stock" }];
  }
  if ((item.price * order.quantity) % 11 === 0) {
    log("warn", "payment declined", { ...context, amount_cents: item.price * order.quantity, reason: ["insufficient funds", "card expired", "limit reached"][item.id % 3] });
    return [402, { error: "payment" }];
  }
  item.stock -= order.quantity;
  const id = randomUUID();
  orders.set(id, order);
  log("info", "order placed", { ...context, order: id, item: item.id, quantity: order.quantity, amount_cents: item.price * order.quantity, user: order.user });
  return [201, { id }];
}

function search(query, context) {
  const began = process.hrtime.bigint();
  const known = cache.get(query);
  log("debug", known ? "cache hit" : "cache miss", { ...context, key: `search:${query}` });
  const found = known ?? [...items.values()].filter((item) => item.name.includes(query)).map((item) => item.id);
  cache.set(query, found);
  if (cache.size > 120) {
    log("info", `cache evicted ${cache.size - 60} of ${cache.size} entries`);
    for (const key of [...cache.keys()].slice(0, cache.size - 60)) cache.delete(key);
  }
  const micros = Number((process.hrtime.bigint() - began) / 1000n);
  if (micros > 400) log("warn", "slow search", { ...context, query, rows: found.length, duration_us: micros });
  return [200, found];
}

async function answer(req, context) {
  const url = new URL(req.url, "http://store.internal");
  if (req.method === "POST" && url.pathname === "/api/orders") return placeOrder(req, context);
  if (url.pathname === "/api/search") return search(url.searchParams.get("q") ?? "", context);
  const item = url.pathname.match(/^\/api\/items\/(\d+)$/);
  if (item) return items.has(Number(item[1])) ? [200, items.get(Number(item[1]))] : [404, { error: "no such item" }];
  if (url.pathname === "/api/slow") return new Promise((done) => setTimeout(() => done([200, {}]), 2500));
  if (url.pathname === "/api/price") return [200, { total: items.get(Number(url.searchParams.get("item"))).price }];
  return [404, { error: "no such route" }];
}

const server = http.createServer(async (req, res) => {
  const began = performance.now();
  const context = { request_id: req.headers["x-request-id"] ?? randomUUID(), client: req.headers["x-real-ip"] };
  let status, value;
  try {
    [status, value] = await answer(req, context);
  } catch (error) {
    status = error.status ?? (error instanceof SyntaxError ? 400 : error instanceof RangeError ? 413 : 500);
    value = { error: error.message };
    log(status === 500 ? "error" : "warn", status === 500 ? "unhandled error in request" : "request refused", { ...context, err: { type: error.name, message: error.message, stack: error.stack } });
  }
  res.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
  served += 1;
  log("info", "request completed", { ...context, method: req.method, path: req.url, status, duration_ms: Number((performance.now() - began).toFixed(2)) });
});

server.on("clientError", (error, socket) => {
  log("warn", "bad request on socket", { code: error.code, message: error.message });
  socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
});
server.listen(port, "127.0.0.1", () => log("info", `listening on port ${port}`, { node: process.version, items: items.size }));
setInterval(() => {
  const memory = process.memoryUsage();
  log("info", "health", { served, orders: orders.size, rss_mib: Math.round(memory.rss / 1048576), heap_mib: Math.round(memory.heapUsed / 1048576) });
}, 5000).unref();
process.on("SIGTERM", () => {
  log("info", "received SIGTERM, closing", { served });
  server.close(() => process.exit(0));
  server.closeAllConnections();
});
