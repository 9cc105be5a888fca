//! The origin of a command: the actor, the request that it comes from, and its id.

use std::fmt::Display;

use souk_eventsourcing::command::IfMatch;
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{CommandId, CommandRequest, RequestHash, StreamName};
use souk_http::Caller;
use souk_http::headers::WriteHeaders;

use crate::ports::Ports;

/// The data of a write request that its commands need.
pub struct WriteRequest<'a> {
    /// Origin of the commands.
    pub origin: Origin,
    /// True if the request has a valid idempotency key, so that a repeat of the request gets the response of
    /// the first one.
    pub keyed: bool,
    headers: &'a WriteHeaders,
}

impl<'a> WriteRequest<'a> {
    /// Makes the write of a caller. `ids` are the ids of the resource: they replace the parameters of the path
    /// in the scope of the idempotency key. Further ids follow after the path.
    pub fn new(
        ports: &Ports,
        caller: &Caller,
        headers: &'a WriteHeaders,
        ids: &[&dyn Display],
        body: &[u8],
    ) -> Self {
        let scope = format!("{} {}", headers.method, fill(headers.path.as_str(), ids));
        Self::in_scope(ports, caller, owner_of(caller), headers, &scope, body)
    }

    /// Makes the write of a caller whom the fields `secrets` of the request identify. The idempotency key of a
    /// caller without a token belongs to these secrets.
    pub fn of_guest(
        ports: &Ports,
        caller: &Caller,
        headers: &'a WriteHeaders,
        secrets: &[&[u8]],
        body: &[u8],
    ) -> Self {
        let scope = format!("{} {}", headers.method, headers.path.as_str());
        if let Some(owner) = owner_of(caller) {
            return Self::in_scope(ports, caller, Some(owner), headers, &scope, body);
        }
        // The log gets an id that is derived from the secrets and the key, and no hash of the body: the key is
        // not stored, so nobody can test a guess of the secrets.
        let secrets = RequestHash::of(&ports.keys.request_hash, secrets);
        let owner = Some(("guest", secrets.0.to_vec()));
        Self::in_scope(ports, caller, owner, headers, &scope, &[])
    }

    /// Makes the write of a caller on a route whose scopes have an older form: the path without its
    /// parameters, and then all ids, as in `POST /api/orders/ship ID`. These routes keep that form, because
    /// otherwise a write that is repeated after an update would be done twice.
    pub fn with_ids_last(
        ports: &Ports,
        caller: &Caller,
        headers: &'a WriteHeaders,
        ids: &[&dyn Display],
        body: &[u8],
    ) -> Self {
        let path = without_parameters(headers.path.as_str());
        let scope = format!("{} {}", headers.method, fill(&path, ids));
        Self::in_scope(ports, caller, owner_of(caller), headers, &scope, body)
    }

    /// Makes the write of a caller. The idempotency key is valid for this owner and scope only. Without an
    /// owner, the key is ignored.
    fn in_scope(
        ports: &Ports,
        caller: &Caller,
        owner: Option<(&str, Vec<u8>)>,
        headers: &'a WriteHeaders,
        scope: &str,
        body: &[u8],
    ) -> Self {
        let owner_and_key = owner.zip(headers.key.as_ref());
        let command_id = match &owner_and_key {
            Some(((kind, owner), key)) => {
                CommandId::of(&[kind.as_bytes(), owner, scope.as_bytes(), key.as_bytes()])
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

/// Returns the owner of the idempotency keys of a caller: their subject, or else their cart; `None` for a caller
/// who has neither.
fn owner_of(caller: &Caller) -> Option<(&'static str, Vec<u8>)> {
    let subject = caller.subject.as_ref().map(|subject| ("subject", subject.to_string()));
    let owner = subject.or_else(|| caller.cart.map(|cart| ("cart", cart.to_string())));
    owner.map(|(kind, owner)| (kind, owner.into_bytes()))
}

/// Replaces the parameters of a path template by ids, in order. Further ids follow after a space each.
fn fill(template: &str, ids: &[&dyn Display]) -> String {
    let mut ids = ids.iter().map(ToString::to_string);
    let segments = template.split('/').map(|segment| {
        let id = if is_parameter(segment) { ids.next() } else { None };
        id.unwrap_or_else(|| segment.to_owned())
    });
    let path = segments.collect::<Vec<_>>().join("/");
    ids.fold(path, |path, id| path + " " + &id)
}

fn without_parameters(template: &str) -> String {
    template.split('/').filter(|segment| !is_parameter(segment)).collect::<Vec<_>>().join("/")
}

fn is_parameter(segment: &str) -> bool {
    segment.starts_with('{')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_replace_parameters_in_order_and_further_ids_follow() {
        assert_eq!(fill("/api/cart", &[]), "/api/cart");
        assert_eq!(fill("/api/orders/{id}/notes/{note}", &[&"o", &7]), "/api/orders/o/notes/7");
        assert_eq!(fill("/api/admin/parked/skip", &[&"orders", &"a"]), "/api/admin/parked/skip orders a");
        assert_eq!(fill("/api/cart/items/{item}", &[&"{x}/y"]), "/api/cart/items/{x}/y");
    }

    #[test]
    fn a_path_without_its_parameters_keeps_all_other_segments() {
        assert_eq!(without_parameters("/api/orders/{id}/shipments/{number}"), "/api/orders/shipments");
    }
}
