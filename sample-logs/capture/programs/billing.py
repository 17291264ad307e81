"""A billing worker in Python: takes jobs from a queue, works on a real database, files and sockets, and logs what goes
wrong with tracebacks, chained ones among them.

usage: billing.py SECONDS DEAD_PORT
"""
import csv, io, json, logging, pathlib, queue, random, sqlite3, sys, threading, time, urllib.error, urllib.request
from concurrent.futures import ThreadPoolExecutor, TimeoutError as PoolTimeout

logging.basicConfig(stream=sys.stdout, level=logging.DEBUG,
                    format="%(asctime)s %(levelname)-8s %(name)s[%(threadName)s] %(message)s")
RATES = {"EUR": 1.0, "USD": 1.09, "JPY": 161.2, "CNY": 7.8}
DEAD = 0
POOL = ThreadPoolExecutor(4, thread_name_prefix="render")


class BillingError(Exception):
    """A job could not be billed."""


def connect():
    database = sqlite3.connect("billing.sqlite", timeout=0.05)
    database.execute("create table if not exists invoices (number integer primary key, customer text not null, cents integer check (cents > 0))")
    return database


def fetch_rate(currency):
    log = logging.getLogger("billing.rates")
    for attempt in range(1, 3):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{DEAD}/rates/{currency}", timeout=1)
        except urllib.error.URLError as error:
            log.warning("rate service unreachable, attempt %d of 2: %s", attempt, error.reason)
            last = error
    raise BillingError(f"no rate for {currency}") from last


def convert(job):
    try:
        return round(job["cents"] / RATES[job["currency"]])
    except KeyError:
        return round(job["cents"] / fetch_rate(job["currency"]))


def read_usage(text):
    return sum(int(row["units"]) for row in csv.DictReader(io.StringIO(text)))


def render(job):
    template = pathlib.Path("layouts") / f"{job['layout']}.txt"
    return template.read_text(encoding="ascii").format(**job)


def parse(raw):
    try:
        return json.loads(raw)
    except json.JSONDecodeError as error:
        raise BillingError(f"job is not JSON: {raw[:24]!r}") from error


def handle(raw, number):
    log = logging.getLogger("billing.jobs")
    job = parse(raw)
    job["number"] = number if not job.get("again") else max(1, number - 7)
    log.debug("job %d accepted for customer %s", number, job["customer"])
    cents = convert(job)
    units = read_usage(job["usage"])
    with connect() as database:
        database.execute("insert into invoices values (?, ?, ?)", (job["number"], job["customer"], cents * units))
    page = POOL.submit(render, job).result(timeout=1)
    log.info("invoice %d for %s written: %d units, %.2f EUR, %d bytes", number, job["customer"], units, cents * units / 100, len(page))


def make_job(rnd):
    job = {"customer": rnd.choice(["Lindqvist", "Okafor", "Marchetti", "Nakamura", "Oliveira", "Petrov", "Haddad", "Novak"]),
           "cents": rnd.choice([199, 950, 1250, 4999, 12000]), "currency": rnd.choice(["EUR", "USD", "JPY", "CNY", "EUR", "USD", "EUR", "USD", "JPY", "CHF"]),
           "usage": "day,units\n" + "".join(f"{day},{rnd.randrange(1, 90)}\n" for day in range(1, 8)),
           "layout": rnd.choice(["plain", "plain", "plain", "plain", "plain", "plain", "plain", "letter", "ribbon", "plain"])}
    odd = rnd.random()
    if odd < 0.04:
        job["usage"] = job["usage"].replace("3,", "3,n/a ", 1)
    elif odd < 0.07:
        del job["customer"]
    elif odd < 0.11:
        job["again"] = True
    elif odd < 0.13:
        job["cents"] = 0
    elif odd < 0.15:
        job["usage"] = None
    raw = json.dumps(job)
    return raw[: rnd.randrange(5, 40)] if 0.15 < odd < 0.18 else raw


def worker(jobs):
    log = logging.getLogger("billing.worker")
    done = failed = 0
    while (item := jobs.get()) is not None:
        number, raw = item
        try:
            handle(raw, number)
            done += 1
        except (BillingError, sqlite3.Error):
            failed += 1
            log.exception("job %d failed", number)
        except PoolTimeout:
            failed += 1
            log.error("job %d failed: page not rendered within 1 s", number)
        except Exception:
            failed += 1
            log.critical("job %d failed unexpectedly", number, exc_info=True)
        if (done + failed) % 50 == 0:
            log.info("%d jobs done, %d failed, %d waiting", done, failed, jobs.qsize())
    log.info("worker ends: %d done, %d failed", done, failed)


def locker(until):
    """Holds the database now and then, as a backup does."""
    log = logging.getLogger("billing.backup")
    while time.monotonic() < until:
        time.sleep(7)
        database = sqlite3.connect("billing.sqlite", timeout=1)
        try:
            database.execute("begin exclusive")
            rows = database.execute("select count(*) from invoices").fetchone()[0]
            time.sleep(0.2)
            log.info("backup of %d invoices done", rows)
        except sqlite3.Error as error:
            log.warning("backup skipped: %s", error)
        finally:
            database.close()


def main():
    global DEAD
    seconds, DEAD = float(sys.argv[1]), int(sys.argv[2])
    rnd, until = random.Random(11), time.monotonic() + seconds
    pathlib.Path("layouts").mkdir(exist_ok=True)
    pathlib.Path("layouts/plain.txt").write_text("Invoice {number} for {customer}\n", encoding="ascii")
    pathlib.Path("layouts/letter.txt").write_text("Façade {number}\n", encoding="utf-8")
    connect().close()
    logging.getLogger("billing").info("starting, Python %s, sqlite %s", sys.version.split()[0], sqlite3.sqlite_version)
    jobs = queue.Queue(64)
    workers = [threading.Thread(target=worker, args=(jobs,), name=f"worker-{n}") for n in range(3)]
    workers.append(threading.Thread(target=locker, args=(until,), name="backup"))
    for thread in workers:
        thread.start()
    number = 0
    while time.monotonic() < until:
        number += 1
        jobs.put((number, make_job(rnd)))
        time.sleep(rnd.expovariate(4))
    for _ in range(3):
        jobs.put(None)
    for thread in workers:
        thread.join()
    POOL.shutdown()
    logging.getLogger("billing").info("stopped after %d jobs", number)


if __name__ == "__main__":
    main()
