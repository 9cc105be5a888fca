//! Response bodies and headers that all resources share.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use souk_eventsourcing::Position;
use utoipa::ToSchema;

/// Name of the response header that holds the first log position missing from the shown data. Events from
/// that position on are missing because one of them waits for an operator.
const BEHIND_SINCE: HeaderName = HeaderName::from_static("x-behind-since");

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListOf<T> {
    /// At most `limit` items; fewer if the page would have more than 1 MiB.
    pub(crate) items: Vec<T>,
    /// Value of `?cursor=` for the next page; null on the last page.
    #[schema(example = "WyJvcmRlcnMiLDFd")]
    pub(crate) next_cursor: Option<String>,
    /// Log position that the read models have reached.
    #[schema(example = "57")]
    pub(crate) position: String,
    /// Number of entities in the whole list that lack events, because these events wait for an operator; left
    /// out if it is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub(crate) behind: Option<usize>,
}

/// Response with a single resource.
#[derive(Debug)]
pub(crate) struct Single<T> {
    /// Revision of the resource, sent as `ETag`.
    pub(crate) revision: Option<u64>,
    /// First log position that the resource lacks because its entity is parked, sent as `X-Behind-Since`.
    pub(crate) parked_since: Option<Position>,
    pub(crate) body: T,
}

impl<T: Serialize> IntoResponse for Single<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.body).into_response();
        let etag = self.revision.and_then(|revision| HeaderValue::try_from(format!("\"{revision}\"")).ok());
        if let Some(etag) = etag {
            response.headers_mut().insert(header::ETAG, etag);
        }
        response.headers_mut().extend(self.parked_since.map(behind_since_header));
        response
    }
}

/// Returns the `X-Behind-Since` header for a response whose data lacks the events from `since` on.
pub(crate) fn behind_since_header(since: Position) -> (HeaderName, HeaderValue) {
    (BEHIND_SINCE, HeaderValue::from(since.0))
}
