//! That nothing is left of who was erased.

use roaring::RoaringBitmap;

use crate::digest;
use crate::error::Result;
use crate::state::State;

/// Adds what is wrong to `problems`.
pub(super) fn check(state: &State, problems: &mut Vec<String>) -> Result<()> {
    let (counted, left) = (state.recorded.interactions(), state.interactions());
    let taken = state.erased.taken_out.until(u64::MAX, i64::MAX).interactions;
    if left.checked_add(taken) != Some(counted) {
        problems.push(format!(
            "commits recorded {counted} interactions, of which {taken} were erased or dropped, and the store has {left}"
        ));
    }
    let Some(hidden) = state.names.erased.get() else { return Ok(()) };
    let identities = state.names.identities.read()?;
    let unknown: RoaringBitmap = state
        .erased
        .tombstones()
        .filter_map(|(key, tombstone)| Some((key, tombstone.identity?)))
        .fold(hidden.clone(), |mut unknown, (key, identity)| {
            if digest::identity_key(state.store_key, identities.get(identity)) == key {
                unknown.remove(identity);
            }
            unknown
        });
    if !unknown.is_empty() {
        problems.push(format!("{} identities are hidden and were not erased", unknown.len()));
    }
    let customers = state.names.customers.map_set(hidden)?;
    if !state.present.is_disjoint(&customers) {
        problems.push("an erased customer has interactions".to_owned());
    }
    let attributes = state.customers.iter().flat_map(|block| &block.customers);
    if attributes.into_iter().any(|&identity| hidden.contains(identity)) {
        problems.push("an erased customer has attributes".to_owned());
    }
    for (name, cohort) in &state.cohorts {
        if !cohort.is_disjoint(hidden) {
            problems.push(format!("the cohort `{name}` has an erased customer"));
        }
    }
    Ok(())
}
