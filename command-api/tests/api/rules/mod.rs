//! Rules that hold for many routes.

mod advice;
mod bodies;
mod counts;
mod document;
mod examples;
mod headers;
mod idempotency_scopes;
mod ids;
mod text_fields;
mod wrong_fields;
