//! What whoever looks at requests from outside is told of them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use asof_edge::{Attribute, Span, SpanKind, SpanSink};
use http::{HeaderMap, Method, StatusCode};

use super::world::{Asked, Service, World, on, status, text};
use crate::harness::eventually;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Keeps the spans that it is handed.
#[derive(Debug, Default)]
struct Kept(Mutex<Vec<Span>>);

impl SpanSink for Kept {
    fn take(&self, span: Span) {
        self.0.lock().unwrap().push(span);
    }

    fn lost(&self) -> u64 {
        7
    }
}

impl Kept {
    /// What it was handed since the last time, once there are `count`.
    async fn all(&self, count: usize) -> Vec<Span> {
        eventually(|| async { self.0.lock().unwrap().len() >= count }).await;
        // Whatever else there is would be there soon.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let spans = std::mem::take(&mut *self.0.lock().unwrap());
        assert_eq!(spans.len(), count, "{spans:#?}");
        spans
    }
}

fn says<'s>(span: &'s Span, name: &str) -> Option<&'s Attribute> {
    span.attributes.iter().find(|(known, _)| *known == name).map(|(_, says)| says)
}

fn word<'s>(span: &'s Span, name: &str) -> &'s str {
    match says(span, name) {
        Some(Attribute::Text(text)) => text,
        _ => "",
    }
}

/// The one span of this name.
fn one<'s>(spans: &'s [Span], kind: SpanKind, name: &str) -> &'s Span {
    let mut named = spans.iter().filter(|span| span.kind == kind && span.name == name);
    match (named.next(), named.next()) {
        (Some(span), None) => span,
        _ => panic!("not one {kind:?} {name}: {spans:#?}"),
    }
}

/// The headers by which a service says on whose behalf it calls.
fn both(asked: &Asked) -> HeaderMap {
    let carried = ["asof-context", "traceparent", "tracestate"];
    carried
        .into_iter()
        .filter_map(|name| Some((name.parse().unwrap(), asked.headers.get(name)?.clone())))
        .collect()
}

/// `page` calls `part` with all that it was told, `part` reads the store with the context alone.
async fn three_layers() -> (Service, Service) {
    let page = Service::new("page", |asked: Asked| async move {
        let got = asked.call_with(both(&asked), Method::GET, "part", "/begun", "").await;
        text(got.text)
    })
    .await;
    let part = Service::new("part", |asked: Asked| async move {
        let key = asked.path.trim_start_matches('/').to_owned();
        text(asked.read(&key).await)
    })
    .await;
    (page, part)
}

fn routes() -> String {
    format!("{}{}", on("page", ""), on("part", ""))
}

const PARENT: (&str, &str) =
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");

#[tokio::test]
async fn the_spans_of_a_request_are_one_tree_down_to_the_store() {
    let (kept, (page, part)) = (Arc::<Kept>::default(), three_layers().await);
    let world = World::watched(&[&page, &part], &routes(), Arc::clone(&kept) as _).await;
    let got = world.get_with("/", &[PARENT]).await;
    assert_eq!(got.text, "yes");
    let spans = kept.all(6).await;
    let (server, client) = (SpanKind::Server, SpanKind::Client);
    let read = "GET /v1/spaces/{space}/keys/{key}";
    let root = spans.iter().find(|span| word(span, "asof.listener") == "ingress").unwrap();
    let pick = |kind, target| {
        let mut found = spans.iter().filter(|span| {
            span.kind == kind && span.id != root.id && word(span, "asof.target") == target
        });
        let (Some(span), None) = (found.next(), found.next()) else { panic!("{spans:#?}") };
        span
    };
    let tree = [
        (root, SpanKind::Server),
        (pick(client, "page"), client),
        (pick(server, "part"), server),
        (pick(client, "part"), client),
        (pick(server, "main"), server),
        (one(&spans, client, read), client),
    ];
    assert_eq!(root.parent.unwrap().to_string(), "00f067aa0ba902b7", "the client's own span");
    for pair in tree.windows(2) {
        let [(above, _), (below, kind)] = pair else { unreachable!("they are pairs") };
        assert_eq!((below.parent, below.kind), (Some(above.id), *kind), "{above:#?}\n{below:#?}");
        assert!(below.took <= above.took, "{above:#?}\n{below:#?}");
    }
    assert!(spans.iter().all(|span| span.trace.to_string() == TRACE), "{spans:#?}");
    let ids: BTreeSet<_> = spans.iter().map(|span| span.id).collect();
    assert_eq!(ids.len(), spans.len());
    assert!(spans.iter().all(|span| span.failure.is_none()), "{spans:#?}");
    assert_eq!((&*root.name, word(root, "http.route")), ("GET /{*path}", "/{*path}"));
    assert_eq!(word(root, "asof.outcome"), "miss");
    assert_eq!(word(root, "asof.as_of"), got.header("as-of"));
    assert_eq!(word(root, "asof.valid"), got.header("as-of-valid"));
    assert_eq!(says(root, "http.response.status_code"), Some(&Attribute::Number(200)));
    assert_eq!(word(pick(server, "main"), "asof.from"), "part");
}

#[tokio::test]
async fn a_hit_is_one_span_and_so_is_one_that_is_repeated() {
    let (kept, (page, part)) = (Arc::<Kept>::default(), three_layers().await);
    let world = World::watched(&[&page, &part], &routes(), Arc::clone(&kept) as _).await;
    world.get_with("/", &[PARENT]).await;
    kept.all(6).await;
    // Until nothing moves between two of them.
    for _ in 0..1_000 {
        world.get("/").await;
        let spans = kept.all(1).await;
        let root = one(&spans, SpanKind::Server, "GET /{*path}");
        assert!(matches!(word(root, "asof.outcome"), "hit" | "verified"), "{root:#?}");
        assert_eq!(root.parent, None, "it begins a tree");
        assert!(!word(root, "asof.as_of").is_empty(), "{root:#?}");
        if says(root, "asof.repeat") == Some(&Attribute::Flag(true)) {
            assert_eq!(word(root, "asof.outcome"), "hit", "{root:#?}");
            return;
        }
    }
    panic!("nothing is ever answered as before");
}

#[tokio::test]
async fn of_a_request_that_is_not_sampled_nobody_is_told() {
    let (kept, (page, part)) = (Arc::<Kept>::default(), three_layers().await);
    let world = World::watched(&[&page, &part], &routes(), Arc::clone(&kept) as _).await;
    let unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    assert_eq!(world.get_with("/", &[("traceparent", unsampled)]).await.text, "yes");
    kept.all(0).await;
    // Nor where the edge decides so, from one request to the next.
    world.reload("sample = 1\n", "sample = 0\n").await;
    let got = world.get("/other").await;
    assert_eq!(got.text, "yes");
    kept.all(0).await;
    assert_eq!(world.get_with("/third", &[PARENT]).await.text, "yes", "whoever asks decides");
    let spans = kept.all(3).await;
    assert!(spans.iter().all(|span| span.trace.to_string() == TRACE), "{spans:#?}");
}

/// What `page` was told, and then what `part` was.
async fn told(world: &World, headers: &[(&str, &str)]) -> Vec<String> {
    world.get_with("/", headers).await.text.split('|').map(str::to_owned).collect()
}

async fn tellers() -> (Service, Service) {
    fn line(asked: &Asked) -> String {
        format!("{}|{}", asked.header("traceparent"), asked.header("tracestate"))
    }
    let page = Service::new("page", |asked: Asked| async move {
        let mut headers = both(&asked);
        // As a service that has spans of its own.
        let own = asked.header("traceparent").replace(&asked.header("traceparent")[36..52], OWN);
        headers.insert("traceparent", own.parse().unwrap());
        headers.insert("tracestate", "page=1".parse().unwrap());
        let got = asked.call_with(headers, Method::GET, "part", "/begun", "").await;
        text(format!("{}|{}", line(&asked), got.text))
    })
    .await;
    let part = Service::new("part", |asked: Asked| async move { text(line(&asked)) }).await;
    (page, part)
}

/// The span of a service's own.
const OWN: &str = "00000000000000aa";

#[tokio::test]
async fn services_are_told_of_the_span_in_which_they_are_asked() {
    let (kept, (page, part)) = (Arc::<Kept>::default(), tellers().await);
    let off = "[[services.page.routes]]\npath = '/{*path}'\n";
    let routes = off.to_owned() + &off.replace("page", "part");
    let world = World::watched(&[&page, &part], &routes, Arc::clone(&kept) as _).await;
    let told = told(&world, &[PARENT, ("tracestate", "a=1"), ("tracestate", "b=2")]).await;
    let spans = kept.all(4).await;
    let [of_page, state_of_page, of_part, state_of_part] = told.as_slice() else {
        panic!("{told:?}")
    };
    let client = |target| {
        let mut all = spans.iter().filter(|span| span.kind == SpanKind::Client);
        all.find(|span| word(span, "asof.target") == target).unwrap()
    };
    assert_eq!(*of_page, format!("00-{TRACE}-{}-01", client("page").id));
    assert_eq!(*of_part, format!("00-{TRACE}-{}-01", client("part").id));
    assert_eq!((state_of_page.as_str(), state_of_part.as_str()), ("a=1,b=2", "page=1"));
    // The call is below the span that the service had for it.
    let mut servers = spans.iter().filter(|span| span.kind == SpanKind::Server);
    let nested = servers.find(|span| word(span, "asof.from") == "page").unwrap();
    assert_eq!(nested.parent.unwrap().to_string(), OWN);
    assert_eq!(nested.state.as_deref(), Some("page=1"));
}

#[tokio::test]
async fn without_anybody_who_looks_what_came_is_handed_on() {
    let (page, part) = tellers().await;
    let constant = on("page", "") + &on("part", "constant = true");
    let world = World::start(&[&page, &part], &constant).await;
    let own = PARENT.1.replace("00f067aa0ba902b7", OWN);
    let from = told(&world, &[PARENT, ("tracestate", "a=1")]).await;
    assert_eq!(from, [PARENT.1, "a=1", &own, "page=1"]);
    // Neither is part of what is asked: other clients share the answer.
    let other = PARENT.1.replace("4bf9", "4bfa");
    let again = world.get_with("/", &[("traceparent", &other), ("tracestate", "x=y")]).await;
    assert!(again.outcome().starts_with("asof; hit"), "{}", again.outcome());
    // What cannot be read is replaced, and what goes with it is dropped.
    let bad = world.get_with("/bad", &[("traceparent", "00-1-2-03"), ("tracestate", "a=1")]).await;
    let [parent, state, ..] = *bad.text.split('|').collect::<Vec<_>>() else { panic!("{bad:?}") };
    assert!(parent.len() == 55 && parent.starts_with("00-"), "{parent}");
    assert_eq!(state, "");
}

#[tokio::test]
async fn what_fails_says_so() {
    let kept = Arc::<Kept>::default();
    let page = Service::new("page", |_| async { status(503, "busy") }).await;
    let world = World::watched(&[&page], &on("page", ""), Arc::clone(&kept) as _).await;
    assert_eq!(world.get("/").await.status, StatusCode::SERVICE_UNAVAILABLE);
    let spans = kept.all(2).await;
    for span in &spans {
        assert_eq!(span.failure.as_deref(), Some("503"), "{span:#?}");
        assert!(word(span, "asof.outcome").starts_with("unstorable"), "{span:#?}");
    }
    let metrics = world.admin(Method::GET, "/metrics").await.text;
    assert!(metrics.contains("asof_edge_spans_lost_total 7"), "{metrics}");
}

#[tokio::test]
async fn a_call_that_names_another_trace_is_below_the_span_in_which_its_service_was_asked() {
    let kept = Arc::<Kept>::default();
    let page = Service::new("page", |asked: Asked| async move {
        let mut headers = both(&asked);
        let other = "00-00000000000000000000000000000001-00000000000000aa-01";
        headers.insert("traceparent", other.parse().unwrap());
        let path = "/v1/spaces/goods/keys/begun";
        text(asked.call_with(headers, Method::GET, "main", path, "").await.text)
    })
    .await;
    let world = World::watched(&[&page], &on("page", ""), Arc::clone(&kept) as _).await;
    assert_eq!(world.get("/").await.text, "yes");
    let spans = kept.all(4).await;
    let asked = one(&spans, SpanKind::Client, "GET /{*path}");
    let nested = spans.iter().find(|span| word(span, "asof.from") == "page").unwrap();
    assert_eq!((nested.parent, nested.trace), (Some(asked.id), asked.trace));
}

#[tokio::test]
async fn what_is_executed_only_to_compare_is_in_nobodys_trace() {
    let (kept, (page, part)) = (Arc::<Kept>::default(), three_layers().await);
    let routes = routes().replace("shadow = 0.0", "shadow = 1.0");
    let world = World::watched(&[&page, &part], &routes, Arc::clone(&kept) as _).await;
    world.get_with("/", &[PARENT]).await;
    kept.all(6).await;
    page.executed();
    assert!(world.get_with("/", &[PARENT]).await.outcome().starts_with("asof; hit"));
    eventually(|| async { page.executed() > 0 }).await;
    let spans = kept.all(1).await;
    assert_eq!(word(&spans[0], "asof.listener"), "ingress");
}
