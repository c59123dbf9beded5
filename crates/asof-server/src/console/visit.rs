//! One request of somebody who may look: the moment it is about, and the frame of its page.

use asof_api::routes::{ROUTES, Route, RouteId};
use asof_console::density::Window;
use asof_console::frame::{Frame, Page, Sight, Who};
use asof_console::page::{Acts, Refused};
use asof_store::{AsOf, Erasable, Role, Scope, SpaceName, View};
use asof_time::{Epoch, Timestamp};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};

use super::fields::Fields;
use super::routes::Address;
use super::{BUILD, commits, control, edges, html, keys, overview, redirect, releases};
use crate::access::{self, Caller};
use crate::app::App;
use crate::body::Body;
use crate::moment::not_yet_closed;
use crate::refusal::Refusal;

/// One request.
pub(super) struct Visit<'a> {
    pub(super) app: &'a App,
    pub(super) path: &'static Address,
    pub(super) parts: &'a Parts,
    pub(super) fields: Fields,
    pub(super) caller: Caller,
}

/// The frame of a page that is about no moment and for nobody in particular.
pub(super) fn bare_frame(app: &App) -> Frame {
    let time = app.store.time();
    Frame {
        page: Page::Overview,
        build: BUILD.clone(),
        epoch: time.epoch,
        at: None,
        shown: time.latest,
        window: None,
        who: None,
        pages: Vec::new(),
        sight: Sight::Capped,
        params: Vec::new(),
    }
}

/// A route of the API, whose checks the pages share.
pub(super) fn route(id: RouteId) -> &'static Route {
    ROUTES.iter().find(|route| route.id == id).expect("every id is in the table")
}

impl Visit<'_> {
    /// The page, or the one that says why not.
    pub(super) async fn page(&self, page: Page) -> Response<Body> {
        match self.try_page(page).await {
            Ok(response) => response,
            Err(refusal) => self.refused(page, &refusal),
        }
    }

    async fn try_page(&self, page: Page) -> Result<Response<Body>, Refusal> {
        let frame = self.frame(page)?;
        if let Some(elsewhere) = self.canonical(&frame)? {
            return Ok(elsewhere);
        }
        let is_fact = page.is_fact() && frame.at.is_some() && frame.sight == Sight::Capped;
        let text = match page {
            Page::Overview => overview::overview(self, frame).await?,
            Page::Space => keys::space(self, frame).await?,
            Page::Key => keys::key(self, frame).await?,
            Page::Diff => keys::diff(self, frame).await?,
            Page::Log => commits::log(self, frame).await?,
            Page::Commit => commits::commit(self, frame).await?,
            Page::Releases => releases::releases(self, frame).await?,
            Page::Release => releases::release(self, frame).await?,
            Page::Plan => releases::plan(self, frame)?,
            Page::Pins => control::pins(self, frame)?,
            Page::Cap => control::cap(self, frame).await?,
            Page::Edges => edges::edges(self, frame)?,
            Page::Audit => control::audit(self, frame).await?,
        };
        let mut response = html(StatusCode::OK, text);
        // Only what the URL alone determines is for ever, and nothing is of which something may have
        // to be forgotten.
        let spaces = self.app.store.spaces();
        let for_ever = is_fact && spaces.iter().all(|space| space.erasable == Erasable::No);
        let caching =
            if for_ever { "private, max-age=31536000, immutable" } else { "private, no-cache" };
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
        Ok(response)
    }

    /// Where a page about a closed moment is, unless this is there: its URL holds the moment, the
    /// timeline and the program.
    fn canonical(&self, frame: &Frame) -> Result<Option<Response<Body>>, Refusal> {
        let (true, Some(at)) = (frame.page.is_fact(), frame.at) else {
            return Ok(None);
        };
        let closed = self.app.store.time().closed;
        if at > closed {
            return Err(not_yet_closed(at, closed));
        }
        let whole = self.fields.text("build") == Some(BUILD.as_str())
            && self.fields.text("epoch").is_some()
            && (frame.page != Page::Diff || self.fields.text("from").is_some())
            && self.fields.text("at") == Some(at.as_micros().to_string().as_str());
        Ok((!whole).then(|| redirect(StatusCode::FOUND, &frame.moved(&at))))
    }

    /// What surrounds `page`.
    pub(super) fn frame(&self, page: Page) -> Result<Frame, Refusal> {
        let time = self.app.store.time();
        let ours = time.epoch;
        if let Some(epoch) = self.fields.parsed::<Epoch>("epoch")?
            && epoch != ours
        {
            return Err(asof_store::Error::new(
                asof_store::ErrorKind::WrongEpoch { epoch: ours },
                format!("the page is of epoch {epoch}, and this store is in {ours}"),
            )
            .into());
        }
        let sight = if self.fields.flag("above_cap")? {
            if !self.caller.is_at_least(Role::Operator) {
                let detail = "looking beyond the cap takes a token of role operator";
                return Err(Refusal::forbidden(detail));
            }
            Sight::Beyond
        } else {
            Sight::Capped
        };
        let at = self.moment("at")?;
        let now = if sight == Sight::Beyond { time.closed } else { time.latest };
        Ok(Frame {
            at,
            page,
            shown: at.unwrap_or(now),
            window: self
                .fields
                .text("window")
                .map(|text| text.parse::<Window>().map_err(Refusal::invalid))
                .transpose()?,
            who: match &self.caller {
                Caller::Anybody => None,
                Caller::Token(token) => {
                    Some(Who { name: token.name.clone(), role: token.role.as_str() })
                }
            },
            pages: Page::MAIN.into_iter().filter(|page| self.may_see(*page)).collect(),
            sight,
            params: self.own(page, at.unwrap_or(now))?,
            ..bare_frame(self.app)
        })
    }

    /// What of the query means something on `page` only. What differs is shown since some moment,
    /// which is in the URL also where it was not asked for: since a day before, as far as that can
    /// be read.
    fn own(&self, page: Page, shown: Timestamp) -> Result<Vec<(&'static str, String)>, Refusal> {
        let mut own = self.fields.own(self.path);
        if page == Page::Diff {
            let from = self.moment("from")?.unwrap_or_else(|| {
                let day = core::time::Duration::from_hours(24);
                shown.saturating_sub(day).max(self.app.store.time().floor).min(shown)
            });
            own.retain(|(name, _)| *name != "from");
            own.push(("from", from.as_micros().to_string()));
        }
        Ok(own)
    }

    /// A moment, as people write it.
    pub(super) fn moment(&self, name: &str) -> Result<Option<Timestamp>, Refusal> {
        self.fields.text(name).map(|text| moment(name, text)).transpose()
    }

    fn may_see(&self, page: Page) -> bool {
        let route = match page {
            Page::Releases | Page::Release => RouteId::Releases,
            Page::Plan => RouteId::PlanRelease,
            Page::Edges => RouteId::Edges,
            Page::Audit => RouteId::Control,
            _ => return true,
        };
        self.may(route).is_ok()
    }

    /// Refuses where the API would refuse this caller.
    pub(super) fn may(&self, id: RouteId) -> Result<(), Refusal> {
        access::check_role(&self.caller, route(id), None)
    }

    /// As [`may`](Self::may), in the space that the page is about.
    pub(super) fn may_in(&self, id: RouteId) -> Result<SpaceName, Refusal> {
        let space = SpaceName::new(self.fields.needed("space")?)?;
        access::check_role(&self.caller, route(id), Some(&space))?;
        Ok(space)
    }

    /// Whether forms are worth showing.
    pub(super) fn acts(&self, id: RouteId) -> Acts {
        if self.may(id).is_ok() { Acts::Offered } else { Acts::Hidden }
    }

    /// The spaces whose commits may be seen; `None` for all.
    pub(super) fn spaces(&self) -> Option<Vec<SpaceName>> {
        match &self.caller {
            Caller::Anybody => None,
            Caller::Token(token) => match &token.scope {
                Scope::All => None,
                Scope::Spaces(spaces) => Some(spaces.clone()),
            },
        }
    }

    /// The store at the moment of `frame`.
    pub(super) fn view(&self, frame: &Frame) -> Result<View, Refusal> {
        self.view_at(frame, frame.at)
    }

    /// The store at `at`, or at latest, as far as `frame` looks.
    pub(super) fn view_at(&self, frame: &Frame, at: Option<Timestamp>) -> Result<View, Refusal> {
        let as_of = match (at, frame.sight) {
            (None, Sight::Capped) => AsOf::Latest,
            (None, Sight::Beyond) => AsOf::Beyond(frame.shown),
            (Some(at), Sight::Capped) => AsOf::At(at),
            (Some(at), Sight::Beyond) => AsOf::Beyond(at),
        };
        Ok(self.app.store.view(as_of)?)
    }

    /// The page that says why there is none.
    pub(super) fn refused(&self, page: Page, refusal: &Refusal) -> Response<Body> {
        let frame = self.frame(page).unwrap_or_else(|_| bare_frame(self.app));
        let name = refusal.name();
        let can_look =
            name == asof_api::ErrorName::AboveCap && self.caller.is_at_least(Role::Operator);
        let beyond = can_look.then(|| {
            let frame = Frame { sight: Sight::Beyond, ..frame.clone() };
            frame.at(frame.at)
        });
        let status = name.status().get();
        let page =
            Refused { frame, name: name.as_str(), detail: refusal.detail().to_owned(), beyond };
        html(status, page.html())
    }
}

/// Reads a moment as people write it: RFC 3339, microseconds, or date and time in UTC, which may
/// lack seconds, or the time.
pub(super) fn moment(name: &str, text: &str) -> Result<Timestamp, Refusal> {
    let text = text.trim();
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let spaced = text.replacen(' ', "T", 1);
    let bare = spaced.strip_suffix('Z').unwrap_or(&spaced);
    let full = match bare.len() {
        10 => format!("{bare}T00:00:00Z"),
        16 => format!("{bare}:00Z"),
        _ => format!("{bare}Z"),
    };
    full.parse().map_err(|_| {
        Refusal::invalid(format!(
            "`{name}` is `{}`: write a moment in UTC such as 2026-11-23T13:03:08.25Z, \
             2026-11-23 13:03 or 2026-11-23",
            text.escape_debug()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_as_people_write_it() {
        let read = |text| moment("at", text).map(|at| at.to_string()).unwrap_or_default();
        assert_eq!(read("2026-11-23 13:03"), "2026-11-23T13:03:00Z");
        assert_eq!(read("2026-11-23"), "2026-11-23T00:00:00Z");
        assert_eq!(read(" 2026-11-23T13:03:08.25Z "), "2026-11-23T13:03:08.250Z");
        assert_eq!(read("2026-11-23 13:03:08"), "2026-11-23T13:03:08Z");
        assert_eq!(read("1732332000123456"), "2024-11-23T03:20:00.123456Z");
        for wrong in ["", "yesterday", "13:03", "2026-13-01", "ä", "9999999999999999999999"] {
            assert!(moment("at", wrong).is_err(), "{wrong}");
        }
    }
}
