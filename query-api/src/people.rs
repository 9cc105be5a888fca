//! Opening what is under seal, for those who may see it.

use souk_eventsourcing::{KeyRing, Person};
use souk_web::Problem;

use crate::database::QueryState;

/// The keys of these people; nobody's when there is nobody.
pub(crate) async fn keys_of(
    state: &QueryState,
    people: impl IntoIterator<Item = Person>,
) -> Result<KeyRing, Problem> {
    let mut people: Vec<Person> = people.into_iter().collect();
    people.sort();
    people.dedup();
    if people.is_empty() {
        return Ok(KeyRing::default());
    }
    Ok(state.beside.people.to_open(people).await?)
}
