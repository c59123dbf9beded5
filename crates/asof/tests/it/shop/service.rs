//! Two layers of services, of a few lines each.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// A request and its answer, as text; `None` where there is none.
pub(super) fn ask(address: &str, head: &str, body: &str) -> Option<(String, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let length = body.len();
    let request = format!("{head}connection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.to_owned(), body.to_owned()))
}

pub(super) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// Calls another service, or a store, by a path; its answer where it gives one.
type Call<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What a service makes of an item.
type Answer = fn(&str, Call<'_>) -> Option<String>;

/// A service: counts how often it is executed, and calls others with the context it was given.
#[derive(Clone, Default)]
pub(super) struct Service {
    pub(super) executions: Arc<AtomicU64>,
    pub(super) egress: Arc<OnceLock<String>>,
}

impl Service {
    /// Serves what `answer` makes of an item; it calls others by their paths.
    pub(super) fn start(&self, answer: Answer) -> String {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let service = self.clone();
        std::thread::spawn(move || {
            for stream in socket.incoming() {
                let service = service.clone();
                std::thread::spawn(move || service.serve(stream.unwrap(), answer));
            }
        });
        address
    }

    fn serve(&self, mut stream: TcpStream, answer: Answer) -> Option<()> {
        let lines = BufReader::new(stream.try_clone().ok()?).lines();
        let head: Vec<String> =
            lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let item = head.first()?.split(' ').nth(1)?.rsplit('/').next()?.to_owned();
        let context = header(&head.join("\n"), "asof-context").unwrap_or_default().to_owned();
        self.executions.fetch_add(1, Ordering::SeqCst);
        let call = |path: &str| {
            let egress = self.egress.get()?;
            let head =
                format!("GET {path} HTTP/1.1\r\nhost: {egress}\r\nasof-context: {context}\r\n");
            let (head, body) = ask(egress, &head, "")?;
            head.contains(" 200 ").then_some(body)
        };
        let (status, body) = match answer(&item, &call) {
            Some(body) => ("200 OK", body),
            None => ("502 Bad Gateway", String::new()),
        };
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close");
        stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).ok()
    }
}

/// The lower layer: the price of an item.
pub(super) fn price(item: &str, call: Call<'_>) -> Option<String> {
    call(&format!("/-/main/v1/spaces/prices/keys/{item}"))
}

/// The upper layer: a page of the price, from the other service, and of the name.
pub(super) fn page(item: &str, call: Call<'_>) -> Option<String> {
    let price = call(&format!("/-/prices/price/{item}"))?;
    let name = call(&format!("/-/main/v1/spaces/names/keys/{item}"))?;
    Some(format!("{price} {name}"))
}
