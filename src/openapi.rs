//! The document of the whole API: what the routers say of themselves, and the headers that all share.

mod response_headers;

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use souk_command_api::Shop;
use souk_eventsourcing::EventStore;
use souk_gateway::{document, table};
use souk_query_api::{Beside, QueryState, ReadPositions};
use utoipa::openapi::path::{HttpMethod, Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ArrayItems, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{OpenApi, Ref, RefOr, Required, Schema};
use utoipa_axum::router::OpenApiRouter;

use crate::data_folder::rebuilding;
use crate::embedded::Embedded;

/// The one route that the provider calls, which knows nothing of our headers.
const WEBHOOK: &str = "/api/payments/webhook";
/// The values of a parameter of the query that has no narrower pattern: the edge refuses control characters there.
const NO_CONTROL_CHARACTERS: &str = r"^[^\u0000-\u001F\u007F-\u009F]*$";
/// What those who sign in need none of our headers for.
const SIGNING_IN: [&str; 2] = ["/api/auth/", "/.well-known/"];
/// What the names of lists begin with; the items' follow.
const LIST: &str = "ListOf_";
/// The one write that can be waited for.
const WAITING_WRITE: &str = "/api/orders";
/// Writes that make something, or that are not of one resource.
const WITHOUT_A_REVISION: [&str; 13] = [
    "/api/admin/users",
    "/api/orders/lookup",
    "/api/orders/lookup/erase",
    "/api/users/me/addresses",
    "/api/users/{id}",
    "/api/admin/import/products",
    "/api/admin/parked/retry",
    "/api/admin/parked/skip",
    "/api/admin/projections/switch",
    "/api/orders/admin/saga/timeouts/run",
    "/api/orders",
    "/api/payments/intents",
    "/api/products",
];

/// Every route of the API, and its document.
///
/// # Panics
/// When a route has no row in the table of the edge, which every start and every test of the program finds.
pub fn api(shop: &Embedded, positions: &ReadPositions) -> (axum::Router, OpenApi) {
    let log: Arc<dyn EventStore> = shop.log.clone();
    let Shop { settings, people, keys, accounts, clock, .. } = &shop.shop;
    let path = shop.read_models.path();
    let folder = path.parent().map(Path::to_owned);
    let beside = Beside {
        currency: settings.currency,
        people: Arc::clone(people),
        credentials: Arc::clone(&accounts.credentials),
        outbox: Arc::clone(&accounts.outbox),
        clock: Arc::clone(clock),
        correlation_key: keys.correlation,
        guard: Arc::clone(&accounts.guard),
        rebuilding: Arc::new(move || folder.as_deref().map(rebuilding).unwrap_or_default()),
    };
    let query_state = QueryState::open(path, positions.clone(), beside);
    let (router, mut api) = OpenApiRouter::with_openapi(souk_command_api::document())
        .merge(souk_command_api::router(shop.shop.clone()))
        .merge(souk_query_api::router(query_state.clone()))
        .merge(souk_query_api::log_browser(log, query_state))
        .split_for_parts();
    for (path, item) in &mut api.paths.paths {
        let methods = [
            (HttpMethod::Get, &mut item.get),
            (HttpMethod::Post, &mut item.post),
            (HttpMethod::Put, &mut item.put),
            (HttpMethod::Patch, &mut item.patch),
            (HttpMethod::Delete, &mut item.delete),
        ];
        for (method, operation) in methods {
            if let Some(operation) = operation {
                let is_read = method == HttpMethod::Get;
                let verb = verb(&method).to_uppercase();
                assert!(document::secure(&verb, path, operation), "{verb} {path} has no row in the table");
                if knows_our_headers(path) {
                    let takes_key = table::find(&verb, path).is_some_and(|route| route.takes_key);
                    add_headers(path, is_read, takes_key, operation);
                }
                never_null(operation);
                refuse_control_characters(operation);
                describe(operation);
                response_headers::add(is_read, operation);
                operation.operation_id = Some(name_of(&method, path));
            }
        }
    }
    response_headers::describe(&mut api);
    name_items_of_lists(&mut api);
    add_examples_of_lists(&mut api);
    (router, api)
}

/// Points from each list to the schema of its items, which utoipa repeats there: generated clients then have one type
/// for an item, and not another one for an item of a list.
fn name_items_of_lists(api: &mut OpenApi) {
    let Some(components) = &mut api.components else { return };
    let names: Vec<String> = components.schemas.keys().cloned().collect();
    for (list, schema) in &mut components.schemas {
        let item = list.strip_prefix(LIST).filter(|item| names.iter().any(|name| name == item));
        if let Some(item) = item
            && let RefOr::T(Schema::Object(list)) = schema
            && let Some(RefOr::T(Schema::Array(items))) = list.properties.get_mut("items")
        {
            let place = RefOr::Ref(Ref::from_schema_name(item));
            items.items = ArrayItems::RefOrSchema(Box::new(place));
        }
    }
}

/// A list's example is a list of its items' example.
fn add_examples_of_lists(api: &mut OpenApi) {
    let Some(components) = &mut api.components else { return };
    let of_items: Vec<(String, Value)> = components
        .schemas
        .iter()
        .filter_map(|(name, schema)| match schema {
            RefOr::T(Schema::Object(item)) => Some((format!("{LIST}{name}"), item.example.clone()?)),
            _ => None,
        })
        .collect();
    for (list, item) in of_items {
        if let Some(RefOr::T(Schema::Object(list))) = components.schemas.get_mut(&list) {
            list.example = Some(json!({ "items": [item], "nextCursor": null, "position": "42" }));
        }
    }
}

fn verb(method: &HttpMethod) -> &'static str {
    match method {
        HttpMethod::Get => "get",
        HttpMethod::Post => "post",
        HttpMethod::Put => "put",
        HttpMethod::Patch => "patch",
        _ => "delete",
    }
}

/// An operation's name in generated clients: `get_api_orders_id` for `GET /api/orders/{id}`.
fn name_of(method: &HttpMethod, path: &str) -> String {
    let parts = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    parts.fold(verb(method).to_owned(), |name, part| name + "_" + part)
}

/// Whoever signs in may know none of our headers, and the provider knows none.
fn knows_our_headers(path: &str) -> bool {
    path != WEBHOOK && !SIGNING_IN.iter().any(|prefix| path.starts_with(prefix))
}

/// What a response is, where its handler says nothing of it.
fn describe(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            let described = match status.as_str() {
                "200" => "It is so.",
                "201" => "It was made.",
                "202" => "It was taken in, and goes on.",
                "204" => "It was done.",
                "default" => "A problem; its code says which.",
                _ => "A problem.",
            };
            described.clone_into(&mut response.description);
        }
    }
}

/// A parameter that may be left out is still never `null`: it would be read as four letters.
fn never_null(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(Parameter { schema: Some(schema), .. }) = parameter
            && let RefOr::T(Schema::OneOf(either)) = schema
            && let Some(named) = either.items.iter().find(|one| matches!(one, RefOr::Ref(_)))
        {
            *schema = named.clone();
        }
        if let RefOr::T(Parameter { schema: Some(RefOr::T(Schema::Object(schema))), .. }) = parameter
            && let SchemaType::Array(types) = &schema.schema_type
            && let [one, Type::Null] | [Type::Null, one] = types.as_slice()
        {
            schema.schema_type = SchemaType::Type(one.clone());
        }
    }
}

/// Gives each text of the query without a format of its own the pattern of texts without control characters.
fn refuse_control_characters(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(Parameter { parameter_in: ParameterIn::Query, schema: Some(schema), .. }) = parameter
            && let RefOr::T(Schema::Object(text)) = schema
            && matches!(text.schema_type, SchemaType::Type(Type::String))
            && text.pattern.is_none()
            && text.enum_values.is_none()
            && text.format.is_none()
        {
            text.pattern = Some(NO_CONTROL_CHARACTERS.into());
        }
    }
}

fn add_headers(path: &str, is_read: bool, takes_key: bool, operation: &mut Operation) {
    let parameters = operation.parameters.get_or_insert_default();
    parameters.push(header("X-API-Version", Required::True, "The version of the API: `v1`.", "^v1$", "v1"));
    let own =
        "The request, as logs and events name it: 1 to 128 visible ASCII characters. Made up when left out.";
    parameters.push(header("X-Correlation-Id", Required::False, own, "^[!-~]{1,128}$", "4f1e2c"));
    if takes_key {
        let key = "1 to 255 visible ASCII characters. A repeat under the same key does nothing and is answered as the first was.";
        parameters.push(header("Idempotency-Key", Required::False, key, "^[!-~]{1,255}$", "0b9c7e"));
    }
    if !is_read && !WITHOUT_A_REVISION.contains(&path) {
        let revision = "Refuses the write with 412 unless the resource stands at one of these revisions; `*` stands for any.";
        let pattern = r#"^(\*|(W/)?"[!#-~]*"([ \t]*,[ \t]*(W/)?"[!#-~]*"){0,99})$"#;
        parameters.push(header("If-Match", Required::False, revision, pattern, "\"5\""));
    }
    if !is_read && path == WAITING_WRITE {
        let wait = "How long to wait, in seconds: at most 30.";
        parameters.push(header("Prefer", Required::False, wait, "", "wait=10"));
    }
}

fn header(
    name: &str,
    required: Required,
    description: &str,
    pattern: &str,
    example: &str,
) -> RefOr<Parameter> {
    let schema = ObjectBuilder::new().pattern((!pattern.is_empty()).then_some(pattern));
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(required)
        .description(Some(description))
        .schema(Some(schema.schema_type(Type::String)))
        .example(Some(example.into()))
        .build();
    RefOr::T(parameter)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::testing::TestShop;

    async fn document() -> Value {
        let test = TestShop::open().await;
        let shop = &test.shop;
        let positions =
            ReadPositions::new(shop.followed.clone(), shop.log.watch_head(), shop.stopping.clone());
        serde_json::to_value(api(shop, &positions).1).unwrap()
    }

    /// `SOUK_UPDATE_OPENAPI=1` writes it anew.
    #[tokio::test]
    async fn the_document_is_the_one_that_is_kept() {
        let path = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("docs/openapi.json");
        let document = serde_json::to_string_pretty(&document().await).unwrap() + "\n";
        if std::env::var_os("SOUK_UPDATE_OPENAPI").is_some() {
            std::fs::write(&path, &document).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        let differs = kept.lines().zip(document.lines()).find(|(kept, new)| kept != new);
        assert!(kept == document, "the API changed, first at {differs:?}: see SOUK_UPDATE_OPENAPI");
    }

    /// The schema of a body, by its reference or in place.
    fn schema<'a>(document: &'a Value, body: &'a Value) -> Option<&'a Value> {
        let content = body["content"].as_object()?.values().next()?;
        match content["schema"]["$ref"].as_str() {
            Some(reference) => document.pointer(reference.strip_prefix('#')?),
            None => Some(&content["schema"]),
        }
    }

    fn has_example_in_place(body: &Value) -> bool {
        body["content"].as_object().is_some_and(|content| content.values().any(|of| !of["example"].is_null()))
    }

    #[tokio::test]
    async fn operations_have_names_of_their_own_and_say_each_thing_once() {
        let document = document().await;
        let mut names = std::collections::BTreeSet::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let name = operation["operationId"].as_str().unwrap();
                assert!(names.insert(name.to_owned()), "{method} {path}: {name}");
                let parameters = operation["parameters"].as_array();
                let told: Vec<_> = parameters.into_iter().flatten().map(|one| &one["name"]).collect();
                let once: std::collections::BTreeSet<_> = told.iter().map(ToString::to_string).collect();
                assert_eq!(told.len(), once.len(), "{method} {path}: {told:?}");
                for (status, response) in operation["responses"].as_object().unwrap() {
                    assert!(response["description"] != "", "{method} {path}: {status}");
                }
            }
        }
        let text = document.to_string();
        for (_, rest) in
            text.match_indices("\"$ref\":\"#/").map(|(at, found)| (at, &text[at + found.len()..]))
        {
            let pointer = rest.split('"').next().unwrap();
            assert!(document.pointer(&format!("/{pointer}")).is_some(), "{pointer} is nowhere");
        }
    }

    #[tokio::test]
    async fn every_body_has_an_example() {
        let document = document().await;
        assert_eq!(document["openapi"].as_str().map(|version| &version[..3]), Some("3.1"));
        let mut missing = Vec::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let responses = operation["responses"].as_object().unwrap().iter();
                let answers = responses.filter(|(status, _)| status.starts_with('2')).map(|(_, body)| body);
                for body in answers.chain([&operation["requestBody"]]) {
                    let Some(schema) = schema(&document, body) else { continue };
                    if schema["example"].is_null() && !has_example_in_place(body) {
                        missing.push(format!("{method} {path}: {}", body["content"]));
                    }
                }
            }
        }
        assert!(missing.is_empty(), "{missing:#?}");
    }

    /// The parts of a schema that say something about values; texts for people are left out.
    fn shape(schema: &Value) -> Value {
        match schema {
            Value::Object(fields) => {
                let of_people = ["description", "example", "title"];
                let is_shape = |(name, value): &(&String, &Value)| {
                    !of_people.contains(&name.as_str()) || value.is_object() && *name != "example"
                };
                let kept = fields.iter().filter(is_shape);
                kept.map(|(name, value)| (name.clone(), shape(value)))
                    .collect::<serde_json::Map<_, _>>()
                    .into()
            }
            Value::Array(items) => items.iter().map(shape).collect(),
            other => other.clone(),
        }
    }

    /// Finds schemas that stand in place and for which a client makes a type of its own: objects with fields, and
    /// closed sets of texts.
    fn in_place(value: &Value, place: &str, found: &mut Vec<(String, Value)>) {
        let is_component = place.strip_prefix("/components/schemas/").is_some_and(|name| !name.contains('/'));
        let is_type = value["properties"].is_object() || value["enum"].is_array();
        if is_type && !is_component {
            found.push((place.to_owned(), shape(value)));
        }
        match value {
            Value::Object(fields) => {
                for (name, field) in fields.iter().filter(|(name, _)| *name != "example") {
                    in_place(field, &format!("{place}/{name}"), found);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    in_place(item, &format!("{place}/{index}"), found);
                }
            }
            _ => {}
        }
    }

    #[tokio::test]
    async fn no_schema_is_written_twice() {
        let document = document().await;
        let named = document["components"]["schemas"].as_object().unwrap();
        let mut known: Vec<(String, Value)> =
            named.iter().map(|(name, schema)| (name.clone(), shape(schema))).collect();
        let mut found = Vec::new();
        in_place(&document, "", &mut found);
        let mut twice = Vec::new();
        for (place, schema) in found {
            if let Some((other, _)) = known.iter().find(|(_, other)| *other == schema) {
                twice.push(format!("{place} repeats {other}"));
            }
            known.push((place, schema));
        }
        assert!(twice.is_empty(), "{twice:#?}");
        let items = &named["ListOf_OrderAnswer"]["properties"]["items"]["items"];
        assert_eq!(*items, json!({ "$ref": "#/components/schemas/OrderAnswer" }));
    }

    #[tokio::test]
    async fn closed_sets_of_texts_are_enums() {
        let document = document().await;
        let schemas = &document["components"]["schemas"];
        for (schema, field) in [
            ("CartLineAnswer", "changes"),
            ("DeadLetterAnswer", "kind"),
            ("OrderAnswer", "status"),
            ("OrderLineAnswer", "reservation"),
            ("OrderPaymentAnswer", "status"),
            ("OrderWritten", "status"),
            ("OutcomeAnswer", "answer"),
            ("OutcomeAnswer", "kind"),
            ("ParkedAnswer", "kind"),
            ("ParkedHere", "kind"),
            ("PaymentAnswer", "status"),
            ("ReasonAnswer", "code"),
            ("RefundAnswer", "status"),
            ("SignInAnswer", "kind"),
            ("SignedIn", "tokenType"),
            ("UserAnswer", "role"),
            ("Valid", "roles"),
            ("WebhookRequest", "type"),
        ] {
            let property = schemas[schema]["properties"][field].to_string();
            let name = property.split("#/components/schemas/").nth(1).and_then(|rest| rest.split('"').next());
            let name = name.unwrap_or_else(|| panic!("{schema}.{field} names no schema: {property}"));
            assert!(schemas[name]["enum"].is_array(), "{schema}.{field} is no enum: {}", schemas[name]);
        }
        let parameters = document["paths"]["/api/orders"]["get"]["parameters"].as_array().unwrap();
        let status = parameters.iter().find(|parameter| parameter["name"] == "status").unwrap();
        assert_eq!(status["schema"], json!({ "$ref": "#/components/schemas/OrderStatusShape" }));
    }
}
