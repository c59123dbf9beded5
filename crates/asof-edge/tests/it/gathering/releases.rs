//! A deploy is a commit, a rollback is a cap or a commit, a canary is a declared value.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{HeaderValue, Method};

use super::{cap_at, on, page, put, reader, store};
use crate::caching::world::{Asked, Service, World, text};
use crate::harness::eventually;

const KEPT: &str = "[releases]\nstore = 'main'\n";

/// `page` shows `part`, of which there are two versions with instances of their own.
async fn two_versions(more: &str) -> (Service, Service, Service, World) {
    let (page, old) = (page().await, reader("part", "old").await);
    let new = old
        .another(|asked: Asked| async move { text(format!("new {}", asked.read("one").await)) })
        .await;
    let versions = format!(
        "{KEPT}{}{}[services.part.versions.1]\nupstreams = ['http://{}']\n\
         [services.part.versions.2]\nupstreams = ['http://{}']\n{more}",
        on("page", ""),
        on("part", ""),
        old.address,
        new.address
    );
    let world = World::start(&[&page, &old], &versions).await;
    put(&world, "goods", "one", "apple").await;
    (page, old, new, world)
}

#[tokio::test]
async fn a_deploy_is_a_commit_and_a_rollback_is_a_cap() {
    let (page, old, new, world) = two_versions("").await;
    let first = put(&world, "releases", "part", "1").await;
    assert_eq!(world.get_after(&first, "/").await.text, "page of old apple");
    let hit = world.get("/").await;
    assert!(hit.outcome().starts_with("asof; hit"), "{}", hit.outcome());
    assert_eq!((page.executed(), old.executed(), new.executed()), (1, 1, 0));
    // The deploy reaches everything that was made of the old version, and nobody asks that one.
    let second = put(&world, "releases", "part", "{\"version\": \"2\"}").await;
    assert_eq!(world.get_after(&second, "/").await.text, "page of new apple");
    assert_eq!((page.executed(), old.executed(), new.executed()), (1, 0, 1));
    // What does not concern the release leaves what is held as it is.
    let other = put(&world, "releases", "another", "9").await;
    let still = world.get_after(&other, "/").await;
    assert!(still.outcome().starts_with("asof; hit"), "{}", still.outcome());
    // The rollback finds everything as it was.
    cap_at(&world, &first).await;
    let back = world.get("/").await;
    assert_eq!(back.text, "page of old apple");
    assert!(back.outcome().starts_with("asof; hit"), "{}", back.outcome());
    assert_eq!((page.executed(), old.executed(), new.executed()), (0, 0, 0));
    // And forward again.
    let lifted = store(&world, Method::DELETE, "/v1/cap", "").await;
    assert!(lifted.status.is_success(), "{lifted:?}");
    eventually(|| async { world.get("/").await.text == "page of new apple" }).await;
    assert_eq!((page.executed(), old.executed(), new.executed()), (0, 0, 0));
}

#[tokio::test]
async fn a_release_that_comes_back_finds_its_own_answers() {
    let (page, old, new, world) = two_versions("").await;
    for (release, text) in [("1", "old"), ("2", "new"), ("1", "old"), ("2", "new")] {
        let token = put(&world, "releases", "part", release).await;
        let got = world.get_after(&token, "/").await;
        assert_eq!(got.text, format!("page of {text} apple"));
    }
    // The page ran for each, since its input changed; of the part each version ran once.
    assert_eq!((page.executed(), old.executed(), new.executed()), (4, 1, 1));
}

#[tokio::test]
async fn a_release_that_cannot_be_understood_is_said() {
    let (_, old, new, world) = two_versions("").await;
    let token = put(&world, "releases", "part", "two words").await;
    let got = world.get_after(&token, "/").await;
    assert!(got.text.contains("is no version"), "{got:?}");
    assert_eq!((old.executed(), new.executed()), (0, 0));
}

#[tokio::test]
async fn a_space_of_releases_that_the_store_does_not_know_is_said() {
    let (page, part) = (page().await, reader("part", "shown").await);
    let mistyped = "[releases]\nstore = 'main'\nspace = 'relaeses'\n";
    let routes = format!("{mistyped}{}{}", on("page", ""), on("part", ""));
    let world = World::start(&[&page, &part], &routes).await;
    let report = || async { world.admin(Method::GET, "/report").await.text };
    assert!(report().await.contains(r#""standing":"not read yet""#));
    let token = put(&world, "goods", "one", "apple").await;
    for _ in 0..2 {
        // Everything is answered rightly, so nobody would notice that nothing is kept.
        let got = world.get_after(&token, "/").await;
        assert_eq!(got.text, "page of shown apple");
        assert!(got.outcome().contains("detail=unstorable"), "{got:?}");
    }
    let said = report().await;
    assert!(said.contains("the store does not know the space"), "{said}");
    let metrics = || async { world.admin(Method::GET, "/metrics").await.text };
    assert!(metrics().await.contains("asof_edge_releases_unknown 1"));
    // Once the space is there it is read, and answers are kept.
    let token = put(&world, "relaeses", "part", "1").await;
    assert_eq!(world.get_after(&token, "/").await.text, "page of shown apple");
    assert!(world.get("/").await.outcome().starts_with("asof; hit"));
    assert!(report().await.contains(r#""standing":"read""#));
    assert!(metrics().await.contains("asof_edge_releases_unknown 0"));
}

#[tokio::test]
async fn what_a_client_is_told_ends_with_the_release() {
    let page = reader("page", "page").await;
    let routes = format!("{KEPT}{}", on("page", "as_of = 'closed'"));
    let world = World::start(&[&page], &routes).await;
    put(&world, "goods", "one", "apple").await;
    let first = put(&world, "releases", "page", "1").await;
    let second = put(&world, "releases", "page", "2").await;
    let at = super::micros(&first).to_string();
    world.get_after(&second, "/").await;
    let got = world.get_with("/", &[("as-of", &at)]).await;
    assert_eq!(got.text, "page apple");
    let valid = got.header("as-of-valid");
    let until = asof_api_text(super::micros(&second));
    assert!(valid.contains(&format!("until=\"{until}\"")), "{valid} {until}");
}

fn asof_api_text(micros: u64) -> String {
    asof_time::Timestamp::from_micros(micros).unwrap().to_string()
}

/// A service that names the version that `version` holds.
async fn named(version: &Arc<AtomicUsize>) -> Service {
    let version = Arc::clone(version);
    Service::new("part", move |asked: Asked| {
        let version = version.load(Ordering::SeqCst);
        async move {
            let health = asked.path == "/healthz";
            let one = if health { String::new() } else { asked.read("one").await };
            let mut response = text(format!("v{version} {one}"));
            response.headers_mut().insert("x-version", HeaderValue::from(version));
            response
        }
    })
    .await
}

#[tokio::test]
async fn an_unannounced_deploy_is_passed_on_and_not_kept() {
    let version = Arc::new(AtomicUsize::new(1));
    let (page, part) = (page().await, named(&version).await);
    let routes = format!("{NAMES_ITSELF}{KEPT}{}{}", on("page", ""), on("part", ""));
    let world = World::start(&[&page, &part], &routes).await;
    put(&world, "goods", "one", "apple").await;
    let token = put(&world, "releases", "part", "1").await;
    assert_eq!(world.get_after(&token, "/").await.outcome(), "asof; fwd=miss; stored");
    version.store(2, Ordering::SeqCst);
    let token = put(&world, "goods", "one", "pear").await;
    for _ in 0..2 {
        let got = world.get_after(&token, "/").await;
        assert_eq!(got.text, "page of v2 pear");
        assert_eq!(got.outcome(), "asof; fwd=miss; detail=unstorable-contagion");
    }
    let metrics = world.admin(Method::GET, "/metrics").await.text;
    assert!(metrics.contains("asof_edge_other_versions_total{service=\"part\"}"), "{metrics}");
    // Announced, it is kept.
    let token = put(&world, "releases", "part", "2").await;
    assert_eq!(world.get_after(&token, "/").await.outcome(), "asof; fwd=miss; stored");
    assert!(world.get("/").await.outcome().starts_with("asof; hit"));
}

/// The service `part`, which comes last and is still being described, names its version.
const NAMES_ITSELF: &str = "version_header = 'x-version'\n";

#[tokio::test]
async fn a_canary_is_a_value_that_callers_declare() {
    let cohort = "[state.cohort]\ndefault = 'all'\nfrom = [{ header = 'x-cohort' }]\n\
                  [services.part.canary]\nstate = 'cohort'\nvalue = 'beta'\nrelease = 'part-canary'\n";
    let (page, old, new, world) = {
        let (page, old) = (page().await, reader("part", "old").await);
        let new = old
            .another(|asked: Asked| async move { text(format!("new {}", asked.read("one").await)) })
            .await;
        let config = format!(
            "{KEPT}{}{}{}[services.part.versions.1]\nupstreams = ['http://{}']\n\
             [services.part.versions.2]\nupstreams = ['http://{}']\n{cohort}",
            on("page", "state = ['cohort']").replace("/{*path}", "/knows/{*path}"),
            on("page", ""),
            on("part", ""),
            old.address,
            new.address
        );
        let world = World::start(&[&page, &old], &config).await;
        (page, old, new, world)
    };
    put(&world, "goods", "one", "apple").await;
    put(&world, "releases", "part", "1").await;
    let token = put(&world, "releases", "part-canary", "2").await;
    let ask = async |path: &str, cohort: &str| {
        world.get_with(path, &[("asof-token", &token), ("x-cohort", cohort)]).await
    };
    for _ in 0..2 {
        assert_eq!(ask("/knows/x", "beta").await.text, "page of new apple");
        assert_eq!(ask("/knows/x", "gamma").await.text, "page of old apple");
    }
    // One run for each value; the part has one for each release, whoever is shown it.
    assert_eq!((page.executed(), old.executed(), new.executed()), (2, 1, 1));
    assert_eq!(ask("/knows/x", "delta").await.text, "page of old apple");
    assert_eq!((page.executed(), old.executed(), new.executed()), (1, 0, 0));
    // A page that does not declare the value would be shown to the others.
    for cohort in ["beta", "all"] {
        let got = ask("/plain", cohort).await;
        assert_eq!(got.outcome(), "asof; fwd=miss; detail=unstorable-undeclared-state");
    }
    assert_eq!(ask("/plain", "beta").await.text, "page of new apple");
}

#[tokio::test]
async fn a_version_that_changes_unannounced_is_noticed_though_everything_is_held() {
    let version = Arc::new(AtomicUsize::new(1));
    let (page, part) = (page().await, named(&version).await);
    let health = "health = { path = '/healthz', every = '50ms' }\n";
    let routes = format!("{NAMES_ITSELF}{health}{}{}", on("page", ""), on("part", ""));
    let world = World::start(&[&page, &part], &routes).await;
    let token = put(&world, "goods", "one", "apple").await;
    eventually(|| async { world.get_after(&token, "/").await.outcome().starts_with("asof; hit") })
        .await;
    assert_eq!(world.get("/").await.text, "page of v1 apple");
    version.store(2, Ordering::SeqCst);
    tokio::time::timeout(Duration::from_secs(20), async {
        while world.get("/").await.text != "page of v2 apple" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("the new version is seen");
    eventually(|| async { world.get("/").await.outcome().starts_with("asof; hit") }).await;
}
