import com.sun.net.httpserver.HttpHandler;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpClient.Redirect;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/** Tests of AsofContext, over sockets. Ends with status 1 at the first that fails. */
final class AsofContextTest {
    private static final HttpClient CLIENT = HttpClient.newHttpClient();
    private static final HttpClient FOLLOWING =
            HttpClient.newBuilder().followRedirects(Redirect.ALWAYS).build();
    private static final ExecutorService POOL = Executors.newFixedThreadPool(16);
    private static final List<HttpServer> SERVERS = new ArrayList<>();

    public static void main(String[] arguments) throws Exception {
        AsofContext.egress = null;
        takesIn();
        carries();
        keepsToTheEgress();
        interleaves();
        SERVERS.forEach(server -> server.stop(0));
        POOL.shutdownNow();
        System.out.println("java " + Runtime.version() + ": ok");
    }

    /** The header, or else the baggage member; what is no token is refused. */
    private static void takesIn() {
        var longest = "x".repeat(256);
        expect("1-a-b-c-d", taken(Map.of("Asof-Context", List.of("1-a-b-c-d"))));
        expect("t1", taken(Map.of("baggage", List.of("x=1, asof = t1 ;p=asof,y=2"))));
        expect("t2", taken(Map.of("baggage", List.of("x=1", "asof=t2"))));
        expect("h", taken(Map.of("Asof-Context", List.of("h"), "baggage", List.of("asof=b"))));
        expect(null, taken(Map.of("Asof-Context", List.of("a b"), "baggage", List.of("asof=b"))));
        expect(null, taken(Map.of("baggage", List.of("x=asof,asofx=1,y=2;asof=3"))));
        expect(null, taken(Map.of("baggage", List.of(""))));
        expect(null, taken(Map.of()));
        expect(longest, taken(Map.of("Asof-Context", List.of(longest))));
        for (var bad : List.of("", longest + "x", "a\tb", "a\u007f", "a\u00e9", "a\n")) {
            expect(null, taken(Map.of("Asof-Context", List.of(bad))));
        }
        expect(null, taken(Map.of("baggage", List.of("asof=" + longest + "x"))));
        expect(null, taken(Map.of("Asof-Context", List.of("a", "b"))));
    }

    private static String taken(Map<String, List<String>> headers) {
        try (var scope = AsofContext.serve(headers::get)) {
            return AsofContext.current();
        }
    }

    /** Inside of a request only, and not over an explicit header. */
    private static void carries() throws Exception {
        var egress = echo();
        try (var scope = inside("t")) {
            expect("t", get(CLIENT, egress));
            expect("mine", get(CLIENT, egress, "asof-context", "mine"));
            try (var inner = inside("inner")) {
                expect("inner", get(CLIENT, egress));
            }
            expect("t", get(CLIENT, egress));
        }
        expect("none", get(CLIENT, egress));
    }

    private static void keepsToTheEgress() throws Exception {
        var egress = echo();
        var foreign = echo();
        try (var scope = inside("t")) {
            expect("t", get(FOLLOWING, egress)); // no egress to keep to
            AsofContext.egress = egress + "/";
            expect("t", get(CLIENT, egress + "/-/files/x"));
            expect("none", get(CLIENT, foreign));
            expect("none", get(FOLLOWING, egress + "/to/" + foreign));
            AsofContext.egress = "not a url";
            expect("none", get(CLIENT, egress));
            AsofContext.egress = "http://egress:80";
            for (var url : List.of("http://egress/x", "HTTP://EGRESS:80/", "http://u@egress/")) {
                expect("t", carried(url));
            }
            for (var url : List.of("https://egress:80/", "http://egress:81/", "http://egress.evil/")) {
                expect("none", carried(url));
            }
        } finally {
            AsofContext.egress = null;
        }
    }

    private static String carried(String url) {
        var request = HttpRequest.newBuilder(URI.create(url)).build();
        var headers = AsofContext.carry(CLIENT, request).headers();
        return headers.firstValue("asof-context").orElse("none");
    }

    /** Many requests at once, each calling twice, and once more after the answer. */
    private static void interleaves() throws Exception {
        var calls = 120;
        var egress = echo();
        var late = new ConcurrentHashMap<String, String>();
        var working = new CountDownLatch(calls);
        var url =
                start(
                        exchange -> {
                            var first = get(CLIENT, egress);
                            pause(5);
                            var pool = AsofContext.bound(POOL);
                            var second = CompletableFuture.supplyAsync(() -> get(CLIENT, egress), pool);
                            var path = exchange.getRequestURI().getPath();
                            var afterTheAnswer =
                                    AsofContext.bound(
                                            () -> {
                                                pause(20);
                                                late.put(path, get(CLIENT, egress));
                                                working.countDown();
                                            });
                            new Thread(afterTheAnswer).start();
                            answer(exchange, 200, first + " " + second.join());
                        });
        var answers = new HashMap<Integer, CompletableFuture<String>>();
        for (int i = 0; i < calls; i++) {
            var request = HttpRequest.newBuilder(URI.create(url + "/" + i));
            switch (i % 3) {
                case 1 -> request.header("Asof-Context", "t" + i);
                case 2 -> request.header("Baggage", "a=b,asof=t" + i);
                default -> {}
            }
            var answer = CLIENT.sendAsync(request.build(), BodyHandlers.ofString());
            answers.put(i, answer.thenApply(it -> it.body()));
        }
        for (int i = 0; i < calls; i++) {
            var expected = i % 3 == 0 ? "none" : "t" + i;
            expect(expected + " " + expected, answers.get(i).get(20, TimeUnit.SECONDS));
        }
        expect(true, working.await(20, TimeUnit.SECONDS));
        for (int i = 0; i < calls; i++) {
            expect(i % 3 == 0 ? "none" : "t" + i, late.get("/" + i));
        }
    }

    // --- what the tests are made of ------------------------------------------------------------

    private static AsofContext.Scope inside(String context) {
        return AsofContext.serve(name -> name.equals("Asof-Context") ? List.of(context) : null);
    }

    private static String get(HttpClient client, String url, String... headers) {
        try {
            var request = HttpRequest.newBuilder(URI.create(url));
            if (headers.length > 0) {
                request.headers(headers);
            }
            var carried = AsofContext.carry(client, request.build());
            return client.send(carried, BodyHandlers.ofString()).body();
        } catch (IOException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** A server that answers with the context it got, or "none"; /to/URL redirects there. */
    private static String echo() throws IOException {
        return start(
                exchange -> {
                    var path = exchange.getRequestURI().getPath();
                    if (path.startsWith("/to/")) {
                        exchange.getResponseHeaders().set("Location", path.substring(4));
                    }
                    var got = exchange.getRequestHeaders().getOrDefault("Asof-Context", List.of("none"));
                    answer(exchange, path.startsWith("/to/") ? 302 : 200, String.join(",", got));
                });
    }

    private static String start(HttpHandler handler) throws IOException {
        var server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 256);
        server.createContext("/", handler).getFilters().add(new AsofContext.ServerFilter());
        // Few threads for many requests: what one leaves behind, the next would find.
        server.setExecutor(Executors.newFixedThreadPool(8, AsofContextTest::daemon));
        server.start();
        SERVERS.add(server);
        return "http://127.0.0.1:" + server.getAddress().getPort();
    }

    private static Thread daemon(Runnable work) {
        var thread = new Thread(work);
        thread.setDaemon(true);
        return thread;
    }

    private static void answer(com.sun.net.httpserver.HttpExchange exchange, int status, String text)
            throws IOException {
        var body = text.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, body.length);
        try (var out = exchange.getResponseBody()) {
            out.write(body);
        }
    }

    private static void pause(int milliseconds) {
        try {
            Thread.sleep(milliseconds);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void expect(Object expected, Object actual) {
        if (!Objects.equals(expected, actual)) {
            new AssertionError("expected " + expected + ", got " + actual).printStackTrace();
            System.exit(1);
        }
    }
}
