//! Making an account, and proving whose it is.

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
use souk_sign_in::password::Compared;
use souk_sign_in::{LinksAtReset, Password, ResetsAtChange, SignInKind};
use uuid::Uuid;

use crate::rejected::problem;
use crate::shop::Shop;
use crate::users::erasure;

use super::accounts::{self, Client};
use super::{addresses, mailed, sessions};

/// How long a sign-in shows who somebody is, where others show it by their password: much shorter than an
/// access token lasts, which may be stolen meanwhile.
const JUST_NOW: SignedDuration = SignedDuration::from_mins(2);

/// What an account is made from.
pub struct NewAccount {
    /// Their e-mail address.
    pub email: Email,
    /// Their password; none when an identity provider says who they are.
    pub password: Option<Password>,
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: UserRole,
    /// Whether the address is known to be theirs.
    pub is_verified: bool,
}

/// Reads a password that shall be somebody's.
pub fn new_password(pointer: &str, shape: &NewPasswordShape) -> Result<Password, Problem> {
    let password = Password::typed(shape.0.clone());
    password.check().map_err(|why| Problem::field(pointer, "weak-password", why.to_string()))?;
    Ok(password)
}

/// Makes an account: claims the address, keeps the password, registers the user. A crash in between
/// leaves a claim that its sweep releases.
pub async fn sign_up(
    shop: &Shop,
    new: NewAccount,
    correlation_id: &CorrelationId,
) -> Result<(UserId, Position), Problem> {
    let user = UserId(shop.clock.new_id());
    let actor = Actor::new("customer", &user.to_string());
    let origin = || Origin::new(shop.clock.new_id(), actor.clone(), correlation_id.clone());
    let phc = match new.password {
        Some(password) => Some(shop.accounts.passwords.hash(password).await?),
        None => None,
    };
    // After the slow hash: a client that goes away before leaves nothing of the address.
    let alias = addresses::alias_to_claim(shop, &new.email).await?;
    let owner = User::stream(user);
    let claim = ClaimCommand::Claim { owner: owner.to_string(), epoch: 0 };
    let claimed = shop.claims.execute(CommandRequest::new(Claim::of_email(&alias), claim, origin())).await;
    claimed.map_err(|error| match error {
        CommandError::Rejected(_) => email_taken(),
        error => problem(error),
    })?;
    // An erasure deletes the alias before it releases the claim. Whoever claimed it after that has an alias that
    // nobody finds; the claim is released by its sweep.
    if addresses::alias_of(shop, &new.email).await? != alias {
        return Err(email_taken());
    }
    if let Some(phc) = phc {
        shop.accounts.credentials.set_password(&user.customer(), &phc).await?;
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
    let outcome = shop.accounts.users.execute(register).await.map_err(problem)?;
    // The account is there: its owner is not told otherwise, and the next sign-in keeps the address.
    if let Err(error) = addresses::keep(shop, user, &email, &claimed_alias, None).await {
        tracing::warn!(error = error.detail(), "an e-mail address is not kept with the credentials");
    }
    erasure::look_again(shop, user).await?;
    Ok((user, outcome.position))
}

fn email_taken() -> Problem {
    let detail = "there is an account with this e-mail address: sign in, or reset the password";
    Problem::new("email-taken", detail)
}

/// Somebody whose password was right.
pub struct Proven {
    /// Who.
    pub user: UserId,
    /// What they may do.
    pub role: UserRole,
    /// What their password was kept as.
    phc: String,
}

/// Whose e-mail address and password these are. The answer takes the same time whether the account is
/// there.
pub async fn prove(
    shop: &Shop,
    email: &Email,
    password: Password,
    client: &Client<'_>,
) -> Result<Proven, Problem> {
    let hash = addresses::alias_of(shop, email).await?;
    let proven = prove_by_alias(shop, hash.clone(), password, client).await?;
    // Accounts of before this was kept at the sign-up.
    addresses::keep(shop, proven.user, email, &hash, Some(&proven.phc)).await?;
    Ok(proven)
}

/// As [`prove`], by the alias of the e-mail address.
pub async fn prove_by_alias(
    shop: &Shop,
    hash: EmailHash,
    password: Password,
    client: &Client<'_>,
) -> Result<Proven, Problem> {
    let compare = async {
        let found = accounts::by_email(shop, &hash).await?;
        let customer = found.as_ref().map_or(UserId::nobody(), |(user, _)| *user).customer();
        let kept = shop.accounts.credentials.password(&customer).await?;
        let compared = shop.accounts.passwords.compare(password.clone(), kept.clone()).await?;
        Ok((found, kept, compared))
    };
    let target = Target::SignIn(hash.clone());
    let is_right = |(found, _, compared): &(Option<_>, _, Compared)| found.is_some() && compared.is_right;
    let (found, kept, compared) =
        shop.accounts.guard.counting(&target, client.caller.address, compare, is_right).await?;
    let whose = found.as_ref().map(|(user, _)| *user);
    let Some((user, account)) = found.filter(|_| compared.is_right) else {
        accounts::note(shop, SignInKind::Failed, whose, Some(&hash), client).await?;
        return Err(Problem::new("unauthenticated", "e-mail address or password is wrong"));
    };
    let mut phc = kept.unwrap_or_default();
    if compared.is_outdated {
        let new = shop.accounts.passwords.hash(password).await?;
        // A password that was changed meanwhile stays.
        if shop.accounts.credentials.replace_password(&user.customer(), &phc, &new).await? {
            phc = new;
        }
    }
    Ok(Proven { user, role: account.role, phc })
}

impl Proven {
    /// Whether the password is the same still.
    pub async fn still_holds(&self, shop: &Shop) -> Result<bool, Problem> {
        let kept = shop.accounts.credentials.password(&self.user.customer()).await?;
        Ok(kept.as_deref() == Some(self.phc.as_str()))
    }
}

/// A password of a signed-in caller that was right.
pub struct Confirmed {
    /// The hash that it was compared with.
    phc: String,
}

/// Compares the password of a caller who is signed in. Guesses count by the session: those of strangers at the
/// sign-in do not delay the owner.
pub async fn confirm(
    shop: &Shop,
    user: UserId,
    password: Password,
    pointer: &str,
    client: &Client<'_>,
) -> Result<Confirmed, Problem> {
    let customer = user.customer();
    let target = Target::of_signed_in(client.caller, &customer);
    let compare = async {
        let kept = shop.accounts.credentials.password(&customer).await?;
        let is_right = shop.accounts.passwords.compare(password, kept.clone()).await?.is_right;
        Ok(kept.filter(|_| is_right))
    };
    let address = client.caller.address;
    let right = shop.accounts.guard.counting(&target, address, compare, Option::is_some).await?;
    let Some(phc) = right else {
        accounts::note(shop, SignInKind::Failed, Some(user), None, client).await?;
        return Err(Problem::field(pointer, "wrong-password", "it is not the password"));
    };
    Ok(Confirmed { phc })
}

/// Whether somebody without a password has just signed in, which shows the same.
pub async fn confirm_by_sign_in(
    shop: &Shop,
    user: UserId,
    caller: &Caller,
    pointer: &str,
) -> Result<(), Problem> {
    if shop.accounts.credentials.password(&user.customer()).await?.is_some() {
        return Err(Problem::field(pointer, "missing-field", "it is wanted of who has one"));
    }
    let family = match caller.session {
        Some(session) => shop.accounts.credentials.family(session).await?,
        None => None,
    };
    let opened_at = family.map(|stored| stored.family.opened_at);
    if opened_at.is_some_and(|at| shop.clock.now().duration_since(at) <= JUST_NOW) {
        return Ok(());
    }
    Err(Problem::new("sign-in-needed", "sign in again through the identity provider, and repeat this"))
}

/// Sets another password in place of the confirmed one. All sessions but one end. Mailed tokens that reset the password
/// end too, once the address of the account is proven: before that the account may be a stranger's, and the tokens the
/// only way of the address's owner to it.
pub async fn change(
    shop: &Shop,
    (user, account): (UserId, Account),
    confirmed: Confirmed,
    password: Password,
    but: Option<Uuid>,
) -> Result<(), Problem> {
    let phc = shop.accounts.passwords.hash(password).await?;
    let customer = user.customer();
    let resets = if account.is_proven { ResetsAtChange::Go } else { ResetsAtChange::Stay };
    to_the_end(shop, move |shop| async move {
        let credentials = &shop.accounts.credentials;
        if !credentials.change_password(&customer, &confirmed.phc, &phc, resets).await? {
            let detail = "the password was changed by another request meanwhile; repeat this one";
            return Err(Problem::new("revision-conflict", detail));
        }
        renewed(&shop, &customer, &account, but).await
    })
    .await
}

/// Sets another password by the token that was mailed. All sessions end, and so do the links to identity providers of
/// an account whose address was not verified: a stranger may have made it with somebody's address. Refused when the
/// token was used or died meanwhile.
pub async fn reset(
    shop: &Shop,
    (user, account): (UserId, Account),
    token: [u8; 32],
    password: Password,
) -> Result<(), Problem> {
    let phc = shop.accounts.passwords.hash(password).await?;
    let customer = user.customer();
    let links = if account.is_proven { LinksAtReset::Stay } else { LinksAtReset::Go };
    to_the_end(shop, move |shop| async move {
        let now = shop.clock.now();
        let whose = shop.accounts.credentials.reset_password(&token, &phc, links, now).await?;
        whose.filter(|whose| *whose == customer).ok_or_else(mailed::unknown_token)?;
        renewed(&shop, &customer, &account, None).await
    })
    .await
}

/// Ends all sessions but one, and lifts the delay of the sign-in: the password is another.
async fn renewed(
    shop: &Shop,
    user: &CustomerId,
    account: &Account,
    but: Option<Uuid>,
) -> Result<(), Problem> {
    shop.accounts.guard.renewed(&account.email_hash);
    sessions::end_all(shop, user, but).await?;
    Ok(())
}

/// Does all of it, also when nobody waits for it any more.
async fn to_the_end<F>(shop: &Shop, work: impl FnOnce(Shop) -> F) -> Result<(), Problem>
where
    F: Future<Output = Result<(), Problem>> + Send + 'static,
{
    tokio::spawn(work(shop.clone())).await.map_err(|error| Problem::internal(&error))?
}
