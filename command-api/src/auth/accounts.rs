//! What signing in works with, and finding whose account it is.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use souk_domain::claim::Claim;
use souk_domain::user::User;
use souk_domain::user::state::Account;
use souk_domain::{EmailHash, UserId};
use souk_eventsourcing::{CommandPort, Decider, StoreError, StreamName};
use souk_http::{Caller, Denials, Guard, Problem};
use souk_sign_in::identity_provider::SpentFlows;
use souk_sign_in::{Credentials, IdentityProviders, Outbox, Passwords, SignIn, SignInKind};

use crate::shop::Shop;
use crate::users::erasure;

use super::mailed::Resets;

/// Characters of a user agent that are kept.
const USER_AGENT_CHARS_MAX: usize = 200;

/// What signing in works with.
#[derive(Clone)]
pub struct Accounts {
    /// Who has an account.
    pub users: Arc<dyn CommandPort<User>>,
    /// What proves that somebody is them.
    pub credentials: Arc<dyn Credentials>,
    /// Others who say who somebody is.
    pub providers: Arc<dyn IdentityProviders>,
    /// Sign-ins that came back from them.
    pub spent_flows: Arc<SpentFlows>,
    /// Compares passwords.
    pub passwords: Arc<dyn Passwords>,
    /// Sends mail.
    pub outbox: Arc<dyn Outbox>,
    /// Resets of passwords that are under way.
    pub resets: Resets,
    /// Sessions that have ended.
    pub denials: Arc<Denials>,
    /// Slows down those who guess.
    pub guard: Arc<Guard>,
}

/// The owner of an e-mail address, by the alias of the address: by its claim and the account itself.
pub async fn by_email(shop: &Shop, hash: &EmailHash) -> Result<Option<(UserId, Account)>, StoreError> {
    let claim = shop.claims.load(&Claim::of_email(hash)).await?;
    let owner = claim.and_then(|claim| claim.state.held.as_ref().map(|held| held.owner.clone()));
    // Looked up also when there is none, so that both take the same time.
    let stream = owner.and_then(|owner| StreamName::parse(&owner).ok());
    let stream = stream.unwrap_or_else(|| StreamName::new(User::CATEGORY, "nobody"));
    let loaded = shop.accounts.users.load(&stream).await?;
    let account = loaded.and_then(|loaded| loaded.state.account().cloned());
    let user = User::of_stream(&stream);
    Ok(user.zip(account).filter(|(_, account)| account.email_hash == *hash))
}

/// The caller's account. Machines and customers of other systems have none.
pub async fn own(shop: &Shop, caller: &Caller) -> Result<(UserId, Account), Problem> {
    let subject = caller.signed_in()?;
    let none = || Problem::new("not-found", "there is no account behind this token");
    let user = UserId::of_customer(subject).ok_or_else(none)?;
    of_user(shop, user).await?.map(|account| (user, account)).ok_or_else(none)
}

/// The account of a user; none before it is made and after it is erased.
pub async fn of_user(shop: &Shop, user: UserId) -> Result<Option<Account>, StoreError> {
    let loaded = shop.accounts.users.load(&User::stream(user)).await?;
    Ok(loaded.and_then(|loaded| loaded.state.account().cloned()))
}

/// Notes what had to do with signing in. It is done also when the client goes away, so that nothing is left of
/// somebody who is erased meanwhile.
pub async fn note(
    shop: &Shop,
    kind: SignInKind,
    user: Option<UserId>,
    email_hash: Option<&EmailHash>,
    client: &Client<'_>,
) -> Result<(), Problem> {
    let sign_in = SignIn {
        id: shop.clock.new_id(),
        at: shop.clock.now(),
        user: user.map(UserId::customer),
        email_hash: email_hash.cloned(),
        kind,
        address: client.caller.address.map(|address| address.to_string()),
        user_agent: client.user_agent.clone(),
    };
    let of_task = shop.clone();
    let noted = tokio::spawn(async move {
        of_task.accounts.credentials.note(&sign_in).await?;
        if let Some(user) = user {
            erasure::look_again(&of_task, user).await?;
        }
        Ok(())
    });
    noted.await.map_err(|error| Problem::internal(&error))?
}

/// Where a request came from.
pub struct Client<'a> {
    /// Who sent it.
    pub caller: &'a Caller,
    /// What the program calls itself.
    pub user_agent: Option<String>,
}

impl<'a> Client<'a> {
    /// Of a request.
    pub fn of(caller: &'a Caller, headers: &HeaderMap) -> Self {
        let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        let user_agent = user_agent.map(|text| text.chars().take(USER_AGENT_CHARS_MAX).collect());
        Self { caller, user_agent }
    }
}
