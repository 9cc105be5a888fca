//! API document (`OpenAPI`): the descriptions of all routers, and the headers that all routes share.

mod response_headers;

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use souk_command_api::Ports;
use souk_gateway::{RouteTable, document};
use souk_http::routes::Route;
use souk_query_api::{QueryPorts, QueryState, ReadPositions};
use utoipa::openapi::path::{HttpMethod, Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ArrayItems, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Required, ResponseBuilder, Schema};
use utoipa_axum::router::OpenApiRouter;

use crate::data_folder::rebuilding;
use crate::drivers::SharedStore;
use crate::embedded::Embedded;

/// Pattern of query parameters without a narrower pattern: the edge refuses control characters.
const NO_CONTROL_CHARACTERS: &str = r"^[^\u0000-\u001F\u007F-\u009F]*$";
/// Prefix of the schema names of lists. The name of the item schema follows.
const LIST: &str = "ListOf_";

/// Returns the router with every route of the API, and its document.
///
/// # Panics
/// If a route has no row in the route table. Every start of the program checks this.
pub fn api(shop: &Embedded, positions: &ReadPositions, routes: &RouteTable) -> (axum::Router, OpenApi) {
    let log: SharedStore = shop.log.clone();
    let Ports { settings, people, keys, accounts, clock, .. } = &shop.ports;
    let path = shop.read_models.path();
    let folder = path.parent().map(Path::to_owned);
    let query_ports = QueryPorts {
        currency: settings.currency,
        people: Arc::clone(people),
        credentials: Arc::clone(&accounts.credentials),
        outbox: Arc::clone(&accounts.outbox),
        clock: Arc::clone(clock),
        correlation_key: keys.correlation,
        guard: Arc::clone(&accounts.guard),
        rebuilding: Arc::new(move || folder.as_deref().map(rebuilding).unwrap_or_default()),
    };
    let query_state = QueryState::open(path, positions.clone(), query_ports);
    let (router, mut api) = OpenApiRouter::with_openapi(souk_command_api::document())
        .merge(souk_command_api::router(shop.ports.clone()))
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
                let name = method_name(&method).to_uppercase();
                assert!(
                    document::secure(routes, &name, path, operation),
                    "{name} {path} has no row in the route table"
                );
                if let Some(route) = routes.find(&name, path).filter(|route| route.needs_version) {
                    add_headers(route, operation);
                }
                remove_null(operation);
                refuse_control_characters(operation);
                add_problem(operation);
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

/// Replaces the copied item schema in each list by a reference. Otherwise generated clients would have a
/// second type for items of lists.
fn name_items_of_lists(api: &mut OpenApi) {
    let Some(components) = &mut api.components else { return };
    let names: Vec<String> = components.schemas.keys().cloned().collect();
    for (list, schema) in &mut components.schemas {
        let item = list.strip_prefix(LIST).filter(|item| names.iter().any(|name| name == item));
        if let Some(item) = item
            && let RefOr::T(Schema::Object(list)) = schema
            && let Some(RefOr::T(Schema::Array(items))) = list.properties.get_mut("items")
        {
            let reference = RefOr::Ref(Ref::from_schema_name(item));
            items.items = ArrayItems::RefOrSchema(Box::new(reference));
        }
    }
}

/// Adds an example to each list: a list with the example of its item.
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

/// Returns the method in small letters.
fn method_name(method: &HttpMethod) -> &'static str {
    match method {
        HttpMethod::Get => "get",
        HttpMethod::Post => "post",
        HttpMethod::Put => "put",
        HttpMethod::Patch => "patch",
        _ => "delete",
    }
}

/// Returns the name of an operation in generated clients, for example `get_api_orders_id` for `GET
/// /api/orders/{id}`.
fn name_of(method: &HttpMethod, path: &str) -> String {
    let parts = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    parts.fold(method_name(method).to_owned(), |name, part| name + "_" + part)
}

/// Adds a default response, a problem document, for refused requests and failures, if the handler describes
/// none.
fn add_problem(operation: &mut Operation) {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("ProblemBody"))).build();
    let problem = ResponseBuilder::new().content("application/problem+json", content).build();
    operation.responses.responses.entry("default".to_owned()).or_insert(RefOr::T(problem));
}

/// Adds a description to each response whose handler has none.
fn describe(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            let description = match status.as_str() {
                "200" => "Success.",
                "201" => "The resource was created.",
                "202" => "The request was accepted. Processing continues.",
                "204" => "Success, without a body.",
                "default" => "Problem. Its code names the kind of problem.",
                _ => "Problem.",
            };
            description.clone_into(&mut response.description);
        }
    }
}

/// Removes `null` from the types of optional parameters. In a URL, `null` would be a text of four letters.
fn remove_null(operation: &mut Operation) {
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

/// Adds a pattern without control characters to each text parameter of the query that has no pattern, enum or
/// format.
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

/// Adds the headers that routes of the API share. Routes that need no version do not have them.
fn add_headers(route: &Route, operation: &mut Operation) {
    let parameters = operation.parameters.get_or_insert_default();
    parameters.push(header("X-API-Version", Required::True, "Version of the API: `v1`.", "^v1$", "v1"));
    let id = "Id of the request in logs and events: 1 to 128 visible ASCII characters. Generated if missing.";
    parameters.push(header("X-Correlation-Id", Required::False, id, "^[!-~]{1,128}$", "4f1e2c"));
    if route.takes_key {
        let key = "Key of the write: 1 to 255 visible ASCII characters. A repeated request with the same key has no further effect and gets the same response.";
        parameters.push(header("Idempotency-Key", Required::False, key, "^[!-~]{1,255}$", "0b9c7e"));
    }
    if route.takes_revision {
        let revision = "Expected revisions of the resource; `*` means any revision. If the resource has another revision, the write is refused with 412.";
        let pattern = r#"^(\*|(W/)?"[!#-~]*"([ \t]*,[ \t]*(W/)?"[!#-~]*"){0,99})$"#;
        parameters.push(header("If-Match", Required::False, revision, pattern, "\"5\""));
    }
    if route.takes_wait {
        let wait = "Longest time to wait until the order has settled, in seconds, from 0 to 30.";
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
        serde_json::to_value(api(shop, &positions, &crate::routes::table()).1).unwrap()
    }

    /// With `SOUK_UPDATE_OPENAPI=1`, the test writes the file.
    // Proves: operations.api-document
    #[tokio::test]
    async fn the_document_is_the_one_in_the_repository() {
        let path = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("docs/openapi.json");
        let document = serde_json::to_string_pretty(&document().await).unwrap() + "\n";
        if std::env::var_os("SOUK_UPDATE_OPENAPI").is_some() {
            std::fs::write(&path, &document).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        let difference = stored.lines().zip(document.lines()).find(|(stored, new)| stored != new);
        assert!(stored == document, "the API changed, first at {difference:?}: see SOUK_UPDATE_OPENAPI");
    }

    /// Returns the schema of a body: the referenced schema or the inline schema.
    fn schema<'a>(document: &'a Value, body: &'a Value) -> Option<&'a Value> {
        let content = body["content"].as_object()?.values().next()?;
        match content["schema"]["$ref"].as_str() {
            Some(reference) => document.pointer(reference.strip_prefix('#')?),
            None => Some(&content["schema"]),
        }
    }

    fn has_inline_example(body: &Value) -> bool {
        body["content"].as_object().is_some_and(|content| content.values().any(|of| !of["example"].is_null()))
    }

    #[tokio::test]
    async fn operations_have_problems_unique_names_and_no_repeated_parameters() {
        let document = document().await;
        let mut names = std::collections::BTreeSet::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let name = operation["operationId"].as_str().unwrap();
                assert!(names.insert(name.to_owned()), "{method} {path}: {name}");
                let problem = &operation["responses"]["default"]["content"]["application/problem+json"];
                assert!(problem.is_object(), "{method} {path}");
                let parameters = operation["parameters"].as_array();
                let listed: Vec<_> = parameters.into_iter().flatten().map(|one| &one["name"]).collect();
                let unique: std::collections::BTreeSet<_> = listed.iter().map(ToString::to_string).collect();
                assert_eq!(listed.len(), unique.len(), "{method} {path}: {listed:?}");
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
            assert!(document.pointer(&format!("/{pointer}")).is_some(), "{pointer} does not exist");
        }
    }

    // Proves: operations.api-document
    #[tokio::test]
    async fn every_body_has_an_example() {
        let document = document().await;
        assert_eq!(document["openapi"].as_str().map(|version| &version[..3]), Some("3.1"));
        let mut missing = Vec::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let responses = operation["responses"].as_object().unwrap().iter();
                let successes = responses.filter(|(status, _)| status.starts_with('2')).map(|(_, body)| body);
                for body in successes.chain([&operation["requestBody"]]) {
                    let Some(schema) = schema(&document, body) else { continue };
                    if schema["example"].is_null() && !has_inline_example(body) {
                        missing.push(format!("{method} {path}: {}", body["content"]));
                    }
                }
            }
        }
        assert!(missing.is_empty(), "{missing:#?}");
    }

    /// Returns a schema without descriptions, examples and titles.
    fn shape(schema: &Value) -> Value {
        match schema {
            Value::Object(fields) => {
                let for_people = ["description", "example", "title"];
                let is_shape = |(name, value): &(&String, &Value)| {
                    !for_people.contains(&name.as_str()) || value.is_object() && *name != "example"
                };
                let shapes = fields.iter().filter(is_shape).map(|(name, value)| (name.clone(), shape(value)));
                shapes.collect::<serde_json::Map<_, _>>().into()
            }
            Value::Array(items) => items.iter().map(shape).collect(),
            other => other.clone(),
        }
    }

    /// Finds inline schemas for which a generated client would have a separate type: objects with fields, and
    /// enums.
    fn inline_schemas(value: &Value, place: &str, found: &mut Vec<(String, Value)>) {
        let is_component = place.strip_prefix("/components/schemas/").is_some_and(|name| !name.contains('/'));
        let is_type = value["properties"].is_object() || value["enum"].is_array();
        if is_type && !is_component {
            found.push((place.to_owned(), shape(value)));
        }
        match value {
            Value::Object(fields) => {
                for (name, field) in fields.iter().filter(|(name, _)| *name != "example") {
                    inline_schemas(field, &format!("{place}/{name}"), found);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    inline_schemas(item, &format!("{place}/{index}"), found);
                }
            }
            _ => {}
        }
    }

    #[tokio::test]
    async fn no_schema_occurs_twice() {
        let document = document().await;
        let named = document["components"]["schemas"].as_object().unwrap();
        let mut known: Vec<(String, Value)> =
            named.iter().map(|(name, schema)| (name.clone(), shape(schema))).collect();
        let mut found = Vec::new();
        inline_schemas(&document, "", &mut found);
        let mut twice = Vec::new();
        for (place, schema) in found {
            if let Some((other, _)) = known.iter().find(|(_, other)| *other == schema) {
                twice.push(format!("{place} repeats {other}"));
            }
            known.push((place, schema));
        }
        assert!(twice.is_empty(), "{twice:#?}");
        let items = &named["ListOf_OrderResponse"]["properties"]["items"]["items"];
        assert_eq!(*items, json!({ "$ref": "#/components/schemas/OrderResponse" }));
    }

    #[tokio::test]
    async fn texts_with_a_fixed_set_of_values_are_enums() {
        let document = document().await;
        let schemas = &document["components"]["schemas"];
        for (schema, field) in [
            ("CartLineResponse", "changes"),
            ("DeadLetterResponse", "kind"),
            ("OrderResponse", "status"),
            ("OrderLineResponse", "reservation"),
            ("OrderPaymentResponse", "status"),
            ("OrderWritten", "status"),
            ("OutcomeResponse", "answer"),
            ("OutcomeResponse", "kind"),
            ("ParkedResponse", "kind"),
            ("ParkedHere", "kind"),
            ("PaymentResponse", "status"),
            ("ReasonResponse", "code"),
            ("RefundResponse", "status"),
            ("SignInResponse", "kind"),
            ("SignedIn", "tokenType"),
            ("UserResponse", "role"),
            ("Valid", "roles"),
            ("WebhookRequest", "type"),
        ] {
            let property = schemas[schema]["properties"][field].to_string();
            let name = property.split("#/components/schemas/").nth(1).and_then(|rest| rest.split('"').next());
            let name = name.unwrap_or_else(|| panic!("{schema}.{field} refers to no schema: {property}"));
            assert!(schemas[name]["enum"].is_array(), "{schema}.{field} is not an enum: {}", schemas[name]);
        }
        let parameters = document["paths"]["/api/orders"]["get"]["parameters"].as_array().unwrap();
        let status = parameters.iter().find(|parameter| parameter["name"] == "status").unwrap();
        assert_eq!(status["schema"], json!({ "$ref": "#/components/schemas/OrderStatusShape" }));
    }
}
