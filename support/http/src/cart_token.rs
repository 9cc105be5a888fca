//! Guest cart tokens. A token is the cart's id and a keyed hash of the id, in base64url. It is opaque to
//! clients, and only the shop can make one.

use axum::http::HeaderMap;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use souk_domain::CartId;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::keys::Keys;
use crate::problem::Problem;

/// Header of the cart token, in requests and in responses.
pub const CART_TOKEN: &str = "x-cart-token";
/// Length of the keyed hash, in bytes.
const MAC_BYTES: usize = 16;

/// Creates the token of a cart.
pub fn issue(keys: &Keys, cart: CartId) -> String {
    let mut bytes = cart.0.as_bytes().to_vec();
    bytes.extend_from_slice(&mac(keys, cart));
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Returns the cart that a token names, or `None` if this shop did not make the token.
pub fn verify(keys: &Keys, token: &str) -> Option<CartId> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    let (id, hash) = bytes.split_at_checked(16)?;
    let cart = CartId(Uuid::from_slice(id).ok()?);
    bool::from(mac(keys, cart).as_slice().ct_eq(hash)).then_some(cart)
}

fn mac(keys: &Keys, cart: CartId) -> [u8; MAC_BYTES] {
    let mut mac = [0; MAC_BYTES];
    mac.copy_from_slice(&blake3::keyed_hash(&keys.cart, cart.0.as_bytes()).as_bytes()[..MAC_BYTES]);
    mac
}

/// Returns the guest cart that the request headers name, if any. Refuses a token that this shop did not make.
pub fn from_headers(headers: &HeaderMap, keys: &Keys) -> Result<Option<CartId>, Problem> {
    let Some(value) = headers.get(CART_TOKEN) else { return Ok(None) };
    let cart = value.to_str().ok().and_then(|token| verify(keys, token));
    let refused = || Problem::parameter("X-Cart-Token", "a token that this shop issued is allowed");
    cart.ok_or_else(refused).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Proves: cart.guest-cart
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
