import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A warehouse that moves goods on several threads and meets real trouble. usage: Warehouse SECONDS DEAD_PORT */
public final class Warehouse {
    private static final Logger LOG = LoggerFactory.getLogger(Warehouse.class);
    private static final String[] GOODS = {"bolts", "washers", "hinges", "brackets", "springs", "valves", "gaskets"};
    private final Map<String, Integer> shelf = new HashMap<>();
    private final Random random = new Random(23);
    private final int deadPort;

    static final class ShipmentException extends Exception {
        ShipmentException(String message, Throwable cause) { super(message, cause); }
    }

    static final class Carrier {
        private static final Logger LOG = LoggerFactory.getLogger(Carrier.class);
        private final int port;
        Carrier(int port) { this.port = port; }

        void announce(int shipment) throws ShipmentException {
            try (Socket socket = new Socket()) {
                socket.connect(new InetSocketAddress("127.0.0.1", port), 500);
            } catch (IOException e) {
                LOG.warn("Carrier endpoint 127.0.0.1:{} did not answer for shipment {}", port, shipment);
                throw new ShipmentException("Could not announce shipment " + shipment, new UncheckedIOException("carrier link down", e));
            }
        }
    }

    Warehouse(int deadPort) {
        this.deadPort = deadPort;
        for (String good : GOODS) shelf.put(good, 200);
    }

    private synchronized int take(String good, int pieces) {
        int left = shelf.get(good) - pieces;
        if (left < 0) throw new IllegalStateException("Only " + shelf.get(good) + " " + good + " on the shelf, " + pieces + " wanted");
        shelf.put(good, left);
        return left;
    }

    private synchronized void put(String good, int pieces) {
        shelf.merge(good, pieces, Integer::sum);
        LOG.info("Received {} {} at dock {}", pieces, good, 1 + pieces % 4);
    }

    private void ship(int number) throws ShipmentException {
        String good = GOODS[random.nextInt(GOODS.length)];
        int pieces = 1 + random.nextInt(40);
        LOG.debug("Picking {} {} for shipment {}", pieces, good, number);
        try {
            int left = take(good, pieces);
            LOG.info("Shipment {} packed: {} {} ({} left), {} g", number, pieces, good, left, pieces * 31);
            if (left < 20) LOG.warn("Shelf {} is running low: {} pieces", good, left);
        } catch (IllegalStateException e) {
            put(good, 150);
            throw new ShipmentException("Shipment " + number + " is waiting for " + good, e);
        }
        int fate = random.nextInt(100);
        if (fate < 6) new Carrier(deadPort).announce(number);
        if (fate >= 6 && fate < 10) label(number, fate % 2 == 0 ? "2026-13-" + fate : null);
        if (fate >= 10 && fate < 14) manifest(number);
        if (fate >= 14 && fate < 17) weigh(number, "12,5 kg");
        LOG.info("Shipment {} left by gate {} in {} ms", number, (char) ('A' + number % 5), random.nextInt(90));
    }

    private void label(int number, String date) throws ShipmentException {
        try {
            LOG.debug("Label of shipment {} is due {}", number, LocalDate.parse(date.trim()));
        } catch (NullPointerException | java.time.DateTimeException e) {
            throw new ShipmentException("No label for shipment " + number, e);
        }
    }

    private void manifest(int number) {
        try {
            Files.readAllLines(Path.of("manifests", number + ".xml"));
        } catch (IOException e) {
            throw new UncheckedIOException("Manifest of shipment " + number + " is missing", e);
        }
    }

    private int weigh(int number, String shown) {
        return List.of(shown.split(" ")).stream().mapToInt(Integer::parseInt).sum();
    }

    private void audit(ExecutorService pool) {
        CompletableFuture<Integer> count = CompletableFuture.supplyAsync(() -> {
            int sum = 0;
            for (int pieces : shelf.values()) sum += pieces;
            try {
                TimeUnit.MILLISECONDS.sleep(random.nextInt(90));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            if (sum % 5 == 0) throw new ArithmeticException("count of " + sum + " does not match the ledger");
            return sum;
        }, pool);
        try {
            LOG.info("Audit counted {} pieces on {} shelves", count.get(60, TimeUnit.MILLISECONDS), shelf.size());
        } catch (ExecutionException e) {
            LOG.error("Audit failed", e);
        } catch (TimeoutException e) {
            LOG.warn("Audit not finished within 60 ms, giving up");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void run(double seconds) throws InterruptedException {
        long end = System.nanoTime() + (long) (seconds * 1e9);
        ExecutorService pool = Executors.newFixedThreadPool(4, task -> new Thread(task, "dock-" + (1 + task.hashCode() % 4 & 3)));
        LOG.info("Warehouse opens, Java {}, {} shelves", System.getProperty("java.version"), shelf.size());
        int number = 48000;
        while (System.nanoTime() < end) {
            int shipment = ++number;
            pool.execute(() -> {
                try {
                    ship(shipment);
                } catch (ShipmentException e) {
                    LOG.error("Shipment {} failed: {}", shipment, e.getMessage(), e);
                } catch (RuntimeException e) {
                    LOG.error("Unexpected failure in shipment {}", shipment, e);
                }
            });
            if (shipment % 25 == 0) audit(pool);
            TimeUnit.MILLISECONDS.sleep((long) (-Math.log(1 - random.nextDouble()) * 170));
        }
        pool.shutdown();
        LOG.info("Closing, waiting for open shipments: {}", pool.awaitTermination(5, TimeUnit.SECONDS) ? "all done" : "some left");
    }

    public static void main(String[] args) throws InterruptedException {
        new Warehouse(Integer.parseInt(args[1])).run(Double.parseDouble(args[0]));
    }
}
