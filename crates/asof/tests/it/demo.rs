//! `asof demo`, as people run it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::{asof, run};

#[test]
fn a_demo_needs_no_history() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = asof(&["demo", "--exit"]);
    command.current_dir(&folder).env("GIT_CEILING_DIRECTORIES", "/");
    let ran = run(command, b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    for word in ["no git history", "$ asof time", "$ asof ls", "$ asof diff", "agreed"] {
        assert!(ran.text().contains(word), "{word}: {ran:?}");
    }
}

/// Once it did not listen while its contestants were under load, nor while it judged them: who
/// pressed Ctrl-C again left the services of the demo running.
#[test]
fn a_demo_that_is_told_to_stop_under_load_leaves_nothing_behind() {
    let (folder, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut demo = asof(&["demo", "--seconds", "600"])
        .current_dir(&folder)
        .env("GIT_CEILING_DIRECTORIES", "/")
        .env("TMPDIR", scratch.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let loaded = lines.any(|line| line.unwrap().contains("600 s: no cache"));
    assert!(loaded, "{:?}", demo.wait_with_output());
    let told = Command::new("kill").arg(demo.id().to_string()).status().unwrap();
    assert!(told.success());
    let ended = demo.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(4), "{ended:?}");
    assert!(String::from_utf8_lossy(&ended.stderr).contains("interrupted"), "{ended:?}");
    let left: Vec<_> = std::fs::read_dir(&scratch).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(running_in(scratch.path()), Vec::<String>::new());
}

/// The command lines of processes that name something in `folder`, where the system tells.
fn running_in(folder: &Path) -> Vec<String> {
    let folder = folder.to_string_lossy();
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let lines = processes.filter_map(|process| {
        let line = std::fs::read(process.ok()?.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    });
    lines.filter(|line| line.contains(&*folder)).collect()
}
