//! Actions as a browser takes them: a form, a look, and the form of the page that shows it.

use asof_store::{Cursor, LogRange};

use super::*;

/// What a browser would send of the last form of a page with its button `step=do`, or with
/// another button of an earlier one.
fn form_of(html: &str, form: &str, button: (&str, &str)) -> String {
    let start = html.rfind(form).unwrap_or_else(|| panic!("no {form}: {html}"));
    let form = html[start..].split("</form>").next().unwrap();
    let mut fields: Vec<(String, String)> = Vec::new();
    for input in form.split("<input type=\"hidden\" ").skip(1) {
        fields.push((attribute(input, "name"), attribute(input, "value")));
    }
    for area in form.split("<textarea ").skip(1) {
        let text = area.split_once(">\n").unwrap().1.split("</textarea>").next().unwrap();
        // A browser makes two characters of each line end.
        fields.push((attribute(area, "name"), unescaped(text).replace('\n', "\r\n")));
    }
    fields.push((button.0.to_owned(), button.1.to_owned()));
    encoded(&fields)
}

fn attribute(tag: &str, name: &str) -> String {
    let value = tag.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap();
    unescaped(value)
}

fn unescaped(text: &str) -> String {
    let pairs = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
    pairs.iter().fold(text.to_owned(), |text, (code, char)| text.replace(code, char))
}

fn encoded(fields: &[(impl AsRef<str>, impl AsRef<str>)]) -> String {
    let encode = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let pairs = fields
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name.as_ref()), encode(value.as_ref())));
    pairs.collect::<Vec<_>>().join("&")
}

const DO: (&str, &str) = ("step", "do");
const DONE: &str = "<form class=\"action\"";

impl Service {
    /// Posts a form to the address of plans.
    async fn plan(&self, form: &str, cookie: &str) -> Reply {
        let headers = [HTML, HOST, OWN, FORM, ("cookie", cookie)];
        self.send("POST", "/console/act/plan", &headers, form.to_owned()).await
    }

    /// The page that a form leads to: it does nothing.
    async fn look(&self, form: &str) -> String {
        let before = (self.store.time().cap, self.store.control_sequence(), self.commits());
        let reply = self.act(form, "").await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.header("cache-control"), "no-store");
        let after = (self.store.time().cap, self.store.control_sequence(), self.commits());
        assert_eq!(before, after, "looking does nothing");
        reply.text()
    }

    fn commits(&self) -> usize {
        let range = LogRange { after: Cursor::START, spaces: None, limit: 1_000 };
        self.store.log(&range).unwrap().commits.len()
    }

    /// Writes keys of the space `s` in one commit; returns its id.
    async fn commit(&self, writes: &[(&str, &str)]) -> u64 {
        let writes: Vec<_> = writes
            .iter()
            .map(|(key, value)| serde_json::json!({"space": "s", "key": key, "value": value}))
            .collect();
        let body = serde_json::json!({"writes": writes}).to_string();
        let headers = [("content-type", "application/json")];
        let reply = self.send("POST", "/v1/commits", &headers, body).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["id"].as_u64().unwrap()
    }

    fn holds(&self, key: &str) -> Option<String> {
        let view = self.store.view(asof_store::AsOf::Latest).unwrap();
        let key = asof_store::Key::new(key).unwrap();
        let held = view.get(&SpaceName::new("s").unwrap(), &key).unwrap().value;
        held.map(|held| String::from_utf8(held.bytes.to_vec()).unwrap())
    }
}

#[tokio::test]
async fn a_revert_is_looked_at_and_then_done_once() {
    let service = Service::open();
    service.commit(&[("k", "good")]).await;
    let bad = service.commit(&[("k", "<b>bad</b>"), ("new", "x")]).await;
    let page = service.page(&format!("/console/commit?id={bad}")).await.text();
    assert!(page.contains("Revert this commit"), "{page}");
    let form = format!("action=revert&id={bad}&reason=wrong+%3Cprices%3E&at=&space=");
    let look = service.look(&form).await;
    for part in ["2 keys are put back", "&#60;b&#62;bad", "wrong &#60;prices&#62;", "class=\"do\""]
    {
        assert!(look.contains(part), "{part}: {look}");
    }
    assert!(!look.contains("<b>"), "{look}");
    let done = service.act(&form_of(&look, DONE, DO), "").await;
    assert_eq!(done.status, 303, "{}", done.text());
    assert_eq!(service.holds("k").unwrap(), "\"good\"");
    assert_eq!(service.holds("new"), None);
    let written = service.page(done.header("location")).await.text();
    assert!(written.contains(&format!("Revert of commit {bad}")), "{written}");
    assert!(!written.contains("Not read at present"), "there is no cap");
    // Once more there is nothing left to do, and no button.
    let again = service.look(&form).await;
    assert!(again.contains("Nothing is put back") && again.contains("There is nothing to do"));
    assert!(!again.contains("class=\"do\""), "{again}");
    let commits = service.commits();
    let done = service.act(&format!("{form}&step=do"), "").await;
    assert_eq!(done.header("location"), format!("/console/commit?id={bad}"));
    assert_eq!(service.commits(), commits);
}

#[tokio::test]
async fn what_was_written_again_since_is_decided_on_key_by_key() {
    let service = Service::open();
    let keys = ["a/b c", "<script>&\"'", "nul\0 and\nline", "plain"];
    service.commit(&keys.map(|key| (key, "good"))).await;
    let bad = service.commit(&keys.map(|key| (key, "bad"))).await;
    service.commit(&keys[..3].iter().map(|key| (*key, "mended")).collect::<Vec<_>>()).await;
    let form = format!("action=revert&id={bad}&reason=why");
    let mut look = service.look(&form).await;
    assert!(look.contains("3 keys were written again since"), "{look}");
    assert!(!look.contains("class=\"do\"") && !look.contains("<script>&"), "{look}");
    let refused = service.act(&format!("{form}&step=do"), "").await;
    assert_eq!(refused.status, 409, "{}", refused.text());
    // The first two are decided on one by one, the last together with whatever is left.
    for (left, word) in [(2, "restore"), (1, "keep")] {
        let place = look.split(&format!("value=\"{word} ")).nth(1).unwrap().split('"').next();
        let decision = format!("{word} {}", place.unwrap());
        let next = form_of(&look, "<form class=\"decide\"", ("decide", &decision));
        look = service.look(&next).await;
        assert!(look.contains("written again since"), "{look}");
        assert_eq!(look.matches("value=\"keep ").count(), left, "{look}");
    }
    let next = form_of(&look, "<form class=\"decide\"", ("decide", "skip"));
    let look = service.look(&next).await;
    assert!(look.contains("2 keys are put back") && look.contains("2 kept as decided"), "{look}");
    let done = service.act(&form_of(&look, DONE, DO), "").await;
    assert_eq!(done.status, 303, "{}", done.text());
    let held = |key| service.holds(key).unwrap();
    assert_eq!(held("plain"), "\"good\"");
    let mended = keys.iter().filter(|key| held(key) == "\"mended\"").count();
    assert_eq!(mended, 2);
    for wrong in ["decide=drop+x", "decide=keep+nothing", "keep=x", "skip_conflicts=maybe"] {
        let reply = service.act(&format!("{form}&{wrong}"), "").await;
        assert_eq!(reply.status, 400, "{wrong}: {}", reply.text());
    }
}

#[tokio::test]
async fn many_keys_take_the_second_word_for_a_revert_too() {
    let settings = Settings { confirm_above_keys: 2, ..Settings::default() };
    let service = Service::with(Access::InProcess, settings);
    let bad = service.commit(&["a", "b", "c"].map(|key| (key, "x"))).await;
    let form = format!("action=revert&id={bad}&reason=why");
    let look = service.look(&form).await;
    assert!(look.contains("type <code>3-keys</code>"), "{look}");
    let sent = form_of(&look, DONE, DO);
    assert!(service.act(&sent, "").await.text().contains("Nothing was done"));
    assert_eq!(service.holds("a").as_deref(), Some("\"x\""));
    assert_eq!(service.act(&format!("{sent}&confirm=3-keys"), "").await.status, 303);
    assert_eq!(service.holds("a"), None);
}

#[tokio::test]
async fn an_incident_is_walked_from_page_to_page() {
    let service = Service::open();
    service.commit(&[("k", "good")]).await;
    let good = service.store.time().latest.as_micros();
    let bad = service.commit(&[("k", "bad")]).await;
    let set = format!("action=cap-set&at={good}&reason=wrong+prices");
    let look = service.look(&set).await;
    let done = service.act(&form_of(&look, DONE, DO), "").await;
    let page = service.page(done.header("location")).await.text();
    let log = page.split("<a href=\"").find(|link| link.contains("the log above it")).unwrap();
    let log = unescaped(log.split('"').next().unwrap());
    let log = service.page(&log).await.text();
    assert!(log.contains(&format!("/console/commit?id={bad}")), "{log}");
    let page = service.page(&format!("/console/commit?id={bad}")).await.text();
    assert!(page.contains("Not read at present"), "{page}");
    let look = service.look(&format!("action=revert&id={bad}&reason=wrong+prices")).await;
    let done = service.act(&form_of(&look, DONE, DO), "").await;
    let page = service.page(done.header("location")).await.text();
    assert!(page.contains("Not read at present") && page.contains("clear the cap"), "{page}");
    let clear = format!("action=cap-clear&at={good}&reason=put+back");
    let look = service.look(&clear).await;
    assert!(look.contains("0 keys answer differently"), "{look}");
    assert_eq!(service.act(&form_of(&look, DONE, DO), "").await.status, 303);
    assert_eq!((service.store.cap(), service.holds("k").as_deref()), (None, Some("\"good\"")));
}

#[tokio::test]
async fn what_changed_between_two_moments_is_put_back_from_its_page() {
    let service = Service::open();
    service.commit(&[("k", "good")]).await;
    let from = service.store.time().latest.as_micros();
    service.commit(&[("k", "bad")]).await;
    service.commit(&[("l", "bad")]).await;
    let page = service.page(&format!("/console/diff?space=s&from={from}")).await.text();
    let form = form_of(&page, DONE, ("reason", "both were wrong"));
    let look = service.look(&form).await;
    assert!(look.contains("2 keys are put back"), "{look}");
    assert_eq!(service.act(&form_of(&look, DONE, DO), "").await.status, 303);
    assert_eq!((service.holds("k").as_deref(), service.holds("l")), (Some("\"good\""), None));
}

#[tokio::test]
async fn a_revert_may_be_for_later() {
    let service = Service::open();
    let commit = service.commit(&[("k", "x")]).await;
    let past = format!("action=revert&id={commit}&reason=r&at=2020-01-01");
    let past = service.act(&past, "").await.text();
    assert!(past.contains("InThePast") && !past.contains("class=\"do\""), "{past}");
    let then = service.store.time().latest.as_micros() + 3_600_000_000;
    let look = service.look(&format!("action=revert&id={commit}&reason=r&at={then}")).await;
    let done = service.act(&form_of(&look, DONE, DO), "").await;
    let page = service.page(done.header("location")).await.text();
    assert!(page.contains("pending"), "{page}");
    assert_eq!(service.holds("k").as_deref(), Some("\"x\""));
}

#[tokio::test]
async fn a_pin_is_looked_at_held_renewed_and_let_go_of() {
    let service = filled(Access::InProcess);
    let at = service.store.time().latest;
    let page = service.page(&format!("/console/pins?at={}", at.as_micros())).await.text();
    assert!(page.contains(&format!("value=\"{at}\"")), "where the slider stands: {page}");
    let name = "<script>\"'&\0\u{202e}";
    let fields = [
        ("action", "pin-create"),
        ("name", name),
        ("at", &at.to_string()),
        ("owner", "ada"),
        ("reason", "<b>audit</b>"),
        ("expires", "2h"),
    ];
    let look = service.look(&encoded(&fields)).await;
    for part in ["holds back", "0 B that retention would drop now", "&#60;b&#62;audit"] {
        assert!(look.contains(part), "{part}: {look}");
    }
    assert!(!look.contains("<b>") && !look.contains("<script>"), "{look}");
    assert!(service.store.pins().is_empty());
    let done = service.act(&form_of(&look, DONE, DO), "").await;
    assert_eq!((done.status.as_u16(), done.header("location")), (303, "/console/pins"));
    let pin = service.store.pins().remove(0);
    assert_eq!((pin.name.as_str(), pin.at, pin.owner.as_str()), (name, at, "ada"));
    // It is renewed where it is listed: it keeps its moment and its owner.
    service.put("/v1/spaces/s/keys/k", "2").await;
    let page = service.page("/console/pins").await.text();
    let link = page.split("<a class=\"button quiet\" href=\"").nth(1).unwrap();
    let page = service.page(&unescaped(link.split('"').next().unwrap())).await.text();
    assert!(page.contains("It goes on holding"), "{page}");
    let renew = form_of(&page, DONE, ("expires", "9d"));
    let look = service.look(&format!("{renew}&reason=longer")).await;
    assert_eq!(service.act(&form_of(&look, DONE, DO), "").await.status, 303);
    let renewed = service.store.pins().remove(0);
    assert!(renewed.at == at && renewed.expires > pin.expires && renewed.reason == "longer");
    // Somebody else's is not taken over, and what makes no pin is refused on the look already.
    for (field, text, error) in [
        ("owner", "bob", "Conflict"),
        ("expires", "soon", "Invalid"),
        ("expires", "0s", "Invalid"),
        ("expires", "900d", "Invalid"),
        ("owner", "", "Invalid"),
        ("name", "", "Invalid"),
    ] {
        let mut wrong = fields;
        wrong.iter_mut().find(|(name, _)| *name == field).unwrap().1 = text;
        let reply = service.act(&encoded(&wrong), "").await;
        assert!(reply.status.is_client_error(), "{field}={text}");
        assert!(reply.text().contains(error), "{field}={text}: {}", reply.text());
        assert!(!reply.text().contains("class=\"do\""), "{field}={text}");
    }
    let future = [("at", "2250-01-01"), ("name", "later"), ("owner", "a"), ("expires", "1h")];
    let reply = service.act(&format!("action=pin-create&{}", encoded(&future)), "").await;
    assert!(reply.text().contains("NotYetClosed"), "{}", reply.text());
    let release = encoded(&[("action", "pin-release"), ("name", name)]);
    let look = service.look(&release).await;
    assert!(look.contains("holds back"), "{look}");
    assert_eq!(service.act(&form_of(&look, DONE, DO), "").await.status, 303);
    assert!(service.store.pins().is_empty());
}

fn planned(name: &str, at: u64, writes: &str) -> Vec<(&'static str, String)> {
    let own = |text: &str| text.to_owned();
    vec![
        ("action", own("release-plan")),
        ("name", own(name)),
        ("at", at.to_string()),
        ("message", own("")),
        ("writes", own(writes)),
        ("reason", own("as agreed")),
    ]
}

const WRITES: &str = r#"{"message": "spring <prices>", "writes": [
  {"space": "s", "key": "same", "value": "x"},
  {"space": "s", "key": "k", "value": {"eur": [1,
    2]}},
  {"space": "s", "key": "gone", "delete": true},
  {"space": "t", "key": "<script>", "value_text": "</textarea><script>alert(1)</script>TURN"}
]}"#;

#[tokio::test]
async fn a_release_is_planned_in_a_form_and_amended() {
    let service = Service::open();
    service.commit(&[("same", "x"), ("k", "old"), ("gone", "x")]).await;
    let at = service.store.time().latest.as_micros() + 3_600_000_000;
    let form = encoded(&planned("spring", at, &WRITES.replace("TURN", "\u{202e}")));
    let reply = service.plan(&form, "").await;
    let look = reply.text();
    assert_eq!(reply.status, 200, "{look}");
    for part in ["4 keys are written", "1 new, 1 changed, 1 gone, 1 the same", "draft"] {
        assert!(look.contains(part), "{part}: {look}");
    }
    assert!(!look.contains("<script>alert") && !look.contains('\u{202e}'), "{look}");
    assert!(service.store.releases().is_empty(), "looking does nothing");
    let done = service.plan(&form_of(&look, DONE, DO), "").await;
    let place = done.header("location").to_owned();
    assert_eq!((done.status.as_u16(), place.as_str()), (303, "/console/release?name=spring"));
    let (release, writes) = service.store.release("spring").unwrap();
    assert_eq!(release.plan.message, "spring <prices>");
    // What was typed is what is planned, line ends within a value too.
    let text = "{\"eur\": [1,\n    2]}";
    let value = writes.iter().find(|write| write.key.as_str() == "k").unwrap();
    assert_eq!(value.content.unwrap().1, text.len() as u64);
    let page = service.page(&place).await.text();
    assert!(page.contains("/console/plan?name=spring"), "{page}");
    // Amended: only what is said otherwise.
    let amend = service.page("/console/plan?name=spring").await.text();
    assert!(amend.contains("value=\"spring &#60;prices&#62;\""), "{amend}");
    let said = [("action", "release-amend"), ("name", "spring"), ("message", "spring <prices>")];
    let same = service.plan(&format!("{}&at={at}&writes=", encoded(&said)), "").await;
    assert!(same.text().contains("this is what is planned already"), "{}", same.text());
    let later = format!("{}&at={}", encoded(&said), at + 1_000_000);
    let look = service.plan(&later, "").await.text();
    assert_eq!(service.store.release("spring").unwrap().0.plan.at.as_micros(), at);
    assert_eq!(service.plan(&form_of(&look, DONE, DO), "").await.status, 303);
    let (release, kept) = service.store.release("spring").unwrap();
    assert_eq!((release.plan.at.as_micros(), kept), (at + 1_000_000, writes));
    // Scheduled and cancelled as before, each after a look.
    for (action, state) in [("release-schedule", "scheduled"), ("release-cancel", "cancelled")] {
        let look = service.look(&format!("action={action}&name=spring&reason=r")).await;
        assert_eq!(service.act(&form_of(&look, DONE, DO), "").await.status, 303);
        assert_eq!(service.store.release("spring").unwrap().0.state.as_str(), state);
        let page = service.page(&place).await.text();
        assert_eq!(page.contains("A look ahead"), state == "scheduled", "{page}");
    }
    let over = service.page("/console/plan?name=spring").await;
    assert!(over.text().contains("the release is cancelled"), "{}", over.text());
}

#[tokio::test]
async fn what_makes_no_release_is_refused_on_the_look() {
    let service = Service::open();
    let now = service.store.time().latest.as_micros();
    let soon = now + 3_600_000_000;
    let one = r#"{"writes": [{"space": "s", "key": "k", "value": 1}]}"#;
    let taken = format!("{}&step=do", encoded(&planned("taken", soon, one)));
    assert_eq!(service.plan(&taken, "").await.status, 303);
    for (name, at, writes, why) in [
        ("taken", soon, one, "choose another name"),
        ("x", now - 5, one, "InThePast"),
        ("x", soon, "", "`writes` is missing"),
        ("x", soon, "{", "not a set of writes"),
        ("x", soon, r#"{"writes": []}"#, "no writes"),
        ("x", soon, r#"{"writes": [], "effective_at": 5}"#, "leave out `effective_at`"),
        (
            "x",
            soon,
            r#"{"writes": [{"space": "s", "key": "k", "value": 1, "if": {"absent": true}}]}"#,
            "a release has no `if`",
        ),
        ("", soon, one, "`name` is missing"),
    ] {
        let reply = service.plan(&encoded(&planned(name, at, writes)), "").await;
        assert!(reply.status.is_client_error(), "{why}: {}", reply.status);
        assert!(reply.text().contains(why), "{why}: {}", reply.text());
        assert!(!reply.text().contains("class=\"do\""), "{why}");
    }
    assert_eq!(service.store.releases().len(), 1);
    // Keys that a scheduled release has for itself are not free, which the next look says.
    let mut alone = planned("alone", soon, one);
    alone.extend([("alone", "true".to_owned()), ("step", "do".to_owned())]);
    assert_eq!(service.plan(&encoded(&alone), "").await.status, 303);
    let schedule = |name| format!("action=release-schedule&name={name}&reason=r");
    assert_eq!(service.act(&format!("{}&step=do", schedule("alone")), "").await.status, 303);
    let look = service.act(&schedule("taken"), "").await;
    assert_eq!(look.status, 409);
    assert!(look.text().contains("for itself until it is live"), "{}", look.text());
    assert!(!look.text().contains("class=\"do\""), "{}", look.text());
    let forward = "action=release-plan&name=x&at=5";
    assert_eq!(service.act(forward, "").await.status, 400, "its form has an address of its own");
    assert_eq!(service.plan("action=cap-clear&at=5", "").await.status, 400);
}

#[tokio::test]
async fn the_form_of_a_plan_may_be_long_and_no_longer_than_that() {
    let service = Service::open();
    let at = service.store.time().latest.as_micros() + 3_600_000_000;
    let writes = |bytes: usize| {
        let value = "x".repeat(bytes);
        format!(r#"{{"writes": [{{"space": "s", "key": "k", "value_text": "{value}"}}]}}"#)
    };
    let long = service.plan(&encoded(&planned("long", at, &writes(900 << 10))), "").await;
    assert_eq!(long.status, 200, "{}", long.status);
    let done = service.plan(&form_of(&long.text(), DONE, DO), "").await;
    assert_eq!(done.status, 303, "what could be looked at can be done");
    let longer = service.plan(&encoded(&planned("longer", at, &writes(1 << 20))), "").await;
    assert_eq!(longer.problem(), (413, "TooLarge".to_owned()));
    assert!(longer.text().contains("asof release plan FILE"), "{}", longer.text());
}

#[tokio::test]
async fn who_only_reads_is_offered_nothing_and_refused_everything() {
    let service = filled(Access::Tokens);
    let operator = service.log_in(&service.token("o", Role::Operator, Scope::All)).await;
    let reader = service.log_in(&service.token("r", Role::Reader, Scope::All)).await;
    let at = service.store.time().latest.as_micros();
    let soon = at + 3_600_000_000;
    let pages = ["/console/commit?id=2", "/console/diff?space=s&from=1", "/console/pins"];
    for path in pages {
        let shown = service.visit(path, &operator).await.text();
        assert!(shown.contains("/console/act"), "{path}: {shown}");
        let shown = service.visit(path, &reader).await.text();
        assert!(!shown.contains("/console/act"), "{path}: {shown}");
    }
    assert_eq!(service.visit("/console/plan", &reader).await.status, 403);
    for form in [
        "action=revert&id=2&reason=r".to_owned(),
        "action=pin-create&name=p&owner=r&reason=r&expires=1h".to_owned(),
    ] {
        for step in ["", "&step=do"] {
            let reply = service.act(&format!("{form}{step}"), &reader).await;
            assert_eq!(reply.status, 403, "{form}: {}", reply.text());
            assert!(!reply.text().contains("class=\"do\""), "{}", reply.text());
        }
    }
    let one = r#"{"writes": [{"space": "s", "key": "k", "value": 1}]}"#;
    let form = format!("{}&step=do", encoded(&planned("spring", soon, one)));
    assert_eq!(service.plan(&form, &reader).await.status, 403);
    assert_eq!(service.plan(&form, "").await.status, 401);
    let foreign = [HTML, HOST, FORM, ("cookie", &operator), ("origin", "http://evil.example")];
    let reply = service.send("POST", "/console/act/plan", &foreign, form.clone()).await;
    assert_eq!(reply.problem(), (403, "Forbidden".to_owned()));
    assert!(service.store.releases().is_empty() && service.store.pins().is_empty());
    // Done by an operator, it is theirs in the audit and in the log.
    assert_eq!(service.plan(&form, &operator).await.status, 303);
    assert_eq!(service.store.release("spring").unwrap().0.plan.planners, ["o"]);
    let done = service.act("action=revert&id=2&reason=r&step=do", &operator).await;
    let page = service.visit(done.header("location"), &operator).await.text();
    assert!(page.contains("<bdi>o</bdi>"), "{page}");
}
