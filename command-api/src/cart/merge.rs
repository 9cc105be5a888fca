//! `POST /api/cart/merge`: the lines of a guest's cart go to a customer's.
//!
//! First one event takes them out of the guest's cart and names the cart that they go to; it is appended at the
//! revision that was looked at, so of two who merge the cart at once, or merge and order it, one gets the lines. Then
//! the customer's cart takes them in, by a command whose id is derived from that event: it is done once, whichever
//! request does it. A merge that was cut off between the two is completed by the next one of the same two carts.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::StatusCode;
use souk_domain::cart::event::CartLine;
use souk_domain::cart::state::Given;
use souk_domain::cart::{Cart, CartCommand, CartEvent, CartRejection, CartState, check_merge};
use souk_domain::{CartId, CustomerId};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{CommandError, CommandId, CommandRequest, Completion, Position};
use souk_http::headers::WriteHeaders;
use souk_http::problem::ProblemBody;
use souk_http::shapes::WriteAnswer;
use souk_http::{Caller, Problem, StrictJson, cart_token};

use crate::origin::Write;
use crate::rejected::{problem, problem_at};
use crate::shop::Shop;

use super::request::{CappedLine, CartsMerged, MergeRequest};

/// Looks at a guest's cart that others change at the same time.
const LOOKS_MAX: u32 = 8;

/// Takes the lines of a guest's cart into the customer's. A line has a limit of units: the answer says which lines had
/// no room for all of them. A merge that was cut off is completed by its repeat.
#[utoipa::path(post, path = "/api/cart/merge", tag = "cart", request_body = MergeRequest,
    responses((status = 200, body = CartsMerged), (status = "default", body = ProblemBody, content_type = "application/problem+json")))]
pub async fn merge(
    State(shop): State<Shop>,
    caller: Caller,
    headers: WriteHeaders,
    body: StrictJson<MergeRequest>,
) -> Result<WriteAnswer<CartsMerged>, Problem> {
    let customer = caller.signed_in()?.clone();
    let from = cart_token::verify(&shop.keys, &body.value.cart_token).ok_or_else(|| {
        Problem::field("/cartToken", "unknown-token", "a token that this shop gave out is allowed")
    })?;
    let into = CartId::of_customer(&customer);
    let came = Write::new(&shop, &caller, &headers, "POST /api/cart/merge", &body.raw);
    let merging = Merging { shop: &shop, came: &came, from, into, customer };
    let mut taken_in = merging.take_in(None).await?;
    let own = merging.give_away().await?;
    if own.is_some() {
        taken_in.add(merging.take_in(own).await?);
    }
    // A key leaves a note at the customer's cart, by which a repeat is answered like the first request.
    let nothing = CartCommand::Merge {
        from,
        from_revision: 0,
        lines: Vec::new(),
        given_at: None,
        customer: merging.customer.clone(),
    };
    let mut request = came.request(Cart::stream(into), nothing);
    if own.is_some() {
        request.if_match = None;
    }
    let outcome = shop.carts.execute(request).await.map_err(problem)?;
    let position = outcome.position.max(taken_in.position);
    let revision = outcome.revision;
    let body = CartsMerged {
        id: into.to_string(),
        revision: revision.0,
        position: position.to_string(),
        capped: taken_in.capped,
    };
    Ok(WriteAnswer { status: StatusCode::OK, location: None, revision, position, body })
}

/// A request to merge.
struct Merging<'a> {
    shop: &'a Shop,
    came: &'a Write<'a>,
    from: CartId,
    into: CartId,
    customer: CustomerId,
}

/// The lines that the customer's cart took in.
#[derive(Default)]
struct TakenIn {
    position: Position,
    /// Lines that had no room for all units.
    capped: Vec<CappedLine>,
}

impl TakenIn {
    fn add(&mut self, more: Self) {
        self.position = self.position.max(more.position);
        self.capped.extend(more.capped);
    }
}

impl Merging<'_> {
    /// Takes the lines out of the guest's cart, or finds that this request did so before. Gives the revision at which
    /// it did; none if there is nothing to merge.
    async fn give_away(&self) -> Result<Option<u64>, Problem> {
        let Self { shop, came, from, into, .. } = self;
        let stream = Cart::stream(*from);
        let origin = came.origin.step("give away");
        for _ in 0..LOOKS_MAX {
            if came.keyed {
                if let Some(found) = shop.carts.find(&stream, &origin).await.map_err(problem)? {
                    let event = found.first.decode().map_err(|error| Problem::internal(&error))?;
                    return Ok(match event {
                        CartEvent::MergedAway(away) => Some(away.at_revision),
                        _ => None,
                    });
                }
                // The first request under this key found nothing to merge, or is one of an earlier program.
                if shop.carts.find(&Cart::stream(*into), &came.origin).await.map_err(problem)?.is_some() {
                    return Ok(None);
                }
            }
            let Some(guest) = shop.carts.load(&stream).await? else { return Ok(None) };
            if guest.state.is_empty() {
                return Ok(None);
            }
            self.check(&guest.state.cart_lines()).await?;
            let at_revision = guest.revision.0;
            let command = CartCommand::GiveAway { into: *into, at_revision };
            let request = CommandRequest::new(stream.clone(), command, origin.clone());
            let if_match = Some(guest.revision.into());
            let request = CommandRequest { repeatable: came.keyed, if_match, ..request };
            match shop.carts.execute(request).await {
                Ok(outcome) if outcome.completion == Completion::Appended => return Ok(Some(at_revision)),
                // Another request changed the cart meanwhile, or did the same under this key.
                Ok(_) | Err(CommandError::RevisionMismatch { .. }) => {}
                Err(error) => return Err(problem(error)),
            }
        }
        Err(problem(CommandError::<CartRejection>::Conflict { attempts: LOOKS_MAX }))
    }

    /// Refuses lines that the customer's cart can't take in, while they are in the guest's.
    async fn check(&self, lines: &[CartLine]) -> Result<(), Problem> {
        let loaded = self.shop.carts.load(&Cart::stream(self.into)).await?;
        let current = loaded.as_ref().map(|loaded| loaded.revision);
        if self.came.if_match().is_some_and(|wanted| !wanted.is_met_by(current)) {
            return Err(problem(CommandError::<CartRejection>::RevisionMismatch { current }));
        }
        let state = loaded.map(|loaded| loaded.state).unwrap_or_default();
        check_merge(&state, lines)
            .map_err(|rejection| problem_at("/cartToken", CommandError::Rejected(rejection)))
    }

    /// Puts what the guest's cart gave away into the customer's, where it is not yet. `own` is the revision at which
    /// this request gave lines away.
    async fn take_in(&self, own: Option<u64>) -> Result<TakenIn, Problem> {
        let mut taken_in = TakenIn::default();
        let Some(guest) = self.shop.carts.load(&Cart::stream(self.from)).await? else { return Ok(taken_in) };
        if guest.state.given_to(self.into).next().is_none() {
            return Ok(taken_in);
        }
        let into = self.shop.carts.load(&Cart::stream(self.into)).await?;
        let revisions = |state: &CartState| {
            state.merges_of(self.from).map(|(revision, _)| revision).collect::<BTreeSet<_>>()
        };
        let known = into.map(|into| revisions(&into.state)).unwrap_or_default();
        for given in guest.state.given_to(self.into) {
            if own == Some(given.at_revision) || !known.contains(&given.at_revision) {
                taken_in.add(self.take_in_one(given, own).await?);
            }
        }
        Ok(taken_in)
    }

    async fn take_in_one(&self, given: &Given, own: Option<u64>) -> Result<TakenIn, Problem> {
        let command = CartCommand::Merge {
            from: self.from,
            from_revision: given.at_revision,
            lines: given.lines.clone(),
            given_at: given.given_before,
            customer: self.customer.clone(),
        };
        let origin = self.origin_of(given);
        let stream = Cart::stream(self.into);
        let request = CommandRequest::new(stream.clone(), command, origin.clone()).repeatable();
        let outcome = self.shop.carts.execute(request).await.map_err(problem)?;
        let is_told = outcome.completion == Completion::Appended || own == Some(given.at_revision);
        let found =
            if is_told { self.shop.carts.find(&stream, &origin).await.map_err(problem)? } else { None };
        let event = found.map(|found| found.first.decode()).transpose();
        let capped = match event.map_err(|error| Problem::internal(&error))? {
            Some(CartEvent::Merged(merged)) => CappedLine::of(&merged),
            _ => Vec::new(),
        };
        Ok(TakenIn { position: outcome.position, capped })
    }

    /// The same for every request, so that the lines are taken in once.
    fn origin_of(&self, given: &Given) -> Origin {
        let from = self.from.to_string();
        let at_revision = given.at_revision.to_string();
        let command_id = CommandId::of(&[b"cart merge", from.as_bytes(), at_revision.as_bytes()]);
        Origin { command_id, request_hash: None, ..self.came.origin.clone() }
    }
}
