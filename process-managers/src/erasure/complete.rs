//! Completion of an erasure whose key is destroyed. The sweep of erasures calls it until nothing is left.

use async_trait::async_trait;
use souk_domain::order::Order;
use souk_domain::{CustomerId, OrderId};
use souk_eventsourcing::Person;
use souk_eventsourcing::envelope::Origin;

use super::ErasureError;
use super::perform::perform;
use super::steps::{ErasedSubject, ErasureStep, account_steps, order_steps};
use crate::ports::ShopPorts;

/// Orders of customers, as the read models know them.
#[async_trait]
pub trait CustomerOrders: Sync {
    /// Returns true if the read models contain every order that may be sealed with a destroyed key.
    fn has_all(&self) -> bool;

    /// Returns the next orders of a customer in the order of their ids; empty after the last one.
    async fn after(
        &self,
        customer: &CustomerId,
        after: Option<OrderId>,
    ) -> Result<Vec<OrderId>, ErasureError>;
}

/// Outcome of completing the erasure of one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErasureOutcome {
    /// The erasure is complete.
    Erased,
    /// No person was erased: a guest's order was attached to a customer and no longer needs its own key.
    Attached,
    /// The address that an order got after the erasure of its buyer is erased.
    AddressErased,
    /// The erasure is not complete yet, because the read models may lack orders of the person.
    Incomplete,
}

impl ErasureOutcome {
    /// Returns the outcome for `person`, whose destroyed key was made for one order. `customer` is the
    /// customer that the order has now.
    fn of_order(person: &Person, order: OrderId, customer: Option<&CustomerId>) -> Self {
        match customer {
            _ if *person != order.guest() => Self::AddressErased,
            Some(_) => Self::Attached,
            None => Self::Erased,
        }
    }
}

/// Performs all steps of an erasure again, and completes it if none is left.
pub async fn complete(
    ports: &ShopPorts,
    person: &Person,
    orders: &dyn CustomerOrders,
    origin: &Origin,
) -> Result<ErasureOutcome, ErasureError> {
    // The key is destroyed even if the person's id is unreadable.
    perform(ports, &[ErasureStep::DestroyKey(person.clone())], origin).await?;
    let outcome = match ErasedSubject::of(person)? {
        ErasedSubject::Customer(customer) => complete_customer(ports, &customer, orders, origin).await?,
        ErasedSubject::Order(order) => complete_order(ports, person, order, origin).await?,
        ErasedSubject::Unknown => ErasureOutcome::Erased,
    };
    if outcome != ErasureOutcome::Incomplete {
        ports.people.complete_erasure(person).await?;
    }
    Ok(outcome)
}

async fn complete_customer(
    ports: &ShopPorts,
    customer: &CustomerId,
    orders: &dyn CustomerOrders,
    origin: &Origin,
) -> Result<ErasureOutcome, ErasureError> {
    perform(ports, &account_steps(customer), origin).await?;
    // Checked before the first page, because the pages may miss orders that arrive while they are read.
    let has_all = orders.has_all();
    let mut last = None;
    loop {
        let page = orders.after(customer, last).await?;
        let Some(end) = page.last() else { break };
        last = Some(*end);
        for order in page {
            perform(ports, &order_steps(&customer.person(), order), origin).await?;
        }
    }
    Ok(if has_all { ErasureOutcome::Erased } else { ErasureOutcome::Incomplete })
}

async fn complete_order(
    ports: &ShopPorts,
    person: &Person,
    order: OrderId,
    origin: &Origin,
) -> Result<ErasureOutcome, ErasureError> {
    // An order that was never placed contains no personal data.
    let Some(placed) = ports.aggregates.orders.load(&Order::stream(order)).await? else {
        return Ok(ErasureOutcome::Erased);
    };
    perform(ports, &order_steps(person, order), origin).await?;
    Ok(ErasureOutcome::of_order(person, order, placed.state.customer()))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn destroying_the_key_of_an_attached_order_is_not_an_erasure() {
        let order = OrderId(Uuid::from_u128(8));
        let ada = CustomerId::parse("ada").unwrap();
        let guest = order.guest();
        assert_eq!(ErasureOutcome::of_order(&guest, order, None), ErasureOutcome::Erased);
        assert_eq!(ErasureOutcome::of_order(&guest, order, Some(&ada)), ErasureOutcome::Attached);
        let address = order.readdressed();
        assert_eq!(ErasureOutcome::of_order(&address, order, None), ErasureOutcome::AddressErased);
    }
}
