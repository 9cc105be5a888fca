//! `GET /api/users/me/export`: all data that the shop holds about the caller, sent as a stream.
//!
//! Orders and sign-ins are read page by page, each page when the client has received the one before. Between
//! two pages the export keeps only the caller's row and cart in memory, and no database connection. If a read
//! fails, the server closes the connection, so that the client does not take the incomplete document for a
//! complete one.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use souk_domain::{CartId, CustomerId};
use souk_http::headers::ReadHeaders;
use souk_http::sign_ins::SignInResponse;
use souk_http::{Caller, Problem};
use uuid::Uuid;

use super::response::{
    ExportResponse, MailResponse, PreferencesResponse, SessionResponse, UserResponse, entries,
};
use super::routes::OwnAccount;
use crate::cart::response::CartResponse;
use crate::cart::routes as cart;
use crate::database::{QueryPorts, QueryState};
use crate::orders::page::{OrderPageRequest, OrderSortKey, OrderWithLines, newest_page_start};
use crate::people::OrderKeys;
use crate::positions::ReadYourWrites;
use crate::responses::behind_since_header;
use crate::running_exports::ExportPermit;

/// Maximum number of orders on a page of the export. A page with long orders has fewer.
const ORDERS_PAGE: u32 = 100;
/// Number of sign-ins on a page of the export.
const SIGN_INS_PAGE: u32 = 1_000;
/// Maximum number of sign-ins in an export. If the caller has more, `allSignIns` is false.
const SIGN_INS_MAX: usize = 10_000;

/// Exports all data that the shop holds about the caller, as one JSON document.
///
/// One export per person runs at a time. A second export is refused with 429 until the client has read the
/// first to the end or has closed its connection.
#[utoipa::path(get, path = "/api/users/me/export", tag = "users",
    params(ReadYourWrites),
    responses((status = 200, body = ExportResponse)))]
pub(super) async fn export(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
) -> Result<Response, Problem> {
    let person = caller.signed_in()?.clone();
    let permit = state.exports.begin(&person)?;
    let own = OwnAccount::read(&state, &caller, headers).await?;
    let cart = cart::read(&state, &caller, CartId::of_customer(&person), headers).await?;
    let parked_since = own.at.parked_since.into_iter().chain(cart.parked_since).min();
    let export = Export {
        state,
        caller,
        person,
        own,
        cart: cart.body,
        sign_ins: 0,
        next: Section::Head,
        _permit: permit,
    };
    let body = Body::from_stream(stream::try_unfold(export, Export::next));
    // The document has several resources, each with its own revision, so the response has no `ETag`.
    let mut response =
        ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response();
    response.headers_mut().extend(parked_since.map(behind_since_header));
    Ok(response)
}

/// Export that is being written.
struct Export {
    state: QueryState,
    caller: Caller,
    person: CustomerId,
    own: OwnAccount,
    cart: CartResponse,
    /// Number of sign-ins written so far.
    sign_ins: usize,
    next: Section,
    _permit: ExportPermit,
}

/// Sections of the document, in the order in which they are written.
enum Section {
    Head,
    /// One page of orders.
    Orders {
        page_start: OrderSortKey,
        is_first: bool,
    },
    /// The cart and the sessions.
    Middle,
    /// One page of sign-ins, older than `before`.
    SignIns {
        before: Option<Uuid>,
    },
    Tail {
        all_sign_ins: bool,
    },
    End,
}

/// Error after the response has started, with the code of the problem. It closes the connection.
#[derive(Debug, thiserror::Error)]
#[error("the export failed: {0}")]
struct ExportFailed(String);

impl Export {
    /// Writes the next part. Returns its bytes and the export that continues after it; none at the end.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, ExportFailed> {
        let mut json = Json::default();
        let result = match std::mem::replace(&mut self.next, Section::End) {
            Section::Head => self.head(&mut json),
            Section::Orders { page_start, is_first } => self.orders(&mut json, page_start, is_first).await,
            Section::Middle => self.middle(&mut json).await,
            Section::SignIns { before } => self.sign_ins(&mut json, before).await,
            Section::Tail { all_sign_ins } => self.tail(&mut json, all_sign_ins).await,
            Section::End => return Ok(None),
        };
        result.map_err(|problem| {
            tracing::warn!(code = problem.code(), detail = problem.detail(), "the export failed");
            ExportFailed(problem.code().to_owned())
        })?;
        Ok(Some((Bytes::from(json.bytes), self)))
    }

    fn head(&mut self, json: &mut Json) -> Result<(), Problem> {
        let OwnAccount { id, row, keys, .. } = &self.own;
        json.raw("{");
        json.field("user", &UserResponse::new(id, row, keys, self.own.position()))?;
        json.raw(",");
        json.field("addresses", &entries(row, keys))?;
        json.raw(",");
        json.field("preferences", &PreferencesResponse::from(&row.preferences))?;
        json.raw(",\"orders\":[");
        self.next = Section::Orders { page_start: newest_page_start(), is_first: true };
        Ok(())
    }

    async fn orders(
        &mut self,
        json: &mut Json,
        page_start: OrderSortKey,
        is_first: bool,
    ) -> Result<(), Problem> {
        let customer = Some(self.own.id.clone());
        let request = OrderPageRequest {
            customer,
            status: None,
            is_unaddressed: false,
            from: i64::MIN,
            page_start,
            limit: ORDERS_PAGE,
        };
        let page = request.page(&self.state, &self.caller).await?;
        let next_start = page.next_cursor(OrderWithLines::sort_key);
        let keys = OrderKeys::of(&self.state, page.items.iter().map(OrderWithLines::row)).await?;
        let position = self.own.position();
        json.items(is_first, page.items.into_iter().map(|order| order.answer(&keys, position)))?;
        self.next =
            next_start.map_or(Section::Middle, |page_start| Section::Orders { page_start, is_first: false });
        Ok(())
    }

    async fn middle(&mut self, json: &mut Json) -> Result<(), Problem> {
        let QueryPorts { credentials, clock, .. } = &self.state.ports;
        let sessions = credentials.open_sessions_of(&self.person, clock.now()).await?;
        let sessions: Vec<SessionResponse> = sessions.into_iter().map(SessionResponse::from).collect();
        json.raw("],");
        json.field("cart", &self.cart)?;
        json.raw(",");
        json.field("sessions", &sessions)?;
        json.raw(",\"signIns\":[");
        self.next = Section::SignIns { before: None };
        Ok(())
    }

    async fn sign_ins(&mut self, json: &mut Json, before: Option<Uuid>) -> Result<(), Problem> {
        let credentials = &self.state.ports.credentials;
        let mut page = credentials.sign_ins(Some(&self.person), before, SIGN_INS_PAGE).await?;
        let is_last = page.len() < SIGN_INS_PAGE as usize;
        let remaining = SIGN_INS_MAX - self.sign_ins;
        let has_more = page.len() > remaining;
        page.truncate(remaining);
        let last = page.last().map(|sign_in| sign_in.id).or(before);
        json.items(self.sign_ins == 0, page.iter().cloned().map(SignInResponse::from))?;
        self.sign_ins += page.len();
        self.next = if is_last || has_more {
            Section::Tail { all_sign_ins: !has_more }
        } else {
            Section::SignIns { before: last }
        };
        Ok(())
    }

    async fn tail(&mut self, json: &mut Json, all_sign_ins: bool) -> Result<(), Problem> {
        let QueryPorts { credentials, outbox, .. } = &self.state.ports;
        let mails = outbox.sent_to(&self.person).await.map_err(|error| Problem::internal(&error))?;
        let mails: Vec<MailResponse> = mails.into_iter().map(MailResponse::from).collect();
        json.raw("],");
        json.field("allSignIns", &all_sign_ins)?;
        json.raw(",");
        json.field("identityProviders", &credentials.links_of(&self.person).await?)?;
        json.raw(",");
        json.field("mails", &mails)?;
        json.raw(",");
        json.field("position", &self.own.position().to_string())?;
        json.raw("}");
        Ok(())
    }
}

/// JSON text of one section of the document.
#[derive(Default)]
struct Json {
    bytes: Vec<u8>,
}

impl Json {
    fn raw(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn value(&mut self, value: &impl Serialize) -> Result<(), Problem> {
        serde_json::to_writer(&mut self.bytes, value).map_err(|error| Problem::internal(&error))
    }

    fn field(&mut self, name: &str, value: &impl Serialize) -> Result<(), Problem> {
        self.value(&name)?;
        self.raw(":");
        self.value(value)
    }

    /// Appends items to a list. `is_first` is true if the list has no item yet, so that no comma comes first.
    fn items<T: Serialize>(&mut self, is_first: bool, items: impl Iterator<Item = T>) -> Result<(), Problem> {
        for (number, item) in items.enumerate() {
            if !(is_first && number == 0) {
                self.raw(",");
            }
            self.value(&item)?;
        }
        Ok(())
    }
}
