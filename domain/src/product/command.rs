//! What can be asked of a product.

use crate::names::Sku;

use super::event::Content;

/// A command to one product. Its new SKUs are claimed before it is sent, in the product's epoch; when that has
/// passed, the claims may be gone, and the command is refused.
#[derive(Clone, Debug, PartialEq)]
pub enum ProductCommand {
    /// Puts it into the catalogue.
    Create {
        /// All that is said of it.
        content: Content,
        /// The epoch in which its SKUs were claimed.
        epoch: u64,
    },
    /// Replaces all that is said of it.
    Replace {
        /// All that is said of it.
        content: Content,
        /// The epoch in which its SKUs were claimed.
        epoch: u64,
    },
    /// Takes it out of the catalogue for good.
    Withdraw,
    /// Ends the epoch, so that a write that claimed the SKU in it comes too late; nothing when the
    /// product holds the SKU.
    Fence {
        /// A SKU that is claimed for it.
        sku: Sku,
    },
}

impl ProductCommand {
    /// What is to be said of the product.
    pub fn content(&self) -> Option<&Content> {
        match self {
            Self::Create { content, .. } | Self::Replace { content, .. } => Some(content),
            Self::Withdraw | Self::Fence { .. } => None,
        }
    }

    /// The same for SKUs that were claimed in another epoch.
    pub fn in_epoch(self, epoch: u64) -> Self {
        match self {
            Self::Create { content, .. } => Self::Create { content, epoch },
            Self::Replace { content, .. } => Self::Replace { content, epoch },
            other => other,
        }
    }
}
