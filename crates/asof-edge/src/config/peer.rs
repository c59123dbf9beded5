//! Other edges of the same system.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use super::names::PeerName;
use super::plan::Plan;
use super::read::{Reader, value};
use super::url::BaseUrl;
use super::walk::Section;

/// Another edge, through which services may make calls that this one records, and the other way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Where it listens to other edges.
    pub url: BaseUrl,
    /// File with the token that it wants to be sent.
    pub token_file: Option<PathBuf>,
}

/// `[peers]`.
pub(crate) fn peers(
    reader: &mut Reader<'_>,
    root: &mut Section<'_, '_>,
) -> BTreeMap<PeerName, Peer> {
    let mut peers = BTreeMap::new();
    for (name, mut section) in root.named::<PeerName>("peers") {
        reader.stands(&section, "url");
        let url = section.parsed("url", str::parse::<BaseUrl>).map(value);
        if url.is_none() && section.place_of("url") == section.place {
            let why = "missing; write `url = \"http://host:port\"`: its `peer_listen`";
            section.wrong("url", section.place, why);
        }
        let token_file = reader.file(&mut section, "token_file");
        section.finish();
        peers.extend(url.map(|url| (name, Peer { url, token_file })));
    }
    peers
}

/// What does not fit about other edges: the path of a member, and why.
pub(crate) fn misfits(plan: &Plan) -> Vec<(String, String)> {
    let mut misfits = Vec::new();
    let mut wrong = |path: String, why: &str| misfits.push((path, why.to_owned()));
    match plan.peer_listen {
        None if !plan.peers.is_empty() => {
            let why = "other edges must be able to ask this one: give it an address, such as \
                       `127.0.0.1:7482`";
            wrong("peer_listen".to_owned(), why);
        }
        Some(address) if !address.ip().is_loopback() && plan.peer_token_file.is_none() => {
            let why = "beyond loopback it takes a token: give `peer_token_file`";
            wrong("peer_listen".to_owned(), why);
        }
        _ => {}
    }
    for (name, peer) in &plan.peers {
        let host = peer.url.host();
        let here = host == "localhost"
            || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if !here && peer.token_file.is_none() {
            let why = "an edge beyond loopback wants its `peer_token_file` to be sent: give \
                       `token_file`";
            wrong(format!("peers.{name}.url"), why);
        }
    }
    misfits
}
