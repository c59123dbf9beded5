//! Edges that tell how they stand.

use asof_api::ErrorName;
use asof_api::body::{EdgeBody, EdgeHeardBody, EdgeListBody, EdgeReport};
use http::Response;

use crate::body::Body;
use crate::dispatch::Call;
use crate::limits::{
    EDGE_NAME_BYTES_MAX, EDGE_RELEASES_MAX, EDGE_REPORT_BYTES_MAX, EDGE_ROUTES_MAX,
};
use crate::refusal::{Answer, Refusal};
use crate::reply;

pub(crate) fn list(call: &Call<'_>) -> Response<Body> {
    let edges = call.app.edges.all().into_iter().map(|(name, edge)| EdgeBody {
        name,
        token: edge.token,
        heard: edge.heard_wall.into(),
        report: edge.report,
    });
    reply::json(&EdgeListBody { edges: edges.collect() })
}

pub(crate) fn report(call: &Call<'_>, body: EdgeReport) -> Answer {
    let name = call.path.name()?;
    if name.is_empty() || name.len() > EDGE_NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(Refusal::invalid(format!(
            "the name of an edge has 1 to {EDGE_NAME_BYTES_MAX} bytes without control characters"
        )));
    }
    if body.routes.len() > EDGE_ROUTES_MAX {
        let detail =
            format!("{} routes are told, the limit is {EDGE_ROUTES_MAX}", body.routes.len());
        return Err(Refusal::too_large(detail, EDGE_ROUTES_MAX));
    }
    let releases = body.releases.as_ref().map_or(0, Vec::len);
    if releases > EDGE_RELEASES_MAX {
        let detail = format!("{releases} releases are told, the limit is {EDGE_RELEASES_MAX}");
        return Err(Refusal::too_large(detail, EDGE_RELEASES_MAX));
    }
    let bytes = serde_json::to_vec(&body)
        .map_err(|error| Refusal::new(ErrorName::Internal, error.to_string()))?
        .len();
    if bytes > EDGE_REPORT_BYTES_MAX {
        let detail = format!("the report has {bytes} bytes, the limit is {EDGE_REPORT_BYTES_MAX}");
        return Err(Refusal::too_large(detail, EDGE_REPORT_BYTES_MAX));
    }
    let clock = &call.app.settings.clock;
    let heard = clock.wall();
    call.app.edges.tell(&name, call.caller.name(), body, (heard, clock.boot()))?;
    Ok(reply::json(&EdgeHeardBody { heard: heard.into() }))
}
