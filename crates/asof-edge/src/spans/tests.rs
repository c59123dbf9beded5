use std::sync::Mutex;

use asof_env::{SystemClock, SystemRandom};

use super::*;

#[derive(Debug, Default)]
struct Kept(Mutex<Vec<Span>>);

impl SpanSink for Kept {
    fn take(&self, span: Span) {
        self.0.lock().unwrap().push(span);
    }

    fn lost(&self) -> u64 {
        0
    }
}

fn spans(share: f64) -> (Spans, Arc<Kept>) {
    let kept = Arc::<Kept>::default();
    let spans = Spans::new(Arc::clone(&kept) as _, Arc::new(SystemClock), &SystemRandom);
    spans.sample(share);
    (spans, kept)
}

fn request(parent: Option<&str>) -> Request<()> {
    let mut request = Request::get("http://shop.test:8080/things/1?secret=x");
    if let Some(parent) = parent {
        request = request.header("traceparent", parent);
    }
    request.body(()).unwrap()
}

#[test]
fn the_share_of_trees_that_is_recorded_is_the_one_asked_for() {
    for (share, least, most) in
        [(0.0, 0, 0), (0.01, 50, 200), (0.5, 4_500, 5_500), (1.0, 10_000, 10_000)]
    {
        let (spans, _) = spans(share);
        let sampled = (0..10_000).filter(|_| spans.begin().sampled() == Sampled::Yes).count();
        assert!((least..=most).contains(&sampled), "{share}: {sampled}");
    }
}

#[test]
fn whether_a_tree_is_recorded_follows_from_its_name() {
    let (spans, _) = spans(0.25);
    for _ in 0..1_000 {
        let context = spans.begin();
        let is_in = context.trace.even() >= 3 << 54;
        assert_eq!(context.sampled() == Sampled::Yes, is_in);
    }
}

#[test]
fn whoever_asks_decides() {
    let parent = |flags| format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
    let (none, _) = spans(0.0);
    assert!(matches!(none.root(&request(Some(&parent("01")))), Watched::Sampled(_)));
    assert!(matches!(none.root(&request(None)), Watched::Unsampled(_)));
    let (all, _) = spans(1.0);
    assert!(matches!(all.root(&request(Some(&parent("00")))), Watched::Not));
    assert!(matches!(all.root(&request(None)), Watched::Sampled(_)));
    // What cannot be read decides nothing.
    assert!(matches!(all.root(&request(Some("00-1-2-00"))), Watched::Sampled(_)));
}

#[test]
fn a_span_says_what_was_asked_and_what_came_of_it() {
    let (all, kept) = spans(1.0);
    let Watched::Sampled(mut draft) = all.root(&request(None)) else { panic!("it is recorded") };
    draft.by("/things/{id}");
    let below = all.below(draft.context(), SpanKind::Client, all.now()).unwrap();
    let root = draft.context().clone();
    drop(below);
    draft.answered(503, "refused");
    drop(draft);
    let spans = kept.0.lock().unwrap();
    let [below, above] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!((below.trace, below.parent), (root.trace, Some(root.span)));
    assert_eq!((above.trace, above.id, above.parent), (root.trace, root.span, None));
    assert_eq!((&*above.name, above.failure.as_deref()), ("GET /things/{id}", Some("503")));
    let says = |name: &str| {
        above.attributes.iter().find(|(known, _)| *known == name).map(|(_, says)| says.clone())
    };
    assert_eq!(says("http.request.method"), Some("GET".into()));
    assert_eq!(says("url.path"), Some("/things/1".into()), "without the query");
    assert_eq!(says("server.address"), Some("shop.test".into()));
    assert_eq!(says("http.response.status_code"), Some(Attribute::Number(503)));
    assert_eq!(says("asof.outcome"), Some("refused".into()));
}

#[test]
fn a_method_that_nobody_knows_does_not_become_a_name() {
    let (all, kept) = spans(1.0);
    let request = Request::builder().method("SECRET7").uri("/x").body(()).unwrap();
    drop(all.root(&request));
    let spans = kept.0.lock().unwrap();
    assert_eq!(&*spans.first().unwrap().name, "HTTP");
}
