//! The console: pages for people who would rather look than read.
//!
//! What a page shows comes from the store through the checks of the API ([`crate::access`],
//! [`crate::sight`]); what a form does goes through the API's own handlers ([`act`]). The HTML is
//! made by `asof_console`, which knows of nothing but what it is given here.

mod act;
mod commits;
mod control;
mod edges;
mod fields;
mod keys;
mod origin;
mod overview;
mod releases;
mod routes;
mod session;
mod tally;
mod time;
mod visit;

use std::panic::AssertUnwindSafe;
use std::sync::LazyLock;

use asof_api::ErrorName;
use asof_api::routes::RouteId;
use asof_console::assets::{ASSETS, TEMPLATES};
use asof_console::frame::Page;
use asof_console::page::Login;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::access::{self, Caller};
use crate::answering::{Answering, Form};
use crate::app::{App, broken};
use crate::body::Body;
use crate::guard;
use crate::limits::{FORM_BYTES_MAX, PLAN_FORM_BYTES_MAX};
use crate::refusal::{Answer, Refusal};
use crate::reply;
use fields::Fields;
use routes::{Address, What};
use visit::Visit;

/// What the console remembers between requests.
#[derive(Debug, Default)]
pub(crate) struct Console {
    sessions: session::Sessions,
    tally: tally::Tally,
}

/// Nothing comes from elsewhere, nothing is written into a page that would run, and no other page
/// may hold one of these in a frame.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src \
                              'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
                              frame-ancestors 'none'";

/// The program that makes the pages: its version, and a hash of what they look like.
static BUILD: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = blake3::Hasher::new();
    for text in TEMPLATES.iter().chain(ASSETS.iter().map(|asset| &asset.text)) {
        hasher.update(text.as_bytes());
    }
    let hash = hasher.finalize().to_hex();
    let short = hash.get(..8).unwrap_or_default();
    format!("{}-{short}", env!("CARGO_PKG_VERSION"))
});

/// The path of the console that a request is for. The root is one for browsers only.
pub(crate) fn find(parts: &Parts) -> Option<&'static Address> {
    let path = routes::find(parts.uri.path())?;
    if path.what == What::Page(Page::Overview) {
        let accept = parts.headers.get(header::ACCEPT)?.to_str().ok()?;
        return accept.contains("text/html").then_some(path);
    }
    Some(path)
}

/// Answers it.
pub(crate) fn answer(app: &App, path: &'static Address, parts: Parts, body: Body) -> Answering {
    let app = app.clone();
    Answering::later(async move {
        let began = app.settings.clock.boot();
        let form = Form::asked_by(&parts.method);
        let answer = AssertUnwindSafe(serve(&app, path, &parts, body)).catch_unwind().await;
        let answer = answer.unwrap_or_else(|_| Err(broken(&"a page of the console")));
        let mut response = answer.unwrap_or_else(Refusal::into_response);
        secure(response.headers_mut());
        let took = app.settings.clock.boot().since(began);
        app.metrics.console(response.status().as_u16(), took);
        Ok(form.of(response))
    })
}

/// What every answer of the console says.
fn secure(headers: &mut HeaderMap) {
    let all: [(HeaderName, &str); 5] = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Nothing for other sites. Within this one the browser must go on saying where a form
        // comes from: with `no-referrer` it would send `Origin: null` to us as well.
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in all {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    // A page of one session is none of another's, in the same browser.
    headers.append(header::VARY, HeaderValue::from_static("cookie"));
}

async fn serve(app: &App, path: &'static Address, parts: &Parts, body: Body) -> Answer {
    if !path.takes_method(&parts.method) {
        let detail = format!("{} takes {}", parts.uri.path(), path.allow());
        let mut refusal = Refusal::new(ErrorName::MethodNotAllowed, detail);
        refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static(path.allow()));
        return Err(refusal);
    }
    if path.what == What::Asset {
        return asset(parts.uri.path());
    }
    if app.gate.now(&app.store).is_open() {
        guard::check(parts)?;
    }
    let fields = if parts.method == Method::POST {
        origin::check(parts)?;
        let text = if path.what == What::Plan {
            // Whoever may not plan need not send it.
            let Some(caller) = caller(app, &parts.headers) else {
                return not_logged_in(app, path, parts);
            };
            access::check_role(&caller, visit::route(RouteId::PlanRelease), None)?;
            let _place = app.large_body().await?;
            let more = "; `asof release plan FILE` takes more";
            form(app, body, PLAN_FORM_BYTES_MAX, more).await?
        } else {
            form(app, body, FORM_BYTES_MAX, "").await?
        };
        Fields::read(path, &text)?
    } else if path.what == What::Feed {
        // Its handler reads the query, and knows its own names.
        Fields::default()
    } else {
        Fields::read(path, parts.uri.query().unwrap_or_default())?
    };
    match path.what {
        What::Login => return Ok(login(app, parts, &fields)),
        What::Logout => return Ok(logout(app, parts)),
        _ => {}
    }
    let Some(caller) = caller(app, &parts.headers) else {
        return not_logged_in(app, path, parts);
    };
    let visit = Visit { app, path, parts, fields, caller };
    match path.what {
        What::Page(page) => Ok(visit.page(page).await),
        What::Density => time::picture(&visit).await,
        What::Span => time::span(&visit).await,
        What::Feed => feed(&visit).await,
        What::Act | What::Plan => act::act(&visit).await,
        What::Login | What::Logout | What::Asset => Err(Refusal::invalid("answered above")),
    }
}

/// Who looks: whoever can connect where no tokens are needed, else the holder of the session.
fn caller(app: &App, headers: &HeaderMap) -> Option<Caller> {
    let gate = app.gate.now(&app.store);
    if !gate.needs_token() {
        return Some(Caller::Anybody);
    }
    let settings = &app.settings;
    let now = settings.clock.boot();
    gate.holder(app.console.sessions.find(headers, settings.transport, now)?)
}

/// The body of a form, within its bound and in time; `hint` says what to do where it is larger.
async fn form(app: &App, body: Body, bytes_max: usize, hint: &str) -> Result<String, Refusal> {
    let collected = Limited::new(body, bytes_max).collect();
    let timeout = app.settings.body_timeout;
    let bytes: Bytes = match tokio::time::timeout(timeout, collected).await {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let detail = format!("the form is over {bytes_max} bytes{hint}");
            return Err(Refusal::too_large(detail, bytes_max));
        }
        Ok(Err(error)) => {
            return Err(Refusal::invalid(format!("the form did not arrive whole: {error}")));
        }
        Err(_) => {
            let detail = format!("the form did not arrive within {timeout:?}");
            return Err(Refusal::new(ErrorName::RequestTimeout, detail));
        }
    };
    String::from_utf8(bytes.into()).map_err(|_| Refusal::invalid("the form is not UTF-8"))
}

fn asset(path: &str) -> Answer {
    let rest = path.strip_prefix(routes::ASSETS).unwrap_or_default();
    let name = rest.strip_prefix(BUILD.as_str()).and_then(|rest| rest.strip_prefix('/'));
    let found = name.and_then(|name| ASSETS.iter().find(|asset| asset.name == name));
    let Some(asset) = found else {
        return Err(Refusal::new(ErrorName::NoSuchRoute, "this build has no such file"));
    };
    let mut response = reply::typed(asset.media_type, asset.text);
    let for_ever = HeaderValue::from_static("public, max-age=31536000, immutable");
    response.headers_mut().insert(header::CACHE_CONTROL, for_ever);
    Ok(response)
}

/// A page as an answer.
fn html(status: StatusCode, text: String) -> Response<Body> {
    let mut response = reply::typed("text/html; charset=utf-8", text);
    *response.status_mut() = status;
    response
}

/// To another page.
fn redirect(status: StatusCode, to: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(header::LOCATION, reply::text(to));
    response
}

/// The page that asks for a token; to a script, the word that one is needed.
fn not_logged_in(app: &App, path: &Address, parts: &Parts) -> Answer {
    let What::Page(_) = path.what else {
        let detail = "the session has ended: log in again";
        return Err(Refusal::new(ErrorName::Unauthorized, detail));
    };
    let here = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    Ok(ask_for_token(app, here, None))
}

fn ask_for_token(app: &App, next: &str, refusal: Option<String>) -> Response<Body> {
    let frame = visit::bare_frame(app);
    let page = Login { frame, next: next.to_owned(), refusal };
    let mut response = html(StatusCode::UNAUTHORIZED, page.html());
    let challenge = HeaderValue::from_static("Bearer");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}

fn login(app: &App, parts: &Parts, fields: &Fields) -> Response<Body> {
    // Only to a page of this console: a path of ours, and no other host by a second slash.
    let next = fields.text("next").unwrap_or("/");
    let bare = next.split('?').next().unwrap_or_default();
    let is_page = routes::find(bare).is_some_and(|path| matches!(path.what, What::Page(_)));
    let is_url = next.bytes().all(|byte| byte.is_ascii_graphic());
    let next = if is_page && is_url { next } else { "/" };
    let hash = access::token_hash(fields.text("token").unwrap_or_default().trim());
    let settings = &app.settings;
    if app.gate.now(&app.store).holder(hash).is_none() {
        tracing::warn!(path = parts.uri.path(), "a token was refused");
        let refusal = "This token is not known, or was revoked.".to_owned();
        return ask_for_token(app, next, Some(refusal));
    }
    app.console.sessions.end(&parts.headers, settings.transport);
    let id = app.console.sessions.begin(hash, &*settings.random, settings.clock.boot());
    let mut response = redirect(StatusCode::SEE_OTHER, next);
    let cookie = session::set_cookie(Some(&id), settings.transport);
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}

fn logout(app: &App, parts: &Parts) -> Response<Body> {
    let transport = app.settings.transport;
    app.console.sessions.end(&parts.headers, transport);
    let mut response = redirect(StatusCode::SEE_OTHER, "/");
    let headers = response.headers_mut();
    headers.insert(header::SET_COOKIE, session::set_cookie(None, transport));
    // What this session was shown is gone from this browser too.
    headers.insert("clear-site-data", HeaderValue::from_static("\"cache\""));
    response
}

/// The feed of the API, for a session.
async fn feed(visit: &Visit<'_>) -> Answer {
    act::ask(visit, RouteId::Feed, Body::empty(), &visit.parts.uri, &[]).await
}
