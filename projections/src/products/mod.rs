//! The catalogue: one row a product, by its id. A withdrawn product has no row; what carts still need of
//! it stands in [`crate::variants`].

mod row;

use souk_domain::folding::{category_path, folded, searched};
use souk_domain::product::event::Content;
use souk_domain::product::{Product, ProductEvent};
use souk_eventsourcing::projector::{Column, ColumnType, Model, Projector, Value};
use souk_eventsourcing::{DecodeError, RecordedEvent};

pub use row::ProductRow;

use crate::happened::{self, Happened, instant, text};
use crate::sort_key::sort_key;

/// The rules.
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
            // All variants of a product have one currency.
            Column { name: "currency", column_type: ColumnType::Text },
            Column { name: "min_price", column_type: ColumnType::Integer },
            Column { name: "created_at", column_type: ColumnType::Integer },
        ],
        indexes: &["created_at, key", "name_key, key", "currency, min_price, key"],
        sums: &[],
    };
    type Event = Happened<ProductEvent>;
    type Row = ProductRow;

    fn takes() -> Vec<&'static str> {
        happened::takes::<Product>()
    }

    fn read(recorded: &RecordedEvent) -> Result<Option<Self::Event>, DecodeError> {
        happened::read::<Product>(recorded)
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
            Happened::Noted | Happened::Event(ProductEvent::Fenced(_)) => {
                row.map(|row| ProductRow { revision, ..row })
            }
            Happened::Event(ProductEvent::Created(event)) => Some(said(row, &event.content, recorded)),
            Happened::Event(ProductEvent::Changed(event)) => Some(said(row, &event.content, recorded)),
            Happened::Event(ProductEvent::Withdrawn(_)) => None,
        }
    }

    fn columns(_: &str, row: &ProductRow) -> Vec<Value> {
        let prices = row.content.variants.iter().map(|variant| variant.price.amount);
        let currency = row.content.variants.first().map(|variant| variant.price.currency.code());
        vec![
            text(&sort_key(&row.content.name)),
            text(&search_text(&row.content)),
            text(&folded(&row.content.category)),
            Value::Integer(i64::from(row.content.active)),
            currency.map_or(Value::Null, text),
            prices.min().map_or(Value::Null, Value::Integer),
            instant(row.created_at),
        ]
    }
}

fn said(row: Option<ProductRow>, content: &Content, recorded: &RecordedEvent) -> ProductRow {
    let now = recorded.event.recorded_at;
    // Events of before have categories as they were typed.
    let category = category_path(&content.category);
    ProductRow {
        content: Content { category, ..content.clone() },
        revision: recorded.revision.0,
        created_at: row.map_or(now, |row| row.created_at),
        updated_at: now,
    }
}

/// What `q` looks in: the name and every SKU, a line each.
fn search_text(content: &Content) -> String {
    let skus = content.variants.iter().map(|variant| variant.sku.as_str());
    let lines: Vec<String> = std::iter::once(content.name.as_str()).chain(skus).map(searched).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests;
