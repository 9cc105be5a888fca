//! The import of one line: it finds the product, applies the line to its content, and writes the content if
//! it changed.

use souk_domain::product::{Content, Product, ProductCommand, ProductRejection, ProductState};
use souk_domain::{ProductId, Sku};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{Actor, CommandError, CommandRequest, CorrelationId, Loaded, Position, StreamName};
use souk_http::Problem;

use crate::listing;
use crate::ports::Ports;
use crate::products::contents::content_at;
use crate::products::write::{new_skus, new_skus_of, write_product};
use crate::rejected::product_problem;

use super::LineOutcome;
use super::changes::{self, FieldChange};
use super::line::ImportLine;

/// Attempts to import a line while other writers change its product.
const ATTEMPTS_MAX: usize = 8;

/// The options of an import.
pub(super) struct ImportOptions {
    pub(super) actor: Actor,
    pub(super) correlation_id: CorrelationId,
    /// True for a dry run, which writes nothing.
    pub(super) is_dry: bool,
}

/// The effect of a line that was not refused.
pub(super) struct LineEffect {
    pub(super) outcome: LineOutcome,
    pub(super) id: Option<ProductId>,
    pub(super) position: Position,
    pub(super) changes: Vec<FieldChange>,
    /// Other SKUs of the product, which the line does not name.
    pub(super) other_skus: Vec<String>,
}

impl LineEffect {
    fn created(id: Option<ProductId>, position: Position) -> Self {
        Self { outcome: LineOutcome::Created, id, position, changes: Vec::new(), other_skus: Vec::new() }
    }
}

/// Imports a line. If another writer changes the product meanwhile, the line is applied to the changed
/// product.
pub(super) async fn import(
    ports: &Ports,
    line: &ImportLine,
    options: &ImportOptions,
) -> Result<LineEffect, Problem> {
    for _ in 1..ATTEMPTS_MAX {
        match attempt(ports, line, options).await {
            Err(problem) if problem.code() == "revision-mismatch" => {}
            result => return result,
        }
    }
    attempt(ports, line, options).await
}

async fn attempt(ports: &Ports, line: &ImportLine, options: &ImportOptions) -> Result<LineEffect, Problem> {
    let origin = Origin::new(ports.clock.new_id(), options.actor.clone(), options.correlation_id.clone());
    let LineProduct { owner, loaded } = find(ports, line).await?;
    match (owner, loaded) {
        (Some(stream), Some(loaded)) => {
            let import = Import { ports, line, is_dry: options.is_dry, origin };
            import.change(&stream, &loaded).await
        }
        (owner, _) => {
            // The claim of a product that was never written names the product's id: the new product gets this
            // id.
            let claimed = owner.as_ref().and_then(|stream| ProductId::parse(stream.id()).ok());
            let id = claimed.unwrap_or_else(|| ProductId(origin.command_id.derived_id("product")));
            let import = Import { ports, line, is_dry: options.is_dry, origin };
            import.create(id).await
        }
    }
}

/// The product that a line is about.
#[derive(Default)]
pub(super) struct LineProduct {
    /// Stream of the product; `None` if no SKU of the line is claimed.
    pub(super) owner: Option<StreamName>,
    /// State of the product, if it exists.
    loaded: Option<Loaded<Product>>,
}

/// Finds the first existing product that has a SKU of the line. If there is none, returns the stream of the
/// first claim. A line with SKUs of several products is refused later, when it is written.
pub(super) async fn find(ports: &Ports, line: &ImportLine) -> Result<LineProduct, Problem> {
    let mut product = LineProduct::default();
    for sku in line.skus() {
        let Some(stream) = listing::owner(ports, sku).await? else { continue };
        let loaded = ports.aggregates.products.load(&stream).await?.filter(|loaded| loaded.state.exists());
        if loaded.is_some() {
            return Ok(LineProduct { owner: Some(stream), loaded });
        }
        product.owner.get_or_insert(stream);
    }
    Ok(product)
}

struct Import<'a> {
    ports: &'a Ports,
    line: &'a ImportLine,
    is_dry: bool,
    origin: Origin,
}

impl Import<'_> {
    async fn create(self, id: ProductId) -> Result<LineEffect, Problem> {
        let content = self.line.amendment.to_content(self.ports.settings.currency);
        let content = content.map_err(|errors| self.line.problem(errors))?;
        let stream = Product::stream(id);
        if self.is_dry {
            new_skus_of(self.ports, &ProductState::default(), &content, &stream.to_string()).await?;
            return Ok(LineEffect::created(None, Position::START));
        }
        let command = ProductCommand::Create { content, epoch: 0 };
        let (_, position) =
            write_product(self.ports, CommandRequest::new(stream, command, self.origin)).await?;
        Ok(LineEffect::created(Some(id), position))
    }

    async fn change(self, stream: &StreamName, loaded: &Loaded<Product>) -> Result<LineEffect, Problem> {
        if loaded.state.is_withdrawn() {
            return Err(product_problem(CommandError::Rejected(ProductRejection::Withdrawn)));
        }
        let id = ProductId::parse(stream.id());
        let id = Some(id.map_err(|_| Problem::internal(&"a SKU belongs to no product"))?);
        let is_other = |sku: &&Sku| self.line.skus().all(|named| named != *sku);
        let other_skus = loaded.state.skus().filter(is_other).map(ToString::to_string).collect();
        let outcome = LineOutcome::Unchanged;
        let unchanged =
            LineEffect { outcome, id, position: loaded.position, changes: Vec::new(), other_skus };
        if self.is_whole_content_of(&loaded.state) {
            return Ok(unchanged);
        }
        // Refuses a SKU of another product here. Below, it would be reported as a new variant without a
        // price.
        let skus: Vec<&Sku> = self.line.skus().collect();
        new_skus(self.ports, &loaded.state, &skus, &stream.to_string()).await?;
        let before = content_at(self.ports, stream, loaded.revision).await?;
        let content = self.line.amendment.apply_to(&before, self.ports.settings.currency);
        let content = content.map_err(|errors| self.line.problem(errors))?;
        if content == before {
            return Ok(unchanged);
        }
        let outcome = LineOutcome::Changed;
        if self.is_dry {
            let changes = changes::between(&before, &content);
            return Ok(LineEffect { outcome, changes, ..unchanged });
        }
        let position = self.replace(stream, loaded, content).await?;
        Ok(LineEffect { outcome, position, ..unchanged })
    }

    /// Returns true if a new product made from this line would have exactly the content of the existing
    /// product. Then the line changes nothing, and the content need not be read from the log.
    fn is_whole_content_of(&self, state: &ProductState) -> bool {
        let content = self.line.amendment.to_content(self.ports.settings.currency);
        content.is_ok_and(|content| state.has_content(&content))
    }

    /// Writes the content, unless the product changed since it was loaded.
    async fn replace(
        self,
        stream: &StreamName,
        loaded: &Loaded<Product>,
        content: Content,
    ) -> Result<Position, Problem> {
        let command = ProductCommand::Replace { content, epoch: 0 };
        let request = CommandRequest::new(stream.clone(), command, self.origin);
        let request = CommandRequest { if_match: Some(loaded.revision.into()), ..request };
        Ok(write_product(self.ports, request).await?.1)
    }
}
