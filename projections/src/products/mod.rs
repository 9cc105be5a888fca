//! Read model of the product catalogue: one row per product, by product id.
//!
//! A withdrawn product has no row. The data that carts still need of it is in [`crate::variants`].

mod row;

use souk_domain::folding::{category_path, comparison_form, search_form};
use souk_domain::product::event::Content;
use souk_domain::product::{Product, ProductEvent};
use souk_eventsourcing::projector::{Column, ColumnType, Model, Projector, Value};
use souk_eventsourcing::{DecodeError, RecordedEvent};

pub use row::ProductRow;

use crate::sort_key::sort_key;
use crate::stream_event::{self, StreamEvent, instant, text};

/// Projector of the read model of the product catalogue.
#[derive(Debug)]
pub struct Products;

impl Projector for Products {
    const MODEL: Model = Model {
        name: "products",
        version: 3,
        columns: &[
            Column { name: "name_key", column_type: ColumnType::Text },
            Column { name: "search_text", column_type: ColumnType::Text },
            Column { name: "category", column_type: ColumnType::Text },
            Column { name: "active", column_type: ColumnType::Integer },
            // Currency of all variants; null for a product without variants.
            Column { name: "currency", column_type: ColumnType::Text },
            Column { name: "min_price", column_type: ColumnType::Integer },
            Column { name: "created_at", column_type: ColumnType::Integer },
        ],
        indexes: &["created_at, key", "name_key, key", "currency, min_price, key"],
        sums: &[],
    };
    type Event = StreamEvent<ProductEvent>;
    type Row = ProductRow;

    fn event_types() -> Vec<&'static str> {
        stream_event::event_types::<Product>()
    }

    fn read(recorded: &RecordedEvent) -> Result<Option<Self::Event>, DecodeError> {
        stream_event::read::<Product>(recorded)
    }

    fn keys(_: &Self::Event, recorded: &RecordedEvent) -> Vec<String> {
        vec![recorded.stream.id().to_owned()]
    }

    fn project(
        _: &str,
        row: Option<ProductRow>,
        event: &Self::Event,
        recorded: &RecordedEvent,
    ) -> Option<ProductRow> {
        let revision = recorded.revision.0;
        match event {
            StreamEvent::Noted | StreamEvent::Event(ProductEvent::Fenced(_)) => {
                row.map(|row| ProductRow { revision, ..row })
            }
            StreamEvent::Event(ProductEvent::Created(event)) => {
                Some(with_content(row, &event.content, recorded))
            }
            StreamEvent::Event(ProductEvent::Changed(event)) => {
                Some(with_content(row, &event.content, recorded))
            }
            StreamEvent::Event(ProductEvent::Withdrawn(_)) => None,
        }
    }

    fn columns(_: &str, row: &ProductRow) -> Vec<Value> {
        let prices = row.content.variants.iter().map(|variant| variant.price.amount);
        let currency = row.content.variants.first().map(|variant| variant.price.currency.code());
        vec![
            text(&sort_key(&row.content.name)),
            text(&search_text(&row.content)),
            text(&comparison_form(&row.content.category)),
            Value::Integer(i64::from(row.content.active)),
            currency.map_or(Value::Null, text),
            prices.min().map_or(Value::Null, Value::Integer),
            instant(row.created_at),
        ]
    }
}

/// Returns the row of a product that was created or changed.
fn with_content(row: Option<ProductRow>, content: &Content, recorded: &RecordedEvent) -> ProductRow {
    let now = recorded.event.recorded_at;
    // Older events hold the category as it was typed.
    let category = category_path(&content.category);
    ProductRow {
        content: Content { category, ..content.clone() },
        revision: recorded.revision.0,
        created_at: row.map_or(now, |row| row.created_at),
        updated_at: now,
    }
}

/// Returns the text that the query parameter `q` searches: the name and every SKU, one per line.
fn search_text(content: &Content) -> String {
    let skus = content.variants.iter().map(|variant| variant.sku.as_str());
    let lines: Vec<String> = std::iter::once(content.name.as_str()).chain(skus).map(search_form).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests;
