//! The client against a transport that answers as it is told.

use core::ops::ControlFlow;
use core::time::Duration;
use std::collections::VecDeque;
use std::io::{self, Cursor as Bytes, Read};
use std::sync::{Arc, Mutex};

use asof_api::body::FeedEvent;
use asof_api::{Cursor, ErrorName, headers};
use asof_time::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::{
    Client, Condition, Error, Origin, Pause, ReadAt, Request, Response, Result, Transport,
    TransportError, TransportErrorKind, WriteOptions,
};

type Answer = Result<Response, TransportError>;

/// Gives prepared answers, and remembers what was asked.
#[derive(Debug, Default)]
struct Fake {
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<Request>>,
}

impl Transport for Fake {
    fn send(&self, request: Request) -> Answer {
        self.asked.lock().unwrap().push(request);
        self.answers.lock().unwrap().pop_front().unwrap_or_else(|| {
            let message = "no more answers".to_owned();
            Err(TransportError::new(TransportErrorKind::Broken, message))
        })
    }
}

impl Fake {
    fn new(answers: impl IntoIterator<Item = Answer>) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers.into_iter().collect()),
            asked: Mutex::default(),
        })
    }

    fn client(self: &Arc<Self>) -> Client {
        Client::new(Arc::clone(self) as Arc<dyn Transport>).with_author("Ada")
    }

    fn targets(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|request| request.target.clone()).collect()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "so that it lines up with transports that fail")]
fn answer(status: u16, headers: &[(HeaderName, &str)], body: &str) -> Answer {
    Ok(Response {
        status: StatusCode::from_u16(status).unwrap(),
        headers: headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect::<HeaderMap>(),
        body: Box::new(Bytes::new(body.to_owned().into_bytes())),
    })
}

fn problem(status: u16, name: &str, more: &str) -> Answer {
    let body = format!(
        r#"{{"type":"/errors/{name}","title":"t","status":{status},"detail":"because","name":"{name}"{more}}}"#
    );
    answer(status, &[], &body)
}

fn micros(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

#[test]
fn a_problem_keeps_its_name_and_its_bound() {
    let fake = Fake::new([problem(409, "NotYetClosed", r#","closed":7"#)]);
    let error = fake.client().time().unwrap_err();
    assert_eq!(error.name(), ErrorName::NotYetClosed);
    assert_eq!(error.message(), "because");
    assert_eq!(error.problem().closed.map(|at| at.0), Some(micros(7)));
    assert_eq!(error.origin(), Origin::Store);
    assert!(!error.is_passing());
}

#[test]
fn an_error_of_something_in_between_is_told_apart() {
    let fake = Fake::new([
        answer(502, &[(header::SERVER, "proxy")], "<html>bad gateway</html>"),
        answer(404, &[], "nothing here"),
        answer(200, &[], "<html>welcome</html>"),
    ]);
    let client = fake.client();
    let error = client.time().unwrap_err();
    assert_eq!(error.name(), ErrorName::Unavailable);
    assert!(error.message().contains("`proxy`"), "{error}");
    assert!(error.is_passing());
    assert_eq!(client.time().unwrap_err().origin(), Origin::Answer);
    assert_eq!(client.time().unwrap_err().origin(), Origin::Answer);
}

#[test]
fn no_answer_is_unavailable_and_says_why() {
    let fake = Fake::new([]);
    let error = fake.client().time().unwrap_err();
    assert_eq!(error.name(), ErrorName::Unavailable);
    assert_eq!(error.message(), "no more answers");
}

#[test]
fn a_value_comes_with_when_it_is_true() {
    let hash = "ab".repeat(32);
    let fake = Fake::new([
        answer(
            200,
            &[
                (headers::AS_OF.clone(), "1970-01-01T00:00:09Z"),
                (
                    headers::AS_OF_VALID.clone(),
                    r#"from="1970-01-01T00:00:01Z", through="1970-01-01T00:00:09Z""#,
                ),
                (header::ETAG, &format!("\"{hash}\"")),
                (header::CONTENT_TYPE, "application/json"),
            ],
            "1.5",
        ),
        answer(
            404,
            &[(headers::AS_OF.clone(), "1970-01-01T00:00:09Z")],
            r#"{"type":"/errors/Absent","title":"t","status":404,"detail":"d","name":"Absent"}"#,
        ),
        problem(404, "UnknownSpace", ""),
    ]);
    let client = fake.client();
    let read = client.get("s", "a b/c", ReadAt::at(micros(9_000_000))).unwrap();
    let found = read.found.unwrap();
    assert_eq!(found.bytes, "1.5");
    assert_eq!(found.hash.to_string(), hash);
    assert_eq!(read.validity.unwrap().from(), micros(1_000_000));
    assert_eq!(fake.targets(), ["/v1/spaces/s/keys/a%20b/c?as_of=9000000"]);

    let absent = client.get("s", "k", ReadAt::LATEST).unwrap();
    assert_eq!(absent.found, None);
    let error = client.get("s", "k", ReadAt::LATEST).unwrap_err();
    assert_eq!(error.name(), ErrorName::UnknownSpace);
}

#[test]
fn a_write_says_who_why_and_on_which_condition() {
    let receipt =
        r#"{"id":1,"effective":7,"accepted":7,"epoch":"00000000000001","replayed":false}"#;
    let fake = Fake::new([answer(200, &[], receipt)]);
    let options = WriteOptions {
        message: "größer".to_owned(),
        condition: Condition::UnchangedSince(micros(5)),
        ..WriteOptions::default()
    };
    let client = fake.client();
    let done = client.put("s", "k", "text/plain", "v".into(), &options).unwrap();
    assert_eq!(done.effective.0, micros(7));
    let asked = fake.asked.lock().unwrap();
    let headers = &asked[0].headers;
    assert_eq!(headers[&headers::ASOF_AUTHOR], "Ada");
    assert_eq!(headers[&headers::ASOF_MESSAGE].as_bytes(), "größer".as_bytes());
    assert_eq!(headers[&headers::IF_UNCHANGED_SINCE], "5");
    assert_eq!(headers[&header::CONTENT_TYPE], "text/plain");
    drop(asked);

    let broken = WriteOptions { message: "two\nlines".to_owned(), ..WriteOptions::default() };
    let error = client.delete("s", "k", &broken).unwrap_err();
    assert_eq!(error.origin(), Origin::Request);
    assert_eq!(fake.targets().len(), 1);
}

fn message(cursor: &str, epoch: u64) -> String {
    format!(
        "{{\"type\":\"heartbeat\",\"cursor\":\"{cursor}\",\"through\":1,\
         \"epoch\":\"{epoch:014x}\",\"floor\":0,\"cap\":null}}\n"
    )
}

/// Does not sleep; gives up at the attempt after `attempts`.
fn patience(mut attempts: u32, pauses: &Arc<Mutex<Vec<Duration>>>) -> Pause {
    let pauses = Arc::clone(pauses);
    Box::new(move |_: &Error, pause| {
        pauses.lock().unwrap().push(pause);
        if attempts == 0 {
            return ControlFlow::Break(());
        }
        attempts -= 1;
        ControlFlow::Continue(())
    })
}

#[test]
fn a_follower_goes_on_from_its_last_message_and_drops_what_was_cut_off() {
    let (one, two, three) = (message("1.1.0", 1), message("2.2.0", 1), message("3.3.0", 1));
    let cut = &two[..two.len() - 1];
    let fake = Fake::new([
        answer(200, &[], &format!("{one}{cut}")),
        problem(503, "Unavailable", ""),
        answer(200, &[], &format!("{two}{three}")),
    ]);
    let pauses = Arc::default();
    let after = Cursor("0.0.0".to_owned());
    let pause = patience(2, &pauses);
    let mut follow = fake.client().follow(after, Vec::new(), pause).unwrap();
    let seen: Vec<String> = follow
        .by_ref()
        .map_while(Result::ok)
        .inspect(|message| assert_eq!(message.event, FeedEvent::Heartbeat))
        .map(|message| message.cursor.0)
        .collect();
    assert_eq!(seen, ["1.1.0", "2.2.0", "3.3.0"]);
    let targets = fake.targets();
    let cursors: Vec<&str> =
        targets.iter().map(|target| target.split(['=', '&']).nth(1).unwrap()).collect();
    assert_eq!(cursors, ["0.0.0", "1.1.0", "1.1.0"]);
    // Twice as long after each failure, and from the start again after a message.
    let ms: Vec<u128> = pauses.lock().unwrap().iter().map(Duration::as_millis).collect();
    assert_eq!(ms, [100, 200, 100]);
}

#[test]
fn a_follower_ends_where_going_on_cannot_help() {
    let fake = Fake::new([
        answer(200, &[], &message("1.1.0", 1)),
        problem(410, "BelowFloor", r#","floor":9"#),
    ]);
    let pauses = Arc::default();
    let after = || Cursor("0.0.0".to_owned());
    let client = fake.client();
    let mut follow = client.follow(after(), Vec::new(), patience(9, &pauses)).unwrap();
    assert!(follow.next().unwrap().is_ok());
    let error = follow.next().unwrap().unwrap_err();
    assert_eq!(error.name(), ErrorName::BelowFloor);
    assert!(follow.next().is_none());

    // Another timeline: its messages do not continue those of the first.
    let both = format!("{}{}", message("1.1.0", 1), message("9.9.0", 2));
    let fake = Fake::new([answer(200, &[], &both)]);
    let client = fake.client();
    let mut follow = client.follow(after(), Vec::new(), patience(9, &pauses)).unwrap();
    assert!(follow.next().unwrap().is_ok());
    let error = follow.next().unwrap().unwrap_err();
    assert_eq!(error.name(), ErrorName::WrongEpoch);
    assert_eq!(follow.cursor().0, "1.1.0");

    // A server that was never there is news at once.
    let fake = Fake::new([]);
    let first = fake.client().follow(after(), Vec::new(), patience(9, &pauses));
    assert!(first.is_err());
}

#[test]
fn an_answer_that_breaks_off_is_no_answer() {
    struct Breaks;
    impl Read for Breaks {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    let fake = Fake::new([Ok(Response {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        body: Box::new(Breaks),
    })]);
    let error = fake.client().time().unwrap_err();
    assert_eq!(error.origin(), Origin::Transport(TransportErrorKind::Broken));
    assert!(error.is_passing());
}
