//! Response headers in the `OpenAPI` document.
//!
//! Each header is described once, in the components, and responses refer to it. A handler names the headers
//! that only its responses have. This module adds the headers that all responses of a kind have. The tests of
//! the API compare every response with the document.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Response, Schema};

/// Description of a response header.
struct HeaderDescription {
    name: &'static str,
    description: &'static str,
    /// Pattern of the values. Empty for any text.
    pattern: &'static str,
    example: &'static str,
}

/// All response headers of the API.
const HEADERS: [HeaderDescription; 12] = [
    HeaderDescription {
        name: "Allow",
        description: "Allowed methods of the resource. Only with status 405.",
        pattern: "",
        example: "GET,PUT",
    },
    HeaderDescription {
        name: "ETag",
        description: "Revision of the resource. Send it as `If-Match` to write only if the resource has not changed meanwhile. Missing for a cart or a stock that was never written.",
        pattern: "^\"[0-9]{1,18}\"$",
        example: "\"5\"",
    },
    HeaderDescription {
        name: "Location",
        description: "Path of the created resource, or address of the page to go to.",
        pattern: "",
        example: "/api/orders/01a1fd90-c14b-8f55-bf1a-8cd543a6fca5",
    },
    HeaderDescription {
        name: "RateLimit",
        description: "Remaining requests (`r`), and seconds until the full number is allowed again (`t`; with the code `rate-limited`, until one request is allowed), by class. Missing if the request has no limit.",
        pattern: "",
        example: "\"read\";r=119;t=1",
    },
    HeaderDescription {
        name: "RateLimit-Policy",
        description: "Number of requests (`q`) that are allowed in a number of seconds (`w`), by class. Missing if the request has no limit.",
        pattern: "",
        example: "\"read\";q=120;w=60",
    },
    HeaderDescription {
        name: "Retry-After",
        description: "Seconds after which a retry may succeed. Missing if a retry does not help.",
        pattern: "^[0-9]{1,10}$",
        example: "5",
    },
    HeaderDescription {
        name: "Set-Cookie",
        description: "State of a sign-in through an identity provider, only for the browser. Empty when the sign-in has ended.",
        pattern: "",
        example: "souk-sign-in=…; HttpOnly",
    },
    HeaderDescription {
        name: "WWW-Authenticate",
        description: "Authentication scheme. Only with status 401.",
        pattern: "",
        example: "Bearer",
    },
    HeaderDescription {
        name: "X-Behind-Since",
        description: "Position of the first event that the response does not include: this event could not be applied, and it and later events wait for an operator. Missing if the response includes all events.",
        pattern: "^[0-9]{1,18}$",
        example: "41",
    },
    HeaderDescription {
        name: "X-Cart-Token",
        description: "Token of a guest's new cart. Send it with every request about the cart and its orders. Missing if the caller already has a cart.",
        pattern: "",
        example: "AZ…",
    },
    HeaderDescription {
        name: "X-Correlation-Id",
        description: "Id of the request in logs and events.",
        pattern: "^[!-~]{1,128}$",
        example: "4f1e2c",
    },
    HeaderDescription {
        name: "X-Position",
        description: "Position of the log after the write. Send it as `X-Min-Position` with a read to see the result of the write.",
        pattern: "^[0-9]{1,18}$",
        example: "42",
    },
];

/// Names of the headers that responses of every kind have.
const OF_ALL: [&str; 3] = ["RateLimit", "RateLimit-Policy", "X-Correlation-Id"];
/// Names of the headers that a problem may have.
const OF_PROBLEMS: [&str; 4] = ["Allow", "Retry-After", "WWW-Authenticate", "X-Position"];
/// Names of the headers that a response to a write of one resource has.
const OF_WRITES: [&str; 2] = ["ETag", "X-Position"];
/// Schemas of the bodies of responses to writes of one resource.
const WRITTEN: [&str; 3] =
    ["#/components/schemas/CartsMerged", "#/components/schemas/OrderWritten", "#/components/schemas/Written"];
/// Name of the header of a response that does not include all events.
const BEHIND: &str = "X-Behind-Since";

/// Adds the descriptions of all headers to the components.
pub(super) fn describe(api: &mut OpenApi) {
    let components = api.components.get_or_insert_default();
    for header in &HEADERS {
        let pattern = (!header.pattern.is_empty()).then_some(header.pattern);
        let schema = ObjectBuilder::new().schema_type(Type::String).pattern(pattern).build();
        let described = HeaderBuilder::new()
            .schema(Some(RefOr::T(Schema::Object(schema))))
            .description(Some(header.description))
            .example(Some(header.example.into()))
            .build();
        components.headers.insert(header.name.to_owned(), RefOr::T(described));
    }
}

/// Adds references to the headers of each response of an operation.
///
/// # Panics
/// If a handler names a header that is not described here. A shop calls this function at every start.
pub(super) fn add(is_read: bool, operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        let mut names: Vec<String> = response.headers.keys().cloned().collect();
        if is_read && names.iter().any(|name| name == "ETag") {
            names.push(BEHIND.to_owned());
        }
        let of_kind = match status.as_str() {
            "default" => OF_PROBLEMS.as_slice(),
            _ if is_response_to_write(response) => OF_WRITES.as_slice(),
            _ => &[],
        };
        names.extend(OF_ALL.iter().chain(of_kind).map(|name| (*name).to_owned()));
        for name in names {
            assert!(HEADERS.iter().any(|header| header.name == name), "the header {name} is not described");
            let reference = Ref::new(format!("#/components/headers/{name}"));
            response.headers.insert(name, RefOr::Ref(reference));
        }
    }
}

/// Returns true for a response to a write of one resource.
fn is_response_to_write(response: &Response) -> bool {
    let mut references = response.content.values().filter_map(|content| match content {
        RefOr::T(Content { schema: Some(RefOr::Ref(reference)), .. }) => {
            Some(reference.ref_location.as_str())
        }
        _ => None,
    });
    references.any(|reference| WRITTEN.contains(&reference))
}
