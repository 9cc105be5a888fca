//! Tests of `/api/users/…`, and of the erasure of guests.

mod addresses;
mod erasure;
pub(crate) mod guest_erasure;
mod me;

use serde_json::{Value, json};
use souk_domain::UserId;
use souk_domain::user::User;
use souk_http_shop::Shop;

pub(crate) fn address(is_default: bool) -> Value {
    json!({"label": "home", "name": "Ada", "line1": "1 Test St", "city": "London", "postalCode": "N1 1AA",
        "country": "GB", "default": is_default})
}

pub(crate) async fn account(shop: &Shop, id: &str) -> Option<souk_domain::user::state::Account> {
    let stream = User::stream(UserId(id.parse().unwrap()));
    let loaded = shop.ports.aggregates.users.load(&stream).await.unwrap();
    loaded.and_then(|loaded| loaded.state.account().cloned())
}
