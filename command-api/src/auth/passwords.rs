//! Creation of accounts, and verification, change and reset of passwords.

use jiff::SignedDuration;
use souk_domain::claim::{Claim, ClaimCommand};
use souk_domain::user::command::Registration;
use souk_domain::user::event::UserRole;
use souk_domain::user::state::Account;
use souk_domain::user::{User, UserCommand};
use souk_domain::{CustomerId, Email, EmailHash, UserId};
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{Actor, CommandError, CommandRequest, CorrelationId, Position};
use souk_http::guard::Target;
use souk_http::shapes::NewPasswordShape;
use souk_http::{Caller, Problem};
use souk_sign_in::password::Comparison;
use souk_sign_in::{LinksAtReset, Password, ResetsAtChange, SignInKind};
use uuid::Uuid;

use crate::ports::Ports;
use crate::rejected::problem;
use crate::users::erasure;

use super::accounts::{self, SignInClient};
use super::{addresses, mailed_tokens, sessions};

/// Time after a sign-in during which a user without a password may do what others confirm with their
/// password. It is much shorter than the lifetime of an access token, which may be stolen.
const RECENT_SIGN_IN_MAX: SignedDuration = SignedDuration::from_mins(2);

/// The data of a new account.
pub struct NewAccount {
    /// E-mail address of the user.
    pub email: Email,
    /// Password of the user; `None` if the user signs in through an identity provider.
    pub password: Option<Password>,
    /// Name of the user.
    pub name: String,
    /// Role of the user.
    pub role: UserRole,
    /// True if the e-mail address is known to belong to the user.
    pub is_verified: bool,
}

/// Reads a new password, and refuses a weak one.
pub fn new_password(pointer: &str, shape: &NewPasswordShape) -> Result<Password, Problem> {
    let password = Password::typed(shape.0.clone());
    password.check().map_err(|why| Problem::field(pointer, "weak-password", why.to_string()))?;
    Ok(password)
}

/// Creates an account: claims the e-mail address, stores the password, and registers the user. If a crash
/// interrupts it, the sweep of claims releases the claim.
pub async fn sign_up(
    ports: &Ports,
    new: NewAccount,
    correlation_id: &CorrelationId,
) -> Result<(UserId, Position), Problem> {
    let user = UserId(ports.clock.new_id());
    let actor = Actor::new("customer", &user.to_string());
    let origin = || Origin::new(ports.clock.new_id(), actor.clone(), correlation_id.clone());
    let phc = match new.password {
        Some(password) => Some(ports.accounts.passwords.hash(password).await?),
        None => None,
    };
    // The alias is made after the slow hashing, so that a client that disconnects before leaves no trace of
    // the address.
    let alias = addresses::alias_to_claim(ports, &new.email).await?;
    let owner = User::stream(user);
    let claim = ClaimCommand::Claim { owner: owner.to_string(), epoch: 0 };
    let claimed =
        ports.aggregates.claims.execute(CommandRequest::new(Claim::of_email(&alias), claim, origin())).await;
    claimed.map_err(|error| match error {
        CommandError::Rejected(_) => email_taken(),
        error => problem(error),
    })?;
    // An erasure deletes the alias and then releases the claim. If it did so meanwhile, this account has
    // claimed an alias by which it would not be found. The sweep releases the claim.
    if addresses::alias_of(ports, &new.email).await? != alias {
        return Err(email_taken());
    }
    if let Some(phc) = phc {
        ports.accounts.credentials.set_password(&user.customer(), &phc).await?;
    }
    let email = new.email.clone();
    let claimed_alias = alias.clone();
    let registration = Registration {
        user,
        email: new.email,
        email_hash: alias,
        name: new.name,
        is_verified: new.is_verified,
        role: new.role,
    };
    let register = CommandRequest::new(owner, UserCommand::Register(Box::new(registration)), origin());
    let outcome = ports.aggregates.users.execute(register).await.map_err(problem)?;
    // The account exists, so this failure is not reported to the client. The next sign-in stores the alias.
    if let Err(error) = addresses::store(ports, user, &email, &claimed_alias, None).await {
        tracing::warn!(
            error = error.detail(),
            "the alias of an e-mail address was not stored with the credentials"
        );
    }
    erasure::delete_if_erased(ports, user).await?;
    Ok((user, outcome.position))
}

fn email_taken() -> Problem {
    let detail = "an account with this e-mail address exists: sign in, or reset the password";
    Problem::new("email-taken", detail)
}

/// A user whose password was verified.
pub struct VerifiedUser {
    /// Id of the user.
    pub user: UserId,
    /// Role of the user.
    pub role: UserRole,
    /// Stored hash of the password, in the PHC string format.
    phc: String,
}

/// Verifies an e-mail address and a password, and returns their user. It takes the same time if no account
/// has the address.
pub async fn verify(
    ports: &Ports,
    email: &Email,
    password: Password,
    client: &SignInClient<'_>,
) -> Result<VerifiedUser, Problem> {
    let hash = addresses::alias_of(ports, email).await?;
    let verified = verify_by_alias(ports, hash.clone(), password, client).await?;
    // An older version of Souk did not store the alias at sign-up.
    addresses::store(ports, verified.user, email, &hash, Some(&verified.phc)).await?;
    Ok(verified)
}

/// Verifies a password as [`verify`] does, by the alias of the e-mail address.
pub async fn verify_by_alias(
    ports: &Ports,
    hash: EmailHash,
    password: Password,
    client: &SignInClient<'_>,
) -> Result<VerifiedUser, Problem> {
    let compare = async {
        let account = accounts::by_email(ports, &hash).await?;
        let customer = account.as_ref().map_or(UserId::placeholder(), |(user, _)| *user).customer();
        let stored_phc = ports.accounts.credentials.password(&customer).await?;
        let comparison = ports.accounts.passwords.compare(password.clone(), stored_phc.clone()).await?;
        Ok((account, stored_phc, comparison))
    };
    let target = Target::SignIn(hash.clone());
    let is_right =
        |(account, _, comparison): &(Option<_>, _, Comparison)| account.is_some() && comparison.is_right;
    let (account, stored_phc, comparison) =
        ports.accounts.guard.attempt(&target, client.caller.address, compare, is_right).await?;
    let user = account.as_ref().map(|(user, _)| *user);
    let Some((user, account)) = account.filter(|_| comparison.is_right) else {
        accounts::record_sign_in(ports, SignInKind::Failed, user, Some(&hash), client).await?;
        return Err(Problem::new("unauthenticated", "e-mail address or password is wrong"));
    };
    let mut phc = stored_phc.unwrap_or_default();
    if comparison.is_outdated {
        let new = ports.accounts.passwords.hash(password).await?;
        // If the password was changed meanwhile, the new hash is not stored.
        if ports.accounts.credentials.replace_password(&user.customer(), &phc, &new).await? {
            phc = new;
        }
    }
    Ok(VerifiedUser { user, role: account.role, phc })
}

impl VerifiedUser {
    /// Returns true if the password was not changed since it was verified.
    pub async fn has_same_password(&self, ports: &Ports) -> Result<bool, Problem> {
        let stored_phc = ports.accounts.credentials.password(&self.user.customer()).await?;
        Ok(stored_phc.as_deref() == Some(self.phc.as_str()))
    }
}

/// A proof that a signed-in caller sent the right password.
pub struct ConfirmedPassword {
    /// Stored hash that the password was compared with, in the PHC string format.
    phc: String,
}

/// Confirms the password of a signed-in caller. Wrong guesses are counted for the session, so that guesses of
/// other people at the sign-in do not delay the owner of the account.
pub async fn confirm(
    ports: &Ports,
    user: UserId,
    password: Password,
    pointer: &str,
    client: &SignInClient<'_>,
) -> Result<ConfirmedPassword, Problem> {
    let customer = user.customer();
    let target = Target::of_signed_in(client.caller, &customer);
    let compare = async {
        let stored_phc = ports.accounts.credentials.password(&customer).await?;
        let is_right = ports.accounts.passwords.compare(password, stored_phc.clone()).await?.is_right;
        Ok(stored_phc.filter(|_| is_right))
    };
    let address = client.caller.address;
    let matching_phc = ports.accounts.guard.attempt(&target, address, compare, Option::is_some).await?;
    let Some(phc) = matching_phc else {
        accounts::record_sign_in(ports, SignInKind::Failed, Some(user), None, client).await?;
        return Err(Problem::field(pointer, "wrong-password", "the password is wrong"));
    };
    Ok(ConfirmedPassword { phc })
}

/// Confirms a caller without a password by a sign-in within the last two minutes.
pub async fn confirm_by_recent_sign_in(
    ports: &Ports,
    user: UserId,
    caller: &Caller,
    pointer: &str,
) -> Result<(), Problem> {
    if ports.accounts.credentials.password(&user.customer()).await?.is_some() {
        return Err(Problem::field(pointer, "missing-field", "the account has a password: send it"));
    }
    let session = match caller.session {
        Some(session) => ports.accounts.credentials.session(session).await?,
        None => None,
    };
    let opened_at = session.map(|stored| stored.session.opened_at);
    if opened_at.is_some_and(|at| ports.clock.now().duration_since(at) <= RECENT_SIGN_IN_MAX) {
        return Ok(());
    }
    Err(Problem::new("sign-in-needed", "sign in again through the identity provider, and repeat the request"))
}

/// Replaces the confirmed password with a new one. All sessions end, except for `kept_session`.
///
/// If the e-mail address of the account is proven, tokens to reset the password stop working. If it is not
/// proven, they keep working: a stranger may have created the account with the address, and a token is the
/// only way in which the owner of the address can take over the account.
pub async fn change(
    ports: &Ports,
    (user, account): (UserId, Account),
    confirmed: ConfirmedPassword,
    password: Password,
    kept_session: Option<Uuid>,
) -> Result<(), Problem> {
    let phc = ports.accounts.passwords.hash(password).await?;
    let customer = user.customer();
    let resets = if account.is_proven { ResetsAtChange::Remove } else { ResetsAtChange::Keep };
    run_to_completion(ports, move |ports| async move {
        let credentials = &ports.accounts.credentials;
        if !credentials.change_password(&customer, &confirmed.phc, &phc, resets).await? {
            let detail = "another request changed the password meanwhile; repeat this request";
            return Err(Problem::new("revision-conflict", detail));
        }
        after_password_change(&ports, &customer, &account, kept_session).await
    })
    .await
}

/// Sets a new password with a token from an e-mail. All sessions end. If the e-mail address of the account
/// was not proven, the links to identity providers are removed too: a stranger may have created the account
/// with somebody else's address. Returns a problem if the token was used or stopped working meanwhile.
pub async fn reset(
    ports: &Ports,
    (user, account): (UserId, Account),
    token: [u8; 32],
    password: Password,
) -> Result<(), Problem> {
    let phc = ports.accounts.passwords.hash(password).await?;
    let customer = user.customer();
    let links = if account.is_proven { LinksAtReset::Keep } else { LinksAtReset::Remove };
    run_to_completion(ports, move |ports| async move {
        let now = ports.clock.now();
        let owner = ports.accounts.credentials.reset_password(&token, &phc, links, now).await?;
        owner.filter(|owner| *owner == customer).ok_or_else(mailed_tokens::unknown_token)?;
        after_password_change(&ports, &customer, &account, None).await
    })
    .await
}

/// Ends all sessions of the user, except for `kept_session`, and removes the delay that wrong guesses of the
/// old password caused.
async fn after_password_change(
    ports: &Ports,
    user: &CustomerId,
    account: &Account,
    kept_session: Option<Uuid>,
) -> Result<(), Problem> {
    ports.accounts.guard.clear_sign_in_failures(&account.email_hash);
    sessions::end_all(ports, user, kept_session).await?;
    Ok(())
}

/// Runs work in a task, so that it completes even if the client disconnects.
async fn run_to_completion<F>(ports: &Ports, work: impl FnOnce(Ports) -> F) -> Result<(), Problem>
where
    F: Future<Output = Result<(), Problem>> + Send + 'static,
{
    tokio::spawn(work(ports.clone())).await.map_err(|error| Problem::internal(&error))?
}
