//! Sort orders of the list of products.

use serde::{Deserialize, Serialize};
use souk_http::Problem;
use souk_projections::products::ProductRow;
use souk_projections::sort_key::sort_key;
use sqlx::Sqlite;
use sqlx::query::QueryAs;
use sqlx::sqlite::SqliteArguments;
use utoipa::ToSchema;

use crate::database::AFTER_EVERY_TEXT;
use crate::list::PageRequest;

/// Statement that selects the ids of products and the bytes of their documents.
pub(super) type MeasuredProducts = QueryAs<'static, Sqlite, (String, i64), SqliteArguments>;

/// Sort order of the list of products.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
pub(super) enum Sort {
    #[serde(rename = "newest")]
    #[default]
    Newest,
    #[serde(rename = "name")]
    Name,
    #[serde(rename = "-name")]
    NameDescending,
    #[serde(rename = "price")]
    Price,
    #[serde(rename = "-price")]
    PriceDescending,
}

/// Sort value and id of a product. A page begins after them.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum SortKey {
    Number(i64, String),
    Text(String, String),
}

impl SortKey {
    /// Binds the first two parameters of a statement.
    pub(super) fn bind(self, statement: MeasuredProducts) -> MeasuredProducts {
        match self {
            Self::Number(value, id) => statement.bind(value).bind(id),
            Self::Text(value, id) => statement.bind(value).bind(id),
        }
    }
}

impl Sort {
    pub(super) fn sql(self) -> &'static str {
        match self {
            Self::Newest => include_str!("list_newest.sql"),
            Self::Name => include_str!("list_by_name.sql"),
            Self::NameDescending => include_str!("list_by_name_descending.sql"),
            Self::Price => include_str!("list_by_price.sql"),
            Self::PriceDescending => include_str!("list_by_price_descending.sql"),
        }
    }

    /// Returns the name of the list in its cursors.
    pub(super) fn list(self, currency: &str) -> String {
        match self {
            Self::Newest => "products".to_owned(),
            Self::Name => "products:name".to_owned(),
            Self::NameDescending => "products:-name".to_owned(),
            Self::Price => format!("products:price:{currency}"),
            Self::PriceDescending => format!("products:-price:{currency}"),
        }
    }

    pub(super) fn is_by_price(self) -> bool {
        matches!(self, Self::Price | Self::PriceDescending)
    }

    /// Returns the sort key after which the requested page begins.
    pub(super) fn page_start(self, request: &PageRequest, list: &str) -> Result<SortKey, Problem> {
        let number = |start: i64, id: &str| {
            let after = request.after(list)?.unwrap_or((start, id.to_owned()));
            Ok(SortKey::Number(after.0, after.1))
        };
        let text = |start: &str| {
            let after = request.after(list)?.unwrap_or((start.to_owned(), start.to_owned()));
            Ok(SortKey::Text(after.0, after.1))
        };
        match self {
            Self::Newest | Self::PriceDescending => number(i64::MAX, AFTER_EVERY_TEXT),
            Self::Price => number(i64::MIN, ""),
            Self::Name => text(""),
            Self::NameDescending => text(AFTER_EVERY_TEXT),
        }
    }

    /// Returns the sort key of a product.
    pub(super) fn key(self, id: &str, row: &ProductRow) -> SortKey {
        let cheapest = || row.content.variants.iter().map(|variant| variant.price.amount).min();
        let id = id.to_owned();
        match self {
            Self::Newest => SortKey::Number(row.created_at.as_microsecond(), id),
            Self::Price | Self::PriceDescending => SortKey::Number(cheapest().unwrap_or(0), id),
            Self::Name | Self::NameDescending => SortKey::Text(sort_key(&row.content.name), id),
        }
    }
}
