//! The three layers of services, each in a language of its own where that is there.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tokio::runtime::Runtime;

use super::in_rust;
use crate::failure::Failure;

/// What the demo unpacks, so that it needs no checkout beside it.
const SCRIPTS: [(&str, &str); 4] = [
    ("examples/services/stats.py", include_str!("../../../../../../examples/services/stats.py")),
    ("examples/services/pages.mjs", include_str!("../../../../../../examples/services/pages.mjs")),
    (
        "middleware/python/asof_context.py",
        include_str!("../../../../../../middleware/python/asof_context.py"),
    ),
    (
        "middleware/node/asof-context.mjs",
        include_str!("../../../../../../middleware/node/asof-context.mjs"),
    ),
];

/// The services, by name.
pub(super) const NAMES: [&str; 3] = ["files", "stats", "pages"];

/// What a service is written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Language {
    Rust,
    Python,
    Node,
}

/// How to start the services, as often as is wanted.
#[derive(Debug)]
pub(super) struct Kit {
    folder: PathBuf,
    space: String,
    stats: Language,
    pages: Language,
}

impl Kit {
    /// Unpacks what is needed into `folder`, and looks for the languages.
    pub(super) fn new(folder: &Path, space: &str) -> Result<Self, Failure> {
        for (path, text) in SCRIPTS {
            let path = folder.join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, text)?;
        }
        let has = |program: &str, minimum: &str| {
            let probe = Command::new(program).args(["-c", minimum]).stdin(Stdio::null()).output();
            probe.is_ok_and(|output| output.status.success())
        };
        let python = has("python3", "import sys; sys.exit(sys.version_info < (3, 9))");
        let node = Command::new("node")
            .args(["-e", "process.exit(process.versions.node.split('.')[0] < 18 ? 1 : 0)"])
            .output()
            .is_ok_and(|output| output.status.success());
        Ok(Self {
            folder: folder.to_owned(),
            space: space.to_owned(),
            stats: if python { Language::Python } else { Language::Rust },
            pages: if node { Language::Node } else { Language::Rust },
        })
    }

    /// Which service is written in what.
    pub(super) fn describe(&self) -> String {
        format!("files in Rust, stats in {:?}, pages in {:?}", self.stats, self.pages)
    }

    /// Starts all three. Each finds the others at its own address of `egress`, in the order of
    /// [`NAMES`].
    pub(super) fn start(
        &self,
        runtime: &Runtime,
        egress: [SocketAddr; 3],
    ) -> Result<Running, Failure> {
        let [files, stats, pages] = egress;
        let mut children = Vec::new();
        let in_rust = |name, at: SocketAddr| {
            runtime.block_on(in_rust::serve(name, &self.space, format!("http://{at}")))
        };
        let files = in_rust("files", files)?;
        let stats = match self.stats {
            Language::Python => self.spawn("python3", "stats.py", stats, &mut children)?,
            _ => in_rust("stats", stats)?,
        };
        let pages = match self.pages {
            Language::Node => self.spawn("node", "pages.mjs", pages, &mut children)?,
            _ => in_rust("pages", pages)?,
        };
        Ok(Running { addresses: [files, stats, pages], _children: children })
    }

    fn spawn(
        &self,
        program: &str,
        script: &str,
        egress: SocketAddr,
        children: &mut Vec<KilledAtEnd>,
    ) -> Result<SocketAddr, Failure> {
        let mut child = Command::new(program)
            .arg(self.folder.join("examples/services").join(script))
            .env("PORT", "0")
            .env("ASOF_EGRESS", format!("http://{egress}"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = child.stdout.take();
        children.push(KilledAtEnd(child));
        let mut line = String::new();
        if let Some(output) = output {
            BufReader::new(output).read_line(&mut line)?;
        }
        let address = line.trim().strip_prefix("listening on ").and_then(|at| at.parse().ok());
        address.ok_or_else(|| Failure::unavailable(format!("{script} does not start in {program}")))
    }
}

/// Services that run, until dropped.
#[derive(Debug)]
pub(super) struct Running {
    /// In the order of [`NAMES`].
    pub(super) addresses: [SocketAddr; 3],
    _children: Vec<KilledAtEnd>,
}

#[derive(Debug)]
struct KilledAtEnd(Child);

impl Drop for KilledAtEnd {
    fn drop(&mut self) {
        // One that has ended already needs neither.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
