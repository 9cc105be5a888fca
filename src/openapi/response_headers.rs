//! The headers of responses, as the document describes them.
//!
//! Each header is described once, in the components; responses point there. A handler names the headers that only its
//! responses have; those that come with a kind of response are added here. The tests of the API compare every response
//! with the document.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Response, Schema};

/// A header that responses have.
struct Described {
    name: &'static str,
    description: &'static str,
    /// The pattern of its values; empty for any text.
    pattern: &'static str,
    example: &'static str,
}

/// All headers of responses that say something about the shop.
const DESCRIBED: [Described; 12] = [
    Described {
        name: "Allow",
        description: "The methods that the resource has; with 405.",
        pattern: "",
        example: "GET,PUT",
    },
    Described {
        name: "ETag",
        description: "The revision of the resource: send it back as `If-Match` to write only if nothing changed meanwhile. Left out for a cart or a stock that was never written.",
        pattern: "^\"[0-9]{1,18}\"$",
        example: "\"5\"",
    },
    Described {
        name: "Location",
        description: "The place of what was created, or the page to go to.",
        pattern: "",
        example: "/api/orders/01a1fd90-c14b-8f55-bf1a-8cd543a6fca5",
    },
    Described {
        name: "RateLimit",
        description: "The requests that are left (`r`) and the seconds until all are allowed again (`t`), by class. Left out where limits are off.",
        pattern: "",
        example: "\"read\";r=119;t=1",
    },
    Described {
        name: "RateLimit-Policy",
        description: "The requests (`q`) that are allowed in so many seconds (`w`), by class. Left out where limits are off.",
        pattern: "",
        example: "\"read\";q=120;w=60",
    },
    Described {
        name: "Retry-After",
        description: "The seconds after which a repeat may succeed. Left out where a repeat does not help.",
        pattern: "^[0-9]{1,10}$",
        example: "5",
    },
    Described {
        name: "Set-Cookie",
        description: "The state of a sign-in through an identity provider, for the browser alone; empty when the sign-in has ended.",
        pattern: "",
        example: "souk-sign-in=…; HttpOnly",
    },
    Described {
        name: "WWW-Authenticate",
        description: "The scheme to sign in with; with 401.",
        pattern: "",
        example: "Bearer",
    },
    Described {
        name: "X-Behind-Since",
        description: "The position from which on the answer lacks events, because one of them waits for an operator. Left out when it lacks none.",
        pattern: "^[0-9]{1,18}$",
        example: "41",
    },
    Described {
        name: "X-Cart-Token",
        description: "The token of a guest's new cart: send it back with every request about the cart and its orders. Left out when the caller has a cart.",
        pattern: "",
        example: "AZ…",
    },
    Described {
        name: "X-Correlation-Id",
        description: "The request, as logs and events name it.",
        pattern: "^[!-~]{1,128}$",
        example: "4f1e2c",
    },
    Described {
        name: "X-Position",
        description: "The position of the log that was reached: send it back as `X-Min-Position` to read what was written.",
        pattern: "^[0-9]{1,18}$",
        example: "42",
    },
];

/// Headers of every response.
const OF_ALL: [&str; 3] = ["RateLimit", "RateLimit-Policy", "X-Correlation-Id"];
/// Headers that a problem may have.
const OF_PROBLEMS: [&str; 4] = ["Allow", "Retry-After", "WWW-Authenticate", "X-Position"];
/// Headers of a response to a write of one resource.
const OF_WRITES: [&str; 2] = ["ETag", "X-Position"];
/// The bodies of those responses.
const WRITTEN: [&str; 3] =
    ["#/components/schemas/CartsMerged", "#/components/schemas/OrderWritten", "#/components/schemas/Written"];
/// The header that says that a read resource lacks events.
const BEHIND: &str = "X-Behind-Since";

/// Describes all headers in the components.
pub(super) fn describe(api: &mut OpenApi) {
    let components = api.components.get_or_insert_default();
    for header in &DESCRIBED {
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

/// Points from an operation's responses to the headers that they have.
///
/// # Panics
/// When a handler names a header that is not described, which every test of the document finds.
pub(super) fn add(is_read: bool, operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        let mut names: Vec<String> = response.headers.keys().cloned().collect();
        if is_read && names.iter().any(|name| name == "ETag") {
            names.push(BEHIND.to_owned());
        }
        let of_kind = match status.as_str() {
            "default" => OF_PROBLEMS.as_slice(),
            _ if is_written(response) => OF_WRITES.as_slice(),
            _ => &[],
        };
        names.extend(OF_ALL.iter().chain(of_kind).map(|name| (*name).to_owned()));
        for name in names {
            assert!(DESCRIBED.iter().any(|header| header.name == name), "the header {name} is not described");
            let place = Ref::new(format!("#/components/headers/{name}"));
            response.headers.insert(name, RefOr::Ref(place));
        }
    }
}

/// Returns true for the response to a write of one resource.
fn is_written(response: &Response) -> bool {
    let mut places = response.content.values().filter_map(|content| match content {
        RefOr::T(Content { schema: Some(RefOr::Ref(place)), .. }) => Some(place.ref_location.as_str()),
        _ => None,
    });
    places.any(|place| WRITTEN.contains(&place))
}
