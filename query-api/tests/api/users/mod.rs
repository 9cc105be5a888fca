//! Tests of `/api/users/me/…`.

mod export;
mod me;

use souk_domain::user::event::{AddressAdded, Entry, Registered, UserRole};
use souk_domain::user::{User, UserEvent};
use souk_domain::{Address, AddressId, EmailHash, UserId};
use souk_eventsourcing::Personal;
use souk_http_shop::{Shop, draft};
use uuid::Uuid;

pub(crate) const ADA: UserId = UserId(Uuid::from_u128(7));

pub(crate) fn hash() -> EmailHash {
    EmailHash::of(&[1; 32], "ada@example.org")
}

pub(crate) fn address() -> Address {
    let text = str::to_owned;
    Address {
        name: text("Ada"),
        line1: text("1 Test St"),
        city: text("London"),
        country: text("GB"),
        ..Address::default()
    }
}

pub(crate) async fn shop_with_ada() -> Shop {
    let shop = Shop::open().await;
    let registered = Registered {
        email: Personal::new(ADA.person(), "email", "ada@example.org".to_owned()),
        email_hash: hash(),
        name: Personal::new(ADA.person(), "name", "Ada".to_owned()),
        is_verified: false,
        role: UserRole::Customer,
    };
    shop.append(&User::stream(ADA), UserEvent::from(registered)).await;
    let entry = Entry { label: "home".into(), address: address() };
    let id = AddressId(Uuid::from_u128(9));
    let added = AddressAdded { id, entry: Personal::new(ADA.person(), "address", entry), is_default: true };
    shop.append(&User::stream(ADA), UserEvent::from(added)).await;
    let mut order = draft(5, Some(&ADA.to_string()), &["A1"]);
    order.shipping_address = Some(Personal::new(ADA.person(), "shippingAddress", address()));
    shop.append_order(order).await;
    shop.project().await;
    shop
}
