//! One raw client for all servers, made to cost little: sockets that stay open, requests encoded
//! beforehand, one thread, and no system call but one to send and one to read for each answer.

use core::time::Duration;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use asof_env::BootTime;

use crate::http::client::http_complete;
use crate::measure::{Result, now, rate};

/// Longest wait for anything of an answer.
const STILL_MAX: Duration = Duration::from_secs(10);

/// A server's connections, and what is asked through them.
#[derive(Debug)]
pub(super) struct Ring {
    seats: Vec<Seat>,
    requests: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Seat {
    stream: TcpStream,
    answer: Vec<u8>,
    filled: usize,
    /// When what is under way was due.
    due: Option<BootTime>,
}

impl Ring {
    pub(super) fn open(
        address: SocketAddr,
        connections: usize,
        requests: Vec<Vec<u8>>,
    ) -> Result<Self> {
        let open = || {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(STILL_MAX))?;
            Result::Ok(Seat { stream, answer: vec![0; 16 << 10], filled: 0, due: None })
        };
        let seats = (0..connections).map(|_| open()).collect::<Result<_>>()?;
        Ok(Self { seats, requests })
    }

    /// Asks `count` times with every connection busy; answers a second.
    pub(super) fn pass(&mut self, count: usize) -> Result<f64> {
        let start = now();
        let seats = self.seats.len();
        for turn in 0..count + seats {
            let nth = turn % seats;
            let request = self.requests.get(turn % self.requests.len().max(1));
            let seat = self.seats.get_mut(nth).ok_or("no connection")?;
            // By the time that a connection has its turn again, its answer is usually there.
            if turn >= seats && turn - seats < count {
                while !seat.read()? {}
            }
            if turn < count {
                seat.stream.write_all(request.ok_or("nothing to ask")?)?;
            }
        }
        Ok(rate(now().since(start), count))
    }

    /// Asks for `length` at `rate` requests a second, whether answers come or not, and tells the
    /// time in nanoseconds from when each request was due to its whole answer.
    pub(super) fn paced(&mut self, rate: f64, length: Duration) -> Result<Vec<f64>> {
        self.seats.iter().try_for_each(|seat| seat.stream.set_nonblocking(true))?;
        let (start, interval) = (now(), Duration::from_secs_f64(1.0 / rate));
        let (mut next, mut asked, mut took) = (Duration::ZERO, 0, Vec::new());
        loop {
            let since = now().since(start);
            for seat in &mut self.seats {
                if let Some(due) = seat.due.filter(|_| seat.answered()) {
                    took.push(now().since(due).as_secs_f64() * 1e9);
                    seat.due = None;
                }
                if seat.due.is_none() && next <= since && next < length {
                    let request = self.requests.get(asked % self.requests.len().max(1));
                    seat.stream.write_all(request.ok_or("nothing to ask")?)?;
                    seat.due = Some(start.after(next));
                    next += interval;
                    asked += 1;
                }
            }
            let waiting = self.seats.iter().any(|seat| seat.due.is_some());
            if next >= length && !waiting {
                break;
            }
            if since > length + STILL_MAX {
                return Err("answers did not come".into());
            }
        }
        self.seats.iter().try_for_each(|seat| seat.stream.set_nonblocking(false))?;
        Ok(took)
    }

    /// One answer, as it came.
    pub(super) fn show(&mut self) -> Result<String> {
        let seat = self.seats.first_mut().ok_or("no connection")?;
        seat.stream.write_all(self.requests.first().ok_or("nothing to ask")?)?;
        while !seat.read()? {}
        let text = String::from_utf8_lossy(&seat.answer).into_owned();
        Ok(text.split("\r\n\r\n").next().unwrap_or_default().to_owned())
    }
}

impl Seat {
    /// Reads what is there; true once the answer is whole.
    fn read(&mut self) -> Result<bool> {
        let room = self.answer.get_mut(self.filled..).unwrap_or_default();
        let count = self.stream.read(room)?;
        if count == 0 {
            return Err("the server closed the connection, or said too much".into());
        }
        self.filled += count;
        let whole = http_complete(self.answer.get(..self.filled).unwrap_or_default())?.is_some();
        if whole {
            self.filled = 0;
        }
        Ok(whole)
    }

    /// Whether the answer is whole, without waiting. A broken one never is.
    fn answered(&mut self) -> bool {
        match self.read() {
            Ok(whole) => whole,
            Err(error) => {
                let waits = error.downcast_ref::<std::io::Error>();
                debug_assert!(waits.is_some_and(|error| error.kind() == ErrorKind::WouldBlock));
                false
            }
        }
    }
}
