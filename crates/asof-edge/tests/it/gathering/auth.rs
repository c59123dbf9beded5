//! Who asks is judged for every request, hits too; services see what is declared of it.

use graviola::hashing::Sha256;
use graviola::hashing::hmac::Hmac;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::Full;

use super::{on, put};
use crate::caching::world::{Asked, Service, World, text};
use crate::harness::upstream;

const SECRET: &str = "a secret that is longer than thirty-two bytes";

/// A file in the folder of the test, and the folder, which is removed with it.
fn file(content: &str) -> (String, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, content).unwrap();
    (path.to_str().unwrap().to_owned(), folder)
}

/// A service that shows what it is told of whoever asks.
async fn shows() -> Service {
    Service::new("page", |asked: Asked| async move {
        let (role, credentials) = (asked.header("asof-state-role"), asked.header("authorization"));
        text(format!("{}|{role}|{credentials}|{}", asked.read("one").await, asked.header("cookie")))
    })
    .await
}

fn token(claims: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let message = format!("{}.{}", part("{\"alg\":\"HS256\"}"), part(claims));
    let mut hmac = Hmac::<Sha256>::new(SECRET);
    hmac.update(message.as_bytes());
    format!("Bearer {message}.{}", URL_SAFE_NO_PAD.encode(hmac.finish().as_ref()))
}

async fn with(world: &World, path: &str, authorization: &str) -> crate::caching::world::Got {
    world.get_with(path, &[("authorization", authorization)]).await
}

#[tokio::test]
async fn a_token_is_asked_for_on_hits_too_and_goes_no_further() {
    let hash = |token: &str| blake3::hash(token.as_bytes()).to_hex();
    let (path, _folder) = file(&format!(
        "{} ann role=admin\n{} bob role=reader\n",
        hash("asof_ann"),
        hash("asof_bob")
    ));
    let page = shows().await;
    let config = format!("[auth]\nmode = 'tokens'\nfile = '{path}'\n{}", on("page", ""));
    let world = World::start(&[&page], &config).await;
    put(&world, "goods", "one", "apple").await;
    assert_eq!(with(&world, "/", "Bearer asof_ann").await.text, "apple|||");
    page.executed();
    let hit = with(&world, "/", "bearer asof_bob").await;
    assert!(hit.outcome().starts_with("asof; hit"), "{}", hit.outcome());
    assert_eq!(page.executed(), 0, "nothing of it is about who asks");
    for (authorization, error) in
        [("", ""), ("Basic YTpi", ""), ("Bearer asof_eve", "invalid_token")]
    {
        let denied = with(&world, "/", authorization).await;
        assert_eq!(denied.status, StatusCode::UNAUTHORIZED, "{authorization}");
        assert!(denied.header("www-authenticate").starts_with("Bearer"), "{denied:?}");
        assert!(denied.header("www-authenticate").contains(error), "{denied:?}");
        assert_eq!(denied.header("content-type"), "application/problem+json");
        assert!(!denied.text.contains("apple"));
    }
    let denied = world.get("/").await;
    assert_eq!(denied.status, StatusCode::UNAUTHORIZED);
    assert_eq!(page.executed(), 0);
}

#[tokio::test]
async fn claims_are_values_that_services_see_and_routes_require() {
    let (path, _folder) = file(SECRET);
    let page = shows().await;
    let config = format!(
        "[auth]\nmode = 'jwt'\nkey_file = '{path}'\nissuer = 'us'\n\
         [state.role]\ndefault = 'guest'\nvalues = ['guest', 'reader', 'admin']\n\
         from = [{{ claim = 'role' }}]\n{}require = {{ role = 'admin' }}\n{}\
         require = {{ role = ['reader', 'admin'] }}\n",
        on("page", "state = ['role']\n").replace("/{*path}", "/admin/{*path}"),
        on("page", "state = ['role']\n"),
    );
    let world = World::start(&[&page], &config).await;
    put(&world, "goods", "one", "apple").await;
    let holder =
        |role: &str| token(&format!("{{\"exp\":4000000000,\"iss\":\"us\",\"role\":\"{role}\"}}"));
    let (admin, reader, eve) = (holder("admin"), holder("reader"), holder("owner"));
    assert_eq!(with(&world, "/x", &reader).await.text, "apple|reader||");
    assert_eq!(with(&world, "/x", &admin).await.text, "apple|admin||");
    assert_eq!(page.executed(), 2, "an answer for each value");
    assert_eq!(with(&world, "/admin/x", &admin).await.text, "apple|admin||");
    let hit = with(&world, "/admin/x", &admin).await;
    assert!(hit.outcome().starts_with("asof; hit"), "{}", hit.outcome());
    page.executed();
    // Held or not, and however it is written.
    for (path, who) in [
        ("/admin/x", &reader),
        ("/x", &eve),
        ("/%61dmin/x", &reader),
        ("//admin/x", &reader),
        ("/y/../admin/x", &reader),
        ("/admin%2Fx", &reader),
    ] {
        let denied = with(&world, path, who).await;
        assert_eq!(denied.status, StatusCode::FORBIDDEN, "{path}");
        assert!(denied.header("www-authenticate").contains("insufficient_scope"));
    }
    let ended = token("{\"exp\":1000,\"iss\":\"us\",\"role\":\"admin\"}");
    let others = token("{\"exp\":4000000000,\"iss\":\"them\",\"role\":\"admin\"}");
    for bad in [ended, others, format!("{admin}x"), "Bearer a.b.c".to_owned()] {
        assert_eq!(with(&world, "/x", &bad).await.status, StatusCode::UNAUTHORIZED, "{bad}");
    }
    assert_eq!(page.executed(), 0);
}

#[tokio::test]
async fn what_nothing_is_said_about_is_let_to_nobody() {
    let (path, _folder) = file(SECRET);
    let page = shows().await;
    let config = format!(
        "[auth]\nmode = 'jwt'\nkey_file = '{path}'\n[state.role]\ndefault = 'guest'\n\
         from = [{{ claim = 'role' }}]\n{}require = {{ role = 'admin' }}\n",
        on("page", "").replace("/{*path}", "/admin/{*path}"),
    );
    let world = World::start(&[&page], &config).await;
    let admin = token("{\"exp\":4000000000,\"role\":\"admin\"}");
    assert_eq!(with(&world, "/admin/x", &admin).await.status, StatusCode::OK);
    assert_eq!(with(&world, "/else", &admin).await.status, StatusCode::FORBIDDEN);
}

/// A judge that knows one cookie.
async fn judge() -> std::net::SocketAddr {
    upstream(|request| async move {
        let said = |name: &str| {
            let value = request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            value.unwrap_or_default()
        };
        let mut response = Response::new(Full::default());
        let headers: &mut HeaderMap = response.headers_mut();
        headers.insert("x-role", HeaderValue::from_static("admin"));
        let asked = format!("{} {}", said("x-forwarded-method"), said("x-forwarded-uri"));
        *response.status_mut() = match said("cookie").as_str() {
            "login=ann" if asked == "GET /x?q=1" => StatusCode::OK,
            "login=ann" => StatusCode::FORBIDDEN,
            "login=ill" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::UNAUTHORIZED,
        };
        response
    })
    .await
}

#[tokio::test]
async fn another_service_may_judge() {
    let (page, judge) = (shows().await, judge().await);
    let config = format!(
        "[auth]\nmode = 'forward'\nurl = 'http://{judge}'\n[state.role]\ndefault = 'guest'\n\
         from = [{{ auth_header = 'x-role' }}]\n{}",
        on("page", "state = ['role']"),
    );
    let world = World::start(&[&page], &config).await;
    put(&world, "goods", "one", "apple").await;
    let ask = async |path: &str, cookie: &str| world.get_with(path, &[("cookie", cookie)]).await;
    assert_eq!(ask("/x?q=1", "login=ann").await.text, "apple|admin||");
    let hit = ask("/x?q=1", "login=ann").await;
    assert!(hit.outcome().starts_with("asof; hit"), "{}", hit.outcome());
    for (path, cookie, status) in
        [("/x?q=1", "login=eve", 401), ("/y", "login=ann", 403), ("/x?q=1", "login=ill", 503)]
    {
        let denied = ask(path, cookie).await;
        assert_eq!(denied.status.as_u16(), status, "{path} {cookie}");
        assert_eq!(denied.headers.contains_key("www-authenticate"), status != 503);
    }
    assert_eq!(page.executed(), 1);
}

#[tokio::test]
async fn a_route_may_say_that_its_answers_are_the_same_for_all() {
    let page = shows().await;
    let routes = format!(
        "{}{}",
        on("page", "shared = true").replace("/{*path}", "/all/{*path}"),
        on("page", "")
    );
    let world = World::start(&[&page], &routes).await;
    put(&world, "goods", "one", "apple").await;
    for cookie in ["login=ann", "login=bob"] {
        let got = world.get_with("/all/x", &[("cookie", cookie)]).await;
        assert_eq!(got.text, "apple|||", "what it says is the same for all, it does not see");
        let got = world.get_with("/x", &[("cookie", cookie)]).await;
        assert_eq!(got.text, format!("apple|||{cookie}"));
        assert_eq!(got.outcome(), "asof; fwd=bypass; detail=bypass-credentials");
    }
}
