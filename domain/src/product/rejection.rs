//! Reasons why a command to a product is refused.

use souk_eventsourcing::Rejection;

use crate::field_error::{FieldError, joined};
use crate::problem::ProblemKind::{Conflict, Missing};
use crate::problem::{ProblemEntry, PublicRejection};

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

impl PublicRejection for ProductRejection {
    const PROBLEMS: &'static [ProblemEntry] = &[
        ProblemEntry::new(
            "product-not-found",
            Missing,
            "The product does not exist",
            "No product with this id was created.",
        ),
        ProblemEntry::new("product-exists", Conflict, "The product already exists", "Replace it with PUT."),
        ProblemEntry::new(
            "product-withdrawn",
            Conflict,
            "The product was withdrawn",
            "A withdrawn product can't be sold again. Create a new product instead.",
        ),
        ProblemEntry::new(
            "sku-taken",
            Conflict,
            "The SKU belongs to another product",
            "A SKU can belong to one product only. Use another SKU, or change the other product.",
        ),
    ];
}
