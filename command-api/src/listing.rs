//! SKUs for sale. The claim of a SKU names its product; the product has the price.

use std::sync::Arc;

use souk_domain::claim::Claim;
use souk_domain::product::{Product, ProductState};
use souk_domain::{Money, ProductId, Sku};
use souk_eventsourcing::{Decider, StoreError, StreamName};

use crate::ports::Ports;

/// A SKU that is for sale.
pub struct Listing {
    /// Id of the product that the SKU is a variant of.
    pub product: ProductId,
    /// State of the product.
    pub state: Arc<ProductState>,
    /// Price of one unit of the variant.
    pub price: Money,
}

/// Returns the stream of the product that has claimed the SKU, for sale or not.
pub async fn owner(ports: &Ports, sku: &Sku) -> Result<Option<StreamName>, StoreError> {
    let claim = ports.aggregates.claims.load(&Claim::of_sku(sku)).await?;
    Ok(claim.and_then(|claim| {
        claim.state.holder.as_ref().and_then(|holder| StreamName::parse(&holder.owner).ok())
    }))
}

/// Finds a SKU that customers can buy; `None` if the SKU is unknown, or its product is withdrawn or not
/// active.
pub async fn find(ports: &Ports, sku: &Sku) -> Result<Option<Listing>, StoreError> {
    let Some(stream) = owner(ports, sku).await? else { return Ok(None) };
    let Some(loaded) = ports.aggregates.products.load(&stream).await? else { return Ok(None) };
    let product = ProductId::parse(stream.id()).ok();
    let price = loaded.state.variant(sku).map(|variant| variant.price);
    let is_product = stream.category() == Product::CATEGORY;
    Ok(match (product, price) {
        (Some(product), Some(price)) if is_product && loaded.state.is_listed() => {
            Some(Listing { product, state: loaded.state, price })
        }
        _ => None,
    })
}
