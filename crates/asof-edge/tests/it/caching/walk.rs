//! Walks at random through a system of two edges: services call through either, the ways between
//! the edges are cut, an edge starts anew, values come and go back. Every answer is held against a
//! run without any cache, at its moment and at the ends of the interval that it claims.
//!
//! Unlike the simulation these are real edges on real sockets, so a walk is not the same twice:
//! the seed decides what is done, and not how it falls together.

use std::pin::Pin;
use std::time::Duration;

use asof_api::SessionToken;
use asof_time::Timestamp;
use http::{Request, StatusCode};
use http_body_util::Full;
use tokio::task::JoinSet;

use super::pair::{Link, Pair, Side};
use super::world::{Asked, Got, Http, Service, ask, http, on, text};
use crate::harness::eventually;

/// What is done in a walk.
const STEPS: usize = 60;
const KEYS: u64 = 5;
/// What a key that was never written counts as.
const ABSENT: u64 = 7;
/// What a service answers that had to make do.
const MADE_DO: &str = "without";
const NAMES: [&str; 4] = ["page", "left", "right", "leaf"];

/// How a program asks others.
enum Way {
    /// As a service does, by its egress.
    Service(Asked),
    /// As a run without any cache does, at one moment.
    Plain { http: Http, store: std::net::SocketAddr, at: String },
}

impl Way {
    async fn read(&self, key: u64) -> Option<u64> {
        let path = format!("/v1/spaces/goods/keys/k{}", key % KEYS);
        let got = match self {
            Self::Service(asked) => asked.get("main", &path).await,
            Self::Plain { http, store, at } => {
                let uri = format!("http://{store}{path}?as_of={at}");
                ask(http, Request::get(uri).body(Full::default()).unwrap()).await
            }
        };
        match got.status {
            StatusCode::OK => got.text.parse().ok(),
            StatusCode::NOT_FOUND => Some(ABSENT),
            _ => None,
        }
    }

    async fn call(&self, name: &str, argument: u64) -> Option<u64> {
        match self {
            Self::Service(asked) => {
                let got = asked.get(name, &format!("/{argument}")).await;
                got.text.parse().ok().filter(|_| got.status == StatusCode::OK)
            }
            Self::Plain { .. } => program(self, name, argument).await,
        }
    }
}

/// What each service answers: which calls it makes depends on what it found. One that has to make do
/// without something goes on, and answers with `None`.
fn program<'a>(
    way: &'a Way,
    name: &'a str,
    n: u64,
) -> Pin<Box<dyn Future<Output = Option<u64>> + Send + 'a>> {
    Box::pin(async move {
        let sum = |a: Option<u64>, factor, b: Option<u64>| Some(a? + factor * b?);
        match name {
            "page" => {
                let left = way.call("left", n).await;
                let is_odd = left.is_some_and(|left| !left.is_multiple_of(2));
                let other = if is_odd { "leaf" } else { "right" };
                sum(left, 1_000, way.call(other, n + 1).await)
            }
            "left" => sum(way.read(n).await, 10, way.call("leaf", n + 1).await),
            "right" => match way.call("leaf", n).await {
                Some(leaf) if leaf > 12 => Some(leaf),
                leaf => sum(leaf, 10, way.call("left", n + leaf.unwrap_or_default()).await),
            },
            _ => match way.read(n).await {
                Some(even) if even.is_multiple_of(2) => Some(even),
                odd => sum(odd, 3, way.read(n + odd.unwrap_or_default()).await),
            },
        }
    })
}

async fn service(name: &'static str) -> Service {
    Service::new(name, move |asked: Asked| async move {
        let n = asked.path.trim_start_matches('/').parse().unwrap_or_default();
        let found = program(&Way::Service(asked), name, n).await;
        text(found.map_or_else(|| MADE_DO.to_owned(), |found| found.to_string()))
    })
    .await
}

/// Numbers by a seed, as in Steele, Lea and Flood, "Fast splittable pseudorandom number generators".
struct Seed(u64);

impl Seed {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn some_names(&mut self) -> Vec<&'static str> {
        NAMES.into_iter().filter(|_| self.below(2) == 0).collect()
    }
}

/// A request, and what came of it.
struct Told {
    n: u64,
    token: Option<String>,
    got: Got,
}

struct Walk {
    number: u64,
    pair: Pair,
    http: Http,
    history: Vec<String>,
    /// Answers that were right, and those of them that were held.
    right: u64,
    held: u64,
}

impl Walk {
    async fn start(number: u64) -> Self {
        let mut services = Vec::new();
        for name in NAMES {
            services.push(service(name).await);
        }
        let routes: String = NAMES.iter().map(|name| on(name, "")).collect();
        let services: Vec<&Service> = services.iter().collect();
        let pair = Pair::start(&services, &routes).await;
        Self { number, pair, http: http(), history: Vec::new(), right: 0, held: 0 }
    }

    async fn run(mut self) -> (u64, u64) {
        let mut seed = Seed(self.number);
        // A call to an edge that is away is held for seconds: not in every walk, and once in it.
        let cut_at = (seed.below(2) == 0).then(|| seed.below(STEPS as u64));
        let mut token = None;
        for step in 0..STEPS as u64 {
            if cut_at == Some(step) {
                self.cut(&mut seed).await;
            }
            match seed.below(24) {
                0 => {
                    let names = seed.some_names();
                    self.note(format!("{names:?} call by the south"));
                    self.pair.attach_south(&names);
                }
                1 => {
                    let names = seed.some_names();
                    self.note(format!("{names:?} call by the north"));
                    self.pair.attach_north(&names);
                }
                2 => {
                    self.note("the south starts anew".to_owned());
                    let services = self.pair.of_south();
                    self.pair.restart_south().await;
                    self.pair.attach_south(&services);
                    self.pair.know_each_other().await;
                }
                3..10 => token = Some(self.write(&mut seed).await),
                _ => {
                    let asked = self.ask(&mut seed, token.as_ref());
                    if seed.below(3) == 0 {
                        self.write(&mut seed).await;
                    }
                    self.judge_all(asked).await;
                }
            }
        }
        self.settles().await;
        (self.right, self.held)
    }

    /// The ways between the edges are cut for a while: before anybody asks, or while services that
    /// have to run again are at it.
    async fn cut(&mut self, seed: &mut Seed) {
        let which = 1 + seed.below(3);
        let ways = [(1, self.pair.to_north.clone()), (2, self.pair.to_south.clone())];
        let ways = ways.into_iter().filter(|(bit, _)| which & bit != 0);
        let ways: Vec<Link> = ways.map(|(_, way)| way).collect();
        let cut = || {
            for way in &ways {
                way.cut();
            }
        };
        let meanwhile = seed.below(3) > 0;
        if meanwhile {
            for _ in 0..KEYS {
                self.write(seed).await;
            }
        } else {
            cut();
        }
        let asked = self.ask(seed, None);
        if meanwhile {
            tokio::time::sleep(Duration::from_millis(seed.below(20))).await;
            cut();
        }
        self.note(format!("ways are cut: {which:02b}, while services run: {meanwhile}"));
        self.judge_all(asked).await;
        for way in &ways {
            way.mend();
        }
        self.note("and mended".to_owned());
        if seed.below(2) == 0 {
            self.pair.know_each_other().await;
        }
    }

    async fn write(&mut self, seed: &mut Seed) -> String {
        let (key, value) = (seed.below(KEYS), seed.below(4));
        let written = self.pair.put(&format!("k{key}"), &value.to_string()).await;
        self.note(format!("k{key} = {value}: {written}"));
        written
    }

    /// A few clients ask at once.
    fn ask(&mut self, seed: &mut Seed, token: Option<&String>) -> JoinSet<Told> {
        let mut asked = JoinSet::new();
        for _ in 0..=seed.below(3) {
            let n = seed.below(4);
            let token = token.filter(|_| seed.below(2) == 0).cloned();
            let at = seed.below(2);
            let side = if at == 0 { &self.pair.north } else { &self.pair.south };
            let uri = format!("http://{}/{n}", side.at.ingress);
            let name = if at == 0 { "north" } else { "south" };
            self.note(format!("the {name} is asked for {n}, {token:?}"));
            let http = self.http.clone();
            asked.spawn(async move {
                let mut request = Request::get(uri);
                if let Some(token) = &token {
                    request = request.header("asof-token", token);
                }
                let got = ask(&http, request.body(Full::default()).unwrap()).await;
                Told { n, token, got }
            });
        }
        asked
    }

    async fn judge_all(&mut self, asked: JoinSet<Told>) {
        for told in asked.join_all().await {
            self.judge(&told).await;
        }
    }

    async fn judge(&mut self, told: &Told) {
        let Told { n, token, got } = told;
        let said = format!("{n}: {} {} {}", got.status, got.text, got.outcome());
        self.note(said);
        if got.status != StatusCode::OK {
            let told = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT];
            assert!(told.contains(&got.status), "{self}");
            return;
        }
        let is_hit = got.outcome().starts_with("asof; hit");
        if got.text == MADE_DO {
            assert!(!is_hit && !got.outcome().contains("stored"), "{self}");
            return;
        }
        let said: u64 = got.text.parse().unwrap();
        let at = got.header("as-of");
        assert_eq!(self.truth(*n, &at).await, Some(said), "as of {at}\n{self}");
        if let Some(token) = token {
            let written: SessionToken = token.parse().unwrap();
            let at: Timestamp = at.parse().unwrap();
            assert!(at >= written.at, "as of {at}, before the write\n{self}");
        }
        for end in ends(&got.header("as-of-valid")) {
            assert_eq!(self.truth(*n, &end).await, Some(said), "at {end}\n{self}");
        }
        self.right += 1;
        self.held += u64::from(is_hit);
    }

    /// What a run without any cache gives.
    async fn truth(&self, n: u64, at: &str) -> Option<u64> {
        let (http, store) = (self.http.clone(), self.pair.store);
        program(&Way::Plain { http, store, at: at.to_owned() }, "page", n).await
    }

    /// Once nothing is in the way any more everything is held, at both edges.
    async fn settles(&self) {
        self.pair.know_each_other().await;
        let is_held = |side: &Side, n: u64| {
            let uri = format!("http://{}/{n}", side.at.ingress);
            let http = self.http.clone();
            async move {
                let got = ask(&http, Request::get(uri).body(Full::default()).unwrap()).await;
                got.outcome().starts_with("asof; hit")
            }
        };
        for side in [&self.pair.north, &self.pair.south] {
            for n in 0..4 {
                eventually(|| is_held(side, n)).await;
            }
        }
    }

    fn note(&mut self, what: String) {
        self.history.push(what);
    }
}

impl std::fmt::Display for Walk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "walk {}:", self.number)?;
        self.history.iter().try_for_each(|event| writeln!(f, "  {event}"))
    }
}

/// The first and the last moment of an interval as an answer says it.
fn ends(valid: &str) -> Vec<String> {
    let part = |name: &str| {
        let (_, rest) = valid.split_once(&format!("{name}=\""))?;
        rest.split_once('"').map(|(at, _)| at.to_owned())
    };
    let before = |until: String| {
        let until: Timestamp = until.parse().unwrap();
        until.prev().unwrap().to_string()
    };
    let last = part("through").or_else(|| part("until").map(before));
    part("from").into_iter().chain(last).collect()
}

/// Walks are made side by side, since some of them mostly wait.
const ABREAST: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_between_two_edges_every_answer_is_true_of_its_moment() {
    let more = std::env::var("ASOF_WALKS").ok();
    let walks: usize = more.map_or(8, |walks| walks.parse().unwrap());
    let mut abreast = JoinSet::new();
    for first in 0..ABREAST {
        abreast.spawn(async move {
            let (mut right, mut held) = (0, 0);
            for number in (first..walks).step_by(ABREAST) {
                let walk = Walk::start(number as u64).await.run().await;
                (right, held) = (right + walk.0, held + walk.1);
            }
            (right, held)
        });
    }
    let all = abreast.join_all().await;
    let (right, held) = all.iter().fold((0, 0), |(a, b), (right, held)| (a + right, b + held));
    assert!(right > held && held > 0, "{right} right, {held} of them held");
}
