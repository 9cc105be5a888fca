//! Fields that requests to several resources have.

use souk_domain::Sku;
use souk_http::Problem;

/// Reads the field `sku` at the top level of a body.
pub fn sku(text: &str) -> Result<Sku, Problem> {
    Sku::parse(text).map_err(|why| Problem::field("/sku", "invalid-sku", why.to_string()))
}
