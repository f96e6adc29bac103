//! Whether everybody is who all that was said makes them.

use roaring::RoaringBitmap;

use crate::block::Block;
use crate::column::Column;
use crate::error::{Error, Result};
use crate::guards::Guards;
use crate::model::{CustomerOrdinal, IdentityOrdinal};
use crate::name_index::NameIndex;
use crate::names::Names;
use crate::schema::AttrId;
use crate::state::State;
use crate::strings::hash_of;
use crate::ties::Ties;

/// Every interaction of those who live must be of the customer that its identity belongs to.
pub(super) fn check_rows(
    names: &Names,
    block: &Block,
    lives: &dyn Fn(CustomerOrdinal) -> bool,
) -> Result<()> {
    let Some(Column::Int { values, .. }) = block.column(AttrId::IDENTITY) else { return Ok(()) };
    for (place, &customer) in block.customers.iter().enumerate().filter(|(_, customer)| lives(**customer)) {
        let mut last = None;
        for &identity in values.get(block.journey(place)).unwrap_or_default() {
            if last.replace(identity) != Some(identity)
                && names.customers.of(IdentityOrdinal(identity as u32))? != customer
            {
                return Err(Error::invalid(format!(
                    "an interaction of `{}` lies with the customer `{}`, to whom it does not belong",
                    names.identity(IdentityOrdinal(identity as u32))?,
                    names.identity(IdentityOrdinal(customer))?,
                )));
            }
        }
    }
    Ok(())
}

/// Every identity must be found by its text, under its number.
pub(super) fn check_index(state: &State) -> Result<()> {
    let meta = &state.version.manifest.name_index;
    let index = NameIndex::load(state.chunks(), meta, state.threads)?;
    let identities = state.names.identities.read()?;
    let damaged = |message: String| {
        Error::damaged(format!("{}: an index of names", state.chunks().folder()), 0, message)
    };
    let mut found = RoaringBitmap::new();
    for (hash, number) in index.all() {
        let text = identities.get(number);
        if hash != hash_of(text) || !found.insert(number) {
            return Err(damaged(format!("`{text}` is not where it is looked for")));
        }
    }
    // As many as there are numbers, and none twice; so it has to be the numbers alone that fit.
    if index.names() > identities.len() || found.len() != index.names() as u64 {
        return Err(damaged("it has other names than there are".to_owned()));
    }
    Ok(())
}

/// All that was ever said, resolved anew, must give the customers that there are.
pub(super) fn check_customers(state: &State) -> Result<()> {
    let names = &state.names;
    let identities = names.identities.read()?;
    let texts = identities.strings();
    let guards: &Guards = &state.links.guards(u64::MAX);
    let ties = Ties::of(&state.links.all(state.chunks())?, texts, guards);
    let (region, resolved) = ties.resolve(&ties.identities(), texts, guards);
    let wrong = |identity: u32, what: &str| {
        let identity = names.identity(IdentityOrdinal(identity)).unwrap_or_default();
        Err(Error::invalid(format!("`{identity}` {what} by all that was said")))
    };
    for identity in &region {
        if names.customers.of(IdentityOrdinal(identity))? != resolved.customer(identity) {
            return wrong(identity, "is of another customer than");
        }
    }
    for identity in names.customers.moved()? {
        // Who is its own again is listed, too.
        let is_own = names.customers.of(IdentityOrdinal(identity))? == identity;
        if !is_own && !region.contains(identity) {
            return wrong(identity, "is of another customer than");
        }
    }
    for &(customer, shown) in &resolved.shown {
        if names.customers.shown_of(customer)? != shown {
            return wrong(customer, "is shown by another identity than");
        }
    }
    Ok(())
}
