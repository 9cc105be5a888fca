//! Variables that a container platform sets for its services. Kubernetes gives every process of a namespace
//! the address of each service, as `NAME_SERVICE_HOST`, `NAME_SERVICE_PORT`, `NAME_SERVICE_PORT_HTTP`,
//! `NAME_PORT`, `NAME_PORT_8080_TCP`, `NAME_PORT_8080_TCP_ADDR`, `…_PORT` and `…_PROTO`. For a service named
//! `souk` or `souk-x`, these variables have the same prefix as the variables of the shop. The shop ignores
//! them.
//!
//! A variable is ignored only if its value also has the form that the platform uses. So
//! `SOUK_PORT=tcp://10.0.0.1:8080` is ignored, but `SOUK_PORT=8080` is reported as a mistake.

use std::net::{IpAddr, SocketAddr};

/// Protocols of service ports, as they occur in the names of variables.
const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];

/// Returns true if the platform sets this variable for a service whose name begins with `souk`.
pub(super) fn is_injected(variable: &str, value: &str) -> bool {
    rests(variable).filter_map(form_of).any(|form| form.fits(value))
}

/// Returns the rest of a variable after each possible service name. In variables, a `-` of the service name
/// is written as `_`, so each `_` may end the service name.
fn rests(variable: &str) -> impl Iterator<Item = &str> {
    let has_prefix = variable.starts_with("SOUK_");
    variable.match_indices('_').filter(move |_| has_prefix).map(|(at, _)| &variable[at + 1..])
}

/// Form of a value.
#[derive(Clone, Copy)]
enum Form {
    /// An address such as `10.0.0.1`.
    Address,
    /// A port such as `8080`.
    Port,
    /// A protocol such as `tcp`.
    Protocol,
    /// A URL such as `tcp://10.0.0.1:8080`.
    Url,
}

impl Form {
    fn fits(self, value: &str) -> bool {
        match self {
            Self::Address => value.parse::<IpAddr>().is_ok(),
            Self::Port => value.parse::<u16>().is_ok(),
            Self::Protocol => PROTOCOLS.iter().any(|protocol| protocol.to_lowercase() == value),
            Self::Url => value.split_once("://").is_some_and(|(protocol, address)| {
                Self::Protocol.fits(protocol) && is_address_and_port(address)
            }),
        }
    }
}

/// Returns true for an address and a port. Older platforms write an IPv6 address without brackets.
fn is_address_and_port(text: &str) -> bool {
    let is_without_brackets = || {
        text.rsplit_once(':')
            .is_some_and(|(address, port)| Form::Address.fits(address) && Form::Port.fits(port))
    };
    text.parse::<SocketAddr>().is_ok() || is_without_brackets()
}

/// Returns the form of the value for a variable name without its service name. Returns `None` if the platform
/// does not use such a name.
fn form_of(rest: &str) -> Option<Form> {
    match rest {
        "SERVICE_HOST" => return Some(Form::Address),
        "SERVICE_PORT" => return Some(Form::Port),
        "PORT" => return Some(Form::Url),
        _ => {}
    }
    if rest.strip_prefix("SERVICE_PORT_").is_some_and(|name| !name.is_empty()) {
        return Some(Form::Port);
    }
    let mut parts = rest.strip_prefix("PORT_")?.split('_');
    parts.next()?.parse::<u16>().ok()?;
    let protocol = parts.next()?;
    let part = parts.next();
    if !PROTOCOLS.contains(&protocol) || parts.next().is_some() {
        return None;
    }
    match part {
        None => Some(Form::Url),
        Some("ADDR") => Some(Form::Address),
        Some("PORT") => Some(Form::Port),
        Some("PROTO") => Some(Form::Protocol),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_a_service_are_recognized_by_name_and_value() {
        for service in ["SOUK", "SOUK_X", "SOUK_SHOP_2", "SOUK_PORT"] {
            for (name, value) in [
                ("SERVICE_HOST", "10.96.0.12"),
                ("SERVICE_HOST", "fd00::1"),
                ("SERVICE_PORT", "8080"),
                ("SERVICE_PORT_HTTP", "8080"),
                ("SERVICE_PORT_HTTP_ADMIN", "9090"),
                ("PORT", "tcp://10.96.0.12:8080"),
                ("PORT", "tcp://[fd00::1]:8080"),
                ("PORT_8080_TCP", "tcp://10.96.0.12:8080"),
                ("PORT_8080_TCP_PROTO", "tcp"),
                ("PORT_8080_TCP_PORT", "8080"),
                ("PORT_8080_TCP_ADDR", "10.96.0.12"),
                ("PORT_53_UDP", "udp://10.96.0.12:53"),
                ("PORT_9_SCTP_PROTO", "sctp"),
            ] {
                let variable = format!("{service}_{name}");
                assert!(is_injected(&variable, value), "{variable}={value}");
            }
        }
    }

    #[test]
    fn similar_mistakes_are_not_recognized_as_variables_of_a_service() {
        for (variable, value) in [
            ("SOUK_PORT", "8080"),
            ("SOUK_PORT", ""),
            ("SOUK_LISTEN_PORT", "8080"),
            ("SOUK_SERVICE_HOST", "shop.example"),
            ("SOUK_SERVICE_PORT", "http"),
            ("SOUK_SERVICE_PORT_", "8080"),
            ("SOUK_PORT_HTTP_TCP", "tcp://10.0.0.1:80"),
            ("SOUK_PORT_8080", "tcp://10.0.0.1:80"),
            ("SOUK_PORT_8080_TCP_NAME", "tcp"),
            ("SOUK_PORT_8080_TCP_ADDR_X", "10.0.0.1"),
            ("SOUK_HOST", "10.0.0.1"),
            ("SOUK_LISTN", "127.0.0.1:8080"),
            ("SOUKSERVICE_HOST", "10.0.0.1"),
        ] {
            assert!(!is_injected(variable, value), "{variable}={value}");
        }
    }
}
