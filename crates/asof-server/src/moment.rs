//! Which moment a request asks about, and what its answer says of it.

use core::time::Duration;
use std::time::SystemTime;

use asof_api::headers::{
    ACCEPT_DATETIME, AS_OF, AS_OF_CAPPED, AS_OF_EPOCH, AS_OF_VALID, ASOF_TOKEN, AsOfValid,
};
use asof_api::{Rfc3339, SessionToken};
use asof_store::{AsOf, Erasable, ErrorKind, Role, SpaceName, View};
use asof_time::limits::WAIT_MAX;
use asof_time::{Epoch, Timestamp, Validity};
use http::{HeaderMap, HeaderValue, header};

use crate::dispatch::Call;
use crate::limits::SESSION_WAIT;
use crate::refusal::Refusal;
use crate::reply::Texts;

/// Room for the texts of the headers that speak of time.
pub(crate) const MOMENT_BYTES: usize = 144;

/// What named the moment. It decides who may keep the answer, and for how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NamedBy {
    /// Nothing: latest.
    Nothing,
    /// `as_of` in the query.
    Url,
    /// `as_of` and `epoch` in the query: nothing else can change the answer.
    UrlWithEpoch,
    /// The header `As-Of`, or the request body.
    Request,
    /// The header `Accept-Datetime`.
    Datetime,
    /// A preview: the answer may still change.
    Preview,
    /// An operator, who looks beyond the cap.
    Operator,
}

/// A moment that was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) as_of: AsOf,
    pub(crate) named_by: NamedBy,
    session: Option<SessionToken>,
}

/// Finds out which moment is asked for, and waits for it where the request says so.
///
/// `body` is the moment in a request body. The query wins over it, it over the headers.
pub(crate) async fn ask(call: &Call<'_>, body: Option<Timestamp>) -> Result<Asked, Refusal> {
    let asked = named(call, body)?;
    if let Some((at, bound)) = asked.waits_for(call)? {
        let closed = call.app.wait_closed(at, bound).await;
        if closed < at {
            return Err(not_yet_closed(at, closed));
        }
    }
    Ok(asked)
}

/// As [`ask`], without waiting.
pub(crate) fn named(call: &Call<'_>, body: Option<Timestamp>) -> Result<Asked, Refusal> {
    let epoch = call.query.parsed::<Epoch>("epoch")?;
    if let Some(epoch) = epoch {
        check_epoch(call, epoch)?;
    }
    let url = call.query.parsed::<Timestamp>("as_of")?;
    if call.query.flag("preview")? {
        let at = url.ok_or_else(|| Refusal::invalid("preview=true takes as_of=T"))?;
        if !call.caller.is_at_least(Role::Writer) {
            return Err(Refusal::forbidden("a preview takes a token of role writer"));
        }
        return Ok(Asked { as_of: AsOf::Preview(at), named_by: NamedBy::Preview, session: None });
    }
    if beyond_cap(call)? {
        let at = url
            .or(body)
            .map_or_else(|| call.parsed_header::<Timestamp>(&AS_OF), |at| Ok(Some(at)))?;
        let at = at.unwrap_or_else(|| call.app.store.time().closed);
        let as_of = AsOf::Beyond(at);
        return Ok(Asked { as_of, named_by: NamedBy::Operator, session: None });
    }
    let session = call.parsed_header::<SessionToken>(&ASOF_TOKEN)?;
    if let Some(session) = session {
        check_epoch(call, session.epoch)?;
    }
    let (as_of, named_by) = match (url, epoch, body) {
        (Some(at), Some(_), _) => (AsOf::At(at), NamedBy::UrlWithEpoch),
        (Some(at), None, _) => (AsOf::At(at), NamedBy::Url),
        (None, _, Some(at)) => (AsOf::At(at), NamedBy::Request),
        (None, _, None) => by_headers(call)?,
    };
    Ok(Asked { as_of, named_by, session })
}

/// Whether the caller asks by name for what a cap holds back, and may.
pub(crate) fn beyond_cap(call: &Call<'_>) -> Result<bool, Refusal> {
    if !call.query.flag("above_cap")? {
        return Ok(false);
    }
    if !call.caller.is_at_least(Role::Operator) {
        return Err(Refusal::forbidden("above_cap=true takes a token of role operator"));
    }
    Ok(true)
}

pub(crate) fn check_epoch(call: &Call<'_>, epoch: Epoch) -> Result<(), Refusal> {
    let ours = call.app.store.time().epoch;
    if epoch == ours {
        return Ok(());
    }
    Err(asof_store::Error::new(
        ErrorKind::WrongEpoch { epoch: ours },
        format!("epoch=`{epoch}` is not this store's epoch=`{ours}`: drop what you remember of it"),
    )
    .into())
}

fn by_headers(call: &Call<'_>) -> Result<(AsOf, NamedBy), Refusal> {
    if let Some(at) = call.parsed_header::<Timestamp>(&AS_OF)? {
        return Ok((AsOf::At(at), NamedBy::Request));
    }
    let Some(text) = call.header(&ACCEPT_DATETIME)? else {
        return Ok((AsOf::Latest, NamedBy::Nothing));
    };
    let date = httpdate::parse_http_date(text).map_err(|_| {
        Refusal::invalid(format!(
            "Accept-Datetime `{}` is no date such as `Sat, 23 Nov 2024 03:20:00 GMT`",
            text.escape_debug()
        ))
    })?;
    let seconds = date.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // A date means its whole second: the Memento-Datetime of a version leads back to it. RFC 7089
    // wants the nearest there is for a date outside what is kept.
    let time = call.app.store.time();
    let at = Timestamp::MIN
        .saturating_add(seconds)
        .saturating_add(Duration::from_micros(999_999))
        .min(time.latest)
        .max(time.floor);
    Ok((AsOf::At(at), NamedBy::Datetime))
}

/// How long the request is ready to wait.
pub(crate) fn wait_bound(call: &Call<'_>) -> Result<Option<Duration>, Refusal> {
    let Some(millis) = call.query.parsed::<u64>("wait")? else {
        return Ok(None);
    };
    let bound = Duration::from_millis(millis);
    if bound > WAIT_MAX {
        let most = WAIT_MAX.as_millis();
        return Err(Refusal::invalid(format!("wait={millis} is above {most} milliseconds")));
    }
    Ok(Some(bound))
}

pub(crate) fn not_yet_closed(at: Timestamp, closed: Timestamp) -> Refusal {
    asof_store::Error::new(
        ErrorKind::NotYetClosed { closed },
        format!("as_of=`{at}` is above closed=`{closed}`"),
    )
    .into()
}

impl Asked {
    /// The moment that is not closed yet, and how long the request bears to wait for it.
    ///
    /// # Errors
    ///
    /// `NotYetClosed` where it does not.
    pub(crate) fn waits_for(
        &self,
        call: &Call<'_>,
    ) -> Result<Option<(Timestamp, Duration)>, Refusal> {
        let bound = wait_bound(call)?;
        let (at, bound) = match (self.as_of, self.session) {
            (AsOf::At(at) | AsOf::Beyond(at), _) => (at, bound.unwrap_or_default()),
            (AsOf::Latest, Some(session)) => (session.at, bound.unwrap_or(SESSION_WAIT)),
            (AsOf::Latest, None) | (AsOf::Preview(_), _) => return Ok(None),
        };
        let closed = call.app.store.time().closed;
        if closed >= at {
            Ok(None)
        } else if bound.is_zero() {
            Err(not_yet_closed(at, closed))
        } else {
            Ok(Some((at, bound)))
        }
    }

    /// The store at that moment.
    pub(crate) fn view(&self, store: &asof_store::Store) -> Result<View, Refusal> {
        Ok(store.view(self.as_of)?)
    }

    /// Puts what an answer read in `space` through `view`, true over `validity`, says of time.
    pub(crate) fn put_headers(
        &self,
        call: &Call<'_>,
        view: &View,
        space: Option<&SpaceName>,
        validity: Option<Validity>,
        headers: &mut HeaderMap,
    ) {
        let mut texts = Texts::with_capacity(MOMENT_BYTES);
        self.put_headers_of(call, view, space, validity, &mut texts, headers);
    }

    /// As [`put_headers`](Self::put_headers), with the buffer of the answer's other headers.
    pub(crate) fn put_headers_of(
        &self,
        call: &Call<'_>,
        view: &View,
        space: Option<&SpaceName>,
        validity: Option<Validity>,
        texts: &mut Texts,
        headers: &mut HeaderMap,
    ) {
        texts.put(Rfc3339::new(view.as_of()).as_str());
        headers.insert(&AS_OF, texts.cut());
        // Copied, not shared: a count of its users would be passed between the lanes.
        texts.put(&call.app.epoch);
        headers.insert(&AS_OF_EPOCH, texts.cut());
        if let Some(validity) = validity {
            texts.put_shown(AsOfValid(validity));
            headers.insert(&AS_OF_VALID, texts.cut());
        }
        let capped = self.session.is_some_and(|token| view.as_of() < token.at);
        if capped && self.as_of == AsOf::Latest {
            headers.insert(&AS_OF_CAPPED, HeaderValue::from_static("true"));
        }
        self.put_caching(call, view, space, headers);
    }

    /// Who may keep the answer: only what the URL alone determines is for ever.
    fn put_caching(
        &self,
        call: &Call<'_>,
        view: &View,
        space: Option<&SpaceName>,
        headers: &mut HeaderMap,
    ) {
        let named_by = match self.named_by {
            // What may be erased is asked for again each time.
            NamedBy::UrlWithEpoch
                if space.is_none_or(|space| view.erasable(space) == Erasable::Yes) =>
            {
                NamedBy::Url
            }
            named_by => named_by,
        };
        let caching = caching(call, named_by);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
        if matches!(self.named_by, NamedBy::Nothing | NamedBy::Request | NamedBy::Datetime) {
            headers.insert(
                header::VARY,
                HeaderValue::from_static("as-of, accept-datetime, asof-token"),
            );
        }
    }
}

/// Who may keep an answer whose moments are all in the URL.
pub(crate) fn caching_of_url(call: &Call<'_>, with_epoch: bool) -> HeaderValue {
    let named_by = match beyond_cap(call) {
        Ok(false) if with_epoch => NamedBy::UrlWithEpoch,
        Ok(false) => NamedBy::Url,
        _ => NamedBy::Operator,
    };
    HeaderValue::from_static(caching(call, named_by))
}

fn caching(call: &Call<'_>, named_by: NamedBy) -> &'static str {
    match (named_by, call.caller.name().is_some()) {
        (NamedBy::Preview | NamedBy::Operator, _) => "no-store",
        (NamedBy::UrlWithEpoch, false) => "public, max-age=31536000, immutable",
        (NamedBy::UrlWithEpoch, true) => "private, max-age=31536000, immutable",
        (_, false) => "no-cache",
        (_, true) => "private, no-cache",
    }
}
