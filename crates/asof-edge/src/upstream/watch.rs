//! Looks after instances: resolves their names, asks how they are, lets idle connections go.

use std::sync::Arc;

use http::{Request, header};
use http_body_util::{BodyExt, Limited};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::dial;
use super::instance::Instance;
use super::pool::Sender;
use crate::body::Body;
use crate::config::Health;
use crate::limits;

/// Starts what looks after `instance`.
pub(super) fn start(instance: &Arc<Instance>, health: Option<&Health>) -> Vec<AbortHandle> {
    let mut tasks = vec![tokio::spawn(look_after(Arc::clone(instance))).abort_handle()];
    if let Some(health) = health {
        let asking = ask(Arc::clone(instance), health.clone());
        tasks.push(tokio::spawn(asking).abort_handle());
    }
    tasks
}

async fn look_after(instance: Arc<Instance>) {
    loop {
        if !instance.is_fixed() {
            match dial::resolve(&instance.url).await {
                Ok(addresses) => instance.moved(addresses),
                Err(error) => {
                    tracing::warn!(upstream = %instance.url, %error, "cannot be resolved");
                }
            }
        }
        sleep(limits::RESOLVE_INTERVAL).await;
        instance.pool.sweep();
    }
}

async fn ask(instance: Arc<Instance>, health: Health) {
    // The opinion, and for how many checks in a row another one has been seen.
    let (mut ill, mut against) = (false, 0);
    loop {
        let well = timeout(health.every.max(instance.connect_timeout), is_well(&instance, &health));
        let now_ill = !well.await.unwrap_or(false);
        against = if now_ill == ill { 0 } else { against + 1 };
        if against >= limits::HEALTH_CHECKS_TO_TURN {
            ill = now_ill;
            against = 0;
            instance.set_ill(ill);
        }
        sleep(health.every).await;
    }
}

/// Asks over a connection of its own: that one can be made is part of being well.
async fn is_well(instance: &Arc<Instance>, health: &Health) -> bool {
    let Ok(sender) = dial::fresh(instance).await else {
        return false;
    };
    let authority = instance.url.authority();
    let request = if instance.http2 {
        Request::get(format!("{}{}", instance.url, health.path)).version(http::Version::HTTP_2)
    } else {
        Request::get(&health.path).header(header::HOST, authority.as_str())
    };
    let Ok(request) = request.body(Body::empty()) else {
        return false;
    };
    let answered = match sender {
        Sender::One(mut sender) => sender.send_request(request).await,
        Sender::Two(mut sender) => sender.send_request(request).await,
    };
    match answered {
        Ok(response) => {
            let good = response.status().is_success();
            let body = Limited::new(response.into_body(), limits::HEALTH_BODY_BYTES_MAX);
            good && body.collect().await.is_ok()
        }
        Err(_) => false,
    }
}
