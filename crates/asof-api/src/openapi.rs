//! The `OpenAPI` document, generated from the route table and the body types.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::error::MEDIA_TYPE as PROBLEM;
use crate::routes::{COMMON_ERRORS, Needs, Param, ParamKind, Payload, Place, ROUTES, Route};
use crate::{ErrorName, Problem, Rfc3339};

/// The document, `OpenAPI` 3.1.
///
/// # Panics
///
/// Where two body types of the same name differ: one would be described by the other's schema.
pub fn document(version: &str) -> Value {
    let mut schemas = Schemas::new();
    let mut paths = Map::new();
    for route in ROUTES {
        let path = route.path.replace("{*", "{");
        let item = paths.entry(path).or_insert_with(|| json!({}));
        if let Value::Object(methods) = item {
            let method = route.method.method().as_str().to_lowercase();
            methods.insert(method, operation(route, &mut schemas));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Asof",
            "summary": "A timestamped store",
            "description": "Every write takes effect at a timestamp and overwrites nothing. At or \
                below the closed timestamp history never changes, and each answer says over which \
                interval it is true.",
            "version": version,
        },
        "paths": paths,
        "components": {
            "schemas": schemas.definitions(),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

/// The schemas of what goes in and of what comes out: a time may go in as text, but comes out
/// as a number.
struct Schemas {
    inputs: SchemaGenerator,
    outputs: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12()
                .with(|settings| settings.definitions_path = "/components/schemas".into())
        };
        Self {
            inputs: settings().for_deserialize().into_generator(),
            outputs: settings().for_serialize().into_generator(),
        }
    }

    fn definitions(mut self) -> Map<String, Value> {
        let mut all = self.outputs.take_definitions(true);
        for (name, schema) in self.inputs.take_definitions(true) {
            let other = all.insert(name.clone(), schema.clone());
            assert!(
                other.is_none_or(|other| other == schema),
                "`{name}` goes in as something else than it comes out as: inline it or split it"
            );
        }
        all
    }
}

fn operation(route: &Route, schemas: &mut Schemas) -> Value {
    let mut parameters: Vec<Value> = route
        .path_names()
        .map(|name| {
            json!({
                "name": name,
                "in": "path",
                "required": true,
                "schema": if route.path.contains("/commits/") {
                    json!({ "type": "integer", "minimum": 0 })
                } else {
                    json!({ "type": "string" })
                },
            })
        })
        .collect();
    parameters.extend(route.params.iter().map(parameter));
    let mut operation = json!({
        "operationId": route.id.as_str(),
        "summary": route.summary,
        "parameters": parameters,
        "responses": responses(route, schemas),
    });
    if let Value::Object(members) = &mut operation {
        if let Some(content) = content(route.request, &mut schemas.inputs) {
            members
                .insert("requestBody".to_owned(), json!({ "required": true, "content": content }));
        }
        let security = match route.needs {
            Needs::Nothing => json!([]),
            Needs::Reader | Needs::Writer | Needs::Operator => json!([{}, { "token": [] }]),
        };
        members.insert("security".to_owned(), security);
        let role = match route.needs {
            Needs::Nothing => Value::Null,
            Needs::Reader => json!("reader"),
            Needs::Writer => json!("writer"),
            Needs::Operator => json!("operator"),
        };
        members.insert("x-asof-role".to_owned(), role);
    }
    operation
}

fn parameter(param: &Param) -> Value {
    let schema = match param.kind {
        ParamKind::Moment => json!({
            "oneOf": [
                { "type": "string", "format": "date-time" },
                { "type": "integer", "minimum": 0 },
            ],
            "examples": [Rfc3339::new(EXAMPLE).as_str()],
        }),
        ParamKind::HttpDate | ParamKind::Text => json!({ "type": "string" }),
        ParamKind::Epoch => json!({ "type": "string", "pattern": "^[0-9a-f]{14}$" }),
        ParamKind::Count => json!({ "type": "integer", "minimum": 0 }),
        ParamKind::Flag => json!({ "type": "boolean" }),
    };
    json!({
        "name": param.name,
        "in": match param.place { Place::Query => "query", Place::Header => "header" },
        "required": param.required,
        "description": param.about,
        "schema": schema,
    })
}

/// 2024-11-23T03:20:00.123456Z.
const EXAMPLE: asof_time::Timestamp = match asof_time::Timestamp::from_micros(1_732_332_000_123_456)
{
    Some(at) => at,
    None => asof_time::Timestamp::MIN,
};

fn responses(route: &Route, schemas: &mut Schemas) -> Value {
    let mut responses = Map::new();
    for status in route.statuses {
        let mut response = json!({ "description": describe(*status) });
        if let Value::Object(members) = &mut response
            && *status != 304
            && let Some(content) = content(route.answer, &mut schemas.outputs)
        {
            members.insert("content".to_owned(), content);
        }
        responses.insert(status.to_string(), response);
    }
    let common = match route.needs {
        Needs::Nothing => &[ErrorName::Internal][..],
        Needs::Reader | Needs::Writer | Needs::Operator => COMMON_ERRORS,
    };
    let problem = crate::routes::schema::<Problem>(&mut schemas.outputs);
    for name in common.iter().chain(route.errors) {
        let line = format!("`{name}`: {}.", name.title());
        let response = responses.entry(name.status().get().as_str()).or_insert_with(|| {
            json!({
                "description": "",
                "content": { PROBLEM: { "schema": problem } },
            })
        });
        if let Some(Value::String(text)) = response.get_mut("description") {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(&line);
        }
    }
    Value::Object(responses)
}

fn describe(status: u16) -> &'static str {
    match status {
        202 => "Accepted; it takes effect later",
        304 => "The content is the same; the headers say over which interval",
        503 => "Not ready, and why",
        _ => "Done",
    }
}

/// The `content` member of a body; `None` where there is no body.
fn content(payload: Payload, generator: &mut SchemaGenerator) -> Option<Value> {
    Some(match payload {
        Payload::None => return None,
        Payload::Json(schema) => {
            json!({ "application/json": { "schema": schema(generator) } })
        }
        Payload::Lines(schema) => {
            json!({ "application/x-ndjson": { "schema": schema(generator) } })
        }
        Payload::Value => json!({ "*/*": {} }),
        Payload::JsonOrLinks(schema) => json!({
            "application/json": { "schema": schema(generator) },
            "application/link-format": { "schema": { "type": "string" } },
        }),
        Payload::Messages(schema) => json!({
            "application/x-ndjson": { "schema": schema(generator) },
            "text/event-stream": { "schema": { "type": "string" } },
        }),
        Payload::Opaque => json!({ "application/octet-stream": {} }),
        Payload::Metrics => json!({ "text/plain": { "schema": { "type": "string" } } }),
        Payload::AnyJson => json!({ "application/json": { "schema": { "type": "object" } } }),
    })
}
