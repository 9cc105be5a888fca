//! Guest cart tokens: a cart's id and a keyed hash of it, opaque to whoever holds it.

use axum::http::HeaderMap;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use souk_domain::CartId;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::keys::Keys;
use crate::problem::Problem;

/// The header that carries it, both ways.
pub const CART_TOKEN: &str = "x-cart-token";
/// Bytes of the hash.
const MAC_BYTES: usize = 16;

/// The token of a cart.
pub fn issue(keys: &Keys, cart: CartId) -> String {
    let mut bytes = cart.0.as_bytes().to_vec();
    bytes.extend_from_slice(&mac(keys, cart));
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The cart of a token; `None` when this shop didn't make it.
pub fn verify(keys: &Keys, token: &str) -> Option<CartId> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    let (id, given) = bytes.split_at_checked(16)?;
    let cart = CartId(Uuid::from_slice(id).ok()?);
    bool::from(mac(keys, cart).as_slice().ct_eq(given)).then_some(cart)
}

fn mac(keys: &Keys, cart: CartId) -> [u8; MAC_BYTES] {
    let mut mac = [0; MAC_BYTES];
    mac.copy_from_slice(&blake3::keyed_hash(&keys.cart, cart.0.as_bytes()).as_bytes()[..MAC_BYTES]);
    mac
}

/// The guest cart that the headers name.
pub fn from_headers(headers: &HeaderMap, keys: &Keys) -> Result<Option<CartId>, Problem> {
    let Some(value) = headers.get(CART_TOKEN) else { return Ok(None) };
    let cart = value.to_str().ok().and_then(|token| verify(keys, token));
    let refused = || Problem::parameter("X-Cart-Token", "a token that this shop gave out is allowed");
    cart.ok_or_else(refused).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tokens_of_this_shop_open_a_cart() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::open(folder.path()).unwrap();
        let cart = CartId(Uuid::from_u128(7));
        let token = issue(&keys, cart);
        assert_eq!(verify(&keys, &token), Some(cart));
        let other = Keys::open(tempfile::tempdir().unwrap().path()).unwrap();
        for forged in ["", "x", &token[..20], &issue(&other, cart)] {
            assert_eq!(verify(&keys, forged), None, "{forged}");
        }
    }
}
