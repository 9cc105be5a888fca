//! Commands to a product.

use crate::Sku;

use super::event::Content;

/// A command to one product. Its new SKUs must be claimed before, in the current epoch of the product. If
/// that epoch has ended, the claims may be released, and the command is refused.
#[derive(Clone, Debug, PartialEq)]
pub enum ProductCommand {
    /// Adds the product to the catalog.
    Create {
        /// Content of the product.
        content: Content,
        /// Epoch in which its SKUs were claimed.
        epoch: u64,
    },
    /// Replaces the content of the product.
    Replace {
        /// New content of the product.
        content: Content,
        /// Epoch in which its SKUs were claimed.
        epoch: u64,
    },
    /// Removes the product from the catalog permanently.
    Withdraw,
    /// Ends the epoch, so that a write that claimed the SKU in it is refused. Does nothing if the product
    /// holds the SKU.
    Fence {
        /// SKU that is claimed for the product.
        sku: Sku,
    },
}

impl ProductCommand {
    /// Returns the content that the command writes.
    pub fn content(&self) -> Option<&Content> {
        match self {
            Self::Create { content, .. } | Self::Replace { content, .. } => Some(content),
            Self::Withdraw | Self::Fence { .. } => None,
        }
    }

    /// Returns the same command for SKUs that were claimed in another epoch.
    pub fn in_epoch(self, epoch: u64) -> Self {
        match self {
            Self::Create { content, .. } => Self::Create { content, epoch },
            Self::Replace { content, .. } => Self::Replace { content, epoch },
            other => other,
        }
    }
}
