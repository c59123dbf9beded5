import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;

/** The last layer of the tree, which reads a key of the store: see ../../tree/layer.py. */
final class Layer {
    private static final String NAME = System.getenv("NAME");
    private static final String BELOW = System.getenv("ASOF_EGRESS") + System.getenv("BELOW");
    private static final HttpClient CLIENT =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private static final AtomicInteger EXECUTIONS = new AtomicInteger();

    public static void main(String[] arguments) throws IOException {
        int port = Integer.parseInt(System.getenv("PORT"));
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 0);
        server.setExecutor(Executors.newFixedThreadPool(16));
        server.createContext("/", Layer::handle).getFilters().add(new AsofContext.ServerFilter());
        server.start();
    }

    private static void handle(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getPath();
        String text;
        if (path.equals("/executions")) {
            text = Integer.toString(EXECUTIONS.getAndSet(0));
        } else {
            EXECUTIONS.incrementAndGet();
            text = NAME + "(" + read(path) + ")";
        }
        byte[] body = text.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(200, body.length);
        try (var out = exchange.getResponseBody()) {
            out.write(body);
        }
    }

    private static String read(String path) throws IOException {
        URI key = URI.create(BELOW + path.substring(path.lastIndexOf('/')));
        HttpRequest call = HttpRequest.newBuilder(key).build();
        if (!path.startsWith("/lose-" + NAME + "/")) {
            call = AsofContext.carry(CLIENT, call);
        }
        try {
            var answer = CLIENT.send(call, BodyHandlers.ofString());
            return answer.statusCode() == 200 ? answer.body() : "[" + answer.statusCode() + "]";
        } catch (InterruptedException interrupted) {
            throw new IOException(interrupted);
        }
    }
}
