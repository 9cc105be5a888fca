use std::sync::Mutex;

use async_trait::async_trait;
use souk_domain::CustomerId;

use super::*;

fn at(address: &str) -> Caller {
    Caller { address: Some(address.parse().unwrap()), ..Caller::default() }
}

/// Makes up to 5,000 requests and returns the number that pass before the first refusal.
async fn passes(limits: &Limits, class: RateClass, caller: impl Fn(u32) -> Caller) -> u32 {
    for n in 0..5_000 {
        if limits.check(class, &caller(n)).await.is_err() {
            return n;
        }
    }
    5_000
}

// Proves: edge.sign-in-rate-limit
#[tokio::test]
async fn sign_ins_are_limited_from_every_address() {
    for address in ["192.0.2.1", "127.0.0.1"] {
        let limits = Limits::local();
        // One more request is allowed each second, so a slow machine gets some more than 60.
        let passed = passes(&limits, RateClass::Auth, |_| at(address)).await;
        assert!((60..120).contains(&passed), "{address}: {passed}");
        let (problem, state) = limits.check(RateClass::Auth, &at(address)).await.unwrap_err();
        assert_eq!((problem.code(), state.remaining), ("rate-limited", 0));
        assert!(limits.check(RateClass::Auth, &at("192.0.2.2")).await.is_ok());
    }
}

// Proves: edge.rate-limit-exemptions
#[tokio::test]
async fn admins_services_and_this_machine_are_limited_only_at_sign_in() {
    let limits = Limits::local();
    let subject = Some(CustomerId::parse("ops").unwrap());
    let admin = Caller { subject, roles: vec![Role::Admin], ..at("192.0.2.1") };
    assert_eq!(passes(&limits, RateClass::Write, |_| admin.clone()).await, 5_000);
    assert_eq!(passes(&limits, RateClass::Write, |_| at("127.0.0.1")).await, 5_000);
    assert!(passes(&limits, RateClass::Write, |_| at("192.0.2.3")).await < 5_000);
    assert_eq!(passes(&limits, RateClass::Unlimited, |_| at("192.0.2.3")).await, 5_000);
    assert_eq!(passes(&Limits::off(), RateClass::Auth, |_| at("192.0.2.3")).await, 5_000);
}

#[tokio::test]
async fn clients_behind_a_proxy_that_does_not_name_them_are_counted_together() {
    let limits = Limits::local();
    let hidden_by = |proxy: &str| Caller {
        address_source: AddressSource::HiddenByProxy(proxy.parse().unwrap()),
        ..Caller::default()
    };
    assert!((300..5_000).contains(&passes(&limits, RateClass::Write, |_| hidden_by("127.0.0.1")).await));
    // Other proxies, and programs at the proxy's own address, are counted separately.
    assert!(limits.check(RateClass::Write, &hidden_by("127.0.0.2")).await.is_ok());
    assert_eq!(passes(&limits, RateClass::Write, |_| at("127.0.0.1")).await, 5_000);
    let through = |address: &str| Caller { address_source: AddressSource::Proxy, ..at(address) };
    assert!(
        passes(&limits, RateClass::Write, |_| through("127.0.0.1")).await < 5_000,
        "a client behind a proxy does not count as this machine"
    );
}

#[tokio::test]
async fn an_account_is_counted_once_for_all_its_addresses() {
    let subject = Some(CustomerId::parse("ada").unwrap());
    let from = |n: u32| Caller {
        subject: subject.clone(),
        roles: vec![Role::Customer],
        ..at(&format!("192.0.2.{}", n % 250))
    };
    let passed = passes(&Limits::local(), RateClass::Write, from).await;
    assert!((300..1_000).contains(&passed), "{passed}");
}

#[tokio::test]
async fn headers_report_the_remaining_requests() {
    let mut headers = HeaderMap::new();
    let state = Limits::local().check(RateClass::Auth, &at("192.0.2.1")).await.unwrap().unwrap();
    state.write(&mut headers);
    assert_eq!(headers["ratelimit"], "\"auth\";r=59;t=1");
    assert_eq!(headers["ratelimit-policy"], "\"auth\";q=60;w=60");
}

/// Shared counts that respond or hang, as the test sets them.
#[derive(Default)]
struct Scripted {
    is_hanging: Mutex<bool>,
    keys: Mutex<Vec<String>>,
}

#[async_trait]
impl SharedCounts for Scripted {
    async fn take(
        &self,
        keys: &[String],
        _: NonZeroU32,
        _: Duration,
    ) -> Result<Count, SharedCountsUnavailable> {
        *self.keys.lock().unwrap() = keys.to_vec();
        let is_hanging = *self.is_hanging.lock().unwrap();
        if is_hanging { std::future::pending().await } else { Ok(Count::Passes { remaining: 7 }) }
    }
}

#[tokio::test]
async fn this_process_counts_while_the_shared_counts_are_unavailable() {
    let counts = Arc::new(Scripted::default());
    let limits = Limits::shared(counts.clone());
    let state = limits.check(RateClass::Write, &at("192.0.2.1")).await.unwrap().unwrap();
    assert_eq!((state.remaining, limits.mode()), (7, CountingMode::Shared));
    assert_eq!(*counts.keys.lock().unwrap(), ["souk:limit:write:address:192.0.2.1"]);
    *counts.is_hanging.lock().unwrap() = true;
    // Shared counts that hang cost one short wait. Then they get no requests for a while.
    let state = limits.check(RateClass::Write, &at("192.0.2.1")).await.unwrap().unwrap();
    assert_eq!(
        (state.remaining, limits.mode()),
        (298, CountingMode::SharedUnavailable),
        "the earlier request was counted by this process too"
    );
    *counts.is_hanging.lock().unwrap() = false;
    assert!(passes(&limits, RateClass::Write, |_| at("192.0.2.1")).await < 5_000);
    tokio::time::sleep(shared::PAUSE).await;
    let state = limits.check(RateClass::Write, &at("192.0.2.1")).await.unwrap().unwrap();
    assert_eq!((state.remaining, limits.mode()), (7, CountingMode::Shared));
}
