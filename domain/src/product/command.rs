//! What can be asked of a product.

use super::event::Content;

/// A command to one product.
#[derive(Clone, Debug, PartialEq)]
pub enum ProductCommand {
    /// Puts it into the catalogue.
    Create(Content),
    /// Replaces all that is said of it.
    Replace(Content),
    /// Takes it out of the catalogue for good.
    Withdraw,
}
