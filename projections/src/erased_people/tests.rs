use souk_domain::UserId;
use souk_domain::order::event::{Erased, Placed};
use souk_domain::user::event::Erased as UserErased;
use uuid::Uuid;

use super::*;
use crate::testing::{History, draft, email_hash, golden, order, order_stream, registered};

#[test]
fn golden() {
    let ada = UserId(Uuid::from_u128(7));
    let guest = OrderEvent::from(Erased { person: order(1).guest() });
    let history = History::default()
        .then(&User::stream(ada), registered(ada))
        .then(&order_stream(1), OrderEvent::from(Placed { draft: draft(1) }))
        .then(&order_stream(1), guest)
        .then(&User::stream(ada), UserEvent::from(UserErased { email_hash: email_hash() }))
        .then(&order_stream(2), OrderEvent::from(Erased { person: ada.person() }));
    golden!(ErasedPeople, history);
}
