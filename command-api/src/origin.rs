//! Where a command comes from: who asked, in which request, under which id.

use souk_eventsourcing::command::IfMatch;
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{CommandId, CommandRequest, RequestHash, StreamName};
use souk_http::Caller;
use souk_http::headers::WriteHeaders;

use crate::shop::Shop;

/// A write as it came in.
pub struct Write<'a> {
    /// Its origin.
    pub origin: Origin,
    /// Whether it may come again under its key.
    pub keyed: bool,
    headers: &'a WriteHeaders,
}

impl<'a> Write<'a> {
    /// A write of a caller to a route and the resource it names. A key belongs to the three together;
    /// without somebody it belongs to, it is ignored.
    pub fn new(shop: &Shop, caller: &Caller, headers: &'a WriteHeaders, route: &str, body: &[u8]) -> Self {
        let subject = caller.subject.as_ref().map(|subject| ("subject", subject.to_string()));
        let owner = subject.or_else(|| caller.cart.map(|cart| ("cart", cart.to_string())));
        let keyed = owner.zip(headers.key.as_ref());
        let command_id = match &keyed {
            Some(((kind, owner), key)) => {
                CommandId::of(&[kind.as_bytes(), owner.as_bytes(), route.as_bytes(), key.as_bytes()])
            }
            None => CommandId(shop.clock.new_id()),
        };
        let mut origin = Origin::new(command_id.0, caller.actor(), headers.correlation_id.clone());
        origin.request_hash = keyed.is_some().then(|| RequestHash::of(&shop.keys.request_hash, &[body]));
        Self { origin, keyed: keyed.is_some(), headers }
    }

    /// The revisions that the caller insists on.
    pub fn if_match(&self) -> Option<&IfMatch> {
        self.headers.if_match.as_ref()
    }

    /// The write as a command to a stream.
    pub fn request<C>(&self, stream: StreamName, command: C) -> CommandRequest<C> {
        let request = CommandRequest::new(stream, command, self.origin.clone());
        CommandRequest { repeatable: self.keyed, if_match: self.headers.if_match.clone(), ..request }
    }
}
