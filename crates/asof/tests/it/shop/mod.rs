//! A shop: a store, two layers of services, an edge before them, clients who read page after page,
//! and somebody who writes. Every page that any client saw is kept, to be held against what was true
//! at its moment.

mod service;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use asof_env::{Clock, SystemClock};
use serde_json::{Value, json};

use self::service::{Service, ask, header, page, price};
use crate::harness::{Ran, Server, asof, run};

/// Items on sale. Nobody writes the first half but the story; the others are written all along.
pub(crate) const ITEMS: usize = 20;
pub(crate) const SPOILT: usize = ITEMS / 2;

const CLIENTS: usize = 3;

/// Commits by when they took effect: what was written to which items.
pub(crate) type Written = BTreeMap<u64, (Vec<usize>, String)>;

/// What a client saw: an item, the moment that the answer says it is of, price and name.
pub(crate) struct Seen {
    pub(crate) item: usize,
    pub(crate) begun: Duration,
    pub(crate) ended: Duration,
    pub(crate) as_of: u64,
    pub(crate) price: String,
    pub(crate) name: String,
}

/// What all threads share.
#[derive(Default)]
pub(crate) struct Shared {
    stop: AtomicBool,
    /// Whether the writer writes.
    pub(crate) writing: AtomicBool,
    seen: Mutex<Vec<Seen>>,
    /// Answers that were none: when they were asked for, when they came, and what they said.
    pub(crate) failures: Mutex<Vec<(Duration, Duration, String)>>,
    pub(crate) written: Mutex<Written>,
}

pub(crate) fn since_start() -> Duration {
    SystemClock.boot().since(asof_env::BootTime::new(Duration::ZERO))
}

fn micros(moment: &str) -> u64 {
    moment.parse::<asof_time::Timestamp>().unwrap().as_micros()
}

/// One who reads page after page.
fn read(ingress: String, shared: Arc<Shared>, first: usize) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut item = first;
        while !shared.stop.load(Ordering::SeqCst) {
            item = (item + 7) % ITEMS;
            let begun = since_start();
            let head = format!("GET /page/{item} HTTP/1.1\r\nhost: shop.example\r\n");
            match ask(&ingress, &head, "") {
                Some((head, body)) if head.contains(" 200 ") => {
                    let (price, name) = body.split_once(' ').unwrap();
                    let (price, name) = (price.to_owned(), name.to_owned());
                    let as_of = micros(header(&head, "as-of").unwrap());
                    let ended = since_start();
                    let seen = Seen { item, begun, ended, as_of, price, name };
                    shared.seen.lock().unwrap().push(seen);
                }
                other => {
                    let failure = (begun, since_start(), format!("{item}: {other:?}"));
                    shared.failures.lock().unwrap().push(failure);
                }
            }
            SystemClock.sleep(Duration::from_millis(2));
        }
    })
}

/// The store, the edge and the load.
pub(crate) struct Shop {
    pub(crate) store: Server,
    pub(crate) shared: Arc<Shared>,
    ingress: String,
    preview: String,
    services: [Service; 2],
    threads: Vec<JoinHandle<()>>,
    _edge: Edge,
    _folder: tempfile::TempDir,
}

struct Edge(Child);

impl Drop for Edge {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Shop {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let store = Server::start(&folder.path().join("data"));
        // Written before the edge is there, so that there is no moment without it.
        let everything: Vec<usize> = (0..ITEMS).collect();
        let (_, effective) = commit(&store.url, &everything, "good");
        let shared = Arc::new(Shared::default());
        shared.written.lock().unwrap().insert(effective, (everything, "good".to_owned()));
        let services = [Service::default(), Service::default()];
        let [pages, prices] = &services;
        let config = folder.path().join("edge.toml");
        let route = "mode = 'on'\nobserved_min = 0\ntrust = true\nshadow = 0.0\nas_of = 'closed'\n";
        let text = format!(
            "listen = '127.0.0.1:0'\nadmin = '127.0.0.1:0'\npreview_listen = '127.0.0.1:0'\n\
             report_as = 'edge-1'\n\
             [stores.main]\nurl = '{}'\n\
             [[ingress.rules]]\nservice = 'pages'\n\
             [services.pages]\nupstreams = ['http://{}']\negress = '127.0.0.1:0'\n\
             [[services.pages.routes]]\npath = '/page/{{item}}'\n{route}\
             [services.prices]\nupstreams = ['http://{}']\negress = '127.0.0.1:0'\n\
             [[services.prices.routes]]\npath = '/price/{{item}}'\n{route}",
            store.url,
            pages.start(page),
            prices.start(price),
        );
        std::fs::write(&config, text).unwrap();
        let mut edge = asof(&["edge", "--log", "off", "--config", config.to_str().unwrap()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(edge.stdout.take().unwrap()).lines();
        let mut after = |mark: &str| {
            let line = lines.next().unwrap().unwrap();
            line.split_once(mark).unwrap_or_else(|| panic!("{line}")).1.to_owned()
        };
        let (ingress, admin) = (after("listens on http://"), after("admin on http://"));
        let preview = after("shows what is to come on http://");
        pages.egress.set(after("pages calls others through http://")).unwrap();
        prices.egress.set(after("prices calls others through http://")).unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        let shop = Self {
            store,
            shared: Arc::clone(&shared),
            ingress: ingress.clone(),
            preview,
            services,
            threads: Vec::new(),
            _edge: Edge(edge),
            _folder: folder,
        };
        let ready = format!("GET /readyz HTTP/1.1\r\nhost: {admin}\r\n");
        shop.until("the edge hears of the store", || {
            ask(&admin, &ready, "").is_some_and(|(head, _)| head.contains(" 200 "))
        });
        let mut threads: Vec<_> =
            (0..CLIENTS).map(|n| read(ingress.clone(), Arc::clone(&shared), n)).collect();
        threads.push(shop.write_on());
        Self { threads, ..shop }
    }

    /// Writes the same text as price and name of items; returns the commit's id.
    pub(crate) fn commit(&self, items: Vec<usize>, text: &str) -> u64 {
        let (id, effective) = commit(&self.store.url, &items, text);
        self.shared.written.lock().unwrap().insert(effective, (items, text.to_owned()));
        id
    }

    /// Writes the items that are not spoilt, one after the other, while that is wanted.
    fn write_on(&self) -> JoinHandle<()> {
        let (shared, url) = (Arc::clone(&self.shared), self.store.url.clone());
        std::thread::spawn(move || {
            let mut n = 0;
            while !shared.stop.load(Ordering::SeqCst) {
                SystemClock.sleep(Duration::from_millis(20));
                if !shared.writing.load(Ordering::SeqCst) {
                    continue;
                }
                n += 1;
                let (items, text) = (vec![SPOILT + n % SPOILT], format!("news-{n}"));
                // What was not acknowledged by the time it is seen would be taken for wrong.
                let mut written = shared.written.lock().unwrap();
                let (_, effective) = commit(&url, &items, &text);
                written.insert(effective, (items, text));
            }
        })
    }

    /// Runs a command of an operator.
    pub(crate) fn operate(&self, line: &[&str]) -> Ran {
        run(asof(&[line, &["--server", &self.store.url]].concat()), b"")
    }

    pub(crate) fn operated(&self, line: &[&str]) -> Value {
        let ran = self.operate(&[line, &["--json"]].concat());
        assert_eq!(ran.code, 0, "{line:?}: {ran:?}");
        ran.object()
    }

    /// Waits for what must come to pass.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, holds: impl Fn() -> bool) {
        for _ in 0..3_000 {
            if holds() {
                return;
            }
            SystemClock.sleep(Duration::from_millis(10));
        }
        let failures = self.shared.failures.lock().unwrap();
        panic!("{what}: not within a long time; what failed: {failures:#?}");
    }

    /// Waits until every item was seen, in answers to requests that begin from now on, as `holds`
    /// wants it.
    #[track_caller]
    pub(crate) fn until_all_pages(&self, what: &str, holds: impl Fn(&Seen) -> bool) {
        let now = since_start();
        self.until(what, || {
            let seen = self.shared.seen.lock().unwrap();
            let news = seen.iter().rev().take_while(|seen| seen.begun >= now);
            let items: std::collections::BTreeSet<usize> =
                news.filter(|seen| holds(seen)).map(|seen| seen.item).collect();
            items.len() == ITEMS
        });
    }

    /// The page of an item at a moment, as an operator is shown it before that comes.
    pub(crate) fn preview(&self, item: usize, at: u64) -> String {
        Self::page(&self.preview, item, at)
    }

    /// The page of an item at a moment that is closed.
    pub(crate) fn page_at(&self, item: usize, at: u64) -> String {
        Self::page(&self.ingress, item, at)
    }

    fn page(listener: &str, item: usize, at: u64) -> String {
        let head = format!("GET /page/{item} HTTP/1.1\r\nhost: {listener}\r\nas-of: {at}\r\n");
        let (head, body) = ask(listener, &head, "").unwrap();
        assert!(head.contains(" 200 "), "{head}\n{body}");
        body
    }

    pub(crate) fn executions(&self) -> u64 {
        self.services.iter().map(|service| service.executions.load(Ordering::SeqCst)).sum()
    }

    /// Ends the load and hands out what was seen.
    pub(crate) fn stop(mut self) -> (Vec<Seen>, Written) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
        let seen = core::mem::take(&mut *self.shared.seen.lock().unwrap());
        let written = core::mem::take(&mut *self.shared.written.lock().unwrap());
        (seen, written)
    }
}

/// Commits; returns the id, and when it took effect.
fn commit(store: &str, items: &[usize], text: &str) -> (u64, u64) {
    let writes = items.iter().flat_map(|item| {
        ["prices", "names"]
            .map(|space| json!({ "space": space, "key": item.to_string(), "value_text": text }))
    });
    let body = json!({ "writes": writes.collect::<Vec<_>>() }).to_string();
    let address = store.strip_prefix("http://").unwrap();
    let head = format!("POST /v1/commits HTTP/1.1\r\nhost: {address}\r\n");
    let (head, body) = ask(address, &head, &body).unwrap();
    assert!(head.contains(" 200 "), "{head}\n{body}");
    let receipt: Value = serde_json::from_str(&body).unwrap();
    let number = |name| receipt.get(name).and_then(Value::as_u64).unwrap();
    (number("id"), number("effective"))
}

/// Holds every page against what was written by its moment.
pub(crate) fn judge(seen: &[Seen], written: &Written) {
    for Seen { item, as_of, price, name, .. } in seen {
        assert_eq!(price, name, "page {item} at {as_of} is of one moment in all layers");
        let known = written.range(..=as_of).rev();
        let of_item = known.map(|(_, write)| write).find(|(items, _)| items.contains(item));
        let (_, text) = of_item.unwrap_or_else(|| panic!("nothing was written before {as_of}"));
        assert_eq!(price, text, "page {item} at {as_of}");
    }
}
