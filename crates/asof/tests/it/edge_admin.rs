//! What operators ask of an edge that runs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use asof_env::{Clock, SystemClock};

use crate::harness::{Ran, Server, asof, run};

struct Edge(Child);

impl Drop for Edge {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Addresses of a running edge.
struct Addresses {
    ingress: String,
    admin: String,
    egress: String,
}

fn start(config: &str) -> (Edge, Addresses) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("edge.toml");
    std::fs::write(&path, config).unwrap();
    let mut child = asof(&["edge", "--log", "off", "--config", path.to_str().unwrap()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut after = |mark: &str| {
        let line = lines.next().unwrap().unwrap();
        line.split_once(mark).unwrap_or_else(|| panic!("{line}")).1.to_owned()
    };
    let addresses =
        Addresses { ingress: after("http://"), admin: after("on "), egress: after("http://") };
    std::thread::spawn(move || lines.for_each(drop));
    (Edge(child), addresses)
}

fn get(address: &str, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    // The admin listener answers to addresses only.
    let host = if path == "/readyz" { address } else { "shop.example" };
    let head = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A service that reads one key of the store through `egress`, which is told to it later.
fn service(egress: std::sync::mpsc::Receiver<String>) -> String {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let egress = egress.recv().unwrap();
        for stream in socket.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head = lines.map(Result::unwrap).take_while(|line| !line.is_empty());
            let context = head.into_iter().find(|line| line.starts_with("asof-context:"));
            let context = context.map(|line| line + "\r\n").unwrap_or_default();
            let read = get(&egress, "/-/main/v1/spaces/goods/keys/a", &context);
            let body = read.rsplit("\r\n\r\n").next().unwrap();
            let head = format!("content-length: {}\r\nconnection: close", body.len());
            let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}").as_bytes());
        }
    });
    address
}

#[test]
fn an_edge_reports_explains_and_is_bypassed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Server::start(folder.path());
    let put = ["put", "goods", "a", "--value", "1", "--server", store.url.as_str()];
    assert_eq!(run(asof(&put), b"").code, 0);
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let upstream = service(told);
    let (_edge, at) = start(&format!(
        "listen = '127.0.0.1:0'\nadmin = '127.0.0.1:0'\n[stores.main]\nurl = '{}'\n\
         [[ingress.rules]]\nhost = 'shop.example'\nservice = 'pages'\n[services.pages]\n\
         upstreams = ['http://{upstream}']\negress = '127.0.0.1:0'\n[[services.pages.routes]]\n\
         path = '/{{*path}}'\nmode = 'on'\nobserved_min = 0\ntrust = true\nshadow = 0.0\n",
        store.url
    ));
    tell.send(at.egress.clone()).unwrap();
    let ask = |arguments: &[&str]| -> Ran {
        let mut command = asof(arguments);
        command.args(["--admin", &at.admin]);
        run(command, b"")
    };
    let admin = at.admin.strip_prefix("http://").unwrap();
    for _ in 0..200 {
        if get(admin, "/readyz", "").contains("200 OK") {
            break;
        }
        SystemClock.sleep(Duration::from_millis(50));
    }
    assert!(get(&at.ingress, "/p?q=1", "").ends_with("\r\n\r\n1"));
    assert!(get(&at.ingress, "/p?q=1", "").contains("cache-status: asof; hit"));

    let explained = ask(&["explain", "http://shop.example/p?q=1"]);
    assert_eq!(explained.code, 0, "{explained:?}");
    let lines: Vec<&str> = explained.text().lines().collect();
    assert!(lines[0].starts_with("as of 2"), "{lines:#?}");
    assert!(lines[1].starts_with("GET pages /p?q=1  [held] from "), "{lines:#?}");
    assert!(lines[2].starts_with("`- GET main /v1/spaces/goods/keys/a  [held"), "{lines:#?}");
    assert!(lines[2].contains("limits the from"), "{lines:#?}");
    let other = ask(&["explain", "http://shop.example/other", "--json"]).object();
    assert_eq!(other["known"], "not held");
    assert_eq!(ask(&["explain", "http://elsewhere.example/"]).code, 2);

    let report = ask(&["edge", "report"]);
    assert!(report.text().contains("pages GET /{*path}  on"), "{report:?}");
    assert!(report.text().contains("serving"), "{report:?}");
    assert_eq!(ask(&["edge", "report", "--json"]).object()["routes"][0]["executions"], 1);
    assert_eq!(ask(&["edge", "bypass", "pages GET /{*path}", "on"]).code, 0);
    assert!(get(&at.ingress, "/p?q=1", "").contains("bypass-operator"));
    assert_eq!(ask(&["edge", "bypass", "all", "off"]).code, 0);
    assert!(get(&at.ingress, "/p?q=1", "").contains("cache-status: asof; hit"));
    assert_eq!(ask(&["edge", "forgive", "all"]).code, 0);
    assert_eq!(ask(&["edge", "forgive", "nobody"]).code, 2);
}
