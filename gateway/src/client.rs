//! Client address of a request that may have passed any number of proxies.
//!
//! A request with a header of a proxy never counts as a request of this machine, even if the proxy runs here.
//! Only trusted proxies ([`TrustedProxies`]) can name the client address, in `X-Forwarded-For`. If the
//! address is not readable, the client is counted together with all other clients of the same proxy.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::{HeaderMap, HeaderValue};
use ipnet::IpNet;
use souk_http::Caller;
use souk_http::identity::AddressSource;

/// Header in which proxies name the client address.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// Header in which proxies name the scheme that the client used, `http` or `https`.
const FORWARDED_PROTO: &str = "x-forwarded-proto";
/// Headers that proxies add. A request with one of them did not come directly from its client.
const PROXY_HEADERS: [&str; 6] =
    [FORWARDED_FOR, "forwarded", FORWARDED_PROTO, "x-forwarded-host", "x-real-ip", "via"];

/// Networks of proxies that are trusted to name the client address.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    warned: Arc<Warned>,
}

/// Warnings that were already logged. Each is logged once.
#[derive(Debug, Default)]
struct Warned {
    untrusted_proxy: AtomicBool,
    unreadable_client: AtomicBool,
}

/// Client of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Client address, if it is known.
    pub address: Option<IpAddr>,
    /// Source of the client address, or the reason why it is not known.
    pub source: AddressSource,
}

impl Client {
    fn at(address: IpAddr, source: AddressSource) -> Self {
        Self { address: Some(address), source }
    }

    fn hidden_by(proxy: IpAddr) -> Self {
        Self { address: None, source: AddressSource::HiddenByProxy(proxy) }
    }

    /// Returns the client address, or the proxy's address if the client address is hidden.
    pub fn nearest_address(self) -> Option<IpAddr> {
        self.locate(Caller::default()).nearest_address()
    }

    /// Sets the client address of a caller.
    pub fn locate(self, caller: Caller) -> Caller {
        Caller { address: self.address, address_source: self.source, ..caller }
    }
}

impl TrustedProxies {
    /// Trusts these networks. Logs a warning if one of them contains every address.
    pub fn new(networks: Vec<IpNet>) -> Self {
        if let Some(network) = networks.iter().find(|network| network.prefix_len() == 0) {
            tracing::warn!(
                %network,
                "SOUK_TRUSTED_PROXIES contains every address, so each client can invent its address; list only the proxies"
            );
        }
        Self { networks, warned: Arc::default() }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// Returns true if a request with a header of a proxy has come from an address of this machine or of a
    /// private network, and no trusted proxy has this address.
    pub fn has_seen_untrusted_proxy(&self) -> bool {
        self.warned.untrusted_proxy.load(Ordering::Relaxed)
    }

    /// Returns the scheme that the client used, `http` or `https`. Only a trusted proxy can report `https`.
    pub fn scheme(&self, peer: IpAddr, headers: &HeaderMap) -> HeaderValue {
        let reported = headers.get(FORWARDED_PROTO).filter(|_| self.trusts(peer.to_canonical()));
        let is_https = reported.is_some_and(|scheme| scheme == "https");
        HeaderValue::from_static(if is_https { "https" } else { "http" })
    }

    /// Returns the client of a request. The client address is the right-most entry of `X-Forwarded-For` that
    /// is not the address of a trusted proxy. Entries to the left of it may be invented. If all entries are
    /// trusted proxies, it is the left-most entry. If an unreadable entry comes first, read from the right,
    /// the client address is not known.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Client {
        let peer = peer.to_canonical();
        if !PROXY_HEADERS.iter().any(|name| headers.contains_key(*name)) {
            return Client::at(peer, AddressSource::Connection);
        }
        if !self.trusts(peer) {
            return self.client_of_untrusted(peer);
        }
        let values = headers.get_all(FORWARDED_FOR).iter();
        // A value that is not ASCII text counts as an unreadable entry.
        let entries = values.flat_map(|value| value.to_str().unwrap_or("?").split(',')).map(str::trim);
        let entries: Vec<&str> = entries.filter(|entry| !entry.is_empty()).collect();
        let mut client = None;
        for entry in entries.into_iter().rev() {
            let Some(address) = read_address(entry) else {
                return self.unreadable_client(client.unwrap_or(peer));
            };
            client = Some(address);
            if !self.trusts(address) {
                break;
            }
        }
        match client {
            Some(address) => Client::at(address, AddressSource::Proxy),
            None => self.unreadable_client(peer),
        }
    }

    /// Returns the client of a request with a header of a proxy, from a peer that is not trusted. A peer on
    /// another machine counts as the client itself, because anybody can send such headers. A peer on this
    /// machine is probably a proxy for many clients, so the client address is not known.
    fn client_of_untrusted(&self, peer: IpAddr) -> Client {
        if is_local_or_private(peer) && !self.warned.untrusted_proxy.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                %peer,
                "requests with headers of a proxy come from an address that is not a trusted proxy, so limits \
                 count all clients behind this address as one; if the address is a proxy, add it to \
                 SOUK_TRUSTED_PROXIES"
            );
        }
        if peer.is_loopback() { Client::hidden_by(peer) } else { Client::at(peer, AddressSource::Connection) }
    }

    fn unreadable_client(&self, proxy: IpAddr) -> Client {
        if !self.warned.unreadable_client.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                %proxy,
                "a trusted proxy sends no readable client address in X-Forwarded-For, so limits count all \
                 clients without an address as one; configure the proxy to send the client address"
            );
        }
        Client::hidden_by(proxy)
    }
}

/// Returns true for addresses of this machine and of private networks. Most proxies have such an address.
fn is_local_or_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

/// Reads an address with or without a port: `203.0.113.9`, `203.0.113.9:5566`, `2001:db8::1`,
/// `[2001:db8::1]`, `[2001:db8::1]:5566`.
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

    fn client(peer: &str, forwarded_for: &[&'static str]) -> Client {
        let trusted = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        let name = HeaderName::from_static(FORWARDED_FOR);
        let mut headers = HeaderMap::new();
        for value in forwarded_for {
            headers.append(&name, value.parse().unwrap());
        }
        trusted.client(peer.parse().unwrap(), &headers)
    }

    fn address(peer: &str, forwarded_for: &[&'static str]) -> String {
        client(peer, forwarded_for).address.unwrap().to_string()
    }

    fn hidden_by(proxy: &str) -> Client {
        Client::hidden_by(proxy.parse().unwrap())
    }

    #[test]
    fn only_a_trusted_proxy_can_report_https() {
        let trusted = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
        let scheme = |peer: &str, reported: &'static str| {
            let name = HeaderName::from_static(FORWARDED_PROTO);
            let headers = HeaderMap::from_iter([(name, HeaderValue::from_static(reported))]);
            trusted.scheme(peer.parse().unwrap(), &headers)
        };
        assert_eq!(scheme("10.0.0.1", "https"), "https");
        assert_eq!(scheme("203.0.113.9", "https"), "http");
        assert_eq!(scheme("10.0.0.1", "gopher"), "http");
    }

    // Proves: edge.trusted-proxies
    #[test]
    fn only_a_trusted_proxy_can_name_the_client_address() {
        assert_eq!(address("203.0.113.9", &["192.0.2.1"]), "203.0.113.9");
        assert_eq!(address("10.0.0.1", &["192.0.2.1"]), "192.0.2.1");
        assert_eq!(address("10.0.0.1", &["198.51.100.7, 192.0.2.1"]), "192.0.2.1");
        assert_eq!(address("10.0.0.1", &["192.0.2.1, 10.0.0.2"]), "192.0.2.1");
        assert_eq!(address("10.0.0.1", &["192.0.2.1", "10.0.0.2"]), "192.0.2.1");
        assert_eq!(address("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(address("::ffff:10.0.0.1", &["192.0.2.1"]), "192.0.2.1");
        assert_eq!(address("fd00::1", &["2001:db8::7"]), "2001:db8::7");
    }

    #[test]
    fn addresses_are_read_with_ports_and_brackets() {
        for (entry, expected) in [
            ("203.0.113.9:5566", "203.0.113.9"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:5566", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[::ffff:203.0.113.9]:80", "203.0.113.9"),
        ] {
            assert_eq!(address("10.0.0.1", &[entry]), expected, "{entry}");
        }
        assert_eq!(address("10.0.0.1", &["198.51.100.7, 203.0.113.9:1, 10.0.0.2:443"]), "203.0.113.9");
    }

    #[test]
    fn a_client_with_an_unreadable_address_does_not_count_as_its_proxy() {
        for entry in
            ["unknown", "_hidden", "192.0.2.1, nonsense", "203.0.113.9:99999", "[::1", "\u{e9}", " , "]
        {
            assert_eq!(client("10.0.0.1", &[entry]), hidden_by("10.0.0.1"), "{entry}");
        }
        assert_eq!(client("10.0.0.1", &["192.0.2.1, unknown, 10.0.0.2"]), hidden_by("10.0.0.2"));
        assert_eq!(
            address("10.0.0.1", &["unknown, 192.0.2.1"]),
            "192.0.2.1",
            "entries to the left may be invented"
        );
    }

    #[test]
    fn a_request_with_a_header_of_a_proxy_does_not_count_as_a_request_of_this_machine() {
        let trusted = TrustedProxies::default();
        let caller = |trusted: &TrustedProxies, name: &'static str, peer: &str| {
            let headers = HeaderMap::from_iter([(
                HeaderName::from_static(name),
                HeaderValue::from_static("127.0.0.1"),
            )]);
            trusted.client(peer.parse().unwrap(), &headers).locate(Caller::default())
        };
        for name in PROXY_HEADERS {
            for peer in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
                let caller = caller(&trusted, name, peer);
                assert!(!caller.is_this_machine() && caller.address.is_none(), "{name} {peer}");
                assert!(caller.nearest_address().is_some_and(|address| address.is_loopback()));
            }
        }
        assert!(caller(&trusted, "accept", "127.0.0.1").is_this_machine());
        // The same holds if a trusted proxy names a loopback address: the address may mean the machine of the
        // proxy, or may be invented.
        let trusted = TrustedProxies::new(vec!["127.0.0.0/8".parse().unwrap()]);
        for name in PROXY_HEADERS {
            assert!(!caller(&trusted, name, "127.0.0.1").is_this_machine(), "{name}");
        }
    }

    #[test]
    fn an_untrusted_proxy_in_a_private_network_is_reported() {
        let headers = HeaderMap::from_iter([(
            HeaderName::from_static("forwarded"),
            HeaderValue::from_static("for=192.0.2.1"),
        )]);
        for (peer, is_reported) in
            [("203.0.113.9", false), ("127.0.0.1", true), ("172.17.0.1", true), ("fd00::1", true)]
        {
            let trusted = TrustedProxies::default();
            trusted.client(peer.parse().unwrap(), &HeaderMap::new());
            assert!(!trusted.has_seen_untrusted_proxy());
            let client = trusted.client(peer.parse().unwrap(), &headers);
            assert_eq!(trusted.has_seen_untrusted_proxy(), is_reported, "{peer}");
            assert_eq!(client.address.is_none(), peer == "127.0.0.1", "{peer}");
        }
    }
}
