//! Tokens that are mailed, and what they show: only as long as it is so. A token works once, for the account that it
//! was made for, while the account is there and has the address that the token was mailed to; one that resets a
//! password works while the password is the one that was forgotten.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use souk_domain::user::state::Account;
use souk_domain::{Email, UserId};
use souk_http::Problem;
use souk_http::guard::counted;
use souk_sign_in::{Mail, MailCount, OneTimeToken, Purpose};
use tokio::sync::Semaphore;

use crate::shop::Shop;

use super::{accounts, addresses};
use crate::users::erasure;

/// Resets of passwords that are looked up and mailed at once.
pub const RESETS_AT_ONCE_MAX: usize = 32;
/// The shortest time for which a reset holds its place: longer than a mail mostly takes, so that the time until
/// places are free does not tell which addresses have an account.
const RESET_TIME_MIN: Duration = Duration::from_millis(100);

/// The places of resets that are under way.
#[derive(Clone, Debug)]
pub struct Resets(Arc<Semaphore>);

impl Default for Resets {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(RESETS_AT_ONCE_MAX)))
    }
}

/// Finds the account that a token is for. The token stays.
pub async fn account_of(shop: &Shop, token: &str, purpose: Purpose) -> Result<(UserId, Account), Problem> {
    let hash = OneTimeToken::hash_of(token);
    let mailed_to = shop.accounts.credentials.one_time(&hash, purpose, shop.clock.now()).await?;
    let mailed_to = mailed_to.ok_or_else(unknown_token)?;
    // An erasure counts from the moment at which the key is destroyed.
    if shop.people.is_erased(&mailed_to.user.person()).await? {
        return Err(unknown_token());
    }
    let user = UserId::of_customer(&mailed_to.user).ok_or_else(unknown_token)?;
    let account = accounts::of_user(shop, user).await?;
    let account = account.filter(|account| mailed_to.is_address(&account.email_hash));
    Ok((user, account.ok_or_else(unknown_token)?))
}

/// Refuses a token.
pub fn unknown_token() -> Problem {
    Problem::field("/token", "unknown-token", "the token is wrong, used, or too old")
}

/// Mails a token that works once. It is no reason to fail: another can be asked for. It is done also when the client
/// goes away, so that a mail of somebody who is erased meanwhile is not left.
pub async fn send(shop: &Shop, user: UserId, email: Email, purpose: Purpose, client: Option<IpAddr>) {
    let of_task = shop.clone();
    let sent = tokio::spawn(async move {
        if let Err(why) = try_send(&of_task, user, email, purpose, client).await {
            tracing::warn!(%user, why, "a mail was not sent");
        }
    });
    if let Err(error) = sent.await {
        tracing::error!(%user, %error, "a mail was not sent");
    }
}

async fn try_send(
    shop: &Shop,
    user: UserId,
    email: Email,
    purpose: Purpose,
    client: Option<IpAddr>,
) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let counts = MailCount::of(&shop.keys.mail_counts, purpose, &email, client.map(counted));
    let now = shop.clock.now();
    let may = shop.accounts.credentials.count_mail(&counts, now).await.map_err(|error| text(&error))?;
    if !may && shop.accounts.guard.is_on() {
        return Err("the address has had its mails of this day".to_owned());
    }
    let email_hash =
        addresses::alias_of(shop, &email).await.map_err(|problem| problem.detail().to_owned())?;
    let made = OneTimeToken::make(user.customer(), email_hash, purpose, now);
    let (token, secret) = made.map_err(|error| text(&error))?;
    shop.accounts.credentials.keep_one_time(&token).await.map_err(|error| text(&error))?;
    let mail = mail_of(user, email, purpose, &secret);
    let sent = shop.accounts.outbox.send(mail).await;
    let is_erased = erasure::look_again(shop, user).await.map_err(|problem| problem.detail().to_owned())?;
    if is_erased {
        return Err("its reader was erased meanwhile".to_owned());
    }
    sent.map_err(|error| text(&error))
}

fn mail_of(user: UserId, to: Email, purpose: Purpose, secret: &str) -> Mail {
    let (subject, text) = match purpose {
        Purpose::VerifyEmail => (
            "Is this your e-mail address?",
            format!(
                "Somebody made an account with this address. If it was you, this shows that the address is \
                 yours:\n\n    {secret}\n\nIt works once, for a day. Use it while you are signed in: then orders that you \
                 placed with this address as a guest become yours. If it was not you, do nothing, or reset the password \
                 to make the account yours."
            ),
        ),
        Purpose::ResetPassword => (
            "A new password",
            format!(
                "Somebody asked for a new password for the account with this address. If it was you, this \
                 sets one:\n\n    {secret}\n\nIt works once, for half an hour. If it was not you, do nothing."
            ),
        ),
    };
    Mail { user: user.customer(), to, subject: subject.to_owned(), text }
}

/// Sends somebody who forgot their password a token. Nobody learns whether there is such an account: it is
/// done behind the answer, in a place that is held for the same time with and without one. Refused when all places are
/// taken.
pub fn forgot(shop: &Shop, email: Email, client: Option<IpAddr>) -> Result<(), Problem> {
    let Ok(place) = Arc::clone(&shop.accounts.resets.0).try_acquire_owned() else {
        let detail =
            format!("{RESETS_AT_ONCE_MAX} passwords are being reset; repeat the request after a moment");
        return Err(Problem::new("overloaded", detail).retry_after(1));
    };
    let shop = shop.clone();
    tokio::spawn(async move {
        tokio::join!(mail_reset(&shop, email, client), tokio::time::sleep(RESET_TIME_MIN));
        drop(place);
    });
    Ok(())
}

async fn mail_reset(shop: &Shop, email: Email, client: Option<IpAddr>) {
    let found = async {
        let alias = addresses::alias_of(shop, &email).await?;
        Ok::<_, Problem>(accounts::by_email(shop, &alias).await?)
    };
    match found.await {
        Ok(Some((user, _))) => send(shop, user, email, Purpose::ResetPassword, client).await,
        Ok(None) => {}
        Err(problem) => tracing::warn!(error = problem.detail(), "a password can't be reset"),
    }
}
