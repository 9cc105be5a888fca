//! Release of unused claims. A product claims a SKU, and an account claims an e-mail address, before the write
//! that uses it. A claim is unused if its owner does not have the SKU or the address one minute after the claim,
//! because this write was interrupted or refused. The owner is fenced first, so that a late write is refused.

use jiff::{SignedDuration, Timestamp};
use souk_domain::Sku;
use souk_domain::claim::{Claim, ClaimCommand};
use souk_domain::product::ProductCommand;
use souk_domain::user::{User, UserCommand};
use souk_eventsourcing::{CommandRequest, Decider as _, StreamName};

use super::{SweepError, origin};
use crate::ports::ShopPorts;

/// Name of the sweep.
pub const NAME: &str = "claim-sweep";

/// Time after which a claim counts as unused if its owner has not written what it claimed.
const OPEN_MAX: SignedDuration = SignedDuration::from_mins(1);

/// Returns the time at or before which a claim was made that is due now.
pub fn due_if_made_by(now: Timestamp) -> Timestamp {
    now - OPEN_MAX
}

/// Fences the owner of a claim, and releases the claim if the owner does not have the claimed SKU or e-mail
/// address. `key` is the id of the claim's stream. Returns true if the claim was released.
pub async fn release(ports: &ShopPorts, key: &str, owner: &StreamName) -> Result<bool, SweepError> {
    let epoch = match Claim::sku_of(key) {
        Some(sku) => fence_product(ports, &sku, owner).await?,
        None => fence_user(ports, owner).await?,
    };
    let Some(epoch) = epoch else { return Ok(false) };
    let release = ClaimCommand::Release { owner: owner.to_string(), epoch };
    let stream = StreamName::new(Claim::CATEGORY, key);
    let request = CommandRequest::new(stream, release, origin(&*ports.clock, NAME));
    ports.aggregates.claims.execute(request).await?;
    Ok(true)
}

/// Fences a product. Returns the new epoch of the product, or `None` if the product has the SKU.
async fn fence_product(ports: &ShopPorts, sku: &Sku, owner: &StreamName) -> Result<Option<u64>, SweepError> {
    let fence = ProductCommand::Fence { sku: sku.clone() };
    let request = CommandRequest::new(owner.clone(), fence, origin(&*ports.clock, NAME));
    let fenced = ports.aggregates.products.execute(request).await?;
    Ok(fenced.state.variant(sku).is_none().then(|| fenced.state.epoch()))
}

/// Fences a user. Returns the new epoch of the user, or `None` if the user has an account, and therefore the
/// e-mail address.
async fn fence_user(ports: &ShopPorts, owner: &StreamName) -> Result<Option<u64>, SweepError> {
    let request = CommandRequest::new(owner.clone(), UserCommand::Fence, origin(&*ports.clock, NAME));
    let fenced = ports.aggregates.users.execute(request).await?;
    if fenced.state.account().is_some() {
        return Ok(None);
    }
    // The sign-up stored the password before the account, so the password is deleted too.
    if let Some(user) = User::of_stream(owner) {
        ports.credentials.forget(&user.customer(), &[]).await?;
    }
    Ok(Some(fenced.state.epoch()))
}
