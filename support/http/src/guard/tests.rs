//! Examples of guessers, and of those whom they would like to shut out.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::task::Poll;

use souk_eventsourcing::testkit::noon;
use souk_eventsourcing::{Clock, Timestamp};
use uuid::Uuid;

use super::counts::{DELAY_S_MAX_OF_UNKNOWN, FREE_FAILURES_OF_ADDRESS, GUESSES_OF_ORDER_A_DAY_MAX};
use super::*;

/// The seconds of a day.
const DAY_S: i64 = 24 * 3600;

/// A clock that is set by hand.
#[derive(Default)]
struct ByHand(AtomicI64);

impl Clock for ByHand {
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
    clock: Arc<ByHand>,
}

impl Guarded {
    fn new() -> Self {
        let clock = Arc::new(ByHand::default());
        Self { guard: Guard::new(true, clock.clone()), clock }
    }

    fn pass(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Fails at something: the code of the answer.
    async fn fails(&self, target: &Target, address: &str) -> &'static str {
        self.comes_to(target, address, "not-found").await
    }

    async fn comes_to(&self, target: &Target, address: &str, code: &'static str) -> &'static str {
        let outcome = async { Err::<(), _>(Problem::new(code, "")) };
        self.guard.counting(target, address.parse().ok(), outcome, |()| false).await.unwrap_err().code()
    }

    /// Is right about something, unless it has to wait.
    async fn is_let_in(&self, target: &Target, address: &str) -> bool {
        let address = address.parse().ok();
        self.guard.counting(target, address, async { Ok(()) }, |()| true).await.is_ok()
    }

    /// Makes so many tries at once that take a moment, and gives the codes of those that are refused; and how many were
    /// compared.
    async fn at_once(&self, tries: u32, target: &Target, is_right: bool) -> (Vec<&'static str>, u32) {
        let compared = AtomicU32::new(0);
        let one = || async {
            let outcome = async {
                compared.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                if is_right { Ok(()) } else { Err(Problem::new("not-found", "")) }
            };
            self.guard.counting(target, "192.0.2.1".parse().ok(), outcome, |()| true).await
        };
        let mut all: Vec<_> = (0..tries).map(|_| Box::pin(one())).collect();
        let mut refused = Vec::new();
        // All of them are begun before one is looked at again, as callers at once do.
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
async fn a_try_that_we_could_not_answer_is_no_failure() {
    for target in [sign_in("ada"), Target::SignedIn("session".to_owned()), order()] {
        let guarded = Guarded::new();
        for _ in 0..200 {
            let answer = guarded.comes_to(&target, "192.0.2.1", "log-unavailable").await;
            assert_eq!(answer, "log-unavailable");
        }
        for _ in 0..5 {
            assert_eq!(guarded.fails(&target, "192.0.2.1").await, "not-found");
        }
        assert_eq!(guarded.fails(&target, "192.0.2.1").await, "rate-limited", "{target:?}");
    }
}

#[tokio::test]
async fn many_right_tries_at_once_are_all_let_in() {
    for target in [sign_in("ada"), Target::SignedIn("session".to_owned()), order()] {
        let guarded = Guarded::new();
        for _ in 0..4 {
            guarded.fails(&target, "192.0.2.1").await;
        }
        assert_eq!(guarded.at_once(60, &target, true).await, (vec![], 60), "{target:?}");
        assert_eq!(guarded.guard.counts().waiting_of_all(), 0);
    }
}

#[tokio::test]
async fn right_tries_of_one_address_at_many_accounts_are_all_let_in() {
    let guarded = Guarded::new();
    let targets: Vec<Target> = (0..200).map(|n| sign_in(&n.to_string())).collect();
    let address = "192.0.2.1".parse().ok();
    let right = || async {
        tokio::task::yield_now().await;
        Ok(())
    };
    let tries = targets.iter().map(|target| guarded.guard.counting(target, address, right(), |()| true));
    assert!(futures_util::future::join_all(tries).await.into_iter().all(|made| made.is_ok()));
}

#[tokio::test]
async fn many_wrong_tries_at_once_are_compared_no_more_often_than_one_after_the_other() {
    for target in [sign_in("ada"), Target::SignedIn("session".to_owned()), order()] {
        let guarded = Guarded::new();
        let (refused, compared) = guarded.at_once(1_000, &target, false).await;
        assert_eq!((refused.len(), compared), (1_000, 5), "{target:?}");
        assert_eq!(refused.iter().filter(|code| **code == "rate-limited").count(), 995);
        // When the delay is over, one of many is compared.
        guarded.pass(1);
        assert_eq!(guarded.at_once(1_000, &target, false).await.1, 1, "{target:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_try_waits_a_bounded_time_for_one_that_does_not_end() {
    let guarded = Guarded::new();
    let target = sign_in("ada");
    let never = || guarded.guard.counting(&target, None, std::future::pending::<Result<(), _>>(), |()| true);
    let stuck = futures_util::future::join_all((0..5).map(|_| never()));
    let next = guarded.guard.counting(&target, None, async { Ok(()) }, |()| true);
    let refused = tokio::select! {
        biased;
        _ = stuck => unreachable!("they never end"),
        next = next => next.unwrap_err(),
    };
    assert_eq!(refused.code(), "rate-limited");
    // Those that were given up have failed.
    assert_eq!(guarded.fails(&target, "192.0.2.1").await, "rate-limited");
    guarded.pass(1);
    assert!(guarded.is_let_in(&target, "192.0.2.1").await);
}

#[tokio::test]
async fn an_address_that_guesses_at_many_waits_and_others_do_not() {
    let guarded = Guarded::new();
    let at =
        |n: usize| if n.is_multiple_of(2) { sign_in(&n.to_string()) } else { Target::Order(n.to_string()) };
    for n in 0..FREE_FAILURES_OF_ADDRESS as usize {
        assert_eq!(guarded.fails(&at(n), "2001:db8::1").await, "not-found");
    }
    assert_eq!(guarded.fails(&at(1_000), "2001:db8::2").await, "rate-limited", "it is the same subscriber");
    assert_eq!(guarded.fails(&at(1_001), "2001:db8::2").await, "rate-limited");
    assert_eq!(guarded.fails(&at(1_000), "2001:db8:0:1::1").await, "not-found");
}

#[tokio::test]
async fn clients_whose_address_is_not_known_wait_together_and_a_minute_at_most() {
    let guarded = Guarded::new();
    let at =
        |n: usize| if n.is_multiple_of(2) { sign_in(&n.to_string()) } else { Target::Order(n.to_string()) };
    for n in 0..FREE_FAILURES_OF_ADDRESS as usize {
        assert_eq!(guarded.fails(&at(n), "unknown").await, "not-found");
    }
    assert_eq!(guarded.fails(&at(1_000), "unknown").await, "rate-limited");
    assert_eq!(guarded.fails(&at(1_001), "unknown").await, "rate-limited");
    assert_eq!(guarded.fails(&at(1_001), "192.0.2.1").await, "not-found");
    for n in 2_000..2_050 {
        guarded.pass(DELAY_S_MAX_OF_UNKNOWN);
        assert_eq!(guarded.fails(&at(n), "unknown").await, "not-found");
    }
    assert!(!guarded.is_let_in(&sign_in("ada"), "unknown").await);
    assert!(guarded.is_let_in(&Target::SignedIn("session".to_owned()), "unknown").await);
    guarded.pass(DELAY_S_MAX_OF_UNKNOWN);
    assert!(guarded.is_let_in(&sign_in("ada"), "unknown").await);
}

#[tokio::test]
async fn wrong_guesses_at_the_sign_in_do_not_delay_a_session_from_any_address() {
    let guarded = Guarded::new();
    let session = Target::SignedIn("session".to_owned());
    for n in 0..200 {
        guarded.fails(&sign_in("ada"), "192.0.2.1").await;
        guarded.fails(&sign_in(&n.to_string()), "192.0.2.1").await;
    }
    assert!(!guarded.is_let_in(&sign_in("ada"), "192.0.2.9").await);
    assert!(guarded.is_let_in(&session, "192.0.2.1").await);
    assert!(!guarded.is_let_in(&sign_in("ada"), "192.0.2.9").await, "strangers wait on");
}

#[tokio::test]
async fn guesses_within_a_session_are_delayed_and_other_sessions_are_not() {
    let guarded = Guarded::new();
    let stolen = Target::SignedIn("stolen".to_owned());
    for _ in 0..5 {
        assert_eq!(guarded.fails(&stolen, "192.0.2.1").await, "not-found");
    }
    assert_eq!(guarded.fails(&stolen, "192.0.2.2").await, "rate-limited");
    assert!(guarded.is_let_in(&Target::SignedIn("own".to_owned()), "192.0.2.1").await);
    assert!(guarded.is_let_in(&sign_in("ada"), "192.0.2.1").await);
}

#[tokio::test]
async fn a_new_password_lifts_the_delay_of_its_account_alone() {
    let guarded = Guarded::new();
    for _ in 0..6 {
        guarded.fails(&sign_in("ada"), "192.0.2.1").await;
        guarded.fails(&sign_in("bob"), "192.0.2.1").await;
    }
    guarded.guard.renewed(&EmailHash::of(&[1; 32], "ada"));
    assert!(guarded.is_let_in(&sign_in("ada"), "192.0.2.2").await);
    assert!(!guarded.is_let_in(&sign_in("bob"), "192.0.2.2").await);
}

#[tokio::test]
async fn a_stranger_who_goes_on_for_days_keeps_nobody_else_from_an_order() {
    let guarded = Guarded::new();
    let mut guesses = 0;
    for second in 0..7 * DAY_S / 10 {
        guesses += u32::from(guarded.fails(&order(), "192.0.2.1").await == "not-found");
        if second % 360 == 0 {
            let guest = format!("198.51.100.{}", second / 360 % 256);
            assert!(guarded.is_let_in(&order(), &guest).await, "after {guesses} guesses");
        }
        guarded.pass(10);
    }
    assert!((5..=7 * 22).contains(&guesses), "{guesses}");
}

#[tokio::test]
async fn all_strangers_together_have_a_hundred_guesses_a_day_at_an_order() {
    let guarded = Guarded::new();
    assert!(guarded.is_let_in(&order(), "198.51.100.1").await);
    for day in 0..3 {
        let mut guesses = 0;
        for stranger in 0..250 {
            for _ in 0..5 {
                let address = format!("192.0.{day}.{stranger}");
                guesses += u32::from(guarded.fails(&order(), &address).await == "not-found");
            }
        }
        assert_eq!(guesses, GUESSES_OF_ORDER_A_DAY_MAX);
        assert!(!guarded.is_let_in(&order(), "198.51.100.2").await);
        assert!(guarded.is_let_in(&order(), "198.51.100.1").await, "the order was shown there before");
        assert!(guarded.is_let_in(&Target::Order("SK-0000-0002".to_owned()), "198.51.100.2").await);
        guarded.pass(DAY_S);
    }
    assert!(guarded.is_let_in(&order(), "198.51.100.2").await);
}

#[test]
fn a_subscriber_of_ipv6_counts_once() {
    let of = |text: &str| counted(text.parse().unwrap());
    assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::"));
    assert_ne!(of("2001:db8:1:2::"), of("2001:db8:1:3::"));
    assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
}
