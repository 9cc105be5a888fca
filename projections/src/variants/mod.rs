//! Read model of variants: one row per SKU. Queries of carts and stock join it by SKU.
//!
//! If a SKU is no longer sold, its row stays and is marked as withdrawn, so that a cart can still show the
//! name. A SKU can move to another product. From then on, events of the old product do not change the row.

mod row;

use souk_domain::product::event::Content;
use souk_domain::product::{Product, ProductEvent};
use souk_domain::{ProductId, Sku};
use souk_eventsourcing::projector::{Column, ColumnType, Model, Projector, Value};
use souk_eventsourcing::{Decider, DecodeError, EventPayload, RecordedEvent};

pub use row::VariantRow;

use crate::stream_event::text;

/// Projector of the read model of variants.
#[derive(Debug)]
pub struct Variants;

/// Content of a product event that concerns its variants.
#[derive(Debug)]
pub struct VariantsChange {
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
    type Event = VariantsChange;
    type Row = VariantRow;

    fn event_types() -> Vec<&'static str> {
        <Product as Decider>::Event::event_types().to_vec()
    }

    fn read(recorded: &RecordedEvent) -> Result<Option<VariantsChange>, DecodeError> {
        let Ok(product) = recorded.stream.id().parse() else { return Ok(None) };
        let (content, removed) = match recorded.decode()? {
            ProductEvent::Created(event) => (Some(event.content), Vec::new()),
            ProductEvent::Changed(event) => (Some(event.content), event.removed_skus),
            ProductEvent::Withdrawn(event) => (None, event.removed_skus),
            ProductEvent::Fenced(_) => return Ok(None),
        };
        Ok(Some(VariantsChange { product: ProductId(product), content, removed }))
    }

    fn keys(change: &VariantsChange, _: &RecordedEvent) -> Vec<String> {
        let present = change.content.iter().flat_map(|content| &content.variants).map(|variant| &variant.sku);
        present.chain(&change.removed).map(Sku::to_string).collect()
    }

    fn project(
        key: &str,
        row: Option<VariantRow>,
        change: &VariantsChange,
        _: &RecordedEvent,
    ) -> Option<VariantRow> {
        let product = change.product;
        let present = change.content.as_ref().and_then(|content| {
            let variant = content.variants.iter().find(|variant| variant.sku.as_str() == key)?;
            Some(VariantRow {
                product,
                name: content.name.clone(),
                active: content.active,
                withdrawn: false,
                price: variant.price,
            })
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
