//! What is sold: one row a SKU, to be joined by SKU from carts and stock.
//!
//! A row stays when its SKU is sold no more, marked as withdrawn, so that a cart can still show its name.
//! A SKU can move on to another product: news of the old product then leave the row alone.

mod row;

use souk_domain::product::event::Content;
use souk_domain::product::{Product, ProductEvent};
use souk_domain::{ProductId, Sku};
use souk_eventsourcing::projector::{Column, ColumnType, Model, Projector, Value};
use souk_eventsourcing::{Decider, DecodeError, EventPayload, RecordedEvent};

pub use row::VariantRow;

use crate::happened::text;

/// The rules.
#[derive(Debug)]
pub struct Variants;

/// What an event says of variants.
#[derive(Debug)]
pub struct VariantsSaid {
    product: ProductId,
    content: Option<Content>,
    removed: Vec<Sku>,
}

impl Projector for Variants {
    const MODEL: Model = Model {
        name: "variants",
        version: 1,
        columns: &[
            Column { name: "product_id", column_type: ColumnType::Text },
            Column { name: "price", column_type: ColumnType::Integer },
            Column { name: "withdrawn", column_type: ColumnType::Integer },
        ],
        indexes: &["product_id"],
        sums: &[],
    };
    type Event = VariantsSaid;
    type Row = VariantRow;

    fn takes() -> Vec<&'static str> {
        <Product as Decider>::Event::event_types().to_vec()
    }

    fn read(recorded: &RecordedEvent) -> Result<Option<VariantsSaid>, DecodeError> {
        let Ok(product) = recorded.stream.id().parse() else { return Ok(None) };
        let (content, removed) = match recorded.decode()? {
            ProductEvent::Created(event) => (Some(event.content), Vec::new()),
            ProductEvent::Changed(event) => (Some(event.content), event.removed_skus),
            ProductEvent::Withdrawn(event) => (None, event.removed_skus),
            ProductEvent::Fenced(_) => return Ok(None),
        };
        Ok(Some(VariantsSaid { product: ProductId(product), content, removed }))
    }

    fn keys(said: &VariantsSaid, _: &RecordedEvent) -> Vec<String> {
        let present = said.content.iter().flat_map(|content| &content.variants).map(|variant| &variant.sku);
        present.chain(&said.removed).map(Sku::to_string).collect()
    }

    fn project(
        key: &str,
        row: Option<VariantRow>,
        said: &VariantsSaid,
        _: &RecordedEvent,
    ) -> Option<VariantRow> {
        let (product, content) = (said.product, said.content.as_ref());
        let present = content.and_then(|content| {
            let variant = content.variants.iter().find(|variant| variant.sku.as_str() == key)?;
            let (name, active, price) = (content.name.clone(), content.active, variant.price);
            Some(VariantRow { product, name, active, withdrawn: false, price })
        });
        present.or_else(|| {
            row.map(|row| VariantRow { withdrawn: row.withdrawn || row.product == product, ..row })
        })
    }

    fn columns(_: &str, row: &VariantRow) -> Vec<Value> {
        vec![text(&row.product), Value::Integer(row.price.amount), Value::Integer(i64::from(row.withdrawn))]
    }
}

#[cfg(test)]
mod tests;
