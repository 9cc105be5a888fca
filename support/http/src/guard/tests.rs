//! Examples of attackers who guess, and of callers whom they must not be able to shut out.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::task::Poll;

use souk_eventsourcing::testkit::noon;
use souk_eventsourcing::{Clock, Timestamp};
use uuid::Uuid;

use super::counts::{DELAY_S_MAX_OF_UNKNOWN, FREE_FAILURES_OF_ADDRESS, GUESSES_OF_ORDER_A_DAY_MAX};
use super::*;

/// Number of seconds in a day.
const DAY_S: i64 = 24 * 3600;

/// A clock that the test sets.
#[derive(Default)]
struct ManualClock(AtomicI64);

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        noon() + jiff::SignedDuration::from_secs(self.0.load(Ordering::Relaxed))
    }

    fn new_id(&self) -> Uuid {
        Uuid::nil()
    }
}

/// A guard with its clock.
struct Guarded {
    guard: Guard,
    clock: Arc<ManualClock>,
}

impl Guarded {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        Self { guard: Guard::new(true, clock.clone()), clock }
    }

    fn pass(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Makes a wrong attempt and returns the problem code of the response.
    async fn fail(&self, target: &Target, address: &str) -> &'static str {
        self.end_with(target, address, "not-found").await
    }

    async fn end_with(&self, target: &Target, address: &str, code: &'static str) -> &'static str {
        let outcome = async { Err::<(), _>(Problem::new(code, "")) };
        self.guard.attempt(target, address.parse().ok(), outcome, |()| false).await.unwrap_err().code()
    }

    /// Makes a correct attempt. Returns true if it is allowed.
    async fn succeeds(&self, target: &Target, address: &str) -> bool {
        let address = address.parse().ok();
        self.guard.attempt(target, address, async { Ok(()) }, |()| true).await.is_ok()
    }

    /// Makes many attempts at the same time. Returns the problem codes of the refused ones, and the number of
    /// attempts whose secret was compared.
    async fn in_parallel(&self, attempts: u32, target: &Target, is_right: bool) -> (Vec<&'static str>, u32) {
        let compared = AtomicU32::new(0);
        let one = || async {
            let outcome = async {
                compared.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                if is_right { Ok(()) } else { Err(Problem::new("not-found", "")) }
            };
            self.guard.attempt(target, "192.0.2.1".parse().ok(), outcome, |()| true).await
        };
        let mut all: Vec<_> = (0..attempts).map(|_| Box::pin(one())).collect();
        let mut refused = Vec::new();
        // All attempts begin before any of them is polled again, as with real parallel callers.
        std::future::poll_fn(|context| {
            all.retain_mut(|one| match one.as_mut().poll(context) {
                Poll::Ready(Err(problem)) => {
                    refused.push(problem.code());
                    false
                }
                Poll::Ready(Ok(())) => false,
                Poll::Pending => true,
            });
            if all.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        drop(all);
        (refused, compared.into_inner())
    }
}

fn sign_in(who: &str) -> Target {
    Target::SignIn(EmailHash::of(&[1; 32], who))
}

fn order() -> Target {
    Target::Order("SK-0000-0001".to_owned())
}

#[tokio::test]
async fn a_problem_of_the_server_is_not_counted_as_a_failure() {
    for target in [sign_in("ada"), Target::SignedIn("session".to_owned()), order()] {
        let guarded = Guarded::new();
        for _ in 0..200 {
            let code = guarded.end_with(&target, "192.0.2.1", "log-unavailable").await;
            assert_eq!(code, "log-unavailable");
        }
        for _ in 0..5 {
            assert_eq!(guarded.fail(&target, "192.0.2.1").await, "not-found");
        }
        assert_eq!(guarded.fail(&target, "192.0.2.1").await, "rate-limited", "{target:?}");
    }
}

#[tokio::test]
async fn many_parallel_correct_attempts_all_succeed() {
    for target in [sign_in("ada"), Target::SignedIn("session".to_owned()), order()] {
        let guarded = Guarded::new();
        for _ in 0..4 {
            guarded.fail(&target, "192.0.2.1").await;
        }
        assert_eq!(guarded.in_parallel(60, &target, true).await, (vec![], 60), "{target:?}");
        assert_eq!(guarded.guard.counts().waiting_total(), 0);
    }
}

#[tokio::test]
async fn parallel_correct_attempts_of_one_address_at_many_accounts_all_succeed() {
    let guarded = Guarded::new();
    let targets: Vec<Target> = (0..200).map(|n| sign_in(&n.to_string())).collect();
    let address = "192.0.2.1".parse().ok();
    let right = || async {
        tokio::task::yield_now().await;
        Ok(())
    };
    let attempts = targets.iter().map(|target| guarded.guard.attempt(target, address, right(), |()| true));
    assert!(futures_util::future::join_all(attempts).await.into_iter().all(|result| result.is_ok()));
}

#[tokio::test]
async fn parallel_wrong_attempts_get_no_more_comparisons_than_sequential_ones() {
    for target in [sign_in("ada"), Target::SignedIn("session".to_owned()), order()] {
        let guarded = Guarded::new();
        let (refused, compared) = guarded.in_parallel(1_000, &target, false).await;
        assert_eq!((refused.len(), compared), (1_000, 5), "{target:?}");
        assert_eq!(refused.iter().filter(|code| **code == "rate-limited").count(), 995);
        // After the delay, one of the parallel attempts is compared.
        guarded.pass(1);
        assert_eq!(guarded.in_parallel(1_000, &target, false).await.1, 1, "{target:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_waits_a_limited_time_for_attempts_that_do_not_end() {
    let guarded = Guarded::new();
    let target = sign_in("ada");
    let never = || guarded.guard.attempt(&target, None, std::future::pending::<Result<(), _>>(), |()| true);
    let stuck = futures_util::future::join_all((0..5).map(|_| never()));
    let next = guarded.guard.attempt(&target, None, async { Ok(()) }, |()| true);
    let refused = tokio::select! {
        biased;
        _ = stuck => unreachable!("these attempts never end"),
        next = next => next.unwrap_err(),
    };
    assert_eq!(refused.code(), "rate-limited");
    // The attempts that were dropped count as failures.
    assert_eq!(guarded.fail(&target, "192.0.2.1").await, "rate-limited");
    guarded.pass(1);
    assert!(guarded.succeeds(&target, "192.0.2.1").await);
}

#[tokio::test]
async fn an_address_that_guesses_at_many_targets_is_delayed_and_other_addresses_are_not() {
    let guarded = Guarded::new();
    let at =
        |n: usize| if n.is_multiple_of(2) { sign_in(&n.to_string()) } else { Target::Order(n.to_string()) };
    for n in 0..FREE_FAILURES_OF_ADDRESS as usize {
        assert_eq!(guarded.fail(&at(n), "2001:db8::1").await, "not-found");
    }
    assert_eq!(
        guarded.fail(&at(1_000), "2001:db8::2").await,
        "rate-limited",
        "both addresses belong to one subscriber"
    );
    assert_eq!(guarded.fail(&at(1_001), "2001:db8::2").await, "rate-limited");
    assert_eq!(guarded.fail(&at(1_000), "2001:db8:0:1::1").await, "not-found");
}

#[tokio::test]
async fn clients_without_a_known_address_share_a_delay_of_at_most_a_minute() {
    let guarded = Guarded::new();
    let at =
        |n: usize| if n.is_multiple_of(2) { sign_in(&n.to_string()) } else { Target::Order(n.to_string()) };
    for n in 0..FREE_FAILURES_OF_ADDRESS as usize {
        assert_eq!(guarded.fail(&at(n), "unknown").await, "not-found");
    }
    assert_eq!(guarded.fail(&at(1_000), "unknown").await, "rate-limited");
    assert_eq!(guarded.fail(&at(1_001), "unknown").await, "rate-limited");
    assert_eq!(guarded.fail(&at(1_001), "192.0.2.1").await, "not-found");
    for n in 2_000..2_050 {
        guarded.pass(DELAY_S_MAX_OF_UNKNOWN);
        assert_eq!(guarded.fail(&at(n), "unknown").await, "not-found");
    }
    assert!(!guarded.succeeds(&sign_in("ada"), "unknown").await);
    assert!(guarded.succeeds(&Target::SignedIn("session".to_owned()), "unknown").await);
    guarded.pass(DELAY_S_MAX_OF_UNKNOWN);
    assert!(guarded.succeeds(&sign_in("ada"), "unknown").await);
}

#[tokio::test]
async fn wrong_guesses_at_the_sign_in_do_not_delay_a_session_from_any_address() {
    let guarded = Guarded::new();
    let session = Target::SignedIn("session".to_owned());
    for n in 0..200 {
        guarded.fail(&sign_in("ada"), "192.0.2.1").await;
        guarded.fail(&sign_in(&n.to_string()), "192.0.2.1").await;
    }
    assert!(!guarded.succeeds(&sign_in("ada"), "192.0.2.9").await);
    assert!(guarded.succeeds(&session, "192.0.2.1").await);
    assert!(!guarded.succeeds(&sign_in("ada"), "192.0.2.9").await, "strangers are still delayed");
}

#[tokio::test]
async fn guesses_within_a_session_are_delayed_and_other_sessions_are_not() {
    let guarded = Guarded::new();
    let stolen = Target::SignedIn("stolen".to_owned());
    for _ in 0..5 {
        assert_eq!(guarded.fail(&stolen, "192.0.2.1").await, "not-found");
    }
    assert_eq!(guarded.fail(&stolen, "192.0.2.2").await, "rate-limited");
    assert!(guarded.succeeds(&Target::SignedIn("own".to_owned()), "192.0.2.1").await);
    assert!(guarded.succeeds(&sign_in("ada"), "192.0.2.1").await);
}

#[tokio::test]
async fn a_new_password_ends_the_delay_of_its_account_only() {
    let guarded = Guarded::new();
    for _ in 0..6 {
        guarded.fail(&sign_in("ada"), "192.0.2.1").await;
        guarded.fail(&sign_in("bob"), "192.0.2.1").await;
    }
    guarded.guard.clear_sign_in_failures(&EmailHash::of(&[1; 32], "ada"));
    assert!(guarded.succeeds(&sign_in("ada"), "192.0.2.2").await);
    assert!(!guarded.succeeds(&sign_in("bob"), "192.0.2.2").await);
}

// Proves: sign-in.strangers-delay-nobody
#[tokio::test]
async fn a_stranger_who_guesses_for_days_delays_nobody_else() {
    let guarded = Guarded::new();
    let mut guesses = 0;
    for second in 0..7 * DAY_S / 10 {
        guesses += u32::from(guarded.fail(&order(), "192.0.2.1").await == "not-found");
        if second % 360 == 0 {
            let guest = format!("198.51.100.{}", second / 360 % 256);
            assert!(guarded.succeeds(&order(), &guest).await, "after {guesses} guesses");
        }
        guarded.pass(10);
    }
    assert!((5..=7 * 22).contains(&guesses), "{guesses}");
}

#[tokio::test]
async fn all_addresses_together_have_a_hundred_guesses_a_day_at_an_order() {
    let guarded = Guarded::new();
    assert!(guarded.succeeds(&order(), "198.51.100.1").await);
    for day in 0..3 {
        let mut guesses = 0;
        for stranger in 0..250 {
            for _ in 0..5 {
                let address = format!("192.0.{day}.{stranger}");
                guesses += u32::from(guarded.fail(&order(), &address).await == "not-found");
            }
        }
        assert_eq!(guesses, GUESSES_OF_ORDER_A_DAY_MAX);
        assert!(!guarded.succeeds(&order(), "198.51.100.2").await);
        assert!(guarded.succeeds(&order(), "198.51.100.1").await, "this address has already seen the order");
        assert!(guarded.succeeds(&Target::Order("SK-0000-0002".to_owned()), "198.51.100.2").await);
        guarded.pass(DAY_S);
    }
    assert!(guarded.succeeds(&order(), "198.51.100.2").await);
}

#[test]
fn an_ipv6_subscriber_counts_as_one_address() {
    let of = |text: &str| counted_address(text.parse().unwrap());
    assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::"));
    assert_ne!(of("2001:db8:1:2::"), of("2001:db8:1:3::"));
    assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
}
