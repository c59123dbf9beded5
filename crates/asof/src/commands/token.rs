//! `asof token`

use asof_api::body::{Role, TokenBody, TokenRequest};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::human;
use crate::output::Output;
use crate::table::{Align, Table};

/// Make, list and revoke bearer tokens
///
/// As soon as there is one token, the server asks for one.
#[derive(Subcommand, Debug)]
pub(crate) enum TokenCommand {
    Create(Create),
    /// List the tokens, without their secrets
    List,
    Revoke(Revoke),
}

/// Make a token; its secret is shown this once
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  asof token create ops --role operator > ops.token
  asof token create web --role reader --space prices --space users
  ASOF_TOKEN=$(cat ops.token) asof time

The secret goes to standard output, and the store keeps only its hash.")]
pub(crate) struct Create {
    /// Its name
    name: String,
    /// What it may do
    #[arg(long, value_enum)]
    role: RoleArg,
    /// Only in this space; may be given several times
    #[arg(long, value_name = "SPACE")]
    space: Vec<String>,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

/// What a token may do.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum RoleArg {
    /// Read
    Reader,
    /// Read and commit
    Writer,
    /// Everything: also spaces, pins, cap, retention, tokens
    Operator,
}

/// Revoke a token; it stops working at once
#[derive(Args, Debug)]
pub(crate) struct Revoke {
    /// Its name
    name: String,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

impl TokenCommand {
    pub(crate) fn run(self, context: &mut Context) -> Result<Exit, Failure> {
        let client = match &self {
            Self::Create(_) => context.client_of_new()?,
            Self::List | Self::Revoke(_) => context.client()?,
        };
        let out = &mut context.out;
        match self {
            Self::Create(create) => {
                let request = TokenRequest {
                    role: create.role.into(),
                    spaces: (!create.space.is_empty()).then_some(create.space),
                };
                let token = client.create_token(&create.name, &request, &create.reason)?;
                if out.is_json() {
                    out.json(&token)?;
                } else {
                    out.note("the secret is shown this once:");
                    out.line(&token.secret)?;
                }
            }
            Self::List => show_all(out, &client.tokens()?.tokens)?,
            Self::Revoke(revoke) => {
                client.revoke_token(&revoke.name, &revoke.reason)?;
                if out.is_json() {
                    out.json(&json!({ "name": revoke.name, "revoked": true }))?;
                } else {
                    out.line(&format!("token {} is revoked", revoke.name))?;
                }
            }
        }
        Ok(Exit::Done)
    }
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Reader => Self::Reader,
            RoleArg::Writer => Self::Writer,
            RoleArg::Operator => Self::Operator,
        }
    }
}

fn show_all(out: &mut Output, tokens: &[TokenBody]) -> Result<(), Failure> {
    let mut table = Table::new([
        ("TOKEN", Align::Left),
        ("ROLE", Align::Left),
        ("SPACES", Align::Left),
        ("CREATED", Align::Left),
    ]);
    for token in tokens {
        if out.is_json() {
            out.json(token)?;
            continue;
        }
        let spaces = match &token.spaces {
            None => "all".to_owned(),
            Some(spaces) => spaces.join(","),
        };
        table.row([
            human::one_line(&token.name),
            token.role.as_str().to_owned(),
            spaces,
            token.created.0.to_string(),
        ]);
    }
    out.page(&mut table)
}
