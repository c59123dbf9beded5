//! One client for all: requests encoded beforehand, one answer at a time, sockets that stay open.
//!
//! HTTP/1.1 with keep-alive and `PostgreSQL`'s protocol 3 differ only in how the end of an answer
//! is known, so that neither side is given a better client than the other. It runs on one thread:
//! client and server share the machine, so whatever the client costs stands on both sides of the
//! ratio and blurs what the servers cost.

use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::measure::{Result, now, rate};

/// Bytes of the payload once the answer is there whole.
pub(crate) type Complete = fn(&[u8]) -> Result<Option<usize>>;

/// Longest wait for a pass. A timer for each answer would cost as much as a part of the answer.
const PASS_TIME_MAX: Duration = Duration::from_mins(1);

/// A socket that stays open.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
    complete: Complete,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr, complete: Complete) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, answer: Vec::with_capacity(16 << 10), complete })
    }

    /// Sends a request and waits for the whole answer; returns the bytes of its payload.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<usize> {
        self.stream.write_all(request).await?;
        self.answer.clear();
        loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err("the server closed the connection".into());
            }
            if let Some(bytes) = (self.complete)(&self.answer)? {
                return Ok(bytes);
            }
        }
    }
}

/// Connections that are used again in each pass, and what is asked through them.
pub(crate) struct Crowd {
    connections: Vec<Connection>,
    requests: Arc<Vec<Vec<u8>>>,
}

impl Crowd {
    pub(crate) fn new(connections: Vec<Connection>, requests: Vec<Vec<u8>>) -> Self {
        Self { connections, requests: Arc::new(requests) }
    }

    /// Asks every request once, shared among the connections; answers a second.
    pub(crate) async fn pass(&mut self) -> Result<f64> {
        let start = now();
        tokio::time::timeout(PASS_TIME_MAX, self.ask_all()).await??;
        Ok(rate(now().since(start), self.requests.len()))
    }

    async fn ask_all(&mut self) -> Result<()> {
        let crowd = self.connections.len();
        let mut tasks = Vec::with_capacity(crowd);
        for (first, mut connection) in self.connections.drain(..).enumerate() {
            let requests = Arc::clone(&self.requests);
            tasks.push(tokio::spawn(async move {
                for request in requests.iter().skip(first).step_by(crowd) {
                    if connection.ask(request).await? == 0 {
                        return Err("an answer without a payload".into());
                    }
                }
                Result::Ok(connection)
            }));
        }
        for task in tasks {
            self.connections.push(task.await??);
        }
        Ok(())
    }
}

/// Not everybody writes it like this.
const LENGTH: &[u8] = b"content-length: ";

/// An answer of HTTP/1.1 that says its length.
pub(crate) fn http_complete(answer: &[u8]) -> Result<Option<usize>> {
    let mut length = None;
    let mut rest = answer;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, after) = rest.split_at(end + 1);
        rest = after;
        if line != b"\r\n" {
            let (name, digits) = line.split_at_checked(LENGTH.len()).unwrap_or_default();
            if name.eq_ignore_ascii_case(LENGTH) {
                let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
                let number = |so_far, digit: &u8| so_far * 10 + usize::from(digit - b'0');
                length = Some(digits.fold(0, number));
            }
            continue;
        }
        if !answer.starts_with(b"HTTP/1.1 200") {
            return Err(format!("refused: {}", String::from_utf8_lossy(answer)).into());
        }
        let length = length.ok_or("an answer without a length")?;
        return Ok((rest.len() >= length).then_some(length));
    }
    Ok(None)
}

/// An answer of `PostgreSQL`: messages up to `ReadyForQuery`. The payload is the first column of
/// the row.
pub(crate) fn postgres_complete(answer: &[u8]) -> Result<Option<usize>> {
    let mut rest = answer;
    let mut payload = 0;
    while let Some((kind, after)) = rest.split_first() {
        let Some(length) = after.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_be_bytes(*length))?;
        let Some((message, next)) = after.split_at_checked(length) else {
            return Ok(None);
        };
        match kind {
            b'E' => return Err(String::from_utf8_lossy(message).into_owned().into()),
            b'D' => {
                let column = message.get(6..).and_then(|column| column.first_chunk::<4>());
                payload = column.map_or(0, |length| u32::from_be_bytes(*length));
            }
            b'Z' => return Ok(Some(usize::try_from(payload)?)),
            _ => {}
        }
        rest = next;
    }
    Ok(None)
}
