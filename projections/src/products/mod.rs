//! Products: pages and lists.

mod row;

pub use row::ProductRow;

use souk_domain::product::ProductEvent;
use souk_eventsourcing::projector::{Model, Projector, Value};
use souk_eventsourcing::{DecodeError, EventPayload, RecordedEvent};

use crate::{integer, text};

/// The projector.
#[derive(Debug)]
pub struct Products;

impl Projector for Products {
    const MODEL: Model = Model {
        name: "products",
        version: 1,
        columns: &[
            text("name_folded"),
            text("search"),
            text("category"),
            integer("active"),
            integer("withdrawn"),
            integer("min_price"),
            text("currency"),
            integer("created_at"),
        ],
        indexes: &["created_at, key", "name_folded, key", "min_price, key"],
        sums: &[],
    };
    type Event = ProductEvent;
    type Row = ProductRow;

    fn takes() -> Vec<&'static str> {
        ProductEvent::event_types().to_vec()
    }

    fn read(event: &RecordedEvent) -> Result<Option<ProductEvent>, DecodeError> {
        event.decode().map(Some)
    }

    fn keys(_: &ProductEvent, recorded: &RecordedEvent) -> Vec<String> {
        vec![recorded.stream.id().to_owned()]
    }

    fn project(
        _: &str,
        row: Option<ProductRow>,
        event: &ProductEvent,
        recorded: &RecordedEvent,
    ) -> Option<ProductRow> {
        let (revision, now) = (recorded.revision.0, recorded.event.recorded_at);
        let created_at = row.as_ref().map_or(now, |row| row.created_at);
        match event {
            ProductEvent::Created(event) => {
                let content = event.content.clone();
                Some(ProductRow { revision, content, withdrawn: false, created_at, updated_at: now })
            }
            ProductEvent::Changed(event) => {
                let content = event.content.clone();
                Some(ProductRow { revision, content, withdrawn: false, created_at, updated_at: now })
            }
            ProductEvent::Withdrawn(_) => {
                row.map(|row| ProductRow { revision, withdrawn: true, updated_at: now, ..row })
            }
        }
    }

    fn columns(_: &str, row: &ProductRow) -> Vec<Value> {
        let content = &row.content;
        let skus: Vec<&str> = content.variants.iter().map(|variant| variant.sku.as_str()).collect();
        let cheapest = content.variants.iter().map(|variant| variant.price).min_by_key(|price| price.amount);
        vec![
            Value::Text(content.name.to_lowercase()),
            Value::Text(format!("{} {}", content.name, skus.join(" ")).to_lowercase()),
            Value::Text(content.category.clone()),
            Value::Integer(row.is_listed().into()),
            Value::Integer(row.withdrawn.into()),
            cheapest.map_or(Value::Null, |price| Value::Integer(price.amount)),
            cheapest.map_or(Value::Null, |price| Value::Text(price.currency.code().to_owned())),
            Value::Integer(row.created_at.as_microsecond()),
        ]
    }
}
