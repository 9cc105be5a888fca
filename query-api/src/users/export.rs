//! `GET /api/users/me/export`: everything that is held about the caller, written while it is read.
//!
//! Orders and sign-ins are read a page at a time, when the client takes more of the answer. Between two pages nothing
//! is held but the person's own row and cart, and no connection. A failure on the way ends the connection, so that the
//! client does not take a part for the whole.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use souk_domain::{CartId, CustomerId};
use souk_http::headers::ReadHeaders;
use souk_http::problem::ProblemBody;
use souk_http::sign_ins::SignInAnswer;
use souk_http::{Caller, Problem};
use uuid::Uuid;

use super::response::{ExportAnswer, MailAnswer, PreferencesAnswer, SessionAnswer, UserAnswer, entries};
use super::routes::Own;
use crate::answers::behind_since;
use crate::cart::response::CartAnswer;
use crate::cart::routes as cart;
use crate::database::{Beside, QueryState};
use crate::exports::OnlyExport;
use crate::orders::page::{Found, Place, Wanted, first_place};
use crate::people::OrderKeys;
use crate::positions::ReadYourWrites;

/// Orders that are read at once, at most; fewer when they are long.
const ORDERS_PAGE: u32 = 100;
/// Sign-ins that are read at once.
const SIGN_INS_PAGE: u32 = 1_000;
/// Sign-ins of an export at most: it says when there are more.
const SIGN_INS_MAX: usize = 10_000;

/// Gives everything that is held about the caller, as one document.
///
/// One export at a time per person: a second is refused until the first was read to its end or given up.
#[utoipa::path(get, path = "/api/users/me/export", tag = "users",
    params(ReadYourWrites),
    responses((status = 200, body = ExportAnswer),
        (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub(super) async fn export(
    State(state): State<QueryState>,
    caller: Caller,
    headers: ReadHeaders,
) -> Result<Response, Problem> {
    let person = caller.signed_in()?.clone();
    let only = state.exports.begin(&person)?;
    let own = Own::read(&state, &caller, headers).await?;
    let cart = cart::of(&state, &caller, CartId::of_customer(&person), headers).await?;
    let behind = own.at.behind.into_iter().chain(cart.behind).min();
    let export =
        Export { state, caller, person, own, cart: cart.body, sign_ins: 0, next: Part::Head, _only: only };
    let body = Body::from_stream(stream::try_unfold(export, Export::next));
    // Of many resources, it has the revision of none.
    let mut response =
        ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response();
    response.headers_mut().extend(behind.map(behind_since));
    Ok(response)
}

/// An export, of which a part was written.
struct Export {
    state: QueryState,
    caller: Caller,
    person: CustomerId,
    own: Own,
    cart: CartAnswer,
    /// The number of sign-ins that were written.
    sign_ins: usize,
    next: Part,
    _only: OnlyExport,
}

/// The parts of the document, in their order.
enum Part {
    Head,
    /// The orders behind this one.
    Orders {
        behind: Place,
        is_first: bool,
    },
    /// The cart and the sessions.
    Middle,
    /// The sign-ins before this one.
    SignIns {
        before: Option<Uuid>,
    },
    Tail {
        all_sign_ins: bool,
    },
    End,
}

/// A failure after the answer has begun; it ends the connection.
#[derive(Debug, thiserror::Error)]
#[error("an export broke off: {0}")]
struct BrokenOff(String);

impl Export {
    /// The next part, and the export behind it; none at the end.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, BrokenOff> {
        let mut json = Json::default();
        let written = match std::mem::replace(&mut self.next, Part::End) {
            Part::Head => self.head(&mut json),
            Part::Orders { behind, is_first } => self.orders(&mut json, behind, is_first).await,
            Part::Middle => self.middle(&mut json).await,
            Part::SignIns { before } => self.sign_ins(&mut json, before).await,
            Part::Tail { all_sign_ins } => self.tail(&mut json, all_sign_ins).await,
            Part::End => return Ok(None),
        };
        written.map_err(|problem| {
            tracing::warn!(code = problem.code(), detail = problem.detail(), "an export broke off");
            BrokenOff(problem.code().to_owned())
        })?;
        Ok(Some((Bytes::from(json.bytes), self)))
    }

    fn head(&mut self, json: &mut Json) -> Result<(), Problem> {
        let Own { id, row, keys, .. } = &self.own;
        json.raw("{");
        json.field("user", &UserAnswer::new(id, row, keys, self.own.position()))?;
        json.raw(",");
        json.field("addresses", &entries(row, keys))?;
        json.raw(",");
        json.field("preferences", &PreferencesAnswer::from(&row.preferences))?;
        json.raw(",\"orders\":[");
        self.next = Part::Orders { behind: first_place(), is_first: true };
        Ok(())
    }

    async fn orders(&mut self, json: &mut Json, behind: Place, is_first: bool) -> Result<(), Problem> {
        let customer = Some(self.own.id.clone());
        let wanted = Wanted {
            customer,
            status: None,
            is_unaddressed: false,
            from: i64::MIN,
            behind,
            limit: ORDERS_PAGE,
        };
        let page = wanted.page(&self.state, &self.caller).await?;
        let place = page.next_cursor(Found::place);
        let keys = OrderKeys::of(&self.state, page.items.iter().map(Found::row)).await?;
        let position = self.own.position();
        json.items(is_first, page.items.into_iter().map(|order| order.answer(&keys, position)))?;
        self.next = place.map_or(Part::Middle, |behind| Part::Orders { behind, is_first: false });
        Ok(())
    }

    async fn middle(&mut self, json: &mut Json) -> Result<(), Problem> {
        let Beside { credentials, clock, .. } = &self.state.beside;
        let sessions = credentials.families_of(&self.person, clock.now()).await?;
        let sessions: Vec<SessionAnswer> = sessions.into_iter().map(SessionAnswer::from).collect();
        json.raw("],");
        json.field("cart", &self.cart)?;
        json.raw(",");
        json.field("sessions", &sessions)?;
        json.raw(",\"signIns\":[");
        self.next = Part::SignIns { before: None };
        Ok(())
    }

    async fn sign_ins(&mut self, json: &mut Json, before: Option<Uuid>) -> Result<(), Problem> {
        let credentials = &self.state.beside.credentials;
        let mut page = credentials.sign_ins(Some(&self.person), before, SIGN_INS_PAGE).await?;
        let is_last = page.len() < SIGN_INS_PAGE as usize;
        let left = SIGN_INS_MAX - self.sign_ins;
        let has_more = page.len() > left;
        page.truncate(left);
        let last = page.last().map(|sign_in| sign_in.id).or(before);
        json.items(self.sign_ins == 0, page.iter().cloned().map(SignInAnswer::from))?;
        self.sign_ins += page.len();
        self.next = if is_last || has_more {
            Part::Tail { all_sign_ins: !has_more }
        } else {
            Part::SignIns { before: last }
        };
        Ok(())
    }

    async fn tail(&mut self, json: &mut Json, all_sign_ins: bool) -> Result<(), Problem> {
        let Beside { credentials, outbox, .. } = &self.state.beside;
        let mails = outbox.sent_to(&self.person).await.map_err(|error| Problem::internal(&error))?;
        let mails: Vec<MailAnswer> = mails.into_iter().map(MailAnswer::from).collect();
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

/// JSON that is written piece by piece.
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

    /// More items of a list, whose first ones need no comma before them.
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
