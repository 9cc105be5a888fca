//! Variants by SKU: what carts and stock are joined with.

mod row;

pub use row::VariantRow;

use souk_domain::product::{Content, ProductEvent};
use souk_domain::{Money, Sku};
use souk_eventsourcing::projector::{Model, Projector, Value};
use souk_eventsourcing::{DecodeError, EventPayload, RecordedEvent};

use crate::{integer, text};

/// The projector.
#[derive(Debug)]
pub struct Variants;

impl Projector for Variants {
    const MODEL: Model = Model {
        name: "variants",
        version: 1,
        columns: &[text("product"), text("name"), integer("price"), text("currency"), integer("listed")],
        indexes: &["product"],
        sums: &[],
    };
    type Event = ProductEvent;
    type Row = VariantRow;

    fn takes() -> Vec<&'static str> {
        ProductEvent::event_types().to_vec()
    }

    fn read(event: &RecordedEvent) -> Result<Option<ProductEvent>, DecodeError> {
        event.decode().map(Some)
    }

    fn keys(event: &ProductEvent, _: &RecordedEvent) -> Vec<String> {
        let of = |content: &Content, removed: &[Sku]| {
            let present = content.variants.iter().map(|variant| &variant.sku);
            present.chain(removed).map(ToString::to_string).collect()
        };
        match event {
            ProductEvent::Created(event) => of(&event.content, &[]),
            ProductEvent::Changed(event) => of(&event.content, &event.removed_skus),
            ProductEvent::Withdrawn(event) => event.removed_skus.iter().map(ToString::to_string).collect(),
        }
    }

    fn project(
        key: &str,
        row: Option<VariantRow>,
        event: &ProductEvent,
        recorded: &RecordedEvent,
    ) -> Option<VariantRow> {
        let content = match event {
            ProductEvent::Created(event) => Some(&event.content),
            ProductEvent::Changed(event) => Some(&event.content),
            ProductEvent::Withdrawn(_) => None,
        };
        let product = recorded.stream.id().to_owned();
        let price: Option<Money> = content.and_then(|content| {
            content.variants.iter().find(|variant| variant.sku.as_str() == key).map(|variant| variant.price)
        });
        match (content, price) {
            (Some(content), Some(price)) => {
                Some(VariantRow { product, name: content.name.clone(), price, listed: content.active })
            }
            // Carts that hold it still show its name, and that it is gone.
            _ => row.map(|row| VariantRow { listed: false, ..row }),
        }
    }

    fn columns(_: &str, row: &VariantRow) -> Vec<Value> {
        vec![
            Value::Text(row.product.clone()),
            Value::Text(row.name.clone()),
            Value::Integer(row.price.amount),
            Value::Text(row.price.currency.code().to_owned()),
            Value::Integer(row.listed.into()),
        ]
    }
}
