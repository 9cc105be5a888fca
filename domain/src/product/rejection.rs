//! Reasons why a command to a product is refused.

use souk_eventsourcing::Rejection;

use crate::field_error::{FieldError, joined};

/// Reason why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProductRejection {
    /// The product does not exist.
    #[error("there is no such product")]
    NotFound,
    /// A product with this id already exists.
    #[error("a product with this id already exists")]
    Exists,
    /// The product was withdrawn.
    #[error("the product was withdrawn; create a new product instead")]
    Withdrawn,
    /// The SKUs of the product changed after they were claimed for this write.
    #[error("the product's SKUs have changed in the meantime; send the request again")]
    Fenced,
    /// The content breaks a rule.
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
