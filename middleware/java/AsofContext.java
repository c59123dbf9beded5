import com.sun.net.httpserver.Filter;
import com.sun.net.httpserver.HttpExchange;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.function.Function;
import java.util.regex.Pattern;

/**
 * Copies the context of a request to the calls made while handling it. Does nothing else.
 *
 * <p>The edge names every request that it sends to a service with an opaque context, in the header
 * {@code Asof-Context} or, where that is absent, in the {@code baggage} member {@code asof}. Calls
 * that carry it back are recorded as inputs of the answer. This file is one way to carry it; copy
 * it into a package of your service, it needs nothing but Java 17.
 *
 * <p>In the JDK's own server: {@code server.createContext("/", handler).getFilters().add(new
 * AsofContext.ServerFilter())}. In a servlet container, a filter of a few lines:
 *
 * <pre>{@code
 * public void doFilter(ServletRequest request, ServletResponse response, FilterChain chain)
 *         throws IOException, ServletException {
 *     var headers = (HttpServletRequest) request;
 *     try (var scope = AsofContext.serve(name -> Collections.list(headers.getHeaders(name)))) {
 *         chain.doFilter(request, response);
 *     }
 * }
 * }</pre>
 *
 * <p>Calls go out by {@code client.send(AsofContext.carry(client, request), handler)}.
 *
 * <p>The context belongs to the thread that handles the request; nothing is inherited, since a
 * pooled thread would keep what it inherited for ever. Hand other threads {@link #bound(Runnable)}
 * or {@link #bound(Executor)}. Work that goes on after the answer carries the context in the same
 * way, and that is wanted: the edge then sees a late call and keeps nothing that depends on it.
 *
 * <p>If {@code ASOF_EGRESS} is set, only calls to that origin carry the context.
 */
public final class AsofContext {
    private static final String HEADER = "Asof-Context";

    // Whatever does not look like this was not made by an edge, and may be an attempt to smuggle.
    private static final Pattern TOKEN = Pattern.compile("[\\x21-\\x7e]{1,256}");

    private static final ThreadLocal<String> CONTEXT = new ThreadLocal<>();

    /** Not final for the tests' sake: Java cannot set a variable of its environment. */
    static volatile String egress = System.getenv("ASOF_EGRESS");

    private AsofContext() {}

    /** The context of the request that this thread handles; null outside of one. */
    public static String current() {
        return CONTEXT.get();
    }

    // --- in: from the request ------------------------------------------------------------------

    /** While open, this thread handles a request. */
    public interface Scope extends AutoCloseable {
        @Override
        void close();
    }

    /** Begins to handle a request; {@code headers} gives the values of a header, or null. */
    public static Scope serve(Function<String, List<String>> headers) {
        return enter(incoming(headers.apply(HEADER), headers.apply("baggage")));
    }

    /** The filter for {@code com.sun.net.httpserver}. */
    public static final class ServerFilter extends Filter {
        @Override
        public void doFilter(HttpExchange exchange, Chain chain) throws IOException {
            try (var scope = serve(exchange.getRequestHeaders()::get)) {
                chain.doFilter(exchange);
            }
        }

        @Override
        public String description() {
            return "carries the context of a request to the calls made while handling it";
        }
    }

    /** The task, to be run by another thread under the context of this one. */
    public static Runnable bound(Runnable task) {
        return under(current(), task);
    }

    /**
     * The executor, for the rest of the request that this thread handles:
     * {@code future.thenApplyAsync(next, AsofContext.bound(pool))}. It is taken anew in each
     * request, since whoever hands it a task may be a thread of no request.
     */
    public static Executor bound(Executor executor) {
        var context = current();
        return task -> executor.execute(under(context, task));
    }

    private static Runnable under(String context, Runnable task) {
        return () -> {
            try (var scope = enter(context)) {
                task.run();
            }
        };
    }

    private static Scope enter(String context) {
        var before = CONTEXT.get();
        set(context);
        return () -> set(before);
    }

    private static void set(String context) {
        if (context == null) {
            CONTEXT.remove();
        } else {
            CONTEXT.set(context);
        }
    }

    /** The context that these headers carry. The header, even a bad one, goes first. */
    private static String incoming(List<String> header, List<String> baggage) {
        String value;
        if (header != null && !header.isEmpty()) {
            value = String.join(", ", header); // several are none: a space is no part of a context
        } else {
            value = baggage == null ? null : fromBaggage(String.join(",", baggage));
        }
        return value != null && TOKEN.matcher(value).matches() ? value : null;
    }

    private static String fromBaggage(String baggage) {
        for (var member : baggage.split(",")) {
            var pair = member.split(";", 2)[0].split("=", 2); // properties follow a ";"
            if (pair.length == 2 && pair[0].trim().equals("asof")) {
                return pair[1].trim();
            }
        }
        return null;
    }

    // --- out: to the calls ---------------------------------------------------------------------

    /**
     * The request with the context added, or as it is where none is to be added.
     *
     * <p>A client that follows redirects repeats the headers of the first call, wherever it is led.
     * So where there is an egress to keep to, only a client with {@code Redirect.NEVER}, which is
     * the default, is given the context.
     */
    public static HttpRequest carry(HttpClient client, HttpRequest request) {
        var context = current();
        if (context == null
                || request.headers().firstValue(HEADER).isPresent() // the caller knows better
                || !mayCarry(client, request.uri())) {
            return request;
        }
        return HttpRequest.newBuilder(request, (name, value) -> true)
                .header(HEADER, context)
                .build();
    }

    private static boolean mayCarry(HttpClient client, URI uri) {
        if (egress == null || egress.isEmpty()) {
            return true;
        }
        if (client.followRedirects() != HttpClient.Redirect.NEVER) {
            return false;
        }
        try {
            return origin(uri).equals(origin(URI.create(egress)));
        } catch (IllegalArgumentException notAUri) {
            return false; // nobody's: the context stays here
        }
    }

    private static List<String> origin(URI uri) {
        if (uri.getScheme() == null || uri.getHost() == null) {
            throw new IllegalArgumentException("no origin: " + uri);
        }
        var scheme = uri.getScheme().toLowerCase();
        var port = uri.getPort() >= 0 ? uri.getPort() : scheme.equals("https") ? 443 : 80;
        return List.of(scheme, uri.getHost().toLowerCase(), Integer.toString(port));
    }
}
