//! Ids of users, of customers and of addresses in address books.

use souk_eventsourcing::{Actor, Person};
use uuid::Uuid;

use crate::InvalidText;
use crate::ids::{opaque, text_id, uuid_id};

uuid_id!(
    /// Id of a user with an account. Its stream is `user-ID`. The user's customer id has the same value.
    UserId
);

uuid_id!(
    /// Id of an address in a user's address book.
    AddressId
);

text_id!(
    /// Id of a customer: the subject of a token, opaque, 1 to 64 characters.
    CustomerId
);

impl UserId {
    /// Returns the user's customer id.
    pub fn customer(self) -> CustomerId {
        CustomerId(self.to_string().into())
    }

    /// Returns an id that belongs to no user. Lookups use it in place of an unknown user's id, so that both
    /// take the same time.
    pub fn placeholder() -> Self {
        Self(Uuid::nil())
    }

    /// Returns the user as the actor of events.
    pub fn actor(self) -> Actor {
        Actor::new("customer", &self.to_string())
    }

    /// Returns the user of a customer id; `None` if the customer has no account here.
    pub fn of_customer(customer: &CustomerId) -> Option<Self> {
        Self::parse(customer.as_str()).ok()
    }

    /// Returns the person whose key seals the user's personal data.
    pub fn person(self) -> Person {
        self.customer().person()
    }
}

impl CustomerId {
    /// Returns the person whose key seals the customer's personal data.
    pub fn person(&self) -> Person {
        Person::new("customer", self.as_str())
    }

    /// Parses a customer id. White space around it is not removed.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        opaque(text).map(Self).ok_or(InvalidText("a customer id has 1 to 64 printable characters"))
    }
}
