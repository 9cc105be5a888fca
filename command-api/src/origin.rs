//! The origin of a command: the actor, the request that it comes from, and its id.

use souk_eventsourcing::command::IfMatch;
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{CommandId, CommandRequest, RequestHash, StreamName};
use souk_http::Caller;
use souk_http::headers::WriteHeaders;

use crate::ports::Ports;

/// The data of a write request that its commands need.
pub struct Write<'a> {
    /// Origin of the commands.
    pub origin: Origin,
    /// True if the request has a valid idempotency key, so that a repeat of the request gets the response of
    /// the first one.
    pub keyed: bool,
    headers: &'a WriteHeaders,
}

impl<'a> Write<'a> {
    /// Makes the write of a caller. `route` is the method, the path and the id of the resource. The
    /// idempotency key is valid for this caller and route only. The key of a caller without a subject and
    /// without a cart is ignored.
    pub fn new(ports: &Ports, caller: &Caller, headers: &'a WriteHeaders, route: &str, body: &[u8]) -> Self {
        let subject = caller.subject.as_ref().map(|subject| ("subject", subject.to_string()));
        let owner = subject.or_else(|| caller.cart.map(|cart| ("cart", cart.to_string())));
        let owner_and_key = owner.zip(headers.key.as_ref());
        let command_id = match &owner_and_key {
            Some(((kind, owner), key)) => {
                CommandId::of(&[kind.as_bytes(), owner.as_bytes(), route.as_bytes(), key.as_bytes()])
            }
            None => CommandId(ports.clock.new_id()),
        };
        let mut origin = Origin::new(command_id.0, caller.actor(), headers.correlation_id.clone());
        let keyed = owner_and_key.is_some();
        origin.request_hash = keyed.then(|| RequestHash::of(&ports.keys.request_hash, &[body]));
        Self { origin, keyed, headers }
    }

    /// Returns the revisions that the client requires in `If-Match`.
    pub fn if_match(&self) -> Option<&IfMatch> {
        self.headers.if_match.as_ref()
    }

    /// Returns the request to execute a command on a stream.
    pub fn request<C>(&self, stream: StreamName, command: C) -> CommandRequest<C> {
        let request = CommandRequest::new(stream, command, self.origin.clone());
        CommandRequest { repeatable: self.keyed, if_match: self.headers.if_match.clone(), ..request }
    }
}
