use clap::{CommandFactory, Parser};

use super::*;

fn parse(line: &str) -> Result<Cli, clap::error::ErrorKind> {
    Cli::try_parse_from(core::iter::once("asof").chain(line.split_whitespace()))
        .map_err(|error| error.kind())
}

#[test]
fn the_definitions_hold_together() {
    Cli::command().debug_assert();
}

#[test]
fn what_the_help_teaches_can_be_said() {
    for line in [
        "serve",
        "serve --data d --listen 127.0.0.1:0 --config f --check --tls-terminated-elsewhere",
        "edge --config f",
        "edge --config f --check --log warn --log-format json",
        "edge report --json",
        "edge --json report --admin http://127.0.0.1:1 --admin-token t",
        "edge bypass all on",
        "edge forgive a",
        "explain http://shop.example/a?b=c --as-of 17 --cookie a=b",
        "origin check http://127.0.0.1:7400/v1/spaces/a/keys/b --bearer t",
        "get prices usd",
        "get prices usd --as-of 2026-11-01T00:00:00Z --preview",
        "--json get prices usd",
        "get prices usd --json --data d",
        "ls prices --prefix a/ --as-of 17 --limit 10",
        "history prices usd",
        "diff prices 1 2",
        "log --after 17 --space a --space b",
        "log --after 17.3.1 --follow",
        "log --pending",
        "put prices usd",
        "put prices usd -",
        "put prices usd file --if-absent --message m --idempotency-key k --author me",
        "put prices usd --value -1 --effective-at 2027-01-01T00:00:00Z",
        "put prices usd --if-unchanged-since 17",
        "delete prices usd --if-present",
        "commit -",
        "commit file --effective-at 17 -m message",
        "amend 17 --effective-at 18",
        "amend 17 --file -",
        "cancel 17 --reason why",
        "space create a --importing",
        "space list",
        "space live a",
        "space retention a",
        "space retention a --keep 90d --dry-run",
        "space retention a --dense 90d --every 1d",
        "space usage a",
        "time",
        "time accept-clock --reason why",
        "cap set 17 --reason why --dry-run",
        "cap clear --reason why",
        "cap show",
        "pin create p --ttl 12h --at 17 --owner me",
        "pin list",
        "pin release p",
        "token create t --role reader --space a",
        "token list",
        "token revoke t",
        "audit --after 3",
        "backup dir",
        "restore dir --data new",
        "verify --data d",
        "completions fish",
        "time --server https://host:1 --token t --ca-file ca.pem",
    ] {
        assert!(parse(line).is_ok(), "{line}: {:?}", parse(line).err());
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for line in [
        "gett prices usd",
        "get prices",
        "get prices usd --as-of yesterday",
        "get prices usd --as-of 99999999999999999999",
        "get prices usd --preview",
        "ls prices --limit 0",
        "ls prices --limit -1",
        "diff prices 1",
        "log --pending --follow",
        "put prices usd file --value x",
        "put prices usd --if-absent --if-present",
        "put prices usd --if-hash 12",
        "amend 17",
        "amend x --effective-at 1",
        "cancel",
        "space retention a --keep 90d --dense 1d --every 1d",
        "space retention a --dense 90d",
        "space retention a --keep soon",
        "cap set 17",
        "pin create p",
        "pin create p --ttl forever",
        "token create t --role king",
        "restore",
        "serve --listen here",
        "edge",
        "edge --config f --log-format xml",
        "completions cmd",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn every_command_explains_itself_by_example() {
    fn visit(command: &clap::Command, path: &str) {
        assert!(command.get_about().is_some(), "{path} has no description");
        for argument in command.get_arguments() {
            let id = argument.get_id();
            assert!(argument.get_help().is_some(), "{path} {id} has no help");
        }
        for below in command.get_subcommands() {
            visit(below, &format!("{path} {}", below.get_name()));
        }
    }
    visit(&Cli::command(), "asof");
    for command in Cli::command().get_subcommands() {
        let teaches = command.get_after_long_help().is_some()
            || command.get_subcommands().any(|below| below.get_after_long_help().is_some());
        assert!(teaches, "{} has no example", command.get_name());
    }
}

/// The words of a command as a shell takes them, up to a pipe, a comment or a redirection.
fn shell_words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for letter in line.chars().chain([' ']) {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '\'' | '"') => quote = Some(letter),
            (None, ' ') => words.extend((!word.is_empty()).then(|| core::mem::take(&mut word))),
            (None, '|' | '#' | '<' | '>') if word.is_empty() => break,
            _ => word.push(letter),
        }
    }
    words
}

/// The commands of the program in a text for people.
fn commands_in(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let line = line.trim_start_matches(['$', ' ']);
        let at = line.find("asof ").filter(|at| *at == 0 || line[..*at].ends_with("| "))?;
        Some(&line[at..])
    })
}

#[test]
fn every_example_of_the_help_is_a_command() {
    fn visit(command: &clap::Command, seen: &mut usize) {
        let help = command.get_after_long_help().or(command.get_after_help());
        let help = help.map(ToString::to_string).unwrap_or_default();
        let examples = help.lines().skip_while(|line| *line != "Examples:").skip(1);
        let examples: Vec<&str> = examples.take_while(|line| line.starts_with("  ")).collect();
        for line in commands_in(&examples.join("\n")) {
            *seen += 1;
            // What an example says of itself stands apart by more than one space.
            let said = line.split("  ").next().unwrap();
            if let Err(error) = Cli::try_parse_from(shell_words(said)) {
                panic!("{}: `{said}`: {error}", command.get_name());
            }
        }
        command.get_subcommands().for_each(|below| visit(below, seen));
    }
    let mut seen = 0;
    visit(&Cli::command(), &mut seen);
    assert!(seen > 60, "only {seen} examples were found");
}

#[test]
fn every_command_in_the_documentation_is_one() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut pages = vec![root.join("README.md")];
    pages.extend(std::fs::read_dir(root.join("docs")).unwrap().map(|page| page.unwrap().path()));
    let mut seen = 0;
    for page in pages.iter().filter(|page| page.extension().is_some_and(|end| end == "md")) {
        // A command may go on in the next line, as a shell has it.
        let text = std::fs::read_to_string(page).unwrap().replace(" \\\n", " ");
        for line in text.lines().filter(|line| line.starts_with("    ") || line.starts_with("$ ")) {
            let Some(command) = commands_in(line).next() else { continue };
            seen += 1;
            if let Err(error) = Cli::try_parse_from(shell_words(command)) {
                let help = matches!(error.kind(), clap::error::ErrorKind::DisplayHelp);
                assert!(help, "{}: `{line}`: {error}", page.display());
            }
        }
    }
    assert!(seen > 30, "only {seen} commands were found");
}
