//! Where a request comes from, behind how many proxies whatsoever.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue};
use ipnet::IpNet;

/// The header by which proxies say for whom they ask.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// The header by which they say how they were asked.
const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// Networks whose word about others is taken.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// These networks.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// How the client spoke to the first of them, when this is believed.
    pub fn scheme(&self, peer: IpAddr, headers: &HeaderMap) -> HeaderValue {
        let said = headers.get(FORWARDED_PROTO).filter(|_| self.trusts(peer.to_canonical()));
        let is_https = said.is_some_and(|scheme| scheme == "https");
        HeaderValue::from_static(if is_https { "https" } else { "http" })
    }

    /// The client: the last that no trusted proxy stands for. What others say of themselves is not looked at.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let said: Vec<&str> = headers
            .get_all(FORWARDED_FOR)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect();
        for hop in said.into_iter().rev() {
            if !self.trusts(client) {
                break;
            }
            // A hop that can't be read ends the chain: what stands before it may be made up.
            let Ok(address) = hop.trim().parse::<IpAddr>() else { break };
            client = address.to_canonical();
        }
        client
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn client(peer: &str, said: &[&'static str]) -> String {
        let trusted = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        let name = HeaderName::from_static(FORWARDED_FOR);
        let mut headers = HeaderMap::new();
        for value in said {
            headers.append(&name, value.parse().unwrap());
        }
        trusted.client(peer.parse().unwrap(), &headers).to_string()
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
        assert_eq!(client("10.0.0.1", &["192.0.2.1, nonsense"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("::ffff:10.0.0.1", &["192.0.2.1"]), "192.0.2.1");
        assert_eq!(client("fd00::1", &["2001:db8::7"]), "2001:db8::7");
    }
}
