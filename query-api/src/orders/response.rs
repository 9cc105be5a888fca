//! An order as it is answered.

use std::collections::HashSet;

use serde::Serialize;
use souk_domain::order::event::Charge;
use souk_domain::{Money, PersonalText, Sku};
use souk_eventsourcing::Position;
use souk_http::closed_texts::{OrderStatusShape, PaymentStatusShape, ReasonCodeShape};
use souk_http::shapes::{AddressShape, MoneyShape};
use souk_projections::order_lines::OrderLineRow;
use souk_projections::orders::{LineReservation, Moment, OrderRow};
use utoipa::ToSchema;

use crate::people::OrderKeys;

/// An order with its lines.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Order")]
#[schema(example = json!({"id": "01a1fd90-c14b-8f55-bf1a-8cd543a6fca5", "revision": 2, "position": "42", "status": "CONFIRMED", "customerId": "ada", "code": "SK-7F3K-9QXM", "lines": [{"sku": "85123A", "name": "White hanging heart", "quantity": 2, "unitPrice": {"amount": 255, "currency": "GBP"}, "lineTotal": {"amount": 510, "currency": "GBP"}, "reservation": "CONFIRMED"}], "charges": [], "total": {"amount": 510, "currency": "GBP"}, "payment": {"id": "01a1fd90-c14b-8205-a8a0-cc6f0b1eb611", "status": "CAPTURED", "owed": null}, "reason": null, "timeline": [{"at": "2026-11-21T10:04:44.747991Z", "event": "placed", "detail": null}], "placedAt": "2026-11-21T10:04:44.747976Z", "shippingAddress": null, "addressErased": false}))]
pub(crate) struct OrderAnswer {
    id: String,
    /// Its revision, for `If-Match`.
    pub(crate) revision: u64,
    /// How far the read models are.
    #[schema(example = "57")]
    position: String,
    status: OrderStatusShape,
    /// Who buys; null for a guest.
    customer_id: Option<String>,
    /// For people.
    #[schema(example = "SK-7F3K-9QXM")]
    code: String,
    lines: Vec<OrderLineAnswer>,
    /// Shipping, tax, discounts.
    charges: Vec<ChargeAnswer>,
    /// Lines and charges.
    total: MoneyShape,
    /// Null until somebody asked for it.
    payment: Option<OrderPaymentAnswer>,
    /// Why it ended early.
    reason: Option<ReasonAnswer>,
    /// What happened, in order.
    timeline: Vec<MomentAnswer>,
    #[schema(format = DateTime)]
    placed_at: String,
    /// Where the goods go; null when nobody said so, or when it is erased or can't be read.
    shipping_address: Option<AddressShape>,
    /// Whether whoever it tells about was erased.
    address_erased: bool,
    /// True when there is an address that nobody erased, and the key that opens it is missing, as after a restore without
    /// the keys of people; left out otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    address_unreadable: Option<bool>,
}

/// A line of an order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "OrderLine")]
struct OrderLineAnswer {
    #[schema(example = "85123A")]
    sku: String,
    /// The product's name when it was ordered.
    name: String,
    quantity: u32,
    unit_price: MoneyShape,
    line_total: MoneyShape,
    reservation: ReservationAnswer,
}

/// What became of a line's reservation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(title = "Reservation")]
enum ReservationAnswer {
    Pending,
    Reserved,
    Confirmed,
    Released,
    Failed,
}

/// Something besides goods that an order costs, or less.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Charge")]
struct ChargeAnswer {
    /// The kind, in a word that the shop is free to choose.
    #[schema(example = "shipping")]
    kind: String,
    label: String,
    amount: MoneyShape,
}

/// The payment of an order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "OrderPayment")]
struct OrderPaymentAnswer {
    id: String,
    status: PaymentStatusShape,
    /// Money that is to go back and that the provider refused to give or to let go; null when there is none.
    owed: Option<MoneyShape>,
}

/// Why an order ended early.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Reason")]
struct ReasonAnswer {
    code: ReasonCodeShape,
    /// In words; null when whoever gave it is erased.
    detail: Option<String>,
}

/// Something that happened to an order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Moment")]
struct MomentAnswer {
    #[schema(format = DateTime)]
    at: String,
    /// The type of the event. Later versions know more of them, so it is no closed set.
    #[schema(example = "payment-awaited")]
    event: String,
    detail: Option<String>,
}

impl OrderAnswer {
    pub(crate) fn new(
        id: String,
        row: OrderRow,
        payment: Option<(PaymentStatusShape, i64)>,
        lines: Vec<(OrderLineRow, bool)>,
        opened_by: &OrderKeys,
        position: Position,
    ) -> Self {
        let keys = &opened_by.keys;
        // A set: an order may have 2,000 lines, and all of them may have failed.
        let failed: HashSet<&Sku> = row.failed_skus.iter().collect();
        // From then on the checkout takes the units off the shelf, one line after another.
        let is_money_in = row.is_marked_as_paid_outside()
            || payment.as_ref().is_some_and(|(status, _)| {
                matches!(status, PaymentStatusShape::Authorized | PaymentStatusShape::Captured)
            });
        let answer = |(line, is_held): (OrderLineRow, bool)| {
            let reservation = match row.reservation(failed.contains(&line.sku)) {
                // Staff let it go over the inventory.
                LineReservation::Reserved if !is_held && !is_money_in => LineReservation::Released,
                reservation => reservation,
            };
            OrderLineAnswer::new(line, reservation)
        };
        let lines = lines.into_iter().map(answer).collect();
        // A key that came back with an older store opens nothing of what the log says is erased.
        let kept = row.shipping_address.as_ref().filter(|_| !row.is_address_erased);
        let address = kept.map(|address| address.reveal(keys));
        let is_closed = matches!(address, Some(None));
        let is_erased = row.person_of_address().is_some_and(|person| opened_by.is_erased(person));
        let address_erased = row.is_address_erased || (is_closed && is_erased);
        let address_unreadable = (is_closed && !is_erased).then_some(true);
        // The same for texts that somebody gave before that.
        let text = |text: &PersonalText| {
            let is_gone = row.is_erased && text.person().is_some_and(|person| !row.is_of_shop(person));
            if is_gone { None } else { text.reveal(keys) }
        };
        let reason = row
            .reason
            .as_ref()
            .map(|reason| ReasonAnswer { code: reason.code.into(), detail: text(&reason.detail) });
        let of_moment = |moment: &Moment| MomentAnswer {
            at: moment.at.to_string(),
            event: moment.event.clone(),
            detail: moment.detail.as_ref().and_then(text),
        };
        let timeline = row.timeline.iter().map(of_moment).collect();
        let payment = payment.map(|(status, owed)| OrderPaymentAnswer {
            id: row.payment.to_string(),
            status,
            owed: (owed > 0).then(|| Money { amount: owed, ..row.total }.into()),
        });
        Self {
            id,
            revision: row.revision,
            position: position.to_string(),
            status: row.status.into(),
            customer_id: row.customer.map(|customer| customer.to_string()),
            code: row.code,
            lines,
            charges: row.charges.into_iter().map(ChargeAnswer::from).collect(),
            total: row.total.into(),
            payment,
            reason,
            timeline,
            placed_at: row.placed_at.to_string(),
            shipping_address: address.flatten().map(AddressShape::from),
            address_erased,
            address_unreadable,
        }
    }
}

impl OrderLineAnswer {
    fn new(line: OrderLineRow, reservation: LineReservation) -> Self {
        let reservation = match reservation {
            LineReservation::Pending => ReservationAnswer::Pending,
            LineReservation::Reserved => ReservationAnswer::Reserved,
            LineReservation::Confirmed => ReservationAnswer::Confirmed,
            LineReservation::Released => ReservationAnswer::Released,
            LineReservation::Failed => ReservationAnswer::Failed,
        };
        let amount = line.unit_price.amount.saturating_mul(i64::from(line.quantity));
        Self {
            sku: line.sku.to_string(),
            name: line.name,
            quantity: line.quantity,
            unit_price: line.unit_price.into(),
            line_total: Money { amount, ..line.unit_price }.into(),
            reservation,
        }
    }
}

impl From<Charge> for ChargeAnswer {
    fn from(charge: Charge) -> Self {
        Self { kind: charge.kind, label: charge.label, amount: charge.amount.into() }
    }
}
