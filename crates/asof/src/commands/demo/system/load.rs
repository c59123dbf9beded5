//! Readers and a writer: what the system has to bear while it is measured.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use asof_client::{Client, WriteOptions};
use asof_env::{Clock, SystemClock};
use asof_time::Timestamp;
use bytes::Bytes;

use super::in_rust::encoded;
use super::web::{self, Http};
use crate::import::stop::Stop;

/// Requests under way at once.
pub(super) const READERS: usize = 16;

/// Users, each with a session and settings.
pub(super) const USERS: u64 = 4;

/// The pause between two writes.
const WRITE_EVERY: Duration = Duration::from_millis(100);

/// Every so many writes, a user chooses another theme instead.
const SETTINGS_EVERY: u64 = 10;

/// What every contestant has to bear.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Bench {
    pub(in super::super) length: Duration,
    pub(in super::super) writes: Writes,
}

/// How much is written while the others read.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Writes {
    /// A few times a second, by somebody who does nothing else.
    Beside,
    /// So many for 100 reads, by the readers themselves.
    Percent(u8),
}

/// Where readers read, and write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) base: &'a str,
    pub(super) store: &'a str,
    pub(super) shelf: &'a Arc<Shelf>,
}

/// What is read: files, the popular ones first.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) space: String,
    pub(super) paths: Vec<String>,
    pub(super) texts: Vec<Bytes>,
    /// Upper ends of the shares of each path: popularity falls as one over rank (Zipf).
    ends: Vec<f64>,
}

/// One answer, as a client saw it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) path: usize,
    pub(super) user: u64,
    pub(super) begun: Timestamp,
    pub(super) ended: Timestamp,
    /// The moment that the answer says it is of.
    pub(super) as_of: Option<Timestamp>,
    /// Of the body; `None` for an answer that is none.
    pub(super) hash: Option<u64>,
    pub(super) took: Duration,
}

impl Shelf {
    pub(super) fn new(space: &str, files: Vec<(String, Bytes)>) -> Self {
        let (paths, texts): (Vec<_>, Vec<_>) = files.into_iter().unzip();
        let mut sum = 0.0;
        let ends = (1..=paths.len()).map(|rank| {
            sum += 1.0 / f64::from(u32::try_from(rank).unwrap_or(u32::MAX));
            sum
        });
        let ends: Vec<f64> = ends.collect();
        Self { space: space.to_owned(), paths, texts, ends }
    }

    /// A path, the popular ones more often.
    fn draw(&self, dice: &mut Dice) -> usize {
        let all = self.ends.last().copied().unwrap_or(1.0);
        let share = dice.share() * all;
        self.ends.partition_point(|end| *end < share).min(self.paths.len().saturating_sub(1))
    }
}

/// `SplitMix64`, by Steele, Lea and Flood: the same requests for every contestant.
struct Dice(u64);

impl Dice {
    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let number = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }

    fn share(&mut self) -> f64 {
        f64::from(u32::try_from(self.number() >> 32).unwrap_or_default()) / f64::from(u32::MAX)
    }
}

/// Reads pages for so long, or until told to stop, while files and settings are written.
pub(super) async fn run(place: Place<'_>, client: &Client, bench: Bench, stop: &Stop) -> Vec<Seen> {
    let ended = Arc::new(AtomicBool::new(false));
    let writer = matches!(bench.writes, Writes::Beside).then(|| {
        let (client, shelf, ended) = (client.clone(), Arc::clone(place.shelf), Arc::clone(&ended));
        std::thread::spawn(move || write(&client, &shelf, &ended))
    });
    let http = web::client();
    let readers = (0..READERS).map(|number| {
        let reader = Reader {
            http: http.clone(),
            base: place.base.to_owned(),
            store: place.store.to_owned(),
            shelf: Arc::clone(place.shelf),
            dice: Dice(number as u64),
        };
        tokio::spawn(reader.run(bench, stop.clone()))
    });
    let mut seen = Vec::new();
    for reader in readers.collect::<Vec<_>>() {
        seen.extend(reader.await.unwrap_or_default());
    }
    ended.store(true, Ordering::Relaxed);
    if let Some(writer) = writer {
        // It has said what went wrong, if anything did.
        let _ = writer.join();
    }
    seen
}

/// One who reads, one request after the other, and may write in between.
struct Reader {
    http: Http,
    base: String,
    store: String,
    shelf: Arc<Shelf>,
    dice: Dice,
}

impl Reader {
    async fn run(mut self, bench: Bench, stop: Stop) -> Vec<Seen> {
        let mut seen = Vec::new();
        let start = SystemClock.boot();
        while SystemClock.boot().since(start) < bench.length && !stop.is_asked() {
            if let Writes::Percent(percent) = bench.writes
                && self.dice.number() % 100 < percent.into()
            {
                self.write().await;
            }
            seen.push(self.read().await);
        }
        seen
    }

    async fn read(&mut self) -> Seen {
        let clock = SystemClock;
        let (path, user) = (self.shelf.draw(&mut self.dice), self.dice.number() % USERS);
        let name = self.shelf.paths.get(path).map(|name| encoded(name)).unwrap_or_default();
        let cookie = format!("session=s{user}");
        let (begun, at) = (clock.wall(), clock.boot());
        let uri = format!("{}/pages/{name}", self.base);
        let got = web::get(&self.http, &uri, &[("cookie", &cookie)]).await;
        let as_of = got.headers.get("as-of").and_then(|value| value.to_str().ok());
        Seen {
            path,
            user,
            begun,
            ended: clock.wall(),
            as_of: as_of.and_then(|text| text.parse().ok()),
            hash: got.status.is_success().then(|| hash(&got.body)),
            took: clock.boot().since(at),
        }
    }

    async fn write(&mut self) {
        let Some((space, key, text)) = next_write(&self.shelf, &mut self.dice) else { return };
        let uri = format!("{}/v1/spaces/{space}/keys/{}", self.store, encoded(&key));
        let got = web::put(&self.http, &uri, media_type(&space), text.into()).await;
        if !got.status.is_success() {
            tracing::warn!(status = %got.status, "a write of the demo failed");
        }
    }
}

pub(super) fn hash(body: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    hasher.finish()
}

/// Numbers the writes of the whole demo: no two leave the same text.
static WRITES: AtomicU64 = AtomicU64::new(0);

fn write(client: &Client, shelf: &Shelf, ended: &AtomicBool) {
    let mut dice = Dice(u64::MAX / 2);
    while !ended.load(Ordering::Relaxed) {
        SystemClock.sleep(WRITE_EVERY);
        let Some((space, key, text)) = next_write(shelf, &mut dice) else { continue };
        if let Err(error) = put(client, &space, &key, &text) {
            tracing::warn!(%error, "a write of the demo failed");
        }
    }
}

/// What is written next: its space, its key, and the text.
fn next_write(shelf: &Shelf, dice: &mut Dice) -> Option<(String, String, Vec<u8>)> {
    let number = WRITES.fetch_add(1, Ordering::Relaxed) + 1;
    if number.is_multiple_of(SETTINGS_EVERY) {
        let theme = if number.is_multiple_of(2 * SETTINGS_EVERY) { "dark" } else { "light" };
        let user = number / SETTINGS_EVERY % USERS;
        return Some(("users".to_owned(), format!("u{user}"), user_settings(theme)));
    }
    let path = shelf.draw(dice);
    let (name, text) = (shelf.paths.get(path)?, shelf.texts.get(path)?);
    let text = [format!("revision {number}\n").as_bytes(), text].concat();
    Some((shelf.space.clone(), name.clone(), text))
}

fn media_type(space: &str) -> &'static str {
    let json = matches!(space, "users" | "sessions");
    if json { "application/json" } else { "text/plain; charset=utf-8" }
}

pub(super) fn user_settings(theme: &str) -> Vec<u8> {
    format!("{{\"theme\":\"{theme}\",\"zone\":\"UTC\"}}").into_bytes()
}

pub(super) fn put(
    client: &Client,
    space: &str,
    key: &str,
    bytes: &[u8],
) -> asof_client::Result<()> {
    let bytes = Bytes::copy_from_slice(bytes);
    client.put(space, key, media_type(space), bytes, &WriteOptions::default()).map(|_| ())
}
