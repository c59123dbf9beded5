//! From an acknowledged write to the first answer of another edge that shows it.

use core::time::Duration;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::edge::servers::free_address;
use crate::http::serve::Served;
use crate::measure::{Result, Series, Spread, float, now};
use crate::report::{Bound, Comparison, Report, Unit};

/// Longest wait for a write to be seen.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection that is kept, for one request after the other.
struct Line(BufReader<TcpStream>);

impl Line {
    fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// The status line and the body of the answer.
    fn ask(&mut self, request: &str) -> Result<(String, Vec<u8>)> {
        self.0.get_mut().write_all(request.as_bytes())?;
        let (head, length) = head(&mut self.0)?;
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        let status = head.into_iter().next().unwrap_or_default();
        Ok((status, body))
    }
}

/// The lines of a head, and the length of the body that follows it.
fn head(from: &mut BufReader<TcpStream>) -> Result<(Vec<String>, usize)> {
    let mut lines = Vec::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Err("the connection ended".into());
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            return Ok((lines, length));
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        lines.push(line);
    }
}

/// A service that answers with one key of the store, read through its egress listener.
fn service(egress: SocketAddr) -> Result<SocketAddr> {
    let socket = TcpListener::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?;
    std::thread::spawn(move || {
        for stream in socket.incoming().map_while(core::result::Result::ok) {
            // It ends with the connection, and so does whatever was wrong with it.
            std::thread::spawn(move || drop(speak(stream, egress)));
        }
    });
    Ok(address)
}

fn speak(stream: TcpStream, egress: SocketAddr) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut from = BufReader::new(stream.try_clone()?);
    let (mut to, mut store) = (stream, None);
    loop {
        let (lines, _) = head(&mut from)?;
        let context = lines.iter().find(|line| line.starts_with("asof-context:"));
        let context = context.map_or_else(String::new, |line| format!("{line}\r\n"));
        let request =
            format!("GET /-/main/v1/spaces/s/keys/k HTTP/1.1\r\nhost: x\r\n{context}\r\n");
        let line = match &mut store {
            Some(line) => line,
            none => none.insert(Line::open(egress)?),
        };
        let (_, body) = line.ask(&request)?;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        to.write_all(&[head.as_bytes(), &body].concat())?;
    }
}

/// Writes to the store `writes` times, each time asking the edge until it shows what was written.
pub(crate) fn run(report: &mut Report, writes: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    std::fs::create_dir(&data)?;
    let store = Served::start(&["serve-here", ""], &data)?;
    let egress = free_address()?;
    let upstream = service(egress)?;
    let file = folder.path().join("edge.toml");
    std::fs::write(
        &file,
        format!(
            "listen = '127.0.0.1:0'\n[stores.main]\nurl = 'http://{}'\n[[ingress.rules]]\n\
             service = 'page'\n[services.page]\nupstreams = ['http://{upstream}']\negress = \
             '{egress}'\n[[services.page.routes]]\npath = '/{{*path}}'\nmode = 'on'\n\
             observed_min = 0\ntrust = true\nshadow = 0.0\n",
            store.address
        ),
    )?;
    let edge = Served::start(&["edge-here"], &file)?;
    let (mut writer, mut reader) = (Line::open(store.address)?, Line::open(edge.address)?);
    let ask = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    let (mut took, mut answering) = (Vec::new(), Vec::new());
    for number in 0..=writes {
        let value = number.to_string();
        let length = value.len();
        let put = format!(
            "PUT /v1/spaces/s/keys/k HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\n\
             content-length: {length}\r\n\r\n{value}"
        );
        let (status, _) = writer.ask(&put)?;
        if !status.starts_with("http/1.1 20") {
            return Err(format!("a write was refused: {status}").into());
        }
        let acknowledged = now();
        loop {
            let asked = now();
            let (_, body) = reader.ask(ask)?;
            let shown = now();
            if body == value.as_bytes() {
                // The first one also waits for the edge to hear of the store.
                if number > 0 {
                    took.push(shown.since(acknowledged).as_secs_f64() * 1e9);
                    answering.push(shown.since(asked).as_secs_f64() * 1e9);
                }
                break;
            }
            if shown.since(acknowledged) > PATIENCE {
                return Err("a write was not seen at the edge".into());
            }
        }
    }
    let p99 = percentile(&took, 99);
    let waited = took.iter().zip(&answering).map(|(took, answering)| (took - answering) / took);
    let share = Spread::of(waited).median * 100.0;
    report.figure("edge/visible/p99", format!("{:.2} ms of {writes} writes", p99 / 1e6));
    report.figure(
        "edge/visible/ours",
        format!("{share:.0} % of the time is spent before the request that shows the write"),
    );
    report.comparisons.push(Comparison {
        name: "edge/visible".to_owned(),
        what:
            "from an acknowledged write to an answer of another edge that shows it / making that \
               answer"
                .to_owned(),
        bound: Bound::None,
        unit: Unit::Nanos,
        series: Series { ours: took, peer: answering },
    });
    Ok(())
}

fn percentile(figures: &[f64], percent: usize) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(place).copied().unwrap_or(float(0))
}
