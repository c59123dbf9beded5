//! Control: pins, and the record of who changed what.

use core::time::Duration;

use asof_api::body::{self, ControlListBody, PinListBody, PinOutcome};
use asof_store::{DryRun, PinRequest};
use asof_time::limits::PIN_TTL_MAX;

use crate::convert;
use crate::dispatch::Call;
use crate::handler::dry_run;
use crate::refusal::{Answer, Refusal};
use crate::reply;

pub(crate) async fn pins(call: &Call<'_>) -> Answer {
    if !call.query.flag("held")? {
        let pins = call.app.store.pins().into_iter();
        return Ok(reply::json(&PinListBody { pins: pins.map(convert::pin).collect() }));
    }
    let pins = call.app.walk(|store| Ok(store.pins_held()?)).await?;
    let pins = pins
        .into_iter()
        .map(|(pin, held)| body::PinBody { held_bytes: Some(held), ..convert::pin(pin) })
        .collect();
    Ok(reply::json(&PinListBody { pins }))
}

pub(crate) async fn create_pin(call: &Call<'_>, body: body::PinRequest) -> Answer {
    let ttl = Duration::from_secs(body.ttl_seconds);
    if ttl.is_zero() || ttl > PIN_TTL_MAX {
        return Err(Refusal::invalid(format!(
            "ttl_seconds={} is not within 1 to {}",
            body.ttl_seconds,
            PIN_TTL_MAX.as_secs()
        )));
    }
    let request = PinRequest {
        name: call.path.name()?.into_owned(),
        // Anybody can claim to be the owner; whose token it is, is known.
        by: Some(call.actor_called(&body.owner, "").name),
        owner: body.owner,
        reason: body.reason,
        at: body.at.map(Into::into),
        ttl,
    };
    let dry_run = dry_run(call)?;
    let pin = call.app.walk(move |store| {
        let pin = store.create_pin(request, dry_run)?;
        let held_bytes = match dry_run {
            DryRun::Yes => Some(store.held_at(pin.at)?),
            DryRun::No => None,
        };
        Ok(body::PinBody { held_bytes, ..convert::pin(pin) })
    });
    Ok(reply::json(&pin.await?))
}

pub(crate) async fn release_pin(call: &Call<'_>) -> Answer {
    let dry_run = dry_run(call)?;
    let by = call.actor()?;
    let name = call.path.name()?.into_owned();
    let pin = call.app.walk(move |store| Ok(store.release_pin(&name, by, dry_run)?)).await?;
    Ok(reply::json(&PinOutcome { dry_run: dry_run == DryRun::Yes, pin: convert::pin(pin) }))
}

pub(crate) async fn log(call: &Call<'_>) -> Answer {
    let after = call.query.parsed("after")?.unwrap_or(0);
    let limit = call.query.limit()?;
    let records = call.app.walk(move |store| Ok(store.control_log(after, limit)?)).await?;
    // A full page may be the last one; the next is then empty.
    let full = records.len() >= limit;
    let last = records.last().map(|record| record.sequence);
    Ok(reply::json(&ControlListBody {
        next: last.filter(|_| full),
        records: records.into_iter().map(convert::control).collect(),
    }))
}
