//! The smallest system there is: a store, an edge, and a service that answers with one key.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

use crate::edge::servers::free_address;
use crate::http::serve::Served;
use crate::measure::Result;

/// The store, the edge, and the service behind it: `/KEY` is what the key of the space `s` holds.
pub(crate) struct System {
    pub(crate) store: Served,
    pub(crate) edge: Served,
    /// How often the service was asked.
    pub(crate) executions: Arc<AtomicU64>,
    _folder: TempDir,
}

impl System {
    pub(crate) fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        std::fs::create_dir(&data)?;
        let store = Served::start(&["serve-here", ""], &data)?;
        let (egress, executions) = (free_address()?, Arc::<AtomicU64>::default());
        let upstream = service(egress, Arc::clone(&executions))?;
        let file = folder.path().join("edge.toml");
        std::fs::write(
            &file,
            format!(
                "listen = '127.0.0.1:0'\nadmin = '127.0.0.1:0'\n[stores.main]\nurl = 'http://{}'\n\
                 [[ingress.rules]]\nservice = 'page'\n[services.page]\nupstreams = \
                 ['http://{upstream}']\negress = '{egress}'\n[[services.page.routes]]\npath = \
                 '/{{*path}}'\nmode = 'on'\nobserved_min = 0\ntrust = true\nshadow = 0.0\n",
                store.address
            ),
        )?;
        let edge = Served::start(&["edge-here"], &file)?;
        Ok(Self { store, edge, executions, _folder: folder })
    }
}

/// A request of a page.
pub(crate) fn page(key: &str) -> String {
    format!("GET /{key} HTTP/1.1\r\nhost: x\r\n\r\n")
}

/// A connection that is kept, for one request after the other.
pub(crate) struct Line(BufReader<TcpStream>);

impl Line {
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// The status line and the body of the answer.
    pub(crate) fn ask(&mut self, request: &str) -> Result<(String, Vec<u8>)> {
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

/// A service that answers with the key that its path names, read through its egress listener.
fn service(egress: SocketAddr, executions: Arc<AtomicU64>) -> Result<SocketAddr> {
    let socket = TcpListener::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?;
    std::thread::spawn(move || {
        for stream in socket.incoming().map_while(core::result::Result::ok) {
            // It ends with the connection, and so does whatever was wrong with it.
            let executions = Arc::clone(&executions);
            std::thread::spawn(move || drop(speak(stream, egress, &executions)));
        }
    });
    Ok(address)
}

fn speak(stream: TcpStream, egress: SocketAddr, executions: &AtomicU64) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut from = BufReader::new(stream.try_clone()?);
    let (mut to, mut store) = (stream, None);
    loop {
        let (lines, _) = head(&mut from)?;
        executions.fetch_add(1, Ordering::Relaxed);
        let key = lines.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
        let key = key.trim_start_matches('/');
        let context = lines.iter().find(|line| line.starts_with("asof-context:"));
        let context = context.map_or_else(String::new, |line| format!("{line}\r\n"));
        let request =
            format!("GET /-/main/v1/spaces/s/keys/{key} HTTP/1.1\r\nhost: x\r\n{context}\r\n");
        let line = match &mut store {
            Some(line) => line,
            none => none.insert(Line::open(egress)?),
        };
        let (_, body) = line.ask(&request)?;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        to.write_all(&[head.as_bytes(), &body].concat())?;
    }
}
