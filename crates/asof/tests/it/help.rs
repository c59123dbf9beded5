//! What the command line says of itself.

use crate::harness::{asof, run};

/// The columns that the widest line of help may have.
const WIDTH: usize = 100;

/// The subcommands that a help text lists.
fn below(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    let words = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let words = words.filter_map(|line| line.split_whitespace().next());
    words.filter(|word| *word != "help").map(str::to_owned).collect()
}

fn help(path: &[String], option: &str) -> String {
    let mut command = asof(&[]);
    command.args(path).arg(option);
    let ran = run(command, b"");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{path:?} {option}");
    ran.text().to_owned()
}

fn visit(path: &[String], seen: &mut usize) {
    *seen += 1;
    let long = help(path, "--help");
    for text in [&long, &help(path, "-h")] {
        assert!(text.contains("Usage: asof"), "{path:?}");
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH, "{path:?}: {line}");
            assert_eq!(line.trim_end(), line.trim_end_matches(' '), "{path:?}: {line:?}");
        }
    }
    for name in below(&long) {
        visit(&[path, &[name]].concat(), seen);
    }
}

#[test]
fn every_command_has_help_that_fits_a_terminal() {
    let mut seen = 0;
    visit(&[], &mut seen);
    assert!(seen > 45, "only {seen} commands were found");
}

#[test]
fn without_a_command_it_says_what_there_is() {
    let ran = run(asof(&[]), b"");
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("Commands:") && ran.err.contains("Examples:"), "{ran:?}");
}

#[test]
fn what_is_misspelt_is_put_right() {
    for (line, meant) in [
        (&["hisotry", "s", "k"][..], "history"),
        (&["get", "s", "k", "--asof", "1"], "--as-of"),
        (&["cap", "shwo"], "show"),
    ] {
        let ran = run(asof(line), b"");
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains(meant), "{}", ran.err);
    }
}

#[test]
fn it_tells_its_version() {
    for option in ["--version", "-V"] {
        let ran = run(asof(&[option]), b"");
        assert_eq!(ran.text(), format!("asof {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn the_completions_for_bash_are_a_script_of_it() {
    let script = run(asof(&["completions", "bash"]), b"").out;
    let mut bash = std::process::Command::new("bash");
    bash.arg("-n");
    let ran = run(bash, &script);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}
