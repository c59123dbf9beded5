use std::io::Write;
use std::sync::{Arc, Mutex};

use asof_time::Timestamp;

use super::*;
use crate::output::Format;

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn report(failure: &Failure, format: Format) -> (Exit, String) {
    let notes = Sink::default();
    let mut out = Output::to(format, Box::new(Sink::default()), Box::new(notes.clone()));
    let exit = failure.report(&mut out);
    let text = String::from_utf8(notes.0.lock().unwrap().clone()).unwrap();
    (exit, text)
}

fn not_yet_closed() -> Failure {
    let closed = Timestamp::from_micros(7_000_000).unwrap();
    asof_store::Error::new(
        ErrorKind::NotYetClosed { closed },
        "as_of=`9000000` is above closed=`7000000`",
    )
    .into()
}

#[test]
fn people_read_the_name_the_bound_and_what_to_do() {
    let (exit, text) = report(&not_yet_closed(), Format::Human);
    assert_eq!(exit, Exit::Refused);
    assert_eq!(
        text,
        "error: NotYetClosed: as_of=`9000000` is above closed=`7000000`\n\
         hint: read up to `--as-of 1970-01-01T00:00:07Z`, or wait until that moment has come\n"
    );
}

#[test]
fn programs_read_one_json_object() {
    let (_, text) = report(&not_yet_closed(), Format::Json);
    assert_eq!(text.lines().count(), 1);
    let problem: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(problem["name"], "NotYetClosed");
    assert_eq!(problem["closed"], 7_000_000);
    assert!(problem["hint"].is_string());
}

#[test]
fn exit_codes_tell_what_a_script_would_do() {
    let exit = |name: ErrorName| {
        let error = asof_client::Error::refused(Problem::new(name, "because"));
        report(&error.into(), Format::Human).0
    };
    assert_eq!(exit(ErrorName::Absent), Exit::Absent);
    assert_eq!(exit(ErrorName::Conflict), Exit::Refused);
    assert_eq!(exit(ErrorName::Invalid), Exit::Refused);
    assert_eq!(exit(ErrorName::Unavailable), Exit::Unavailable);
    assert_eq!(exit(ErrorName::Corrupt), Exit::Corrupt);
    assert_eq!(report(&Failure::usage("no"), Format::Human).0, Exit::Usage);
}

#[test]
fn a_broken_pipe_is_quiet() {
    let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
    assert_eq!(report(&failure, Format::Human), (Exit::Done, String::new()));
}
