//! Response body of an order.

use std::collections::HashSet;

use serde::Serialize;
use souk_domain::order::event::Charge;
use souk_domain::{Money, PersonalText, Sku};
use souk_eventsourcing::Position;
use souk_http::closed_texts::{OrderStatusShape, PaymentStatusShape, ReasonCodeShape};
use souk_http::shapes::{AddressShape, MoneyShape};
use souk_projections::order_lines::OrderLineRow;
use souk_projections::orders::{LineReservation, OrderRow, TimelineEntry};
use utoipa::ToSchema;

use crate::people::OrderKeys;

/// Order with its lines.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Order")]
#[schema(example = json!({"id": "01a1fd90-c14b-8f55-bf1a-8cd543a6fca5", "revision": 2, "position": "42", "status": "CONFIRMED", "customerId": "ada", "code": "SK-7F3K-9QXM", "lines": [{"sku": "85123A", "name": "White hanging heart", "quantity": 2, "unitPrice": {"amount": 255, "currency": "GBP"}, "lineTotal": {"amount": 510, "currency": "GBP"}, "reservation": "CONFIRMED"}], "charges": [], "total": {"amount": 510, "currency": "GBP"}, "payment": {"id": "01a1fd90-c14b-8205-a8a0-cc6f0b1eb611", "status": "CAPTURED", "owed": null}, "reason": null, "timeline": [{"at": "2026-11-21T10:04:44.747991Z", "event": "placed", "detail": null}], "placedAt": "2026-11-21T10:04:44.747976Z", "shippingAddress": null, "addressErased": false}))]
pub(crate) struct OrderResponse {
    id: String,
    /// Revision of the order, for `If-Match`.
    pub(crate) revision: u64,
    /// Log position that the read models have reached.
    #[schema(example = "57")]
    position: String,
    status: OrderStatusShape,
    /// Customer who placed the order; null for a guest.
    customer_id: Option<String>,
    /// Short code of the order, for people to read and type.
    #[schema(example = "SK-7F3K-9QXM")]
    code: String,
    lines: Vec<OrderLineResponse>,
    /// Shipping, tax and discounts.
    charges: Vec<ChargeResponse>,
    /// Sum of the lines and charges.
    total: MoneyShape,
    /// Payment of the order; null until a payment is requested.
    payment: Option<OrderPaymentResponse>,
    /// Reason why the order was cancelled or timed out.
    reason: Option<ReasonResponse>,
    /// Events of the order, oldest first.
    timeline: Vec<MomentResponse>,
    #[schema(format = DateTime)]
    placed_at: String,
    /// Shipping address; null if the order has none, or if it is erased or can't be read.
    shipping_address: Option<AddressShape>,
    /// True if the shipping address was erased, because the person whom it belongs to was erased.
    address_erased: bool,
    /// True if the order has an address that can't be read because its key is missing, for example after a
    /// restore without the store of keys; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    address_unreadable: Option<bool>,
}

/// Line of an order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "OrderLine")]
struct OrderLineResponse {
    #[schema(example = "85123A")]
    sku: String,
    /// Name of the product when the order was placed.
    name: String,
    quantity: u32,
    unit_price: MoneyShape,
    line_total: MoneyShape,
    reservation: ReservationResponse,
}

/// Status of the stock reservation of a line.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(title = "Reservation")]
enum ReservationResponse {
    Pending,
    Reserved,
    Confirmed,
    Released,
    Failed,
}

/// Amount that an order costs in addition to its goods; negative for a discount.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Charge")]
struct ChargeResponse {
    /// Kind of the charge, such as `shipping`. There is no fixed list of kinds.
    #[schema(example = "shipping")]
    kind: String,
    label: String,
    amount: MoneyShape,
}

/// Payment of an order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "OrderPayment")]
struct OrderPaymentResponse {
    id: String,
    status: PaymentStatusShape,
    /// Sum of the refunds that the provider declined and that staff have not retried, settled or withdrawn;
    /// null if there are none.
    owed: Option<MoneyShape>,
}

/// Reason why an order was cancelled or timed out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Reason")]
struct ReasonResponse {
    code: ReasonCodeShape,
    /// Reason in words; null if the person who wrote it was erased.
    detail: Option<String>,
}

/// Event in the timeline of an order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Moment")]
struct MomentResponse {
    #[schema(format = DateTime)]
    at: String,
    /// Type of the event. Later versions of the shop may add types.
    #[schema(example = "payment-awaited")]
    event: String,
    detail: Option<String>,
}

impl OrderResponse {
    pub(crate) fn new(
        id: String,
        row: OrderRow,
        payment: Option<(PaymentStatusShape, i64)>,
        lines: Vec<(OrderLineRow, bool)>,
        order_keys: &OrderKeys,
        position: Position,
    ) -> Self {
        let keys = &order_keys.keys;
        let lines = line_answers(&row, payment.as_ref().map(|(status, _)| status), lines);
        // A restored backup of the store of keys may contain a key that was destroyed after the backup. The
        // log decides: an erased address stays hidden even if its key exists.
        let sealed_address = row.shipping_address.as_ref().filter(|_| !row.is_address_erased);
        let address = sealed_address.map(|address| address.reveal(keys));
        let is_sealed = matches!(address, Some(None));
        let is_erased = row.person_of_address().is_some_and(|person| order_keys.is_erased(person));
        let address_erased = row.is_address_erased || (is_sealed && is_erased);
        let address_unreadable = (is_sealed && !is_erased).then_some(true);
        // Texts that the erased person wrote stay hidden too, even if their key exists.
        let text = |text: &PersonalText| {
            let is_text_erased = row.is_erased && text.person().is_some_and(|person| !row.is_of_shop(person));
            if is_text_erased { None } else { text.reveal(keys) }
        };
        let reason = row
            .reason
            .as_ref()
            .map(|reason| ReasonResponse { code: reason.code.into(), detail: text(&reason.detail) });
        let entry_response = |entry: &TimelineEntry| MomentResponse {
            at: entry.at.to_string(),
            event: entry.event.clone(),
            detail: entry.detail.as_ref().and_then(text),
        };
        let timeline = with_one_erasure(&row.timeline).map(entry_response).collect();
        let payment = payment.map(|(status, owed)| OrderPaymentResponse {
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
            charges: row.charges.into_iter().map(ChargeResponse::from).collect(),
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

/// Returns the entries of a timeline with only the first erasure. Data that staff add after the erasure is
/// erased too when the order has ended, which is not news to readers of the timeline.
fn with_one_erasure(timeline: &[TimelineEntry]) -> impl Iterator<Item = &TimelineEntry> {
    let first = timeline.iter().position(|moment| moment.event == "erased");
    let is_shown =
        move |(index, moment): &(usize, &TimelineEntry)| moment.event != "erased" || Some(*index) == first;
    timeline.iter().enumerate().filter(is_shown).map(|(_, moment)| moment)
}

/// Converts the lines of an order. Each line comes with a flag that is true if its units are reserved now.
fn line_answers(
    row: &OrderRow,
    payment_status: Option<&PaymentStatusShape>,
    lines: Vec<(OrderLineRow, bool)>,
) -> Vec<OrderLineResponse> {
    // A set keeps the search fast: an order can have 2,000 lines, and the reservations of all lines can fail.
    let failed: HashSet<&Sku> = row.failed_skus.iter().collect();
    // After the payment, the checkout confirms the reservations one by one, so a line whose units are no
    // longer reserved was confirmed, not released.
    let is_paid = row.is_marked_as_paid_outside()
        || payment_status.is_some_and(|status| {
            matches!(status, PaymentStatusShape::Authorized | PaymentStatusShape::Captured)
        });
    let line_answer = |(line, is_held): (OrderLineRow, bool)| {
        let reservation = match row.reservation(failed.contains(&line.sku)) {
            // The reservation has ended although the order still waits for payment: staff released it with
            // the inventory API, or it expired.
            LineReservation::Reserved if !is_held && !is_paid => LineReservation::Released,
            reservation => reservation,
        };
        OrderLineResponse::new(line, reservation)
    };
    lines.into_iter().map(line_answer).collect()
}

impl OrderLineResponse {
    fn new(line: OrderLineRow, reservation: LineReservation) -> Self {
        let reservation = match reservation {
            LineReservation::Pending => ReservationResponse::Pending,
            LineReservation::Reserved => ReservationResponse::Reserved,
            LineReservation::Confirmed => ReservationResponse::Confirmed,
            LineReservation::Released => ReservationResponse::Released,
            LineReservation::Failed => ReservationResponse::Failed,
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

impl From<Charge> for ChargeResponse {
    fn from(charge: Charge) -> Self {
        Self { kind: charge.kind, label: charge.label, amount: charge.amount.into() }
    }
}
