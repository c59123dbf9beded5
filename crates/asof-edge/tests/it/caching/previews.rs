//! The whole system at a moment that is still to come.

use std::time::Duration;

use asof_api::Rfc3339;
use asof_env::{Clock as _, SystemClock};
use asof_time::Timestamp;
use http::{Method, StatusCode};

use super::pair::Pair;
use super::world::{Asked, Service, World, on, text};

/// A day from now, and the moment before it.
fn then() -> (String, String) {
    let then = SystemClock.wall().saturating_add(Duration::from_hours(24)).as_micros();
    let text = |micros| Rfc3339::new(Timestamp::from_micros(micros).unwrap()).as_str().to_owned();
    (text(then), text(then - 1))
}

/// Shows what the service below it says, and what it reads itself.
async fn page() -> Service {
    Service::new("page", |asked: Asked| async move {
        let below = asked.get("part", "/part").await.text;
        text(format!("{} over {below}", asked.read("begun").await))
    })
    .await
}

async fn part() -> Service {
    Service::new("part", |asked: Asked| async move { text(asked.read("begun").await) }).await
}

fn both() -> String {
    on("page", "") + &on("part", "")
}

#[tokio::test]
async fn what_is_scheduled_is_seen_in_all_layers_from_its_moment_on() {
    let (moment, just_before) = then();
    let (page, part) = (page().await, part().await);
    let world = World::start(&[&page, &part], &both()).await;
    world.schedule("begun", "soon", &moment).await;
    let before = world.preview("/", &[("as-of", &*just_before)]).await;
    assert_eq!(before.text, "yes over yes", "{before:?}");
    let then = world.preview("/", &[("as-of", &*moment)]).await;
    assert_eq!(then.text, "soon over soon", "{then:?}");
    assert_eq!(then.header("as-of"), moment);
    assert_eq!(then.header("cache-control"), "no-store");
    assert_eq!(then.outcome(), "asof; fwd=bypass; detail=bypass-preview");
    for absent in ["as-of-valid", "as-of-epoch"] {
        assert_eq!(then.header(absent), "", "{absent}");
    }
    let now = world.get("/").await;
    assert_eq!(now.text, "yes over yes");
}

#[tokio::test]
async fn nothing_of_a_preview_is_kept_and_nothing_that_is_held_is_lost_by_it() {
    let (moment, _) = then();
    let (page, part) = (page().await, part().await);
    let world = World::start(&[&page, &part], &both()).await;
    assert_eq!(world.get("/").await.outcome(), "asof; fwd=miss; stored");
    world.schedule("begun", "soon", &moment).await;
    page.executed();
    part.executed();
    for value in ["sooner", "soonest"] {
        world.schedule("begun", value, &moment).await;
        let then = world.preview("/", &[("as-of", &*moment)]).await;
        assert_eq!(then.text, format!("{value} over {value}"));
    }
    assert_eq!((page.executed(), part.executed()), (2, 2));
    assert!(world.get("/").await.outcome().starts_with("asof; hit"));
    assert_eq!((page.executed(), part.executed()), (0, 0));
}

#[tokio::test]
async fn a_closed_moment_is_looked_at_as_it_was_whatever_routes_allow_clients() {
    let (page, part) = (page().await, part().await);
    let world = World::start(&[&page, &part], &both()).await;
    let then = world.get("/").await.header("as-of");
    let token = world.put("begun", "later").await;
    assert_eq!(world.get_after(&token, "/").await.text, "later over later");
    let got = world.preview("/", &[("as-of", &then)]).await;
    assert_eq!((got.text.as_str(), got.header("as-of")), ("yes over yes", then.clone()));
    assert_eq!(got.header("cache-control"), "no-store");
    assert_eq!(world.get_with("/", &[("as-of", &then)]).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn settings_and_routes_that_are_off_are_those_of_the_moment() {
    let (moment, just_before) = then();
    let page = Service::new("page", |asked: Asked| async move {
        let theme = asked.header("asof-state-theme");
        text(format!("{} in {theme}", asked.read("begun").await))
    })
    .await;
    let theme = "[state.theme]\ndefault = 'light'\nstore = 'main'\n\
                 from = [{ cookie = 'sid' }, { lookup = 'goods', field = 'theme' }]\n";
    let more = "[[services.page.routes]]\npath = '/off'\nmode = 'off'\n".to_owned()
        + &on("page", "state = ['theme']")
        + theme;
    let world = World::start(&[&page], &more).await;
    world.schedule("ann", "{\"theme\":\"dark\"}", &moment).await;
    world.schedule("begun", "soon", &moment).await;
    let seen = async |at: &str, path: &str| {
        world.preview(path, &[("as-of", at), ("cookie", "sid=ann")]).await.text
    };
    assert_eq!(seen(&just_before, "/").await, "yes in light");
    assert_eq!(seen(&moment, "/").await, "soon in dark");
    assert_eq!(seen(&just_before, "/off").await, "yes in ");
    assert_eq!(seen(&moment, "/off").await, "soon in ");
}

#[tokio::test]
async fn nothing_is_written_for_a_preview() {
    let (moment, _) = then();
    let page = Service::new("page", |asked: Asked| async move {
        let path = "/v1/spaces/goods/keys/begun";
        let written = asked.call(Method::PUT, "main", path, "written").await;
        text(format!("{} and {}", written.status.as_u16(), asked.read("begun").await))
    })
    .await;
    let world = World::start(&[&page], &on("page", "")).await;
    assert_eq!(world.preview("/", &[("as-of", &*moment)]).await.text, "403 and yes");
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let refused = world.preview_by(method, "/", &[("as-of", &*moment)]).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{refused:?}");
    }
    assert_eq!(page.executed(), 1);
}

#[tokio::test]
async fn it_takes_a_moment_and_somebody_on_this_machine() {
    let (moment, _) = then();
    let (page, part) = (page().await, part().await);
    let world = World::start(&[&page, &part], &both()).await;
    let status = async |headers: &[(&str, &str)]| world.preview("/", headers).await.status.as_u16();
    let then = ("as-of", &*moment);
    assert_eq!(status(&[]).await, 400);
    assert_eq!(status(&[("as-of", "tomorrow")]).await, 400);
    assert_eq!(status(&[then, ("sec-fetch-site", "cross-site")]).await, 403);
    assert_eq!(status(&[then, ("host", "evil.example")]).await, 403);
    assert_eq!(status(&[("as-of", "1971-01-01T00:00:00Z")]).await, 200);
    // By the listener of clients, it is as it was.
    assert_eq!(world.get_with("/", &[then]).await.status, 403);
}

#[tokio::test]
async fn a_browser_chooses_the_moment_once_and_goes_about_the_pages() {
    let (moment, _) = then();
    let (page, part) = (page().await, part().await);
    let world = World::start(&[&page, &part], &both()).await;
    world.schedule("begun", "soon", &moment).await;
    let chosen = world.preview(&format!("/-/preview?at={moment}"), &[]).await;
    assert_eq!(chosen.status, StatusCode::SEE_OTHER, "{chosen:?}");
    let cookie = chosen.header("set-cookie");
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let own = ("sec-fetch-site", "same-origin");
    assert_eq!(world.preview("/a", &[("cookie", cookie), own]).await.text, "soon over soon");
    let forgotten = world.preview("/-/preview", &[("cookie", cookie)]).await;
    assert!(forgotten.header("set-cookie").contains("Max-Age=0"), "{forgotten:?}");
}

#[tokio::test]
async fn what_a_cap_holds_back_can_be_looked_at_before_it_is_cleared() {
    let (moment, _) = then();
    let (page, part) = (page().await, part().await);
    let world = World::start(&[&page, &part], &both()).await;
    let good = world.now("/").await;
    world.put("begun", "bad").await;
    world.cap(Some(&good)).await;
    let mut seen = String::new();
    for _ in 0..200 {
        seen = world.get("/").await.text;
        if seen == "yes over yes" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(seen, "yes over yes");
    assert_eq!(world.preview("/", &[("as-of", &*moment)]).await.text, "bad over bad");
}

#[tokio::test]
async fn services_behind_another_edge_show_the_same_moment() {
    let (moment, just_before) = then();
    let (page, part) = (page().await, part().await);
    let pair = Pair::start(&[&page, &part], &both()).await;
    pair.attach_south(&["page"]);
    pair.schedule("begun", "soon", &moment).await;
    let then = pair.preview_north("/", &moment).await;
    assert_eq!(then.text, "soon over soon", "{then:?}");
    assert_eq!(pair.preview_north("/", &just_before).await.text, "yes over yes");
}
