//! One raw client for all servers, made to cost little: sockets that stay open, requests encoded
//! beforehand, one thread, one system call to send and one to read for each answer, and one for all
//! that are there at once.
//!
//! Client and servers share the machine, so whatever the client costs stands on both sides of a
//! ratio and blurs what the servers cost.

pub(crate) mod whole;

use core::time::Duration;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd as _;

use asof_env::BootTime;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use self::whole::Whole;
use crate::measure::{Result, now, rate};

/// Longest wait for anything of an answer.
const STILL_MAX: Duration = Duration::from_secs(10);

/// Bytes of an answer at most.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// A socket that stays open.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
    filled: usize,
    whole: Whole,
    /// When what is under way was due.
    due: Option<BootTime>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr, whole: Whole) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(STILL_MAX))?;
        Ok(Self { stream, answer: vec![0; 16 << 10], filled: 0, whole, due: None })
    }

    /// Sends a request and waits for the whole answer; returns the bytes of its payload.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<usize> {
        self.stream.write_all(request)?;
        self.take()
    }

    /// Waits for the whole answer.
    fn take(&mut self) -> Result<usize> {
        loop {
            if let Some(payload) = self.read()? {
                return Ok(payload);
            }
        }
    }

    /// Reads what is there; the bytes of the payload once the answer is whole.
    fn read(&mut self) -> Result<Option<usize>> {
        if self.filled == self.answer.len() && self.filled < ANSWER_BYTES_MAX {
            self.answer.resize(2 * self.filled, 0);
        }
        let room = self.answer.get_mut(self.filled..).unwrap_or_default();
        let count = self.stream.read(room)?;
        if count == 0 {
            return Err("the server closed the connection, or said too much".into());
        }
        self.filled += count;
        let payload = (self.whole)(self.answer.get(..self.filled).unwrap_or_default())?;
        if payload.is_some() {
            self.filled = 0;
        }
        Ok(payload)
    }

    /// The bytes of the payload if the answer is whole, without waiting.
    fn poll(&mut self) -> Result<Option<usize>> {
        loop {
            match self.read() {
                Ok(None) => {}
                Ok(whole) => return Ok(whole),
                Err(error) if waits(error.as_ref()) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}

fn waits(error: &(dyn core::error::Error + 'static)) -> bool {
    let error = error.downcast_ref::<std::io::Error>();
    error.is_some_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// The request whose turn it is.
fn turn(requests: &[Vec<u8>], number: usize) -> Result<&[u8]> {
    let request = requests.get(number % requests.len().max(1));
    Ok(request.ok_or("nothing to ask")?)
}

/// A server's connections, and what is asked through them.
#[derive(Debug)]
pub(crate) struct Ring {
    connections: Vec<Connection>,
    requests: Vec<Vec<u8>>,
}

impl Ring {
    pub(crate) fn new(connections: Vec<Connection>, requests: Vec<Vec<u8>>) -> Self {
        Self { connections, requests }
    }

    /// With so many connections to a server that speaks HTTP/1.1.
    pub(crate) fn open(
        address: SocketAddr,
        connections: usize,
        requests: Vec<Vec<u8>>,
    ) -> Result<Self> {
        let open = |_| Connection::open(address, whole::http);
        Ok(Self::new((0..connections).map(open).collect::<Result<_>>()?, requests))
    }

    /// Asks `count` times with every connection busy, each as soon as it has its answer; answers a
    /// second.
    pub(crate) fn pass(&mut self, count: usize) -> Result<f64> {
        self.set_nonblocking(true)?;
        let mut poll = Poll::new()?;
        for (seat, connection) in self.connections.iter().enumerate() {
            let socket = connection.stream.as_raw_fd();
            poll.registry().register(&mut SourceFd(&socket), Token(seat), Interest::READABLE)?;
        }
        let start = now();
        let (mut asked, mut answered) = (0, 0);
        for connection in self.connections.iter_mut().take(count) {
            connection.stream.write_all(turn(&self.requests, asked)?)?;
            asked += 1;
        }
        let mut events = Events::with_capacity(self.connections.len());
        while answered < count {
            poll.poll(&mut events, Some(STILL_MAX))?;
            if events.is_empty() {
                return Err("answers did not come".into());
            }
            for event in &events {
                let connection =
                    self.connections.get_mut(event.token().0).ok_or("no connection")?;
                let Some(payload) = connection.poll()? else { continue };
                if payload == 0 {
                    return Err("an answer without a payload".into());
                }
                answered += 1;
                if asked < count {
                    connection.stream.write_all(turn(&self.requests, asked)?)?;
                    asked += 1;
                }
            }
        }
        let rate = rate(now().since(start), count);
        self.set_nonblocking(false)?;
        Ok(rate)
    }

    fn set_nonblocking(&self, nonblocking: bool) -> Result<()> {
        Ok(self.connections.iter().try_for_each(|one| one.stream.set_nonblocking(nonblocking))?)
    }

    /// Asks for `length` at `rate` requests a second, whether answers come or not, and tells the
    /// time in nanoseconds from when each request was due to its whole answer.
    pub(crate) fn paced(&mut self, rate: f64, length: Duration) -> Result<Vec<f64>> {
        self.set_nonblocking(true)?;
        let (start, interval) = (now(), Duration::from_secs_f64(1.0 / rate));
        let (mut next, mut asked, mut took) = (Duration::ZERO, 0, Vec::new());
        loop {
            let since = now().since(start);
            for connection in &mut self.connections {
                if let Some(due) = connection.due
                    && connection.poll()?.is_some()
                {
                    took.push(now().since(due).as_secs_f64() * 1e9);
                    connection.due = None;
                }
                if connection.due.is_none() && next <= since && next < length {
                    connection.stream.write_all(turn(&self.requests, asked)?)?;
                    connection.due = Some(start.after(next));
                    next += interval;
                    asked += 1;
                }
            }
            let waiting = self.connections.iter().any(|one| one.due.is_some());
            if next >= length && !waiting {
                break;
            }
            if since > length + STILL_MAX {
                return Err("answers did not come".into());
            }
        }
        self.set_nonblocking(false)?;
        Ok(took)
    }

    /// One answer, as it came.
    pub(crate) fn show(&mut self) -> Result<String> {
        let connection = self.connections.first_mut().ok_or("no connection")?;
        connection.ask(self.requests.first().ok_or("nothing to ask")?)?;
        let text = String::from_utf8_lossy(&connection.answer).into_owned();
        Ok(text.split("\r\n\r\n").next().unwrap_or_default().to_owned())
    }
}
