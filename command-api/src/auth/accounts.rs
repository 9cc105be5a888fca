//! The ports of sign-in, lookups of accounts, and records of sign-in events.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use souk_domain::claim::Claim;
use souk_domain::user::User;
use souk_domain::user::state::Account;
use souk_domain::{EmailHash, UserId};
use souk_eventsourcing::{Decider, StoreError, StreamName};
use souk_http::{Caller, EndedSessions, Guard, Problem};
use souk_sign_in::identity_provider::UsedFlows;
use souk_sign_in::{Credentials, IdentityProviders, Outbox, Passwords, SignIn, SignInKind};

use crate::ports::Ports;
use crate::users::erasure;

use super::mailed_tokens::ResetPlaces;

/// Largest number of characters of a user agent that are stored.
const USER_AGENT_CHARS_MAX: usize = 200;

/// The ports and the shared state of sign-in.
#[derive(Clone)]
pub struct Accounts {
    /// Store of passwords, sessions, one-time tokens, linked identities and sign-in events.
    pub credentials: Arc<dyn Credentials>,
    /// OpenID Connect providers.
    pub providers: Arc<dyn IdentityProviders>,
    /// Sign-ins through identity providers that are completed, so that none is completed twice.
    pub used_flows: Arc<UsedFlows>,
    /// Hashing and comparison of passwords.
    pub passwords: Arc<dyn Passwords>,
    /// Sender of e-mails.
    pub outbox: Arc<dyn Outbox>,
    /// Limit on simultaneous resets of passwords.
    pub resets: ResetPlaces,
    /// Sessions that have ended, and whose access tokens have not expired yet.
    pub ended_sessions: Arc<EndedSessions>,
    /// Delays for guesses of passwords and order codes.
    pub guard: Arc<Guard>,
}

/// Finds the account that has claimed an e-mail address, by the alias of the address.
pub async fn by_email(ports: &Ports, hash: &EmailHash) -> Result<Option<(UserId, Account)>, StoreError> {
    let claim = ports.aggregates.claims.load(&Claim::of_email(hash)).await?;
    let owner = claim.and_then(|claim| claim.state.holder.as_ref().map(|holder| holder.owner.clone()));
    // A user is loaded even if there is no claim, so that the time does not reveal whether an account exists.
    let stream = owner.and_then(|owner| StreamName::parse(&owner).ok());
    let stream = stream.unwrap_or_else(|| StreamName::new(User::CATEGORY, "nobody"));
    let loaded = ports.aggregates.users.load(&stream).await?;
    let account = loaded.and_then(|loaded| loaded.state.account().cloned());
    let user = User::of_stream(&stream);
    Ok(user.zip(account).filter(|(_, account)| account.email_hash == *hash))
}

/// Returns the caller's account. Machines, and customers of other systems, have none: they get a 404.
pub async fn of_caller(ports: &Ports, caller: &Caller) -> Result<(UserId, Account), Problem> {
    let subject = caller.signed_in()?;
    let not_found = || Problem::new("not-found", "the access token belongs to no account");
    let user = UserId::of_customer(subject).ok_or_else(not_found)?;
    of_user(ports, user).await?.map(|account| (user, account)).ok_or_else(not_found)
}

/// Returns the account of a user; `None` if it does not exist or is erased.
pub async fn of_user(ports: &Ports, user: UserId) -> Result<Option<Account>, StoreError> {
    let loaded = ports.aggregates.users.load(&User::stream(user)).await?;
    Ok(loaded.and_then(|loaded| loaded.state.account().cloned()))
}

/// Records a sign-in event. If the user is erased meanwhile, the event is deleted again, even if the client
/// has disconnected.
pub async fn record_sign_in(
    ports: &Ports,
    kind: SignInKind,
    user: Option<UserId>,
    email_hash: Option<&EmailHash>,
    client: &SignInClient<'_>,
) -> Result<(), Problem> {
    let sign_in = SignIn {
        id: ports.clock.new_id(),
        at: ports.clock.now(),
        user: user.map(UserId::customer),
        email_hash: email_hash.cloned(),
        kind,
        address: client.caller.address.map(|address| address.to_string()),
        user_agent: client.user_agent.clone(),
    };
    let task_ports = ports.clone();
    let task = tokio::spawn(async move {
        task_ports.accounts.credentials.note(&sign_in).await?;
        if let Some(user) = user {
            erasure::delete_if_erased(&task_ports, user).await?;
        }
        Ok(())
    });
    task.await.map_err(|error| Problem::internal(&error))?
}

/// The client of a request, as sign-in events record it.
pub struct SignInClient<'a> {
    /// Caller, with the client address.
    pub caller: &'a Caller,
    /// Header `User-Agent`, cut to 200 characters.
    pub user_agent: Option<String>,
}

impl<'a> SignInClient<'a> {
    /// Returns the client of a request.
    pub fn of(caller: &'a Caller, headers: &HeaderMap) -> Self {
        let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        let user_agent = user_agent.map(|text| text.chars().take(USER_AGENT_CHARS_MAX).collect());
        Self { caller, user_agent }
    }
}
