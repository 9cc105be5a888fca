//! One-time tokens that are sent by e-mail.
//!
//! A token works once, for the account that it was made for, while the account exists and has the e-mail
//! address that the token was sent to. A token that resets the password works only until the password
//! changes.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use souk_domain::user::state::Account;
use souk_domain::{Email, UserId};
use souk_http::Problem;
use souk_http::guard::counted_address;
use souk_sign_in::{Mail, MailCount, OneTimeToken, Purpose};
use tokio::sync::Semaphore;

use crate::ports::Ports;
use crate::users::erasure;

use super::{accounts, addresses};

/// Most requests for a password reset that are handled at the same time.
pub const RESETS_AT_ONCE_MAX: usize = 32;
/// Shortest time for which a request for a password reset holds its place. It is longer than sending an
/// e-mail usually takes, so that the time until a place is free does not reveal which addresses have an
/// account.
pub const RESET_TIME_MIN: Duration = Duration::from_millis(100);
/// Longest time for which a request for a password reset waits for a place. A client that sends one request
/// after another is therefore slowed down and not refused.
pub const RESET_WAIT_MAX: Duration = Duration::from_secs(1);

/// The places for requests for a password reset.
#[derive(Clone, Debug)]
pub struct ResetPlaces(Arc<Semaphore>);

impl Default for ResetPlaces {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(RESETS_AT_ONCE_MAX)))
    }
}

/// Finds the account that a token was made for. The token is not used up.
pub async fn account_of(ports: &Ports, token: &str, purpose: Purpose) -> Result<(UserId, Account), Problem> {
    let hash = OneTimeToken::hash_of(token);
    let mailed_to = ports.accounts.credentials.one_time(&hash, purpose, ports.clock.now()).await?;
    let mailed_to = mailed_to.ok_or_else(unknown_token)?;
    // An account counts as erased as soon as its key is destroyed.
    if ports.people.is_erased(&mailed_to.user.person()).await? {
        return Err(unknown_token());
    }
    let user = UserId::of_customer(&mailed_to.user).ok_or_else(unknown_token)?;
    let account = accounts::of_user(ports, user).await?;
    let account = account.filter(|account| mailed_to.is_for_address(&account.email_hash));
    Ok((user, account.ok_or_else(unknown_token)?))
}

/// Returns the problem for a token that does not work.
pub fn unknown_token() -> Problem {
    Problem::field("/token", "unknown-token", "the token is wrong, already used, or expired")
}

/// Sends an e-mail with a one-time token. A failure is only logged, since the user can request another
/// e-mail. If the user is erased meanwhile, the e-mail is deleted, even if the client has disconnected.
pub async fn send(ports: &Ports, user: UserId, email: Email, purpose: Purpose, client: Option<IpAddr>) {
    let task_ports = ports.clone();
    let task = tokio::spawn(async move {
        if let Err(why) = try_send(&task_ports, user, email, purpose, client).await {
            tracing::warn!(%user, why, "an e-mail was not sent");
        }
    });
    if let Err(error) = task.await {
        tracing::error!(%user, %error, "an e-mail was not sent");
    }
}

async fn try_send(
    ports: &Ports,
    user: UserId,
    email: Email,
    purpose: Purpose,
    client: Option<IpAddr>,
) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let counts = MailCount::of(&ports.keys.mail_counts, purpose, &email, client.map(counted_address));
    let now = ports.clock.now();
    let is_within_limits =
        ports.accounts.credentials.count_mail(&counts, now).await.map_err(|error| text(&error))?;
    if !is_within_limits && ports.accounts.guard.is_on() {
        return Err("the limit of e-mails for this day is reached".to_owned());
    }
    let email_hash =
        addresses::alias_of(ports, &email).await.map_err(|problem| problem.detail().to_owned())?;
    let new_token = OneTimeToken::make(user.customer(), email_hash, purpose, now);
    let (token, secret) = new_token.map_err(|error| text(&error))?;
    ports.accounts.credentials.keep_one_time(&token).await.map_err(|error| text(&error))?;
    let mail = mail_of(user, email, purpose, &secret);
    let sent = ports.accounts.outbox.send(mail).await;
    let is_erased =
        erasure::delete_if_erased(ports, user).await.map_err(|problem| problem.detail().to_owned())?;
    if is_erased {
        return Err("the user was erased meanwhile".to_owned());
    }
    sent.map_err(|error| text(&error))
}

fn mail_of(user: UserId, to: Email, purpose: Purpose, secret: &str) -> Mail {
    let (subject, text) = match purpose {
        Purpose::VerifyEmail => (
            "Verify your e-mail address",
            format!(
                "An account was created with this e-mail address. If you created it, this code verifies the \
                 address:\n\n    {secret}\n\nThe code works once, within a day. Use it while you are signed in: then \
                 orders that you placed with this address as a guest are added to your account. If you did not \
                 create the account, do nothing, or reset the password to take over the account."
            ),
        ),
        Purpose::ResetPassword => (
            "Reset your password",
            format!(
                "A new password was requested for the account with this e-mail address. If you requested it, \
                 this code sets a new password:\n\n    {secret}\n\nThe code works once, within half an hour. If you \
                 did not request it, do nothing."
            ),
        ),
    };
    Mail { user: user.customer(), to, subject: subject.to_owned(), text }
}

/// Sends a token to reset the password to an e-mail address, if an account has it.
///
/// The caller can't learn whether an account exists: the lookup runs after the response, in a place that is
/// held for the same time in both cases. Returns a problem if no place becomes free in time.
pub async fn send_reset(ports: &Ports, email: Email, client: Option<IpAddr>) -> Result<(), Problem> {
    let places = Arc::clone(&ports.accounts.resets.0);
    let Ok(Ok(place)) = tokio::time::timeout(RESET_WAIT_MAX, places.acquire_owned()).await else {
        let detail =
            format!("{RESETS_AT_ONCE_MAX} passwords are being reset; repeat the request in a moment");
        return Err(Problem::new("overloaded", detail).retry_after(1));
    };
    let ports = ports.clone();
    tokio::spawn(async move {
        tokio::join!(mail_reset(&ports, email, client), tokio::time::sleep(RESET_TIME_MIN));
        drop(place);
    });
    Ok(())
}

async fn mail_reset(ports: &Ports, email: Email, client: Option<IpAddr>) {
    let account = async {
        let alias = addresses::alias_of(ports, &email).await?;
        Ok::<_, Problem>(accounts::by_email(ports, &alias).await?)
    };
    match account.await {
        Ok(Some((user, _))) => send(ports, user, email, Purpose::ResetPassword, client).await,
        Ok(None) => {}
        Err(problem) => {
            tracing::warn!(error = problem.detail(), "the account for a password reset can't be looked up");
        }
    }
}
