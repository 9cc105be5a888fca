//! Tests of ending many sessions, which takes time.

use std::sync::Mutex;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use souk_eventsourcing::testkit::noon;
use souk_http_shop::{Shop, customer_id};
use souk_sign_in::{AccessDenials, end_all_sessions};
use uuid::Uuid;

use crate::auth::{PASSWORD, login_call, signed_up};

/// Denials of sessions: the time of each, and its end. Each takes ten seconds.
#[derive(Default)]
struct SlowDenials(Mutex<Vec<(Timestamp, Timestamp)>>);

impl SlowDenials {
    fn now(&self) -> Timestamp {
        let denied = i64::try_from(self.0.lock().unwrap().len()).unwrap();
        noon() + SignedDuration::from_secs(60 + 10 * denied)
    }
}

#[async_trait]
impl AccessDenials for SlowDenials {
    async fn deny(&self, _: Uuid, until: Timestamp, now: Timestamp) {
        self.0.lock().unwrap().push((now, until));
    }
}

/// Regression: all sessions were denied until the same time, so that a token from a refresh just before the
/// denial of its session outlived it.
#[tokio::test]
async fn a_session_is_denied_from_the_moment_at_which_it_is_ended() {
    let shop = Shop::open().await;
    let signed_up = signed_up(&shop, "ada@example.org").await;
    for _ in 0..3 {
        shop.send(login_call("ada@example.org", PASSWORD)).await.done(200);
    }
    let user = customer_id(&signed_up.text("id"));
    let slow = SlowDenials::default();
    let credentials = &*shop.ports.accounts.credentials;
    assert!(end_all_sessions(credentials, &slow, &user, None, &|| slow.now()).await.unwrap());
    let denials = slow.0.lock().unwrap().clone();
    assert_eq!(denials.len(), 4);
    for (earlier, later) in denials.iter().zip(&denials[1..]) {
        let ten_seconds = SignedDuration::from_secs(10);
        assert_eq!(later.0.duration_since(earlier.0), ten_seconds);
        assert_eq!(later.1.duration_since(earlier.1), ten_seconds);
    }
}
