//! A git repository made up on the spot, the same every time.
//!
//! It opens with a short story that holds every turn a history can take (merges, renames, a folder
//! that becomes a file, clocks that run backwards), followed by as many everyday commits as asked
//! for. Tests replay it; a demonstration without a repository at hand shows it.

use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

use crate::import::git::process::{Process, git, git_in, run};
use crate::import::git::{Error, ErrorKind};

/// First-parent commits of the opening story, the fewest a repository has.
pub(crate) const STORY_COMMITS: usize = 20;

/// Committer time of the first commit: 2023-11-14T22:13:20Z.
const FIRST_SECONDS: i64 = 1_700_000_000;

/// Longest time between two everyday commits; the mean is half of it, so that 20,000 commits take
/// a little over two years.
const STEP_SECONDS_MAX: u64 = 2 * 60 * 60;

/// Which hash the repository names its objects by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha1,
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests care"))]
    Sha256,
}

/// Makes a bare repository in `folder`, which must be empty or missing, with `commits` first-parent
/// commits on its branch `main`, at least [`STORY_COMMITS`].
///
/// # Errors
///
/// If git is missing or fails.
pub(crate) fn build(folder: &Path, commits: usize, hash: Hash) -> Result<(), Error> {
    init(folder, hash)?;
    let mut process = Process::start(&mut fast_import(folder))?;
    let Some(stdin) = process.take_stdin() else {
        unreachable!("nobody else takes it");
    };
    let told = Teller::new(stdin).tell(commits);
    match told {
        Ok(()) => process.finish(),
        Err(error) => Err(process.failure(&error.to_string())),
    }
}

/// Makes an empty bare repository, without the hooks and templates of the user.
fn init(folder: &Path, hash: Hash) -> Result<(), Error> {
    let mut command = git();
    command.args(["init", "--quiet", "--bare", "--template="]);
    command.args(["--initial-branch=main", "--object-format"]);
    command.arg(match hash {
        Hash::Sha1 => "sha1",
        Hash::Sha256 => "sha256",
    });
    command.arg("--").arg(folder);
    run(&mut command)?
        .map(drop)
        .map_err(|words| Error::new(ErrorKind::Failed, format!("`git init` failed: {words}")))
}

fn fast_import(folder: &Path) -> Command {
    let mut command = git_in(folder);
    command.args(["fast-import", "--quiet", "--date-format=raw"]);
    command
}

/// One line of a commit's changes.
#[derive(Clone, Debug)]
enum Edit<'a> {
    File(&'a str, &'a [u8]),
    Program(&'a str, &'a [u8]),
    Link(&'a str, &'a str),
    Delete(&'a str),
    Rename(&'a str, &'a str),
}

/// The name by which a stream of `git fast-import` refers to a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark(usize);

/// Writes the stream.
#[derive(Debug)]
struct Teller<W> {
    out: W,
    marks: usize,
    main: Option<Mark>,
    commits: usize,
    seconds: i64,
    dice: Dice,
}

impl<W: Write> Teller<W> {
    fn new(out: W) -> Self {
        Self { out, marks: 0, main: None, commits: 0, seconds: FIRST_SECONDS, dice: Dice(1) }
    }

    fn tell(mut self, commits: usize) -> io::Result<()> {
        self.files()?;
        self.shapes()?;
        self.clocks()?;
        self.branches()?;
        assert_eq!(self.commits, STORY_COMMITS, "as documented");
        self.everyday(commits)?;
        self.out.flush()
    }

    /// Files come, change, move and go.
    fn files(&mut self) -> io::Result<()> {
        use Edit::{Delete, File, Rename};
        let logo: Vec<u8> = (0..=255).rev().cycle().take(3_000).collect();
        self.main(
            "Open the shop",
            &[
                File("README.md", b"# Shop\n\nPrices by region.\n"),
                File("prices/eu.json", b"{\"apple\": 120}\n"),
                File("prices/us.json", b"{\"apple\": 130}\n"),
                File("images/logo.png", &logo),
            ],
        )?;
        self.main("Cheaper apples", &[File("prices/eu.json", b"{\"apple\": 99}\n")])?;
        self.main(
            "An empty file, and one without a final line feed",
            &[File("EMPTY", b""), File("VERSION", b"1")],
        )?;
        self.main(
            "Names from all over\n\nA message of several lines,\nwith an ümlaut.",
            &[
                File("größe/änderung.txt", "Übergröße\n".as_bytes()),
                File("価格/東京.json", "{\"林檎\": 150}\n".as_bytes()),
                File("with space/a 'quoted' name.txt", b"fine\n"),
                File("images/🍎.txt", b"apple\n"),
            ],
        )?;
        self.main("Move the American prices", &[Rename("prices/us.json", "prices/na.json")])?;
        self.main("Close the European branch", &[Delete("prices/eu.json")])?;
        self.main("Reopen it as it was", &[File("prices/eu.json", b"{\"apple\": 99}\n")])
    }

    /// Paths change what they are.
    fn shapes(&mut self) -> io::Result<()> {
        use Edit::{Delete, File, Link, Program};
        self.main(
            "A folder becomes a file",
            &[Delete("images"), File("images", b"moved to the CDN\n")],
        )?;
        self.main("And a folder again", &[Delete("images"), File("images/logo.svg", b"<svg/>\n")])?;
        self.main(
            "A link, and one that points nowhere",
            &[Link("current", "prices/eu.json"), Link("broken", "../no/such/ümlaut")],
        )?;
        self.main("The link becomes a file", &[File("current", b"prices/eu.json")])?;
        self.main("And a link again", &[Link("current", "prices/na.json")])?;
        self.main("A script", &[File("update.sh", b"#!/bin/sh\nexit 0\n")])?;
        self.main("That can be run", &[Program("update.sh", b"#!/bin/sh\nexit 0\n")])?;
        self.main("A commit that changes nothing", &[])
    }

    /// Committer times repeat and run backwards.
    fn clocks(&mut self) -> io::Result<()> {
        use Edit::File;
        self.seconds -= 3_600;
        self.main("In the same second", &[File("VERSION", b"2")])?;
        self.seconds -= 3 * 3_600;
        self.main("Two hours earlier, says the clock", &[File("VERSION", b"3")])?;
        self.seconds += 4 * 3_600;
        self.main("The clock is right again", &[File("VERSION", b"4")])
    }

    /// What a branch does reaches the main line with the merge.
    fn branches(&mut self) -> io::Result<()> {
        use Edit::{Delete, File};
        let fork = self.main;
        let side = self.side(fork, "Draft Asian prices", &[File("prices/asia.json", b"{}\n")])?;
        let filled = File("prices/asia.json", b"{\"apple\": 80}\n");
        let side = self.side(
            Some(side),
            "Fill them in, drop the link",
            &[filled.clone(), Delete("broken")],
        )?;
        self.main("Meanwhile, on the main line", &[File("VERSION", b"5")])?;
        self.merge(side, "Merge the Asian prices", &[filled, Delete("broken")])
    }

    /// Prices that go up and down, products that come and go, a merge now and then.
    fn everyday(&mut self, commits: usize) -> io::Result<()> {
        let products = 40 + commits as u64 / 40;
        while self.commits < commits {
            self.seconds -= 3_600;
            self.seconds += i64::try_from(self.dice.below(STEP_SECONDS_MAX)).unwrap_or_default();
            let edits = 1 + self.dice.below(3);
            let contents: Vec<_> = (0..edits).map(|_| self.product(products)).collect();
            let mut edits = Vec::new();
            for (index, (path, content)) in contents.iter().enumerate() {
                let repeats = contents.iter().take(index).any(|(other, _)| other == path);
                match content {
                    _ if repeats => {}
                    Some(content) => edits.push(Edit::File(path, content.as_bytes())),
                    None => edits.push(Edit::Delete(path)),
                }
            }
            let number = self.commits;
            if self.dice.below(8) == 0 {
                let side = self.side(self.main, &format!("Proposal {number}"), &edits)?;
                self.merge(side, &format!("Merge proposal {number}"), &edits)?;
            } else {
                self.main(&format!("Change {number}"), &edits)?;
            }
        }
        Ok(())
    }

    /// A path, and what it holds from now on; one in sixteen goes.
    fn product(&mut self, products: u64) -> (String, Option<String>) {
        let number = self.dice.below(products);
        let path = format!("products/{:02}/{number:05}.json", number % 16);
        if self.dice.below(16) == 0 {
            return (path, None);
        }
        let (price, stock) = (50 + self.dice.below(500), self.dice.below(1_000));
        let content = format!(
            "{{\n  \"product\": {number},\n  \"price\": {price},\n  \"stock\": {stock}\n}}\n"
        );
        (path, Some(content))
    }

    fn main(&mut self, message: &str, edits: &[Edit<'_>]) -> io::Result<()> {
        let mark = self.commit("main", self.main, None, message, edits)?;
        self.main = Some(mark);
        self.commits += 1;
        Ok(())
    }

    fn side(&mut self, from: Option<Mark>, message: &str, edits: &[Edit<'_>]) -> io::Result<Mark> {
        self.commit("side", from, None, message, edits)
    }

    /// `edits` are what the branch changed: a stream says what a merge holds, it merges nothing.
    fn merge(&mut self, side: Mark, message: &str, edits: &[Edit<'_>]) -> io::Result<()> {
        let mark = self.commit("main", self.main, Some(side), message, edits)?;
        self.main = Some(mark);
        self.commits += 1;
        Ok(())
    }

    fn commit(
        &mut self,
        branch: &str,
        from: Option<Mark>,
        merge: Option<Mark>,
        message: &str,
        edits: &[Edit<'_>],
    ) -> io::Result<Mark> {
        self.marks += 1;
        let (mark, seconds) = (Mark(self.marks), self.seconds);
        self.seconds += 3_600;
        writeln!(self.out, "commit refs/heads/{branch}\nmark :{}", mark.0)?;
        writeln!(self.out, "author Jörg Example <joerg@shop.example> {seconds} +0100")?;
        writeln!(self.out, "committer Shop <shop@shop.example> {seconds} +0000")?;
        self.data(format!("{message}\n").as_bytes())?;
        if let Some(from) = from {
            writeln!(self.out, "from :{}", from.0)?;
        }
        if let Some(merge) = merge {
            writeln!(self.out, "merge :{}", merge.0)?;
        }
        for edit in edits {
            self.edit(edit)?;
        }
        Ok(mark)
    }

    fn edit(&mut self, edit: &Edit<'_>) -> io::Result<()> {
        let (mode, path, content) = match *edit {
            Edit::File(path, content) => ("100644", path, content),
            Edit::Program(path, content) => ("100755", path, content),
            Edit::Link(path, target) => ("120000", path, target.as_bytes()),
            Edit::Delete(path) => return writeln!(self.out, "D {path}"),
            Edit::Rename(from, to) => return writeln!(self.out, "R {from} {to}"),
        };
        writeln!(self.out, "M {mode} inline {path}")?;
        self.data(content)
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        writeln!(self.out, "data {}", bytes.len())?;
        self.out.write_all(bytes)?;
        self.out.write_all(b"\n")
    }
}

/// Numbers without a pattern, the same every time: `SplitMix64` (Steele, Lea and Flood, 2014).
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    /// A number below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % bound
    }
}
