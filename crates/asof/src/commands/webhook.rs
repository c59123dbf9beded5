//! `asof webhook`

use std::path::PathBuf;

use asof_env::{Clock, Random, SystemClock, SystemRandom};
use clap::{Args, Subcommand};
use serde_json::json;

use super::serve;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::webhook::hook::Hook;
use crate::webhook::judge::{Verdict, judge};
use crate::webhook::message::Message;

/// Try out who is told of control actions
///
/// Webhooks are part of the configuration of `asof serve`, which sends to them.
#[derive(Subcommand, Debug)]
pub(crate) enum WebhookCommand {
    Test(Test),
}

/// Send a message that is about nothing, signed as any other, once
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof webhook test --config /etc/asof.toml
  asof webhook test --config /etc/asof.toml --name ops

Exit codes:
  0 all took it   2 the configuration is wrong   4 one did not take it")]
pub(crate) struct Test {
    /// Configuration file of the server
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only this webhook
    #[arg(long)]
    name: Option<String>,
}

impl WebhookCommand {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let Self::Test(Test { config, name }) = self;
        let webhooks = serve::read(&config)?.webhooks;
        let wanted =
            |hook: &&asof_server::Webhook| name.as_ref().is_none_or(|name| *name == hook.name);
        let wanted: Vec<_> = webhooks.iter().filter(wanted).collect();
        if wanted.is_empty() {
            return Err(Failure::usage(match name {
                Some(name) => format!("there is no webhook `{name}` in `{}`", config.display()),
                None => format!("there are no [[webhooks]] in `{}`", config.display()),
            }));
        }
        let mut exit = Exit::Done;
        for webhook in wanted {
            if !send(&Hook::open(webhook)?, &webhook.url, &mut context.out)? {
                exit = Exit::Unavailable;
            }
        }
        Ok(exit)
    }
}

/// Whether it was taken.
fn send(hook: &Hook, url: &str, out: &mut Output) -> Result<bool, Failure> {
    let message = Message::trial(SystemClock.wall(), SystemRandom.number());
    let answer = hook.send(&message, SystemClock.wall());
    let taken = answer.as_ref().is_ok_and(|status| judge(*status) == Verdict::Taken);
    let said = match &answer {
        Ok(status) => status.to_string(),
        Err(why) => why.clone(),
    };
    if out.is_json() {
        let told = json!({"webhook": hook.name, "id": message.id, "taken": taken, "answer": said});
        out.json(&told)?;
        return Ok(taken);
    }
    let verdict = if taken { "took it" } else { "did not take it" };
    out.line(&format!("{} at {url} {verdict}: {said}", hook.name))?;
    Ok(taken)
}
