//! A collector that does as it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;

/// How it answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    Status(u16),
    /// Not at all.
    Never,
}

/// A message that came.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) path: String,
    pub(crate) media: String,
    pub(crate) request: ExportTraceServiceRequest,
}

impl Told {
    /// How many spans it tells of.
    pub(crate) fn count(&self) -> usize {
        let scopes = self.request.resource_spans.iter().flat_map(|spans| &spans.scope_spans);
        scopes.map(|scope| scope.spans.len()).sum()
    }
}

/// A collector on loopback, until it goes.
pub(crate) struct Fake {
    pub(crate) url: String,
    told: Mutex<Receiver<Told>>,
    gone: Arc<AtomicBool>,
}

impl Fake {
    /// One that gives the answer of `answer` to each message, by its number.
    pub(crate) fn start(answer: fn(usize) -> Answer) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), answer)
    }

    /// As [`start`](Self::start), where `listener` listens.
    pub(crate) fn on(listener: TcpListener, answer: fn(usize) -> Answer) -> Self {
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (tell, told) = sync_channel(64);
        let gone = Arc::<AtomicBool>::default();
        let ends = Arc::clone(&gone);
        std::thread::spawn(move || {
            let count = Arc::<AtomicUsize>::default();
            for stream in listener.incoming() {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                let (tell, count) = (tell.clone(), Arc::clone(&count));
                std::thread::spawn(move || talk(stream.unwrap(), answer, &count, &tell));
            }
        });
        Self { url, told: Mutex::new(told), gone }
    }

    /// The next message, within a bound.
    pub(crate) fn told(&self, within: Duration) -> Told {
        self.told.lock().unwrap().recv_timeout(within).expect("a message comes")
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::SeqCst);
        // It looks once more, and is gone with its listener.
        drop(TcpStream::connect(self.url.trim_start_matches("http://")));
    }
}

fn talk(
    stream: TcpStream,
    answer: fn(usize) -> Answer,
    count: &AtomicUsize,
    tell: &SyncSender<Told>,
) {
    let mut reader = BufReader::new(stream);
    while let Some(told) = read(&mut reader) {
        let nth = count.fetch_add(1, Ordering::SeqCst);
        if tell.send(told).is_err() {
            return;
        }
        match answer(nth) {
            Answer::Status(status) => {
                let head = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
                if reader.get_mut().write_all(head.as_bytes()).is_err() {
                    return;
                }
            }
            // Until the other side has had enough.
            Answer::Never => _ = reader.read_to_end(&mut Vec::new()),
        }
    }
}

/// One message; `None` at the end.
fn read(reader: &mut BufReader<TcpStream>) -> Option<Told> {
    let (mut path, mut media, mut length, mut asked) = (String::new(), String::new(), 0, false);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(": ") {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap(),
                "content-type" => value.clone_into(&mut media),
                "expect" => asked = true,
                _ => {}
            }
        } else {
            line.split(' ').nth(1).unwrap().clone_into(&mut path);
        }
    }
    if asked {
        reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
    Some(Told { path, media, request })
}
