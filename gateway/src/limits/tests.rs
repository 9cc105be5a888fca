use std::sync::Mutex;

use async_trait::async_trait;
use souk_domain::CustomerId;

use super::*;

fn at(address: &str) -> Caller {
    Caller { address: Some(address.parse().unwrap()), ..Caller::default() }
}

async fn passes(limits: &Limits, class: Class, caller: impl Fn(u32) -> Caller) -> u32 {
    for n in 0..5_000 {
        if limits.check(class, &caller(n)).await.is_err() {
            return n;
        }
    }
    5_000
}

#[tokio::test]
async fn whoever_signs_in_too_often_waits_wherever_they_are() {
    for address in ["192.0.2.1", "127.0.0.1"] {
        let limits = Limits::local();
        // A slot comes free each second: a slow machine gets one or the other more.
        let passed = passes(&limits, Class::Auth, |_| at(address)).await;
        assert!((60..120).contains(&passed), "{address}: {passed}");
        let (refused, told) = limits.check(Class::Auth, &at(address)).await.unwrap_err();
        assert_eq!((refused.code(), told.remaining), ("rate-limited", 0));
        assert!(limits.check(Class::Auth, &at("192.0.2.2")).await.is_ok());
    }
}

#[tokio::test]
async fn the_shops_own_are_not_limited_otherwise() {
    let limits = Limits::local();
    let subject = Some(CustomerId::parse("ops").unwrap());
    let admin = Caller { subject, roles: vec![Role::Admin], ..at("192.0.2.1") };
    assert_eq!(passes(&limits, Class::Write, |_| admin.clone()).await, 5_000);
    assert_eq!(passes(&limits, Class::Write, |_| at("127.0.0.1")).await, 5_000);
    assert!(passes(&limits, Class::Write, |_| at("192.0.2.3")).await < 5_000);
    assert_eq!(passes(&limits, Class::Unlimited, |_| at("192.0.2.3")).await, 5_000);
    assert_eq!(passes(&Limits::off(), Class::Auth, |_| at("192.0.2.3")).await, 5_000);
}

#[tokio::test]
async fn clients_behind_a_proxy_that_does_not_name_them_are_counted_together() {
    let limits = Limits::local();
    let behind = |proxy: &str| Caller {
        address_source: AddressSource::Behind(proxy.parse().unwrap()),
        ..Caller::default()
    };
    assert!((300..5_000).contains(&passes(&limits, Class::Write, |_| behind("127.0.0.1")).await));
    // Others are not touched by it: other proxies, and processes at the proxy's own address.
    assert!(limits.check(Class::Write, &behind("127.0.0.2")).await.is_ok());
    assert_eq!(passes(&limits, Class::Write, |_| at("127.0.0.1")).await, 5_000);
    let through = |address: &str| Caller { address_source: AddressSource::Proxy, ..at(address) };
    assert!(passes(&limits, Class::Write, |_| through("127.0.0.1")).await < 5_000, "it is not this machine");
}

#[tokio::test]
async fn somebody_counts_once_wherever_they_ask_from() {
    let subject = Some(CustomerId::parse("ada").unwrap());
    let from = |n: u32| Caller {
        subject: subject.clone(),
        roles: vec![Role::Customer],
        ..at(&format!("192.0.2.{}", n % 250))
    };
    let passed = passes(&Limits::local(), Class::Write, from).await;
    assert!((300..1_000).contains(&passed), "{passed}");
}

#[tokio::test]
async fn what_is_left_is_said() {
    let mut headers = HeaderMap::new();
    let told = Limits::local().check(Class::Auth, &at("192.0.2.1")).await.unwrap().unwrap();
    told.write(&mut headers);
    assert_eq!(headers["ratelimit"], "\"auth\";r=59;t=1");
    assert_eq!(headers["ratelimit-policy"], "\"auth\";q=60;w=60");
}

/// Counts as it is told to.
#[derive(Default)]
struct Scripted {
    is_away: Mutex<bool>,
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
        let is_away = *self.is_away.lock().unwrap();
        if is_away { std::future::pending().await } else { Ok(Count::Passes { remaining: 7 }) }
    }
}

#[tokio::test]
async fn while_what_is_shared_is_away_this_process_counts() {
    let counts = Arc::new(Scripted::default());
    let limits = Limits::shared(counts.clone());
    let told = limits.check(Class::Write, &at("192.0.2.1")).await.unwrap().unwrap();
    assert_eq!((told.remaining, limits.standing()), (7, Standing::Shared));
    assert_eq!(*counts.keys.lock().unwrap(), ["souk:limit:write:address:192.0.2.1"]);
    *counts.is_away.lock().unwrap() = true;
    // One that hangs costs one short wait, then nobody asks for a while.
    let told = limits.check(Class::Write, &at("192.0.2.1")).await.unwrap().unwrap();
    assert_eq!(
        (told.remaining, limits.standing()),
        (298, Standing::FallenBack),
        "the one before was counted"
    );
    *counts.is_away.lock().unwrap() = false;
    assert!(passes(&limits, Class::Write, |_| at("192.0.2.1")).await < 5_000);
    tokio::time::sleep(shared::PAUSE).await;
    let told = limits.check(Class::Write, &at("192.0.2.1")).await.unwrap().unwrap();
    assert_eq!((told.remaining, limits.standing()), (7, Standing::Shared));
}
