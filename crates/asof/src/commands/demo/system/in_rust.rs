//! The three services in Rust: `files` always, the others where Python or Node are missing.

use std::fmt::Write as _;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::web::{self, Asked, Got, Http};

/// What stands for itself in a path.
const KEY: AsciiSet =
    NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Lines of a file that a page shows.
const LINES_SHOWN: usize = 20;

type Answer = Response<Full<Bytes>>;

/// The way from a service to the others, with the context that it was given.
struct Egress<'a> {
    http: &'a Http,
    at: &'a str,
    asked: &'a Asked,
}

impl Egress<'_> {
    async fn call(&self, path: &str) -> Got {
        let uri = format!("{}/-/{path}", self.at);
        let context = self.asked.header("asof-context");
        let headers = [("asof-context", context)];
        web::get(self.http, &uri, if context.is_empty() { &[] } else { &headers }).await
    }
}

/// Serves one of the three, which calls the others at `egress`.
pub(super) async fn serve(
    name: &'static str,
    space: &str,
    egress: String,
) -> std::io::Result<SocketAddr> {
    let (http, space) = (web::client(), space.to_owned());
    web::serve(move |asked| {
        let (http, space, at) = (http.clone(), space.clone(), egress.clone());
        async move {
            let egress = Egress { http: &http, at: &at, asked: &asked };
            let answered = match name {
                "files" => files(&egress, &space).await,
                "stats" => stats(&egress).await,
                _ => pages(&egress).await,
            };
            answered.unwrap_or_else(|status| {
                web::answer(status, "application/json", "{\"error\":\"no such file\"}\n")
            })
        }
    })
    .await
}

#[derive(Serialize, Deserialize)]
struct File {
    key: String,
    bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct Files {
    files: Vec<File>,
}

#[derive(Deserialize)]
struct Page {
    entries: Vec<File>,
}

/// The files of the imported repository, which the store holds.
async fn files(egress: &Egress<'_>, space: &str) -> Result<Answer, StatusCode> {
    let asked = egress.asked;
    if let Some(path) = asked.path.strip_prefix("/files/") {
        let got = egress.call(&format!("main/v1/spaces/{space}/keys/{path}")).await;
        let got = found(got)?;
        let media_type = got.headers.get("content-type").and_then(|value| value.to_str().ok());
        return Ok(web::answer(got.status, media_type.unwrap_or("text/plain"), got.body));
    }
    let prefix = parameter(&asked.query, "prefix");
    let query = format!("prefix={}&limit=1000", encoded(&prefix));
    let got = found(egress.call(&format!("main/v1/spaces/{space}/keys?{query}")).await)?;
    let page: Page = serde_json::from_slice(&got.body).map_err(|_| StatusCode::BAD_GATEWAY)?;
    json(&Files { files: page.entries })
}

#[derive(Serialize, Deserialize)]
struct Stats {
    path: String,
    lines: usize,
    bytes: usize,
    words: usize,
    longest_line: usize,
}

#[derive(Serialize, Deserialize)]
struct Summary {
    prefix: String,
    files: usize,
    bytes: u64,
    largest: Vec<File>,
}

/// Counts lines and words.
async fn stats(egress: &Egress<'_>) -> Result<Answer, StatusCode> {
    let asked = egress.asked;
    if let Some(path) = asked.path.strip_prefix("/stats/") {
        let body = found(egress.call(&format!("files/files/{path}")).await)?.body;
        let mut lines: Vec<&[u8]> = body.split(|byte| *byte == b'\n').collect();
        lines.pop_if(|line| line.is_empty());
        let words = body.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        return json(&Stats {
            path: decoded(path),
            lines: lines.len(),
            bytes: body.len(),
            words: words.count(),
            longest_line: lines.iter().map(|line| line.len()).max().unwrap_or(0),
        });
    }
    let prefix = parameter(&asked.query, "prefix");
    let query = format!("prefix={}", encoded(&prefix));
    let got = found(egress.call(&format!("files/list?{query}")).await)?;
    let Files { mut files } =
        serde_json::from_slice(&got.body).map_err(|_| StatusCode::BAD_GATEWAY)?;
    let (count, bytes) = (files.len(), files.iter().map(|file| file.bytes).sum());
    files.sort_by(|one, other| other.bytes.cmp(&one.bytes).then(one.key.cmp(&other.key)));
    files.truncate(5);
    json(&Summary { prefix, files: count, bytes, largest: files })
}

/// Shows a file and its numbers, in the colours that the user chose.
async fn pages(egress: &Egress<'_>) -> Result<Answer, StatusCode> {
    let asked = egress.asked;
    let theme = if asked.header("asof-state-theme") == "dark" { "dark" } else { "light" };
    let zone = Some(asked.header("asof-state-zone")).filter(|zone| !zone.is_empty());
    let mut main = String::new();
    let title = if let Some(path) = asked.path.strip_prefix("/pages/") {
        let content = found(egress.call(&format!("files/files/{path}")).await)?.body;
        let stats = found(egress.call(&format!("stats/stats/{path}")).await)?.body;
        let stats: Stats = serde_json::from_slice(&stats).map_err(|_| StatusCode::BAD_GATEWAY)?;
        let Stats { lines, bytes, words, longest_line, .. } = stats;
        let text = String::from_utf8_lossy(&content);
        let head: Vec<&str> = text.split('\n').take(LINES_SHOWN).collect();
        let numbers = format!(
            "<tr><th>lines<td>{lines}<tr><th>bytes<td>{bytes}<tr><th>words<td>{words}<tr><th>longest line<td>{longest_line}"
        );
        let pre = escaped(&head.join("\n"));
        let _ = write!(main, "<table>{numbers}</table>\n<pre>{pre}</pre>");
        decoded(path)
    } else {
        let query = format!("prefix={}", encoded(&parameter(&asked.query, "prefix")));
        let got = found(egress.call(&format!("files/list?{query}")).await)?;
        let Files { files } =
            serde_json::from_slice(&got.body).map_err(|_| StatusCode::BAD_GATEWAY)?;
        for File { key, bytes } in files {
            let href = escaped(&encoded(&key));
            let name = escaped(&key);
            let _ = writeln!(main, "<li><a href=\"/pages/{href}\">{name}</a> {bytes} bytes");
        }
        "all files".to_owned()
    };
    let (title, zone) = (escaped(&title), escaped(zone.unwrap_or("UTC")));
    let page = format!(
        "<!doctype html>\n<html lang=\"en\" data-theme=\"{theme}\">\n<meta charset=\"utf-8\">\n\
         <title>{title}</title>\n<style>:root {{ color-scheme: {theme} }}</style>\n\
         <h1>{title}</h1>\n{main}\n<footer>theme {theme}, zone {zone}</footer>\n</html>\n"
    );
    Ok(web::answer(StatusCode::OK, "text/html; charset=utf-8", page))
}

fn found(got: Got) -> Result<Got, StatusCode> {
    match got.status {
        StatusCode::OK => Ok(got),
        StatusCode::NOT_FOUND => Err(StatusCode::NOT_FOUND),
        _ => Err(StatusCode::BAD_GATEWAY),
    }
}

fn json(value: &impl Serialize) -> Result<Answer, StatusCode> {
    let mut text = serde_json::to_string(value).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    text.push('\n');
    Ok(web::answer(StatusCode::OK, "application/json", text))
}

fn parameter(query: &str, wanted: &str) -> String {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| *name == wanted).map(|(_, value)| decoded(value)).unwrap_or_default()
}

pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, &KEY).to_string()
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
