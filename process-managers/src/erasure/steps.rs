//! The steps of an erasure as data, in the order in which they are performed.

use souk_domain::{CustomerId, OrderId, UserId};
use souk_eventsourcing::Person;

use super::ErasureError;

/// Step of an erasure. Every step may be repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErasureStep {
    /// Destroy the key of a person. A repetition matters too: a crash may have left the key in the
    /// write-ahead log of the store.
    DestroyKey(Person),
    /// Destroy the key of the guest who placed an order, if there is one. An order that was attached to a
    /// customer keeps it after a crash.
    DestroyGuestKey(OrderId),
    /// End all sessions of a customer.
    EndSessions(CustomerId),
    /// Delete the credentials of an account, append `user.erased`, and free the e-mail address.
    EraseAccount(UserId),
    /// Delete the stored mail to a customer.
    DeleteMail(CustomerId),
    /// Append `order.erased`, if the order has personal data of this person.
    EraseOrder(OrderId, Person),
}

/// Returns the steps that erase a customer, except for those on orders. The destruction of the key comes
/// first: from then on, the person is erased.
pub fn customer_steps(customer: &CustomerId) -> Vec<ErasureStep> {
    let mut steps = vec![ErasureStep::DestroyKey(customer.person())];
    steps.extend(account_steps(customer));
    steps
}

/// Returns the steps that end the account of an erased customer. A customer of another system has no account.
pub fn account_steps(customer: &CustomerId) -> Vec<ErasureStep> {
    let mut steps = vec![ErasureStep::EndSessions(customer.clone())];
    if let Some(user) = UserId::of_customer(customer) {
        steps.push(ErasureStep::EraseAccount(user));
    }
    steps.push(ErasureStep::DeleteMail(customer.clone()));
    steps
}

/// Returns the steps of a person's erasure on one order.
pub fn order_steps(person: &Person, order: OrderId) -> Vec<ErasureStep> {
    let erase = ErasureStep::EraseOrder(order, person.clone());
    if person.parts().0 == CUSTOMER { vec![ErasureStep::DestroyGuestKey(order), erase] } else { vec![erase] }
}

/// Kind of a person who is a customer, as in `customer:42`.
const CUSTOMER: &str = "customer";

/// Subject of an erasure: the customer, or the one order, whose data the destroyed key sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErasedSubject {
    /// A customer, with any number of orders.
    Customer(CustomerId),
    /// The guest of an order, or the address that an order got after the erasure of its buyer.
    Order(OrderId),
    /// A kind of person that this version of the program does not know.
    Unknown,
}

impl ErasedSubject {
    /// Reads the subject from the kind and the id of an erased person.
    pub fn of(person: &Person) -> Result<Self, ErasureError> {
        match person.parts() {
            (CUSTOMER, id) => {
                let customer = CustomerId::parse(id);
                customer.map(Self::Customer).map_err(|error| ErasureError::Malformed(error.to_string()))
            }
            ("order" | OrderId::READDRESSED, id) => {
                let order = OrderId::parse(id);
                order.map(Self::Order).map_err(|error| ErasureError::Malformed(error.to_string()))
            }
            _ => Ok(Self::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_key_is_destroyed_first_and_only_accounts_of_this_shop_have_credentials() {
        let user = UserId(Uuid::from_u128(7));
        let ada = user.customer();
        let steps = customer_steps(&ada);
        assert_eq!(steps[0], ErasureStep::DestroyKey(ada.person()));
        assert!(steps.contains(&ErasureStep::EraseAccount(user)), "{steps:?}");
        let other = CustomerId::parse("of another system").unwrap();
        let steps = account_steps(&other);
        assert_eq!(steps, [ErasureStep::EndSessions(other.clone()), ErasureStep::DeleteMail(other)]);
    }

    #[test]
    fn an_order_of_an_erased_customer_also_loses_the_key_of_its_guest() {
        let order = OrderId(Uuid::from_u128(8));
        let ada = CustomerId::parse("ada").unwrap().person();
        let erase = |person: &Person| ErasureStep::EraseOrder(order, person.clone());
        assert_eq!(order_steps(&ada, order), [ErasureStep::DestroyGuestKey(order), erase(&ada)]);
        assert_eq!(order_steps(&order.guest(), order), [erase(&order.guest())]);
    }

    #[test]
    fn a_subject_is_a_customer_or_an_order() {
        let order = OrderId(Uuid::from_u128(8));
        let ada = CustomerId::parse("ada").unwrap();
        for (person, expected) in [
            (ada.person(), ErasedSubject::Customer(ada)),
            (order.guest(), ErasedSubject::Order(order)),
            (order.readdressed(), ErasedSubject::Order(order)),
            (Person::parse("supplier:1"), ErasedSubject::Unknown),
        ] {
            assert_eq!(ErasedSubject::of(&person).unwrap(), expected);
        }
        assert!(ErasedSubject::of(&Person::parse("order:x")).is_err());
    }
}
