//! Why a command to a product is refused.

use souk_eventsourcing::Rejection;

use crate::field_error::{FieldError, joined};

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProductRejection {
    /// No such product.
    #[error("there is no such product")]
    NotFound,
    /// The id is in use for another.
    #[error("there is a product with this id already")]
    Exists,
    /// It left the catalogue.
    #[error("the product was withdrawn; create a new one in its place")]
    Withdrawn,
    /// Its SKUs changed since they were claimed for this write.
    #[error("the product's SKUs were changed meanwhile; repeat the request")]
    Fenced,
    /// What is said of it can't be.
    #[error("{}", joined(.0))]
    InvalidContent(Vec<FieldError>),
}

impl Rejection for ProductRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "product-not-found",
            Self::Exists => "product-exists",
            Self::Withdrawn => "product-withdrawn",
            Self::Fenced => "revision-conflict",
            Self::InvalidContent(_) => "validation-failed",
        }
    }
}
