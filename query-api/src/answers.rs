//! Shapes of answers that all resources share.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use souk_eventsourcing::Position;
use utoipa::ToSchema;

/// The position from which on what is shown lacks events, because one of them waits for an operator.
const BEHIND_SINCE: HeaderName = HeaderName::from_static("x-behind-since");

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListOf<T> {
    /// At most `limit`; fewer where the page would have more than 1 MiB.
    pub(crate) items: Vec<T>,
    /// Gives the next page as `?cursor=`; null on the last.
    #[schema(example = "WyJvcmRlcnMiLDFd")]
    pub(crate) next_cursor: Option<String>,
    /// How far the read models are.
    #[schema(example = "57")]
    pub(crate) position: String,
    /// How many entities of what is listed lack events that wait for an operator; left out when none do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub(crate) behind: Option<usize>,
}

/// A single resource, with its revision as `ETag` when it has one, and a mark when it stands behind.
#[derive(Debug)]
pub(crate) struct Single<T> {
    pub(crate) revision: Option<u64>,
    pub(crate) behind: Option<Position>,
    pub(crate) body: T,
}

impl<T: Serialize> IntoResponse for Single<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.body).into_response();
        let etag = self.revision.and_then(|revision| HeaderValue::try_from(format!("\"{revision}\"")).ok());
        if let Some(etag) = etag {
            response.headers_mut().insert(header::ETAG, etag);
        }
        response.headers_mut().extend(self.behind.map(behind_since));
        response
    }
}

/// The header of an answer that stands behind.
pub(crate) fn behind_since(since: Position) -> (HeaderName, HeaderValue) {
    (BEHIND_SINCE, HeaderValue::from(since.0))
}
