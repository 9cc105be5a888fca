//! The import of one line: find the product, change what the line names, write what differs.

use souk_domain::product::{Content, Product, ProductCommand, ProductRejection, ProductState};
use souk_domain::{ProductId, Sku};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{
    Actor, CommandError, CommandId, CommandRequest, CorrelationId, Loaded, Position, StreamName,
};
use souk_http::Problem;

use crate::listing;
use crate::products::contents::content_at;
use crate::products::write::{free, free_skus, write};
use crate::rejected::product_problem;
use crate::shop::Shop;

use super::LineOutcome;
use super::changes::{self, FieldChange};
use super::line::ImportLine;

/// Tries of a line while other writers change its product.
const ATTEMPTS_MAX: usize = 8;

/// An import.
pub(super) struct Run {
    pub(super) actor: Actor,
    pub(super) correlation_id: CorrelationId,
    /// True to write nothing.
    pub(super) is_dry: bool,
}

/// The outcome of a line.
pub(super) struct Done {
    pub(super) outcome: LineOutcome,
    pub(super) id: Option<ProductId>,
    pub(super) position: Position,
    pub(super) changes: Vec<FieldChange>,
    /// The SKUs of the product that the line does not name.
    pub(super) other_skus: Vec<String>,
}

impl Done {
    fn created(id: Option<ProductId>, position: Position) -> Self {
        Self { outcome: LineOutcome::Created, id, position, changes: Vec::new(), other_skus: Vec::new() }
    }
}

/// Imports a line. When somebody else changes the product meanwhile, the line is applied to that change.
pub(super) async fn import(shop: &Shop, line: &ImportLine, run: &Run) -> Result<Done, Problem> {
    for _ in 1..ATTEMPTS_MAX {
        match attempt(shop, line, run).await {
            Err(problem) if problem.code() == "revision-mismatch" => {}
            result => return result,
        }
    }
    attempt(shop, line, run).await
}

async fn attempt(shop: &Shop, line: &ImportLine, run: &Run) -> Result<Done, Problem> {
    let origin = Origin::new(shop.clock.new_id(), run.actor.clone(), run.correlation_id.clone());
    let Found { owner, known } = find(shop, line).await?;
    match (owner, known) {
        (Some(stream), Some(known)) => {
            let import = Import { shop, line, is_dry: run.is_dry, origin };
            import.change(&stream, &known).await
        }
        (owner, _) => {
            // A claim whose product was never written is taken over by the product it was made for.
            let id = match owner.as_ref().and_then(|stream| stream.id().parse().ok()) {
                Some(id) => ProductId(id),
                None => ProductId(CommandId(origin.command_id.0).creates("product")),
            };
            let import = Import { shop, line, is_dry: run.is_dry, origin };
            import.create(id).await
        }
    }
}

/// The product of a line.
#[derive(Default)]
pub(super) struct Found {
    /// Its stream; none when no SKU of the line is claimed.
    pub(super) owner: Option<StreamName>,
    /// The product, if it is there.
    known: Option<Loaded<Product>>,
}

/// Finds the product that has any SKU of a line. Other SKUs of the line that another product has are refused when the
/// line is written. Of claims without a product, the first is taken over.
pub(super) async fn find(shop: &Shop, line: &ImportLine) -> Result<Found, Problem> {
    let mut found = Found::default();
    for sku in line.skus() {
        let Some(stream) = listing::owner(shop, sku).await? else { continue };
        let known = shop.products.load(&stream).await?.filter(|known| known.state.exists());
        if known.is_some() {
            return Ok(Found { owner: Some(stream), known });
        }
        found.owner.get_or_insert(stream);
    }
    Ok(found)
}

struct Import<'a> {
    shop: &'a Shop,
    line: &'a ImportLine,
    is_dry: bool,
    origin: Origin,
}

impl Import<'_> {
    async fn create(self, id: ProductId) -> Result<Done, Problem> {
        let content = self.line.amendment.created(self.shop.settings.currency);
        let content = content.map_err(|errors| self.line.problem(errors))?;
        let stream = Product::stream(id);
        if self.is_dry {
            free_skus(self.shop, &ProductState::default(), &content, &stream.to_string()).await?;
            return Ok(Done::created(None, Position::START));
        }
        let command = ProductCommand::Create { content, epoch: 0 };
        let (_, position) = write(self.shop, CommandRequest::new(stream, command, self.origin)).await?;
        Ok(Done::created(Some(id), position))
    }

    async fn change(self, stream: &StreamName, known: &Loaded<Product>) -> Result<Done, Problem> {
        if known.state.is_withdrawn() {
            return Err(product_problem(CommandError::Rejected(ProductRejection::Withdrawn)));
        }
        let id = stream.id().parse().map(ProductId);
        let id = Some(id.map_err(|_| Problem::internal(&"a SKU belongs to no product"))?);
        let is_other = |sku: &&Sku| self.line.skus().all(|named| named != *sku);
        let other_skus = known.state.skus().filter(is_other).map(ToString::to_string).collect();
        let outcome = LineOutcome::Unchanged;
        let unchanged = Done { outcome, id, position: known.position, changes: Vec::new(), other_skus };
        if self.says_all_of(&known.state) {
            return Ok(unchanged);
        }
        // A SKU of another product is refused before it is taken for a new variant without a price.
        let skus: Vec<&Sku> = self.line.skus().collect();
        free(self.shop, &known.state, &skus, &stream.to_string()).await?;
        let before = content_at(self.shop, stream, known.revision).await?;
        let content = self.line.amendment.applied(&before, self.shop.settings.currency);
        let content = content.map_err(|errors| self.line.problem(errors))?;
        if content == before {
            return Ok(unchanged);
        }
        let outcome = LineOutcome::Changed;
        if self.is_dry {
            let changes = changes::between(&before, &content);
            return Ok(Done { outcome, changes, ..unchanged });
        }
        let position = self.replace(stream, known, content).await?;
        Ok(Done { outcome, position, ..unchanged })
    }

    /// True when a new product of this line would have just the content that is there: then the line changes nothing,
    /// and the content need not be read.
    fn says_all_of(&self, state: &ProductState) -> bool {
        let content = self.line.amendment.created(self.shop.settings.currency);
        content.is_ok_and(|content| state.has_content(&content))
    }

    /// Writes the content if the product is still what it was made of.
    async fn replace(
        self,
        stream: &StreamName,
        known: &Loaded<Product>,
        content: Content,
    ) -> Result<Position, Problem> {
        let command = ProductCommand::Replace { content, epoch: 0 };
        let request = CommandRequest::new(stream.clone(), command, self.origin);
        let request = CommandRequest { if_match: Some(known.revision.into()), ..request };
        Ok(write(self.shop, request).await?.1)
    }
}
