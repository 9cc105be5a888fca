//! The client of a request, behind any number of proxies.
//!
//! A request that shows a proxy is not this machine's own, even when the proxy runs here. Its client is named by
//! trusted proxies ([`TrustedProxies`]) in `X-Forwarded-For`, and by nobody else. A client that can't be named is
//! counted together with all others behind the same proxy.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::{HeaderMap, HeaderValue};
use ipnet::IpNet;
use souk_http::Caller;
use souk_http::identity::AddressSource;

/// The header by which proxies say for whom they ask.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// The header by which they say how they were asked.
const FORWARDED_PROTO: &str = "x-forwarded-proto";
/// Headers that proxies add: a request with one of them did not come straight from its client.
const FORWARDING: [&str; 6] =
    [FORWARDED_FOR, "forwarded", FORWARDED_PROTO, "x-forwarded-host", "x-real-ip", "via"];

/// Networks whose word about others is taken.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    warned: Arc<Warned>,
}

/// Warnings that were given: once each.
#[derive(Debug, Default)]
struct Warned {
    of_untrusted: AtomicBool,
    of_unnamed: AtomicBool,
}

/// The client of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Its address; none where it is not known.
    pub address: Option<IpAddr>,
    /// The way it is known.
    pub source: AddressSource,
}

impl Client {
    fn at(address: IpAddr, source: AddressSource) -> Self {
        Self { address: Some(address), source }
    }

    fn behind(proxy: IpAddr) -> Self {
        Self { address: None, source: AddressSource::Behind(proxy) }
    }

    /// Its address, or that of the proxy it is behind.
    pub fn nearest_address(self) -> Option<IpAddr> {
        self.of(Caller::default()).nearest_address()
    }

    /// A caller at this address.
    pub fn of(self, caller: Caller) -> Caller {
        Caller { address: self.address, address_source: self.source, ..caller }
    }
}

impl TrustedProxies {
    /// These networks. Warns of one that holds every address.
    pub fn new(networks: Vec<IpNet>) -> Self {
        if let Some(network) = networks.iter().find(|network| network.prefix_len() == 0) {
            tracing::warn!(
                %network,
                "SOUK_TRUSTED_PROXIES names every address, so that each client can make up its own: name the proxies alone"
            );
        }
        Self { networks, warned: Arc::default() }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// Returns true once a request came from a proxy nearby that is not trusted.
    pub fn lack_one(&self) -> bool {
        self.warned.of_untrusted.load(Ordering::Relaxed)
    }

    /// How the client spoke to the first of them, when this is believed.
    pub fn scheme(&self, peer: IpAddr, headers: &HeaderMap) -> HeaderValue {
        let said = headers.get(FORWARDED_PROTO).filter(|_| self.trusts(peer.to_canonical()));
        let is_https = said.is_some_and(|scheme| scheme == "https");
        HeaderValue::from_static(if is_https { "https" } else { "http" })
    }

    /// The client address: the right-most entry of `X-Forwarded-For` that no trusted proxy stands for. Entries to
    /// the left of it may be made up. An entry that can't be read hides the client.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Client {
        let peer = peer.to_canonical();
        if !FORWARDING.iter().any(|name| headers.contains_key(*name)) {
            return Client::at(peer, AddressSource::Connection);
        }
        if !self.trusts(peer) {
            return self.client_of_untrusted(peer);
        }
        let values = headers.get_all(FORWARDED_FOR).iter();
        // A value that is no text is an entry that can't be read.
        let entries = values.flat_map(|value| value.to_str().unwrap_or("?").split(',')).map(str::trim);
        let entries: Vec<&str> = entries.filter(|entry| !entry.is_empty()).collect();
        let mut client = None;
        for entry in entries.into_iter().rev() {
            let Some(address) = read_address(entry) else {
                return self.unnamed(client.unwrap_or(peer));
            };
            client = Some(address);
            if !self.trusts(address) {
                break;
            }
        }
        match client {
            Some(address) => Client::at(address, AddressSource::Proxy),
            None => self.unnamed(peer),
        }
    }

    /// The client of a request that shows a proxy and comes from an address that is not trusted. One from elsewhere
    /// is taken for the client, since anybody can write such headers. One from this machine may be a proxy with
    /// everybody behind it.
    fn client_of_untrusted(&self, peer: IpAddr) -> Client {
        if is_nearby(peer) && !self.warned.of_untrusted.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                %peer,
                "requests come with forwarding headers from an address that is no trusted proxy, so that limits count \
                 all its clients as one: name it in SOUK_TRUSTED_PROXIES if it is a proxy"
            );
        }
        if peer.is_loopback() { Client::behind(peer) } else { Client::at(peer, AddressSource::Connection) }
    }

    fn unnamed(&self, proxy: IpAddr) -> Client {
        if !self.warned.of_unnamed.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                %proxy,
                "a trusted proxy asks for a client that X-Forwarded-For does not name in words that can be read, so that \
                 limits count all such clients as one: have it write the client's address"
            );
        }
        Client::behind(proxy)
    }
}

/// Returns true for addresses of this machine and of networks that are not routed: proxies mostly have one.
fn is_nearby(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

/// Reads an address with or without a port: `203.0.113.9`, `203.0.113.9:5566`, `2001:db8::1`, `[2001:db8::1]`,
/// `[2001:db8::1]:5566`.
fn read_address(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let address = text.parse::<IpAddr>().ok().or_else(with_port).or_else(bracketed);
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn found(peer: &str, said: &[&'static str]) -> Client {
        let trusted = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        let name = HeaderName::from_static(FORWARDED_FOR);
        let mut headers = HeaderMap::new();
        for value in said {
            headers.append(&name, value.parse().unwrap());
        }
        trusted.client(peer.parse().unwrap(), &headers)
    }

    fn client(peer: &str, said: &[&'static str]) -> String {
        found(peer, said).address.unwrap().to_string()
    }

    fn behind(proxy: &str) -> Client {
        Client::behind(proxy.parse().unwrap())
    }

    #[test]
    fn only_trusted_proxies_are_believed_about_tls() {
        let trusted = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
        let scheme = |peer: &str, said: &'static str| {
            let name = HeaderName::from_static(FORWARDED_PROTO);
            let headers = HeaderMap::from_iter([(name, HeaderValue::from_static(said))]);
            trusted.scheme(peer.parse().unwrap(), &headers)
        };
        assert_eq!(scheme("10.0.0.1", "https"), "https");
        assert_eq!(scheme("203.0.113.9", "https"), "http");
        assert_eq!(scheme("10.0.0.1", "gopher"), "http");
    }

    #[test]
    fn only_trusted_proxies_are_asked_for_whom_they_ask() {
        assert_eq!(client("203.0.113.9", &["192.0.2.1"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["192.0.2.1"]), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.7, 192.0.2.1"]), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &["192.0.2.1, 10.0.0.2"]), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &["192.0.2.1", "10.0.0.2"]), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("::ffff:10.0.0.1", &["192.0.2.1"]), "192.0.2.1");
        assert_eq!(client("fd00::1", &["2001:db8::7"]), "2001:db8::7");
    }

    #[test]
    fn addresses_are_read_with_ports_and_brackets() {
        for (entry, address) in [
            ("203.0.113.9:5566", "203.0.113.9"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:5566", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[::ffff:203.0.113.9]:80", "203.0.113.9"),
        ] {
            assert_eq!(client("10.0.0.1", &[entry]), address, "{entry}");
        }
        assert_eq!(client("10.0.0.1", &["198.51.100.7, 203.0.113.9:1, 10.0.0.2:443"]), "203.0.113.9");
    }

    #[test]
    fn a_client_that_can_not_be_read_is_not_its_proxy() {
        for entry in
            ["unknown", "_hidden", "192.0.2.1, nonsense", "203.0.113.9:99999", "[::1", "\u{e9}", " , "]
        {
            assert_eq!(found("10.0.0.1", &[entry]), behind("10.0.0.1"), "{entry}");
        }
        assert_eq!(found("10.0.0.1", &["192.0.2.1, unknown, 10.0.0.2"]), behind("10.0.0.2"));
        assert_eq!(
            client("10.0.0.1", &["unknown, 192.0.2.1"]),
            "192.0.2.1",
            "what stands before may be made up"
        );
    }

    #[test]
    fn a_request_that_shows_a_proxy_is_not_this_machine() {
        let trusted = TrustedProxies::default();
        let caller = |trusted: &TrustedProxies, name: &'static str, peer: &str| {
            let headers = HeaderMap::from_iter([(
                HeaderName::from_static(name),
                HeaderValue::from_static("127.0.0.1"),
            )]);
            trusted.client(peer.parse().unwrap(), &headers).of(Caller::default())
        };
        for name in FORWARDING {
            for peer in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
                let caller = caller(&trusted, name, peer);
                assert!(!caller.is_this_machine() && caller.address.is_none(), "{name} {peer}");
                assert!(caller.nearest_address().is_some_and(|address| address.is_loopback()));
            }
        }
        assert!(caller(&trusted, "accept", "127.0.0.1").is_this_machine());
        // Nor is one for which a trusted proxy says so: it may be the proxy's machine, or made up.
        let trusted = TrustedProxies::new(vec!["127.0.0.0/8".parse().unwrap()]);
        for name in FORWARDING {
            assert!(!caller(&trusted, name, "127.0.0.1").is_this_machine(), "{name}");
        }
    }

    #[test]
    fn a_proxy_nearby_that_is_not_trusted_is_told_of() {
        let headers = HeaderMap::from_iter([(
            HeaderName::from_static("forwarded"),
            HeaderValue::from_static("for=192.0.2.1"),
        )]);
        for (peer, is_told) in
            [("203.0.113.9", false), ("127.0.0.1", true), ("172.17.0.1", true), ("fd00::1", true)]
        {
            let trusted = TrustedProxies::default();
            trusted.client(peer.parse().unwrap(), &HeaderMap::new());
            assert!(!trusted.lack_one());
            let client = trusted.client(peer.parse().unwrap(), &headers);
            assert_eq!(trusted.lack_one(), is_told, "{peer}");
            assert_eq!(client.address.is_none(), peer == "127.0.0.1", "{peer}");
        }
    }
}
