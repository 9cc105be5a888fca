//! What is for sale: from a SKU to its product, by the claim and the product themselves.

use std::sync::Arc;

use souk_domain::claim::Claim;
use souk_domain::product::{Product, ProductState};
use souk_domain::{Money, ProductId, Sku};
use souk_eventsourcing::{Decider, StoreError, StreamName};
use uuid::Uuid;

use crate::shop::Shop;

/// A SKU and the product it is a variant of.
pub struct Listing {
    /// The product.
    pub product: ProductId,
    /// Its state.
    pub state: Arc<ProductState>,
    /// The variant's price.
    pub price: Money,
}

/// Whoever has the SKU, listed or not.
pub async fn owner(shop: &Shop, sku: &Sku) -> Result<Option<StreamName>, StoreError> {
    let claim = shop.claims.load(&Claim::of_sku(sku)).await?;
    Ok(claim.and_then(|claim| claim.state.held.as_ref().and_then(|held| StreamName::parse(&held.owner).ok())))
}

/// The SKU as customers can buy it; `None` when it is unknown, withdrawn or not active.
pub async fn find(shop: &Shop, sku: &Sku) -> Result<Option<Listing>, StoreError> {
    let Some(stream) = owner(shop, sku).await? else { return Ok(None) };
    let Some(loaded) = shop.products.load(&stream).await? else { return Ok(None) };
    let product = Uuid::parse_str(stream.id()).ok().map(ProductId);
    let price = loaded.state.variant(sku).map(|variant| variant.price);
    let is_product = stream.category() == Product::CATEGORY;
    Ok(match (product, price) {
        (Some(product), Some(price)) if is_product && loaded.state.is_listed() => {
            Some(Listing { product, state: loaded.state, price })
        }
        _ => None,
    })
}
