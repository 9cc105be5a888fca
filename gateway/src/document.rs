//! Output of the route table: the security section of the API document, and the list in `docs/ACCESS.md`.

use std::fmt::Write as _;

use souk_http::routes::{Access, Side};
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::SecurityRequirement;

use crate::table::RouteTable;

/// Sets the security requirements of an operation. Returns false if the table has no such route.
pub fn secure(routes: &RouteTable, method: &str, path: &str, operation: &mut Operation) -> bool {
    let Some(route) = routes.find(method, path) else { return false };
    let none = SecurityRequirement::default;
    let of = |name: &str| SecurityRequirement::new(name, [] as [&str; 0]);
    operation.security = Some(match route.access {
        Access::Anyone => vec![none(), of("token")],
        Access::OptionalCart => vec![none(), of("cart"), of("token")],
        Access::Buyer => vec![of("cart"), of("token")],
        Access::SignedIn | Access::Staff | Access::Admin => vec![of("token")],
        Access::Signature => Vec::new(),
    });
    true
}

/// Returns the routes as a Markdown table.
pub fn list(routes: &RouteTable) -> String {
    let mut text =
        String::from("| route | who | counts as | body | seconds | side |\n|---|---|---|---|---|---|\n");
    for route in routes.iter() {
        let side = match route.side {
            Side::Command => "command",
            Side::Query => "query",
            Side::Operations => "process",
        };
        let body = match route.body_bytes_max {
            0 => "none".to_owned(),
            bytes_max => format!("{} KiB", bytes_max / 1024),
        };
        let _ = writeln!(
            text,
            "| `{} {}` | {} | {} | {body} | {} | {side} |",
            route.method,
            route.path,
            route.access.as_str(),
            route.rate_class.as_str(),
            route.timeout_s,
        );
    }
    text
}
